// Laws of explicit weights, two doubles or four floats of every replica a call. Entry number
// `block` of a layer is a function of its address alone.
#pragma once

#include "fracmoment/random/exponential.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <class V>
struct NumberTraits;
template <>
struct NumberTraits<Vec> {
  using Bits = VecBits;
  using Number = double;
  using Integer = std::uint64_t;
};
template <>
struct NumberTraits<VecF> {
  using Bits = VecFBits;
  using Number = float;
  using Integer = std::uint32_t;
};
template <class V>
using BitsOf = typename NumberTraits<V>::Bits;

// Laws whose entries are functions of one block, Law::pair(first bits, second bits).
template <class V, class Law>
struct OneBlockWeights {
  using Vector = V;
  template <int n>
  FRACMOMENT_INLINE void draw(const ReplicaLanes<n>& replicas, std::uint32_t layer,
                              std::uint32_t block, NormalPair<V> (&out)[n]) const {
    Block random[n];
    replicas.draw(layer, block, random);
    for (int i = 0; i < n; ++i)
      out[i] = Law::pair((BitsOf<V>)first_bits(random[i]), (BitsOf<V>)second_bits(random[i]));
  }
};

template <class V>
struct GaussianWeights : OneBlockWeights<V, GaussianWeights<V>> {
  FRACMOMENT_INLINE static NormalPair<V> pair(BitsOf<V> first, BitsOf<V> second) {
    return normal_pair(first, second);
  }
};

// Uniform on [-sqrt 3, sqrt 3]: variance 1.
template <class V>
struct UniformWeights : OneBlockWeights<V, UniformWeights<V>> {
  FRACMOMENT_INLINE static NormalPair<V> pair(BitsOf<V> first, BitsOf<V> second) {
    return {spread(first), spread(second)};
  }

 private:
  FRACMOMENT_INLINE static V spread(BitsOf<V> bits) {
    using T = typename NumberTraits<V>::Number;
    constexpr T half = T(1.7320508075688772);
    constexpr T unit = sizeof(T) == 8 ? T(0x1p-63) : T(0x1p-31);
    return fma(to_nearest(bits), V{} + half * unit, half * (unit * T(0.5) - T(1)));
  }
};

// 1 or -1.
template <class V>
struct RademacherWeights : OneBlockWeights<V, RademacherWeights<V>> {
  FRACMOMENT_INLINE static NormalPair<V> pair(BitsOf<V> first, BitsOf<V> second) {
    return {sign(first), sign(second)};
  }

 private:
  FRACMOMENT_INLINE static V sign(BitsOf<V> bits) {
    using T = typename NumberTraits<V>::Integer;
    constexpr int top = 8 * sizeof(T) - 1;
    return (V)((BitsOf<V>)(V{} + 1) | (bits & (T(1) << top)));
  }
};

// Normal numbers up to 2 in magnitude, divided by their standard deviation: the first of a sequence
// of normals at addresses of their own. That none of 32 serves has probability 1e-43; the entry is
// then 0.
template <class V>
struct TruncatedWeights {
  using Vector = V;
  template <int n>
  FRACMOMENT_INLINE void draw(const ReplicaLanes<n>& replicas, std::uint32_t layer,
                              std::uint32_t block, NormalPair<V> (&out)[n]) const {
    NormalPair<V> candidate[n];
    BitsOf<V> missing[n][2];
    for (int i = 0; i < n; ++i) {
      out[i] = {V{}, V{}};
      missing[i][0] = missing[i][1] = ~BitsOf<V>{};
    }
    bool again = true;
    for (std::uint32_t attempt = 0; again && attempt < 32; ++attempt) {
      normals_.draw(replicas, layer, block + (attempt << 25), candidate);
      VecInt left{};
      for (int i = 0; i < n; ++i) {
        take(candidate[i].first, out[i].first, missing[i][0]);
        take(candidate[i].second, out[i].second, missing[i][1]);
        left |= (VecInt)(missing[i][0] | missing[i][1]);
      }
      again = any(left);
    }
  }

 private:
  FRACMOMENT_INLINE static void take(V candidate, V& out, BitsOf<V>& missing) {
    using T = typename NumberTraits<V>::Number;
    // variance 1 - 4 phi(2)/(2 Phi(2) - 1)
    const V scaled = candidate * T(1.0 / 0.8796256610342398);
    const BitsOf<V> good = (BitsOf<V>)(candidate <= T(2)) & (BitsOf<V>)(candidate >= T(-2));
    out = (V)((BitsOf<V>)out | ((BitsOf<V>)scaled & good & missing));
    missing &= ~good;
  }
  GaussianWeights<V> normals_;
};

