// The norm of a signal from the pre-activations of every layer: one normal a unit.
#pragma once

#include "fracmoment/products/layer.hpp"
#include "fracmoment/random/normal.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// A positive number as mantissa and exponent, so that products of many never overflow.
struct LogProduct {
  Vec mantissa = splat<Vec>(1.0);
  Vec exponent{};

  FRACMOMENT_INLINE void multiply(Vec x) {  // x >= 0, finite
    const Vec product = mantissa * x;
    const VecBits b = (VecBits)product;
    mantissa = (Vec)((b & std::uint64_t(0xFFFFFFFFFFFFF)) | std::uint64_t(0x3FF0000000000000));
    const VecInt zero = (VecInt)(product == 0.0);
    exponent += select(zero, splat<Vec>(-__builtin_inf()),
                       to_double((VecInt)(b >> 52) - std::int64_t(1023)));
  }
  // natural logarithm of the square root
  FRACMOMENT_INLINE Vec half_log() const {
    const Vec ln = minus_two_log(mantissa * 0.5) * -0.5 + tables::kLogTwo;
    return 0.5 * fma(exponent, splat<Vec>(tables::kLogTwo), ln);
  }
};

// Uniform on (0, 1).
FRACMOMENT_INLINE Vec uniform(VecBits u) {
  return fma(to_nearest(u), splat<Vec>(0x1p-64), 0x1p-65);
}

// What a unit does to its pre-activation.
template <int n>
class Units {
 public:
  Units(const Layer& layer, std::uint32_t index, const ReplicaLanes<n>& replicas)
      : layer_(layer), index_(index), replicas_(replicas) {
    const double value = layer.inverted ? 1.0 / layer.keep_prob : 1.0;
    kept_ = splat<Vec>(value * value);
    threshold_ = splat<Vec>(layer.keep_prob);
  }

  // Squares of the activations of units 2j and 2j+1.
  FRACMOMENT_INLINE void squares(std::uint32_t j, const NormalPair<Vec> (&z)[n],
                                 NormalPair<Vec> (&out)[n]) const {
    Vec slope[2][n];
    if (layer_.lower == layer_.upper) {
      for (int i = 0; i < n; ++i) slope[0][i] = slope[1][i] = splat<Vec>(layer_.lower);
    } else {
      Block random[n];
      replicas_.draw(index_, kSlopeBlocks + j, random);
      const Vec range = splat<Vec>(layer_.upper - layer_.lower);
      for (int i = 0; i < n; ++i) {
        slope[0][i] = fma(uniform(first_bits(random[i])), range, layer_.lower);
        slope[1][i] = fma(uniform(second_bits(random[i])), range, layer_.lower);
      }
    }
    for (int i = 0; i < n; ++i)
      out[i] = {square(z[i].first, slope[0][i]), square(z[i].second, slope[1][i])};
    if (layer_.keep_prob < 1.0) drop(j, out);
  }

 private:
  FRACMOMENT_INLINE static Vec square(Vec z, Vec slope) {
    const Vec y = select((VecInt)(z > 0.0), z, z * slope);
    return y * y;
  }
  FRACMOMENT_INLINE void drop(std::uint32_t j, NormalPair<Vec> (&y)[n]) const {
    Block random[n];
    replicas_.draw(index_, kMaskBlocks + j, random);
    for (int i = 0; i < n; ++i) {
      y[i].first = masked(y[i].first, uniform(first_bits(random[i])));
      y[i].second = masked(y[i].second, uniform(second_bits(random[i])));
    }
  }
  FRACMOMENT_INLINE Vec masked(Vec y, Vec u) const {
    return select((VecInt)(u < threshold_), y * kept_, Vec{});
  }

  const Layer& layer_;
  std::uint32_t index_;
  const ReplicaLanes<n>& replicas_;
  Vec kept_, threshold_;
};

// R^2 of one layer for n groups of replicas.
template <int n>
FRACMOMENT_INLINE void squared_gains(const Layer& layer, std::uint32_t index,
                                     const ReplicaLanes<n>& replicas, Vec (&total)[n]) {
  const Units<n> units(layer, index, replicas);
  Vec length[n];
  for (int i = 0; i < n; ++i) total[i] = length[i] = Vec{};
  const std::uint32_t pairs = std::uint32_t((layer.fan_out + 1) / 2);
  for (std::uint32_t j = 0; j < pairs; ++j) {
    Block random[n];
    NormalPair<Vec> z[n], y[n];
    replicas.draw(index, j, random);
    for (int i = 0; i < n; ++i) z[i] = normal_pair(first_bits(random[i]), second_bits(random[i]));
    units.squares(j, z, y);
    const double second = 2 * std::int64_t(j) + 1 < layer.fan_out ? 1.0 : 0.0;
    for (int i = 0; i < n; ++i) total[i] += y[i].first + y[i].second * second;
    if (layer.orthogonal)
      for (int i = 0; i < n; ++i)
        length[i] += z[i].first * z[i].first + z[i].second * z[i].second * second;
  }
  if (layer.orthogonal)
    for (int i = 0; i < n; ++i) total[i] /= length[i];
}

template <int n>
FRACMOMENT_INLINE void vector_sums(const Layer* layers, std::size_t depth,
                                   const ReplicaLanes<n>& replicas, Vec (&sum)[n]) {
  LogProduct product[n];
  for (std::size_t k = 0; k < depth; ++k) {
    Vec total[n];
    squared_gains(layers[k], std::uint32_t(k), replicas, total);
    for (int i = 0; i < n; ++i) product[i].multiply(total[i]);
  }
  for (int i = 0; i < n; ++i) sum[i] = product[i].half_log();
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
