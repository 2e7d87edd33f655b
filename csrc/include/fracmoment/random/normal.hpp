// Standard normal numbers by the transform of Box and Muller (1958), in double and single
// precision: a block of random bits gives two doubles or four floats, always, so that a sample
// never depends on its neighbours.
//
// Radius: r = sqrt(-2 log u), u of 64 (32) bits, hence |z| up to 9.49 (6.77). Error of a double
// below |z| (2^-50 + 2^-52/r^2): u and log u round by 2^-54 each next to u = 1.
#pragma once

#include "fracmoment/random/philox.hpp"
#include "fracmoment/random/tables.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <class V, class T, int terms>
FRACMOMENT_INLINE V polynomial(const T (&coefficient)[terms], V x) {
  V sum = V{} + coefficient[terms - 1];
  for (int k = terms - 2; k >= 0; --k) sum = fma(sum, x, coefficient[k]);
  return sum;
}
// Of n arguments side by side: the machine is busy with one chain while it waits for another. One
// of `parts` parts of equal length, to be taken in order.
template <int part, int parts, class V, class T, int terms, int n>
FRACMOMENT_INLINE void polynomials(const T (&coefficient)[terms], const V (&x)[n], V (&sum)[n]) {
  constexpr int steps = terms - 1, done = steps * part / parts, next = steps * (part + 1) / parts;
  if (part == 0)
    for (int i = 0; i < n; ++i) sum[i] = V{} + coefficient[steps];
#pragma GCC unroll 16
  for (int k = steps - 1 - done; k >= steps - next; --k)
    for (int i = 0; i < n; ++i) sum[i] = fma(sum[i], x[i], coefficient[k]);
}

// table[index mod 16]
FRACMOMENT_INLINE VecF lookup(const float (&table)[16], VecFBits index) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecF)_mm512_maskz_permutexvar_ps(0xffff, (__m512i)index, _mm512_loadu_ps(table));
#else
  VecF r;
  for (int i = 0; i < kFloatLanes; ++i) r[i] = table[index[i] & 15u];
  return r;
#endif
}
FRACMOMENT_INLINE Vec lookup(const double (&table)[16], VecBits index) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)index,
                                     _mm512_loadu_pd(table + 8));
#else
  Vec r;
  for (int i = 0; i < kLanes; ++i) r[i] = table[index[i] & 15u];
  return r;
#endif
}

// The exponent of a positive normal number, as a number.
FRACMOMENT_INLINE Vec exponent_of(Vec u) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_maskz_getexp_pd(0xff, (__m512d)u);
#else
  return (Vec)(((VecBits)u >> 52) | std::uint64_t(0x4330000000000000)) - (0x1p52 + 1023.0);
#endif
}
FRACMOMENT_INLINE VecF exponent_of(VecF u) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecF)_mm512_maskz_getexp_ps(0xffff, (__m512)u);
#else
  return (VecF)(((VecFBits)u >> 23) | 0x4B000000u) - (0x1p23f + 127.0f);
#endif
}

// -2 log u for u in (0, 1], normal, is base + r * series(r): u = 2^e m, m in [1, 2), and
// r = m c - 1 with c for the cell of m near 1/m; next to u = 1 both 2 log 2 cancel exactly and
// r = u - 1.
template <class V>
struct LogarithmParts {
  V r, base;
};
FRACMOMENT_INLINE LogarithmParts<Vec> logarithm_parts(Vec u) {
  const VecBits b = (VecBits)u;
  const Vec mantissa =
      (Vec)((b & std::uint64_t(0xFFFFFFFFFFFFF)) | std::uint64_t(0x3FF0000000000000));
  const VecBits cell = b >> 48;
  return {fma(mantissa, lookup(tables::kCellReciprocal, cell), -1.0),
          fma(exponent_of(u), splat<Vec>(-2.0 * tables::kLogTwo),
              lookup(tables::kCellLogarithm, cell))};
}
// near_one = u - 1 where is_near, to full precision.
FRACMOMENT_INLINE LogarithmParts<VecF> logarithm_parts(VecF u, VecF near_one, VecFInt is_near) {
  const VecFBits b = (VecFBits)u;
  const VecF mantissa = (VecF)((b & 0x7FFFFFu) | 0x3F800000u);
  const VecFBits cell = b >> 19;
  const VecF far = fma(mantissa, lookup(tables::kCellReciprocalF, cell), -1.0f);
  const VecF base =
      fma(exponent_of(u), VecF{} + -2.0f * tables::kLogTwoF, lookup(tables::kCellLogarithmF, cell));
  return {is_near ? near_one : far, is_near ? VecF{} : base};
}
FRACMOMENT_INLINE Vec minus_two_log(Vec u) {
  const LogarithmParts<Vec> parts = logarithm_parts(u);
  return fma(polynomial(tables::kLogarithmSeries, parts.r), parts.r, parts.base);
}