// -2 log u of a uniform number u, to full relative precision next to u = 1 too.
FRACMOMENT_INLINE Vec minus_two_log_uniform(VecBits bits) {
  const Vec below_one = open_uniform(~bits);  // 1 - u
  const Vec near = -below_one * polynomial(tables::kLogarithmSeries, -below_one);
  return select((VecInt)(below_one < 0x1p-6), near, minus_two_log(open_uniform(bits)));
}

// sin(pi t/2) for t in [0, 1].
FRACMOMENT_INLINE Vec quarter_sine(Vec t) {
  const Vec rest = 1.0 - t;
  const Vec sine = polynomial(tables::kQuarterSine, t * t) * t;
  const Vec cosine = polynomial(tables::kQuarterCosine, rest * rest);
  return select((VecInt)(t < 0.5), sine, cosine);
}

// Two blocks for a pair, one for each number: pair(first bits, second bits).
template <int n, class One>
FRACMOMENT_INLINE void draw_two_blocks(const ReplicaLanes<n>& replicas, std::uint32_t layer,
                                       std::uint32_t block, NormalPair<Vec> (&out)[n], One&& one) {
  Block random[n];
  replicas.draw(layer, 2 * block, random);
  for (int i = 0; i < n; ++i) out[i].first = one(first_bits(random[i]), second_bits(random[i]));
  replicas.draw(layer, 2 * block + 1, random);
  for (int i = 0; i < n; ++i) out[i].second = one(first_bits(random[i]), second_bits(random[i]));
}

// Student's t by the polar form of Bailey, "Polar generation of random variates with the
// t-distribution" (Math. Comp. 62, 1994): sqrt(nu (u^(-2/nu) - 1)) cos(2 pi v).
struct StudentWeights {
  using Vector = Vec;
  double freedom;
  template <int n>
  FRACMOMENT_INLINE void draw(const ReplicaLanes<n>& replicas, std::uint32_t layer,
                              std::uint32_t block, NormalPair<Vec> (&out)[n]) const {
    draw_two_blocks(replicas, layer, block, out, [this](VecBits u, VecBits v) {
      const Vec grown = exp_minus_one(minus_two_log_uniform(u) * (1.0 / freedom));
      return on_circle(sqrt(grown * freedom), v).first;
    });
  }
};

// Symmetric alpha-stable numbers, characteristic function exp(-|t|^alpha), by Chambers, Mallows and
// Stuck, "A method for simulating stable random variables" (JASA 71, 1976): with U uniform on
// (-pi/2, pi/2) and E exponential,
//   sin(alpha U) cos(U)^(-1/alpha) (cos((1 - alpha) U)/E)^((1 - alpha)/alpha).
// |U| = (1 - c) pi/2, so that c keeps the distance from the ends, where the largest numbers are.
struct StableWeights {
  using Vector = Vec;
  double alpha;
  template <int n>
  FRACMOMENT_INLINE void draw(const ReplicaLanes<n>& replicas, std::uint32_t layer,
                              std::uint32_t block, NormalPair<Vec> (&out)[n]) const {
    draw_two_blocks(replicas, layer, block, out,
                    [this](VecBits u, VecBits v) { return variate(u, v); });
  }

 private:
  FRACMOMENT_INLINE Vec variate(VecBits exponential_bits, VecBits angle_bits) const {
    const double other = alpha > 1.0 ? alpha - 1.0 : 1.0 - alpha;
    const Vec c = fma(to_nearest(angle_bits << 1), splat<Vec>(0x1p-64), 0x1p-64);
    const Vec turn = (1.0 - c) * alpha, rest = fma(c, splat<Vec>(alpha), 2.0 - alpha);
    const Vec sine = quarter_sine(select((VecInt)(turn > 1.0), rest, turn));
    const Vec cosine = quarter_sine(c);
    const Vec other_cosine = quarter_sine(fma(c, splat<Vec>(other), 1.0 - other));
    const Vec waiting = minus_two_log_uniform(exponential_bits) * 0.5;
    const Vec power = natural_log(cosine) * (-1.0 / alpha) +
                      (natural_log(other_cosine) - natural_log(waiting)) * ((1.0 - alpha) / alpha);
    const Vec size = scaled_exp(sine, power);
    return (Vec)((VecBits)size ^ (angle_bits & (std::uint64_t(1) << 63)));
  }
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
