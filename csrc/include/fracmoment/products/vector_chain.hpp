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

// What units 2j and 2j+1 do to their pre-activations, drawn once for every signal through them.
template <int n>
struct UnitPair {
  LanePair<Vec> slope[n];
  LanePair<VecInt> kept[n];
  bool dropout;

  FRACMOMENT_INLINE LanePair<Vec> apply(int i, const LanePair<Vec>& z) const {
    LanePair<Vec> y = {rectified(z.first, slope[i].first), rectified(z.second, slope[i].second)};
    if (dropout)
      y = {select(kept[i].first, y.first, Vec{}), select(kept[i].second, y.second, Vec{})};
    return y;
  }

 private:
  FRACMOMENT_INLINE static Vec rectified(Vec z, Vec a) {
    return select((VecInt)(z > 0.0), z, z * a);
  }
};

// The units of a layer, without the factor of inverted dropout.
template <int n>
class Units {
 public:
  Units(const Layer& layer, const LayerLanes<n>& lanes) : layer_(layer), lanes_(lanes) {}

  FRACMOMENT_INLINE UnitPair<n> draw(std::uint32_t j) const {
    UnitPair<n> pair;
    if (layer_.lower == layer_.upper) {
      const Vec slope = splat<Vec>(layer_.lower);
      for (int i = 0; i < n; ++i) pair.slope[i] = {slope, slope};
    } else {
      uniforms(kSlopeBlocks + j, pair.slope);
      const Vec range = splat<Vec>(layer_.upper - layer_.lower);
      for (int i = 0; i < n; ++i)
        pair.slope[i] = {fma(pair.slope[i].first, range, layer_.lower),
                         fma(pair.slope[i].second, range, layer_.lower)};
    }
    pair.dropout = layer_.keep_prob < 1.0;
    if (pair.dropout) {
      LanePair<Vec> u[n];
      uniforms(kMaskBlocks + j, u);
      for (int i = 0; i < n; ++i)
        pair.kept[i] = {(VecInt)(u[i].first < layer_.keep_prob),
                        (VecInt)(u[i].second < layer_.keep_prob)};
    }
    return pair;
  }

 private:
  FRACMOMENT_INLINE void uniforms(std::uint32_t block, LanePair<Vec> (&out)[n]) const {
    Block random[n];
    lanes_.draw(block, random);
    for (int i = 0; i < n; ++i)
      out[i] = {open_uniform(random[i].first), open_uniform(random[i].second)};
  }

  const Layer& layer_;
  const LayerLanes<n>& lanes_;
};

// R^2 of one layer for n groups of replicas.
template <int n>
FRACMOMENT_INLINE void squared_gains(const Layer& layer, const LayerLanes<n>& lanes,
                                     Vec (&total)[n]) {
  const Units<n> units(layer, lanes);
  const double value = layer.inverted ? 1.0 / layer.keep_prob : 1.0, kept = value * value;
  Vec length[n];
  for (int i = 0; i < n; ++i) total[i] = length[i] = Vec{};
  const std::uint32_t pairs = std::uint32_t((layer.fan_out + 1) / 2);
  NormalBlocks<Vec, n> normals(lanes, 0);
  for (std::uint32_t j = 0; j < pairs; ++j) {
    LanePair<Vec> z[n];
    normals.next(z);
    const UnitPair<n> pair = units.draw(j);
    const double second = 2 * std::int64_t(j) + 1 < layer.fan_out ? 1.0 : 0.0;
    for (int i = 0; i < n; ++i) {
      const LanePair<Vec> y = pair.apply(i, z[i]);
      total[i] += y.first * y.first * kept + y.second * y.second * kept * second;
    }
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
    squared_gains(layers[k], LayerLanes<n>(replicas, std::uint32_t(k)), total);
    for (int i = 0; i < n; ++i) product[i].multiply(total[i]);
  }
  for (int i = 0; i < n; ++i) sum[i] = product[i].half_log();
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