// Sine first where the second lowest bit is set, cosine first elsewhere.
FRACMOMENT_INLINE LanePair<Vec> in_order(VecBits bits, Vec sine, Vec cosine) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __mmask8 swap = _mm512_test_epi64_mask((__m512i)bits, _mm512_set1_epi64(2));
  return {(Vec)_mm512_mask_mov_pd((__m512d)cosine, swap, (__m512d)sine),
          (Vec)_mm512_mask_mov_pd((__m512d)sine, swap, (__m512d)cosine)};
#else
  const VecInt swap = (VecInt)((bits & std::uint64_t(2)) != std::uint64_t(0));
  return {select(swap, sine, cosine), select(swap, cosine, sine)};
#endif
}
FRACMOMENT_INLINE LanePair<VecF> in_order(VecFBits bits, VecF sine, VecF cosine) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __mmask16 swap = _mm512_test_epi32_mask((__m512i)bits, _mm512_set1_epi32(2));
  return {(VecF)_mm512_mask_mov_ps((__m512)cosine, swap, (__m512)sine),
          (VecF)_mm512_mask_mov_ps((__m512)sine, swap, (__m512)cosine)};
#else
  const VecFInt swap = (VecFInt)((bits & 2u) != 0u);
  return {swap ? sine : cosine, swap ? cosine : sine};
#endif
}

// Uniform on (0, 1], the tail next to 0 to full relative precision.
FRACMOMENT_INLINE Vec open_uniform(VecBits u) {
  return fma(to_nearest(u), splat<Vec>(0x1p-64), 0x1p-65);
}

FRACMOMENT_INLINE LogarithmParts<Vec> radius_parts(VecBits bits) {
  return logarithm_parts(open_uniform(bits));
}
FRACMOMENT_INLINE LogarithmParts<VecF> radius_parts(VecFBits bits) {
  const VecF u = fma(to_nearest(bits), VecF{} + 0x1p-32f, 0x1p-33f);
  const VecF near_one = fma(to_nearest(~bits), VecF{} - 0x1p-32f, -0x1p-33f);
  return logarithm_parts(u, near_one, (VecFInt)(bits >= 0xF8000000u));
}
template <int part, int n>
FRACMOMENT_INLINE void logarithm_series(const Vec (&r)[n], Vec (&sum)[n]) {
  polynomials<part, 3>(tables::kLogarithmSeries, r, sum);
}
template <int part, int n>
FRACMOMENT_INLINE void logarithm_series(const VecF (&r)[n], VecF (&sum)[n]) {
  polynomials<part, 3>(tables::kLogarithmSeriesF, r, sum);
}

// Work that is done beside normals, in seven parts between their steps: none.
struct NoOtherWork {
  template <int part>
  FRACMOMENT_INLINE void advance() {}
};

// sqrt(-2 log u); parts 0 to 3 of the other work.
template <class V, int n, class Other>
FRACMOMENT_INLINE void radii(const BitsOf<V> (&bits)[n], V (&radius)[n], Other& other) {
  V r[n], base[n];
  for (int i = 0; i < n; ++i) {
    const LogarithmParts<V> parts = radius_parts(bits[i]);
    r[i] = parts.r;
    base[i] = parts.base;
  }
  other.template advance<0>();
  logarithm_series<0>(r, radius);
  other.template advance<1>();
  logarithm_series<1>(r, radius);
  other.template advance<2>();
  logarithm_series<2>(r, radius);
  other.template advance<3>();
  for (int i = 0; i < n; ++i) radius[i] = sqrt(fma(radius[i], r[i], base[i]));
}

