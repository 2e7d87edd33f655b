// Laws of explicit weights, two doubles or four floats of every replica a call. Entry number
// `block` of a layer is a function of its address alone.
#pragma once

#include "fracmoment/random/exponential.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// Laws whose entries are functions of one block: Law::convert(random, out).
template <class V, class Law>
struct OneBlockWeights {
  using Vector = V;
  template <int n>
  FRACMOMENT_INLINE void draw(const LayerLanes<n>& lanes, std::uint32_t block,
                              LanePair<V> (&out)[n]) const {
    Block random[n];
    lanes.draw(block, random);
    Law::convert(random, out);
  }
};

template <class V>
struct GaussianWeights : OneBlockWeights<V, GaussianWeights<V>> {
  template <int n>
  FRACMOMENT_INLINE static void convert(const Block (&random)[n], LanePair<V> (&out)[n]) {
    normal_pairs(random, out);
  }
};

// The entries of consecutive blocks of a layer.
template <class Weights, int n>
class WeightBlocks {
 public:
  using V = typename Weights::Vector;
  WeightBlocks(const Weights& weights, const LayerLanes<n>& lanes)
      : weights_(weights), lanes_(lanes) {}
  FRACMOMENT_INLINE void next(LanePair<V> (&out)[n]) { weights_.draw(lanes_, block_++, out); }

 private:
  const Weights weights_;
  const LayerLanes<n> lanes_;  // a copy that no store can touch
  std::uint32_t block_ = 0;
};
template <class V, int n>
class WeightBlocks<GaussianWeights<V>, n> : public NormalBlocks<V, n> {
 public:
  WeightBlocks(const GaussianWeights<V>&, const LayerLanes<n>& lanes)
      : NormalBlocks<V, n>(lanes, 0) {}
};

// Laws whose entries are functions of one number each: Law::entry(bits).
template <class V, class Law>
struct OneNumberWeights : OneBlockWeights<V, OneNumberWeights<V, Law>> {
  template <int n>
  FRACMOMENT_INLINE static void convert(const Block (&random)[n], LanePair<V> (&out)[n]) {
    for (int i = 0; i < n; ++i)
      out[i] = {Law::entry((BitsOf<V>)random[i].first), Law::entry((BitsOf<V>)random[i].second)};
  }
};

// Uniform on [-sqrt 3, sqrt 3]: variance 1.
template <class V>
struct UniformWeights : OneNumberWeights<V, UniformWeights<V>> {
  FRACMOMENT_INLINE static V entry(BitsOf<V> bits) {
    using T = typename NumberTraits<V>::Number;
    constexpr T half = T(1.7320508075688772);
    constexpr T unit = sizeof(T) == 8 ? T(0x1p-63) : T(0x1p-31);
    return fma(to_nearest(bits), V{} + half * unit, half * (unit * T(0.5) - T(1)));
  }
};

// 1 or -1.
template <class V>
struct RademacherWeights : OneNumberWeights<V, RademacherWeights<V>> {
  FRACMOMENT_INLINE static V entry(BitsOf<V> bits) {
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
  FRACMOMENT_INLINE void draw(const LayerLanes<n>& lanes, std::uint32_t block,
                              LanePair<V> (&out)[n]) const {
    LanePair<V> candidate[n];
    BitsOf<V> missing[n][2];
    for (int i = 0; i < n; ++i) {
      out[i] = {V{}, V{}};
      missing[i][0] = missing[i][1] = ~BitsOf<V>{};
    }
    bool again = true;
    for (std::uint32_t attempt = 0; again && attempt < 32; ++attempt) {
      normals_.draw(lanes, block + (attempt << 25), candidate);
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

// Laws whose entries are functions of one block each: of(first number, second number). Two blocks
// for a pair.
template <class Law>
struct TwoBlockWeights {
  using Vector = Vec;
  template <int n>
  FRACMOMENT_INLINE void draw(const LayerLanes<n>& lanes, std::uint32_t block,
                              LanePair<Vec> (&out)[n]) const {
    const Law& law = static_cast<const Law&>(*this);
    Block random[n];
    lanes.draw(2 * block, random);
    for (int i = 0; i < n; ++i) out[i].first = law.entry(random[i].first, random[i].second);
    lanes.draw(2 * block + 1, random);
    for (int i = 0; i < n; ++i) out[i].second = law.entry(random[i].first, random[i].second);
  }
};

// Student's t by the polar form of Bailey, "Polar generation of random variates with the
// t-distribution" (Math. Comp. 62, 1994): sqrt(nu (u^(-2/nu) - 1)) cos(2 pi v).
struct StudentWeights : TwoBlockWeights<StudentWeights> {
  explicit StudentWeights(double nu) : freedom(nu) {}
  FRACMOMENT_INLINE Vec entry(VecBits u, VecBits v) const {
    const Vec grown = exp_minus_one(minus_two_log_uniform(u) * (1.0 / freedom));
    const Vec radius[1] = {sqrt(grown * freedom)};
    const VecBits angle[1] = {v};
    LanePair<Vec> point[1];
    NoOtherWork none;
    on_circles(radius, angle, point, none);
    return point[0].first;
  }
  double freedom;
};

// Symmetric alpha-stable numbers, characteristic function exp(-|t|^alpha), by Chambers, Mallows and
// Stuck, "A method for simulating stable random variables" (JASA 71, 1976): with U uniform on
// (-pi/2, pi/2) and E exponential,
//   sin(alpha U) cos(U)^(-1/alpha) (cos((1 - alpha) U)/E)^((1 - alpha)/alpha).
// |U| = (1 - c) pi/2, so that c keeps the distance from the ends, where the largest numbers are.
struct StableWeights : TwoBlockWeights<StableWeights> {
  explicit StableWeights(double index) : alpha(index) {}
  FRACMOMENT_INLINE Vec entry(VecBits exponential_bits, VecBits angle_bits) const {
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
  double alpha;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
