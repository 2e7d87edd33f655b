// Integrals over interpolation kernels: see break_masses.hpp.
#include "fracmoment/depth/break_masses.hpp"

#include <algorithm>
#include <array>

#include "fracmoment/depth/lagrange.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

// The double exponential rule on (0, 1) for functions that are singular at 0 only: nodes
// 1/(1 + exp(-pi sinh t)).
struct EndRule {
  static constexpr int kNodes = 103;
  std::array<double, kNodes> node{}, weight{};
  EndRule() {
    for (int k = 0; k < kNodes; ++k) {
      const double t = (k - kNodes / 2) / 14.0, grown = exp_of(t), shrunk = exp_of(-t);
      const double u = 3.141592653589793 * 0.5 * (grown - shrunk);
      const double small = exp_of(-std::abs(u)), rest = small / (1.0 + small);
      const double other = 1.0 / (1.0 + small);
      node[std::size_t(k)] = u < 0.0 ? rest : other;
      weight[std::size_t(k)] = 3.141592653589793 * 0.5 * (grown + shrunk) * rest * other / 14.0;
    }
  }
};

class Masses {
 public:
  Masses(PiecewiseDensity& density, const StepLaw& law, const std::vector<std::size_t>& breaks,
         double step, std::int64_t first, std::int64_t last)
      : density_(density),
        law_(law),
        breaks_(breaks),
        step_(step),
        first_(first),
        last_(last),
        value_(std::size_t(last - first + 1), 0.0) {}

  std::vector<double> all() {
    for (std::int64_t cell = first_ - kStencil / 2; cell < last_ + kStencil / 2; ++cell)
      add_cell(cell);
    for (const std::size_t i : breaks_) {
      const double atom = law_.breaks()[i].atom, at = law_.breaks()[i].at.hi / step_;
      const double cell = std::floor(at);
      if (atom > 0.0) add(std::int64_t(cell), at - cell, atom);
    }
    return value_;
  }

 private:
  // The mass at a position inside a cell, to the points of its stencil.
  void add(std::int64_t cell, double inside, double mass) {
    double weight[kStencil];
    lagrange_weights(double(kBefore) + inside, weight);
    for (std::int64_t k = 0; k < kStencil; ++k) {
      const std::int64_t i = cell - kBefore + k;
      if (i >= first_ && i <= last_) value_[std::size_t(i - first_)] += mass * weight[k] / step_;
    }
  }

  void add_cell(std::int64_t cell) {
    const double begin = double(cell) * step_, end = double(cell + 1) * step_;
    double from = begin;
    int before = -1;  // the break at `from`
    for (const std::size_t i : breaks_) {
      const double at = law_.breaks()[i].at.hi;
      if (at < begin || at > end) continue;
      add_between(cell, from, at, before, int(i));
      from = at;
      before = int(i);
    }
    add_between(cell, from, end, before, -1);
  }

  void add_between(std::int64_t cell, double from, double to, int before, int after) {
    if (!(to > from)) return;
    if (before >= 0 && after >= 0) {
      const double middle = 0.5 * (from + to);
      add_beside(cell, std::size_t(before), true, middle - from);
      add_beside(cell, std::size_t(after), false, to - middle);
    } else if (before >= 0) {
      add_beside(cell, std::size_t(before), true, to - from);
    } else if (after >= 0) {
      add_beside(cell, std::size_t(after), false, to - from);
    } else {
      add_smooth(cell, from, to);
    }
  }

  void add_beside(std::int64_t cell, std::size_t i, bool above, double length) {
    static const EndRule rule;
    const double at = law_.breaks()[i].at.hi / step_ - double(cell);
    for (std::size_t k = 0; k < rule.node.size(); ++k) {
      const double distance = length * rule.node[k];
      const double f = exp_of(density_.beside(i, above, distance));
      const double inside = at + (above ? distance : -distance) / step_;
      add(cell, inside, f * length * rule.weight[k]);
    }
  }

  // By Gauss's rule where the next break is not nearer than the length, or by halves.
  void add_smooth(std::int64_t cell, double from, double to) {
    double nearest = kInfinity;
    for (const std::size_t i : breaks_) {
      const double at = law_.breaks()[i].at.hi;
      nearest = std::min(nearest, at <= from ? from - at : at - to);
    }
    if (to - from > nearest && to - from > 1e-14 * step_) {
      const double middle = 0.5 * (from + to);
      add_smooth(cell, from, middle);
      add_smooth(cell, middle, to);
      return;
    }
    for (int k = 0; k < 16; ++k) {
      const double share = tables::kLegendreNodeHi[k], y = from + (to - from) * share;
      add(cell, y / step_ - double(cell),
          exp_of(density_.log_density(y)) * (to - from) * tables::kLegendreWeightHi[k]);
    }
  }

  PiecewiseDensity& density_;
  const StepLaw& law_;
  const std::vector<std::size_t>& breaks_;
  double step_;
  std::int64_t first_, last_;
  std::vector<double> value_;
};

}  // namespace

std::vector<double> break_masses(PiecewiseDensity& density, const StepLaw& law,
                                 const std::vector<std::size_t>& breaks, double step,
                                 std::int64_t first, std::int64_t last) {
  return Masses(density, law, breaks, step, first, last).all();
}

}  // namespace fracmoment
