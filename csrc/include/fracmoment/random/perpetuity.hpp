// The stationary law of a network with biases: |x'|^2 = A (|x|^2 + c) with A = (sigma R)^2, so
//
//   |x|^2 = c Y,  Y = A_1 + A_1 A_2 + A_1 A_2 A_3 + ...
//
// in law, summed from the last layer backwards. See docs/algorithms/stationary.md.
#pragma once

#include "fracmoment/random/stream.hpp"
#include "fracmoment/random/tilted_gain.hpp"

namespace fracmoment {

// Factors A of one layer, as exp(log_factor) (1 + x) with the variates x of a table.
struct FactorLaw {
  const QuantileTable* table = nullptr;
  double log_factor = 0.0;
};

// The table of exp(2 (y - mean)) - 1, y the log gain of a tilted law; `dead` is P(R = 0).
QuantileTable factor_table(const TiltedGain& law, double dead);

// log Y of n replicas, the first of them `first`. A sum ends where its last product times
// exp(log_bound) is below 2^-53 of it.
void log_perpetuities(const FactorLaw& law, double log_bound, const Stream& stream,
                      std::uint64_t first, double* out, std::size_t n);

// log of the weight of the event Y > exp(log_level), -infinity where it does not happen: products
// of the tilted law until exp(-log_reach) of what is missing is reached, then of the law itself.
// A tilted step has the weight exp(log_mass) A^(-power).
struct TiltedFactors {
  FactorLaw tilted, plain;
  double power = 1.0, log_mass = 0.0;
};
void log_tail_weights(const TiltedFactors& laws, double log_level, double log_reach,
                      double log_bound, const Stream& stream, std::uint64_t first, double* out,
                      std::size_t n);

}  // namespace fracmoment
