// The density of |g|_N given N > 0, g normal and N ~ Bin(d, live): linear and ReLU layers, with or
// without dropout, as a sum of d positive terms, or of one.
#pragma once

#include <vector>

#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

class ChiMixture {
 public:
  // Whether all live units have slope 1, and the terms neither overflow nor are too many.
  static bool applies(const UnitLaw& unit);
  explicit ChiMixture(const UnitLaw& unit, const Real& log_alive);

  // Relative error below 2^-80, but for the width times 2^-97 in the exponent of a single term.
  Real density(const Real& r) const;

 private:
  Real power_{0.0}, log_constant_{0.0};  // of the single term r^power exp(-r^2/2)
  std::vector<Real> coefficient_;        // of r^(n-1) exp(-r^2/2), n = 1, 2, ...
};

}  // namespace fracmoment
