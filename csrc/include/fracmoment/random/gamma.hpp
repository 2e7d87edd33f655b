// Gamma variates of any shape by the method of Marsaglia and Tsang, "A simple method for generating
// gamma variables" (ACM TOMS 26, 2000): d (1 + t)^3 with t = c x, x normal, d = a - 1/3 and
// c = 1/sqrt(9 d), accepted with probability exp(-g), g = 3 d (t - t^2/2 + t^3/3 - log(1 + t)).
// A shape a < 1 takes a variate of shape a + 1 times U^(1/a).
//
// Addresses: elements i and i + 8 of a group of sixteen share a replica, the first and the second
// number of its blocks. Attempt k is layer k: block 0 gives the normals, block 1 the uniform
// numbers that accept. Block 2 of layer 0 gives the power for shapes below 1.
#pragma once

#include "fracmoment/random/exponential.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

enum GammaBlock : std::uint32_t { kGammaNormals = 0, kGammaAccepts = 1, kGammaPowers = 2 };

// The coefficients d and c of a shape; for a < 1 those of a + 1.
struct GammaShape {
  Vec d, c;
  FRACMOMENT_INLINE explicit GammaShape(Vec shape) {
    const Vec raised = select((VecInt)(shape < 1.0), shape + 1.0, shape);
    d = raised - 1.0 / 3.0;
    c = (1.0 / 3.0) / sqrt(d);
  }
};

// t - t^2/2 + t^3/3 - log(1 + t) for t > -1, relative error below 1e-11: near 0 by its series.
FRACMOMENT_INLINE Vec gamma_excess(Vec t) {
  constexpr double series[] = {1.0 / 4,  -1.0 / 5, 1.0 / 6,   -1.0 / 7, 1.0 / 8,
                               -1.0 / 9, 1.0 / 10, -1.0 / 11, 1.0 / 12};
  const Vec square = t * t, small = square * square * polynomial(series, t);
  const VecInt is_small = (VecInt)(abs(t) < 0.05);
  if (all(is_small)) return small;
  const Vec cubic = t * fma(t, fma(t, splat<Vec>(1.0 / 3.0), -0.5), 1.0);
  return select(is_small, small, cubic - log_one_plus(t));
}

struct GammaTrial {
  Vec value;
  VecInt accepted;
};

// One attempt a lane, of a normal number and 64 random bits.
FRACMOMENT_INLINE GammaTrial gamma_trial(const GammaShape& shape, Vec normal, VecBits bits) {
  const Vec t = shape.c * normal, v = 1.0 + t, u = open_uniform(bits);
  // 1 - g <= exp(-g), and for t > -1/2 the excess is below t^4 (1/4 - t/5 + 0.3 t^2)
  const Vec square = t * t, three_d = 3.0 * shape.d;
  const Vec bound = three_d * (square * square) * fma(t, fma(t, splat<Vec>(0.3), -0.2), 0.25);
  GammaTrial trial{shape.d * (v * v * v), (VecInt)(u < 1.0 - bound) & (VecInt)(t > -0.5)};
  if (__builtin_expect(!all(trial.accepted), 0)) {
    const VecInt inside = (VecInt)(v > 0.0);
    const Vec excess = gamma_excess(select(inside, t, Vec{}));
    trial.accepted |= inside & (VecInt)(natural_log(u) < -three_d * excess);
  }
  return trial;
}

// What turns a variate of shape a + 1 into one of shape a, for a < 1; exact down to the smallest
// doubles.
FRACMOMENT_INLINE Vec gamma_power(Vec value, Vec shape, VecBits bits) {
  const Vec log_power = natural_log(open_uniform(bits)) / shape;
  return select((VecInt)(shape < 1.0), scaled_exp(value, log_power), value);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
