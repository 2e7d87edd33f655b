// SGD on least squares with Gaussian data: the contraction of one step [GSZ21].
//
// The step x' = x - (eta/b) sum_i a_i (a_i . x) multiplies the norm by the square root of
//   Q = (1 - t X)^2 + t^2 X Z,  t = eta/b,  X ~ chi^2_b,  Z ~ chi^2_(d-1) independent.
// With S = X + Z ~ chi^2_(b+d-1) and B = X/S ~ Beta(b/2, (d-1)/2), which is independent of S,
//   Q = 1 - B + B (1 - t S)^2 = 1 - B t S (2 - t S).
// Moments are double integrals over S and B; docs/algorithms/sgd.md derives how.
#pragma once

#include <cstddef>

namespace fracmoment {

struct SgdLaw {
  double step_per_sample;  // t, the data having variance 1
  double batch, dimension;
};

// What one order says about the law.
struct SgdGrowth {
  double rate;      // log E Q^(s/2) / s; at s = 0 its limit E log Q / 2
  double slope;     // d/ds log E Q^(s/2)
  double variance;  // at s = 0: Var log Q / 4; otherwise of the law tilted by Q^(s/2)
                    // (both only for orders of 1/2 or more above -dimension)
};

SgdGrowth sgd_growth(const SgdLaw& law, double order);

// The order alpha > 0 with E Q^(alpha/2) = 1; 0 where E log Q >= 0.
double sgd_tail_index(const SgdLaw& law);

// The same for the increasing steps of one row, most of them from their neighbours; `boundary` is
// the critical step of order 0.
void sgd_tail_index_row(const double* steps, std::size_t count, double batch, double dimension,
                        double boundary, double* indices);

// The step t per sample with E Q^(order/2) = 1; for order 0 the one with E log Q = 0.
double sgd_critical_step(double batch, double dimension, double order);

}  // namespace fracmoment
