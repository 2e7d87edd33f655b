// A signal as y 2^e, one exponent a lane, so that nothing over- or underflows at any depth.
#pragma once

#include <cmath>

#include "fracmoment/products/vector_chain.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <int n>
struct LaneGroups {
  Vec of[n];
};

// The exponent of one signal, and the factors of the layer it goes through. A dead signal has an
// exponent so small that biases alone decide about the next layer.
template <int n>
class Frame {
 public:
  explicit Frame(double exponent) {
    for (int i = 0; i < n; ++i) exponent_[i] = splat<Vec>(exponent);
  }

  // Pre-activations are gain * (W y) + shift * z in the new frame, z normal.
  void enter(const Layer& layer) {
    int sigma_exponent = 0, bias_exponent = 0;
    const double sigma = std::frexp(layer.sigma, &sigma_exponent);
    const double bias = std::frexp(layer.bias, &bias_exponent);
    const Vec lowest = splat<Vec>(-1000.0), floor = splat<Vec>(bias_exponent);
    for (int i = 0; i < n; ++i) {
      const Vec old = exponent_[i] + double(sigma_exponent);
      const VecInt below = (VecInt)(old < floor);
      exponent_[i] = bias > 0.0 ? select(below, floor, old) : old;
      gain[i] = sigma * power(larger(old - exponent_[i], lowest));
      shift[i] = bias * power(larger(floor - exponent_[i], lowest));
      if (bias == 0.0) shift[i] = Vec{};
    }
  }

  // The factors that bring activations of these squared norms, which take them, near 1.
  void leave(const Layer& layer, const LaneGroups<n>& squared_norm, LaneGroups<n>& factor) {
    int value_exponent = 0;
    const double value = std::frexp(layer.inverted ? 1.0 / layer.keep_prob : 1.0, &value_exponent);
    for (int i = 0; i < n; ++i) {
      const Vec square = squared_norm.of[i];
      const VecInt dead = (VecInt)(square == 0.0);
      const VecInt half = (((VecInt)square >> 52) - std::int64_t(1023)) >> 1;
      const VecInt k = select(dead, VecInt{}, half);
      factor.of[i] = value * pow2(-k);
      exponent_[i] =
          select(dead, splat<Vec>(-0x1p40), exponent_[i] + to_double(k) + double(value_exponent));
    }
  }

  // Logarithm of the norm, from the squared norm in this frame.
  Vec log_norm(int i, Vec squared_norm) const {
    LogProduct product;
    product.multiply(squared_norm);
    product.exponent += 2.0 * exponent_[i];
    return product.half_log();
  }

  Vec gain[n], shift[n];

 private:
  FRACMOMENT_INLINE static Vec larger(Vec a, Vec b) { return select((VecInt)(a < b), b, a); }
  FRACMOMENT_INLINE static Vec power(Vec integral) { return pow2(to_int(integral)); }

  Vec exponent_[n];
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
