// Lattice masses of a law next to the points where its density is not analytic.
#pragma once

#include <cstdint>
#include <vector>

#include "fracmoment/depth/piecewise_density.hpp"

namespace fracmoment {

// 1/h times the integrals of the law, atoms included, over the kernels of Lagrange's interpolation
// that belong to the points first, ..., last of the lattice of step h. `breaks`: those that are not
// far away, in ascending order.
std::vector<double> break_masses(PiecewiseDensity& density, const StepLaw& law,
                                 const std::vector<std::size_t>& breaks, double step,
                                 std::int64_t first, std::int64_t last);

}  // namespace fracmoment
