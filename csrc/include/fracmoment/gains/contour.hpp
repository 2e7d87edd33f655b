// Contours for the inversion integrals of inversion.hpp, and the integrals along them.
#pragma once

#include <vector>

#include "fracmoment/gains/inversion.hpp"

namespace fracmoment {

// With R = sqrt(X), or sqrt(B) for the ratio, r > 0 inside the support: P(0 < R <= r), P(R > r), or
// the density of R at r. NaN where an integral did not converge.
std::vector<Real> inversion_integrals(const UnitLaw& unit, Inverse what, bool ratio,
                                      const std::vector<Real>& r);

// The square of the smallest slope of a unit.
Real smallest_square(const UnitLaw& unit);

}  // namespace fracmoment
