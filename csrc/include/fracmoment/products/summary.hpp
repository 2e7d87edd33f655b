// What is kept of a run that is too long to be stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fracmoment/products/exact_sum.hpp"

namespace fracmoment {

// Log-norms y are counted and summed as t = (y - center)/scale.
struct SummaryPlan {
  double center = 0.0, scale = 1.0;
  std::vector<double> orders, log_moments;                     // sums of exp(order y - log_moment)
  static constexpr int kBinsPerUnit = 256, kReach = 64;        // bins of t in [-64, 64)
  static constexpr int kBins = 2 * kReach * kBinsPerUnit + 2;  // and one beyond either end
  static constexpr int kPowers = 4;
};

struct Summary {
  explicit Summary(const SummaryPlan& plan)
      : sums(SummaryPlan::kPowers + 2 * plan.orders.size()), counts(SummaryPlan::kBins) {}
  // t, t^2, t^3, t^4; then for each order the weight and its square
  std::vector<ExactSum> sums;
  std::vector<std::int64_t> counts;
  std::int64_t dead = 0;  // y = -infinity
  double least, most;     // of the others
};

// At most 2^31 numbers.
Summary summarize(const SummaryPlan& plan, const double* y, std::size_t n);

}  // namespace fracmoment
