// Convolutions of lattice laws: see sum_lattice.hpp.
#include "fracmoment/depth/sum_lattice.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "fracmoment/depth/lagrange.hpp"
#include "fracmoment/depth/lattice_kernels.hpp"
#include "fracmoment/depth/scalar.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment {

void trim(LatticeMasses& law, double least) {
  std::vector<double>& mass = law.mass;
  std::size_t begin = 0, end = mass.size();
  while (begin + 1 < end && std::abs(mass[begin]) < least) ++begin;
  while (end > begin + 1 && std::abs(mass[end - 1]) < least) --end;
  law.first += std::int64_t(begin);
  mass.erase(mass.begin() + std::ptrdiff_t(end), mass.end());
  mass.erase(mass.begin(), mass.begin() + std::ptrdiff_t(begin));
}

LatticeMasses convolution(const LatticeMasses& a, const LatticeMasses& b, double least) {
  LatticeMasses out{a.step, a.first + b.first, {}};
  out.mass.resize(a.mass.size() + b.mass.size() - 1);
  lattice_kernels().convolve(a.mass.data(), a.mass.size(), b.mass.data(), b.mass.size(),
                             out.mass.data());
  trim(out, least);
  return out;
}

namespace {

constexpr double kMildChange = 0.25;  // of the logarithm of a mass, over a step of a coarser law

// Of two laws on one lattice.
void add(LatticeMasses& sum, const LatticeMasses& part) {
  const std::int64_t first = std::min(sum.first, part.first);
  const auto end = [](const LatticeMasses& law) {
    return law.first + std::int64_t(law.mass.size());
  };
  const std::int64_t last = std::max(end(sum), end(part));
  sum.mass.insert(sum.mass.begin(), std::size_t(sum.first - first), 0.0);
  sum.first = first;
  sum.mass.resize(std::size_t(last - first));
  for (std::size_t i = 0; i < part.mass.size(); ++i)
    sum.mass[std::size_t(part.first - first) + i] += part.mass[i];
}

}  // namespace

LatticeMasses every_second(const LatticeMasses& a) {
  const std::size_t skip = std::size_t(a.first & 1);  // to the first even index
  LatticeMasses out{2.0 * a.step, (a.first + std::int64_t(skip)) / 2, {}};
  for (std::size_t i = skip; i < a.mass.size(); i += 2) out.mass.push_back(2.0 * a.mass[i]);
  return out;
}

namespace {

double log_size(double value) { return log_of(std::abs(value)); }

// Values over exp(anchor + rate offset), which vary little: a stencil around a cell.
struct Stencil {
  std::int64_t inside;  // index of the left end of the cell
  double anchor, rate, value[kStencil];

  Stencil(const std::vector<double>& source, std::int64_t cell) {
    const auto n = std::int64_t(source.size());
    const std::int64_t begin = std::min(std::max(cell - kBefore, std::int64_t(0)), n - kStencil);
    inside = cell - begin;
    const double* from = source.data() + begin;
    anchor = log_size(from[inside]);
    rate = log_size(from[inside + 1]) - anchor;
    if (!(std::abs(anchor) < kInfinity && std::abs(rate) < kInfinity)) anchor = rate = 0.0;
    for (std::int64_t i = 0; i < kStencil; ++i) {
      const double size = exp_of(log_size(from[i]) - anchor - rate * double(i - inside));
      value[i] = from[i] < 0.0 ? -size : size;
    }
  }
  double at(const double* weight) const {
    double sum = 0.0;
    for (std::int64_t i = 0; i < kStencil; ++i) sum += weight[i] * value[i];
    return sum;
  }
};

void require_points(const LatticeMasses& law) {
  if (law.mass.size() < std::size_t(kStencil))
    throw ConvergenceError("the law of the log-norm has too few points on its lattice");
}

// Integrals over the cells, by Gauss-Legendre nodes of the interpolant.
std::vector<double> integrals(const std::vector<double>& density, double step) {
  const auto n = std::int64_t(density.size());
  std::vector<double> out;
  double weight[16][kStencil];
  std::int64_t known = -1;
  for (std::int64_t cell = 0; cell + 1 < n; ++cell) {
    const Stencil stencil(density, cell);
    if (stencil.inside != known)
      for (int k = 0; k < 16; ++k)
        lagrange_weights(double(stencil.inside) + tables::kLegendreNodeHi[k], weight[k]);
    known = stencil.inside;
    double sum = 0.0;
    for (int k = 0; k < 16; ++k)
      sum += tables::kLegendreWeightHi[k] * stencil.at(weight[k]) *
             exp_of(stencil.rate * tables::kLegendreNodeHi[k]);
    out.push_back(sum * step * exp_of(stencil.anchor));
  }
  return out;
}

}  // namespace

bool needs_every_point(const LatticeMasses& a) {
  const auto n = std::int64_t(a.mass.size());
  if (n < 4 * kStencil) return true;
  double weight[kStencil];
  lagrange_weights(double(kBefore) + 0.5, weight);
  for (std::int64_t parity : {0, 1}) {
    std::vector<double> half;
    for (std::int64_t i = parity; i < n; i += 2) half.push_back(a.mass[std::size_t(i)]);
    const auto cells = std::int64_t(half.size()) - kStencil / 2;
    for (std::int64_t cell = kBefore; cell < cells; ++cell) {
      const Stencil stencil(half, cell);
      const double found = stencil.at(weight) * exp_of(stencil.anchor + 0.5 * stencil.rate);
      const double exact = a.mass[std::size_t(2 * cell + parity + 1)];
      if (!(std::abs(found - exact) <= 1e-12 * std::abs(exact))) return true;
    }
  }
  return false;
}

