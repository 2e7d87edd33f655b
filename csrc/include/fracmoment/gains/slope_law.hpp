// Distribution of |A|, the slope of one unit given that it is not 0: R of a layer of width 1 with
// orthogonal weights.
#pragma once

#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

class SlopeLaw {
 public:
  explicit SlopeLaw(const UnitLaw& unit) : unit_(unit) {}

  // P(|A| <= r), or P(|A| > r) if upper
  Real probability(const Real& r, bool upper) const;
  double density(const Real& r) const;  // of the uniform part
  // the smallest r with P(|A| <= r) >= q, or with P(|A| > r) <= q
  double quantile(double q, bool upper) const;

 private:
  const UnitLaw& unit_;
};

}  // namespace fracmoment
