// Convolutions of lattice laws: see sum_lattice.hpp.
#include "fracmoment/depth/sum_lattice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/depth/lattice_kernels.hpp"
#include "fracmoment/error.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kStencil = 24;  // points of the interpolation

double log_of(double x) { return x > 1e-307 ? log(Real(x)).hi : -kInfinity; }
double exp_of(double x) { return exp_rounded(Real(x)); }

}  // namespace

void trim(LatticeMasses& law, double least) {
  std::vector<double>& mass = law.mass;
  std::size_t begin = 0, end = mass.size();
  while (begin + 1 < end && mass[begin] < least) ++begin;
  while (end > begin + 1 && mass[end - 1] < least) --end;
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

LatticeMasses every_second(const LatticeMasses& a) {
  const std::size_t skip = std::size_t(a.first & 1);  // to the first even index
  LatticeMasses out{2.0 * a.step, (a.first + std::int64_t(skip)) / 2, {}};
  for (std::size_t i = skip; i < a.mass.size(); i += 2) out.mass.push_back(2.0 * a.mass[i]);
  return out;
}

namespace {

// Values over exp(anchor + rate offset), which vary little: a stencil around a cell.
struct Stencil {
  std::int64_t inside;  // index of the left end of the cell
  double anchor, rate, value[kStencil];

  Stencil(const std::vector<double>& log_value, std::int64_t cell) {
    const auto n = std::int64_t(log_value.size());
    const std::int64_t begin =
        std::min(std::max(cell - kStencil / 2 + 1, std::int64_t(0)), n - kStencil);
    inside = cell - begin;
    const double* source = log_value.data() + begin;
    anchor = source[inside];
    rate = source[inside + 1] - anchor;
    for (std::int64_t i = 0; i < kStencil; ++i)
      value[i] = exp_of(source[i] - anchor - rate * double(i - inside));
  }
};

// The weights at `position` in units of the step from the first point of a stencil.
void lagrange_weights(double position, double* weight) {
  double sign = 1.0, binomial = 1.0, sum = 0.0;
  for (std::int64_t i = 0; i < kStencil; ++i) {
    const double distance = position - double(i);
    if (distance == 0.0) {
      std::fill(weight, weight + kStencil, 0.0);
      weight[i] = 1.0;
      return;
    }
    weight[i] = sign * binomial / distance;
    sum += weight[i];
    sign = -sign;
    binomial = binomial * double(kStencil - 1 - i) / double(i + 1);
  }
  for (std::int64_t i = 0; i < kStencil; ++i) weight[i] /= sum;
}

double dot(const double* weight, const double* value) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < kStencil; ++i) sum += weight[i] * value[i];
  return sum;
}

std::vector<double> logarithms(const LatticeMasses& law) {
  std::vector<double> out;
  for (const double m : law.mass) out.push_back(log_of(m));
  return out;
}

void require_points(const LatticeMasses& law) {
  if (law.mass.size() < std::size_t(kStencil))
    throw ConvergenceError("the law of the log-norm has too few points on its lattice");
}

// Integrals of exp(log_value) over the cells, by Gauss-Legendre nodes of the interpolant.
std::vector<double> integrals(const std::vector<double>& log_value, double step) {
  const auto n = std::int64_t(log_value.size());
  std::vector<double> out;
  double weight[16][kStencil];
  std::int64_t known = -1;
  for (std::int64_t cell = 0; cell + 1 < n; ++cell) {
    const Stencil stencil(log_value, cell);
    if (stencil.inside != known)
      for (int k = 0; k < 16; ++k)
        lagrange_weights(double(stencil.inside) + tables::kLegendreNodeHi[k], weight[k]);
    known = stencil.inside;
    double sum = 0.0;
    for (int k = 0; k < 16; ++k)
      sum += tables::kLegendreWeightHi[k] * dot(weight[k], stencil.value) *
             exp_of(stencil.rate * tables::kLegendreNodeHi[k]);
    out.push_back(sum * step * exp_of(stencil.anchor));
  }
  return out;
}

}  // namespace

LatticeMasses smeared(const LatticeMasses& broad, const LatticeMasses& narrow, double least) {
  require_points(broad);
  const std::vector<double> log_mass = logarithms(broad);
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
    lagrange_weights(double(kStencil / 2 - 1) + shift.inside, shift.weight);
    shifts.push_back(shift);
    highest = std::max(highest, up);
  }
  LatticeMasses out{broad.step, broad.first + lowest, {}};
  out.mass.assign(std::size_t(n + highest - lowest), 0.0);
  // cells whose stencil is symmetric: what is nearer the ends is negligible
  for (std::int64_t cell = kStencil / 2 - 1; cell + kStencil / 2 < n; ++cell) {
    const Stencil stencil(log_mass, cell);
    for (std::size_t i = 0; i < shifts.size(); ++i) {
      const Shift& shift = shifts[i];
      out.mass[std::size_t(cell + shift.cells)] +=
          narrow.mass[i] * dot(shift.weight, stencil.value) *
          exp_of(stencil.anchor + stencil.rate * shift.inside);
    }
  }
  trim(out, least);
  return out;
}

SumLattice::SumLattice(LatticeMasses law) : law_(std::move(law)) {
  require_points(law_);
  const double log_step = log_of(law_.step);
  log_density_ = logarithms(law_);
  for (double& value : log_density_) value -= log_step;
  const std::vector<double> cell = integrals(log_density_, law_.step);
  // what lies beyond the ends continues geometrically
  const std::size_t n = law_.mass.size();
  const auto beyond = [&](std::size_t end, std::size_t inner) {
    const double rate = log_density_[inner] - log_density_[end];
    return rate > 0.0 ? law_.mass[end] / rate : law_.mass[end];
  };
  double below = beyond(0, 1), above = beyond(n - 1, n - 2);
  std::vector<double>&lower = log_tail_[0], &upper = log_tail_[1];
  lower.resize(n);
  upper.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    below += i == 0 ? 0.0 : cell[i - 1];
    lower[i] = log_of(below);
    above += i == 0 ? 0.0 : cell[n - 1 - i];
    upper[n - 1 - i] = log_of(above);
  }
}

double SumLattice::interpolated(const std::vector<double>& log_value, double x) const {
  const double at = x / law_.step - double(law_.first);
  const auto n = std::int64_t(log_value.size());
  if (!(at >= 0.0 && at <= double(n - 1))) return -kInfinity;
  const std::int64_t cell = std::min(std::int64_t(at), n - 2);
  const Stencil stencil(log_value, cell);
  const double inside = at - double(cell);
  double weight[kStencil];
  lagrange_weights(double(stencil.inside) + inside, weight);
  return stencil.anchor + stencil.rate * inside + log_of(dot(weight, stencil.value));
}

double SumLattice::log_density(double x) const { return interpolated(log_density_, x); }
double SumLattice::log_tail(double x, bool upper) const {
  return interpolated(log_tail_[upper ? 1 : 0], x);
}

}  // namespace fracmoment