LatticeMasses coarsened(const LatticeMasses& fine, double step) {
  const double ratio = fine.step / step;
  const auto lowest = std::int64_t(std::floor(double(fine.first) * ratio));
  const auto highest =
      std::int64_t(std::floor(double(fine.first + std::int64_t(fine.mass.size()) - 1) * ratio));
  LatticeMasses out{step, lowest - kBefore, {}};
  out.mass.assign(std::size_t(highest - lowest + kStencil), 0.0);
  std::map<double, std::vector<double>> weights;  // by the position in the cell
  for (std::size_t i = 0; i < fine.mass.size(); ++i) {
    const double at = double(fine.first + std::int64_t(i)) * ratio, cell = std::floor(at);
    std::vector<double>& weight = weights[at - cell];
    if (weight.empty()) {
      weight.resize(std::size_t(kStencil));
      lagrange_weights(double(kBefore) + at - cell, weight.data());
    }
    double* target = out.mass.data() + (std::int64_t(cell) - lowest);
    for (std::int64_t k = 0; k < kStencil; ++k) target[k] += fine.mass[i] * weight[std::size_t(k)];
  }
  return out;
}

namespace {

// How many of the lowest masses of a law change little over a step: its far tail, whose integrals
// over interpolants are right whatever the other function does.
std::size_t mild_masses(const LatticeMasses& law, double step) {
  const double most = kMildChange * law.step / step;
  std::size_t n = 0;
  while (n + 1 < law.mass.size() && law.mass[n] > 0.0 &&
         std::abs(log_of(law.mass[n + 1]) - log_of(law.mass[n])) < most)
    ++n;
  return n;
}

}  // namespace

LatticeMasses smeared(const LatticeMasses& broad, LatticeMasses narrow, double least) {
  require_points(broad);
  const std::size_t mild = mild_masses(narrow, broad.step);
  LatticeMasses far{narrow.step, narrow.first, {}};
  if (mild > std::size_t(kStencil)) {
    const auto end = narrow.mass.begin() + std::ptrdiff_t(mild);
    far.mass.assign(narrow.mass.begin(), end);
    narrow.mass.erase(narrow.mass.begin(), end);
    narrow.first += std::int64_t(mild);
  }
  const auto n = std::int64_t(broad.mass.size());
  struct Shift {
    std::int64_t cells;  // from the result's index to the cell on the broad lattice
    double inside;       // the position in the cell
    double weight[kStencil];
  };
  std::vector<Shift> shifts;
  const double ratio = narrow.step / broad.step;
  const auto lowest = std::int64_t(std::floor(double(narrow.first) * ratio));
  std::int64_t highest = lowest;
  for (std::size_t i = 0; i < narrow.mass.size(); ++i) {
    const double at = double(narrow.first + std::int64_t(i)) * ratio;
    Shift shift;
    const auto up = std::int64_t(std::ceil(at));
    shift.cells = up - lowest;
    shift.inside = double(up) - at;
    lagrange_weights(double(kBefore) + shift.inside, shift.weight);
    shifts.push_back(shift);
    highest = std::max(highest, up);
  }
  LatticeMasses out{broad.step, broad.first + lowest, {}};
  out.mass.assign(std::size_t(n + highest - lowest), 0.0);
  // cells whose stencil is symmetric: what is nearer the ends is negligible
  for (std::int64_t cell = kBefore; cell + kStencil / 2 < n; ++cell) {
    const Stencil stencil(broad.mass, cell);
    for (std::size_t i = 0; i < shifts.size(); ++i) {
      const Shift& shift = shifts[i];
      out.mass[std::size_t(cell + shift.cells)] +=
          narrow.mass[i] * stencil.at(shift.weight) *
          exp_of(stencil.anchor + stencil.rate * shift.inside);
    }
  }
  if (!far.mass.empty()) add(out, convolution(broad, coarsened(far, broad.step), least));
  trim(out, least);
  return out;
}

SumLattice::SumLattice(LatticeMasses law) : law_(std::move(law)) {
  require_points(law_);
  for (const double mass : law_.mass) density_.push_back(mass / law_.step);
  const std::vector<double> cell = integrals(density_, law_.step);
  // what lies below continues geometrically
  const double rate = log_size(density_[1]) - log_size(density_[0]);
  double below = rate > 0.0 ? law_.mass[0] / rate : law_.mass[0];
  tail_.push_back(below);
  for (const double mass : cell) tail_.push_back(below += mass);
}

namespace {

double log_interpolated(const LatticeMasses& law, const std::vector<double>& source, double x) {
  const double at = x / law.step - double(law.first);
  const auto n = std::int64_t(source.size());
  if (!(at >= 0.0 && at <= double(n - 1))) return -kInfinity;
  const std::int64_t cell = std::min(std::int64_t(at), n - 2);
  const Stencil stencil(source, cell);
  const double inside = at - double(cell);
  double weight[kStencil];
  lagrange_weights(double(stencil.inside) + inside, weight);
  return stencil.anchor + stencil.rate * inside + log_of(stencil.at(weight));
}

}  // namespace

double SumLattice::log_density(double x) const { return log_interpolated(law_, density_, x); }
double SumLattice::log_tail(double x) const { return log_interpolated(law_, tail_, x); }

}  // namespace fracmoment
