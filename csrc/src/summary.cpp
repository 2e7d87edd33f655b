#include "fracmoment/products/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/kernels.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t bin_of(double t) {
  const double at = std::floor((t + SummaryPlan::kReach) * SummaryPlan::kBinsPerUnit) + 1.0;
  return std::size_t(std::min(std::max(at, 0.0), double(SummaryPlan::kBins - 1)));
}

// exp(order y - log_moment) of the finite y, and its square
void add_weights(double order, double log_moment, const std::vector<double>& y, ExactSum* sums) {
  std::vector<Real> exponent;
  exponent.reserve(y.size());
  for (const double value : y) exponent.push_back(two_prod(order, value) + Real(-log_moment));
  std::vector<double> weight(y.size());
  kernels().exponentials(exponent.data(), weight.data(), y.size());
  for (const double w : weight) {
    sums[0].add(w);
    sums[1].add(w * w);
  }
}

}  // namespace

Summary summarize(const SummaryPlan& plan, const double* y, std::size_t n) {
  Summary s(plan);
  s.least = kInfinity;
  s.most = -kInfinity;
  std::vector<double> alive;
  for (std::size_t i = 0; i < n; ++i) {
    if (y[i] == -kInfinity) {
      ++s.dead;
      continue;
    }
    alive.push_back(y[i]);
    s.least = std::min(s.least, y[i]);
    s.most = std::max(s.most, y[i]);
    const double t = (y[i] - plan.center) / plan.scale;
    ++s.counts[bin_of(t)];
    double power = 1.0;
    for (std::size_t k = 0; k < std::size_t(SummaryPlan::kPowers); ++k) {
      power *= t;
      s.sums[k].add(power);
    }
  }
  for (std::size_t j = 0; j < plan.orders.size(); ++j)
    add_weights(plan.orders[j], plan.log_moments[j], alive, &s.sums[SummaryPlan::kPowers + 2 * j]);
  return s;
}

}  // namespace fracmoment