// In [-1/2, 1/2), from the highest 52 (23) bits.
FRACMOMENT_INLINE Vec part_of_quarter(VecBits bits) {
  return (Vec)((bits >> 12) | std::uint64_t(0x3FF0000000000000)) - 1.5;
}
FRACMOMENT_INLINE VecF part_of_quarter(VecFBits bits) {
  return (VecF)((bits >> 9) | 0x3F800000u) - 1.5f;
}
template <int part, int n>
FRACMOMENT_INLINE void quarter_series(const Vec (&square)[n], Vec (&sine)[n], Vec (&cosine)[n]) {
  polynomials<part, 3>(tables::kQuarterSine, square, sine);
  polynomials<part, 3>(tables::kQuarterCosine, square, cosine);
}
template <int part, int n>
FRACMOMENT_INLINE void quarter_series(const VecF (&square)[n], VecF (&sine)[n], VecF (&cosine)[n]) {
  polynomials<part, 3>(tables::kQuarterSineF, square, sine);
  polynomials<part, 3>(tables::kQuarterCosineF, square, cosine);
}

// Points of circles of the given radii: the highest bits choose the angle within a quarter of the
// circle, the lowest 2 the quarter; parts 4 to 6 of the other work.
template <class V, int n, class Other>
FRACMOMENT_INLINE void on_circles(const V (&radius)[n], const BitsOf<V> (&angle)[n],
                                  LanePair<V> (&out)[n], Other& other) {
  constexpr int top = 8 * sizeof(typename NumberTraits<V>::Integer) - 1;
  V part[n], square[n], sine[n], cosine[n];
  for (int i = 0; i < n; ++i) {
    part[i] = part_of_quarter(angle[i]);
    square[i] = part[i] * part[i];
  }
  quarter_series<0>(square, sine, cosine);
  other.template advance<4>();
  quarter_series<1>(square, sine, cosine);
  other.template advance<5>();
  quarter_series<2>(square, sine, cosine);
  other.template advance<6>();
  for (int i = 0; i < n; ++i) {
    const V along = cosine[i] * radius[i], across = sine[i] * (part[i] * radius[i]);
    out[i] = in_order(angle[i], across, (V)((BitsOf<V>)along ^ (angle[i] << top)));
  }
}

// Independent normals from the two numbers of a block: of n blocks side by side.
template <class V, int n, class Other>
FRACMOMENT_INLINE void normal_pairs(const Block (&random)[n], LanePair<V> (&out)[n], Other& other) {
  BitsOf<V> first[n], second[n];
  for (int i = 0; i < n; ++i) {
    first[i] = (BitsOf<V>)random[i].first;
    second[i] = (BitsOf<V>)random[i].second;
  }
  V radius[n];
  radii(first, radius, other);
  on_circles(radius, second, out, other);
}
template <class V, int n>
FRACMOMENT_INLINE void normal_pairs(const Block (&random)[n], LanePair<V> (&out)[n]) {
  NoOtherWork none;
  normal_pairs(random, out, none);
}

// The normals of consecutive blocks of a layer, each time with the next blocks beside them.
template <class V, int n>
class NormalBlocks {
 public:
  NormalBlocks(const LayerLanes<n>& lanes, std::uint32_t block) : lanes_(lanes), block_(block) {
    lanes_.draw(block_, random_);
  }
  FRACMOMENT_INLINE void next(LanePair<V> (&out)[n]) {
    BlocksUnderway<n> following = lanes_.begin(++block_);
    normal_pairs(random_, out, following);
    following.finish(random_);
  }

 private:
  const LayerLanes<n> lanes_;  // a copy that no store can touch
  std::uint32_t block_;
  Block random_[n];
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
