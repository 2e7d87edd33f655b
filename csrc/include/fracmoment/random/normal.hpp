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

template <class V>
struct NormalPair {
  V first, second;
};

template <class V, class T, int n>
FRACMOMENT_INLINE V polynomial(const T (&coefficient)[n], V x) {
  V sum = V{} + coefficient[n - 1];
  for (int i = n - 2; i >= 0; --i) sum = fma(sum, x, coefficient[i]);
  return sum;
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

// -2 log u for u in (0, 1], normal: u = 2^e m, m in [1, 2), and r = m c - 1 with c for the cell of
// m near 1/m; next to u = 1 both 2 log 2 cancel exactly and r = u - 1.
FRACMOMENT_INLINE Vec minus_two_log(Vec u) {
  const VecBits b = (VecBits)u;
  const Vec mantissa =
      (Vec)((b & std::uint64_t(0xFFFFFFFFFFFFF)) | std::uint64_t(0x3FF0000000000000));
  const VecBits cell = b >> 48;
  const Vec r = fma(mantissa, lookup(tables::kCellReciprocal, cell), -1.0);
  const Vec base =
      fma(exponent_of(u), splat<Vec>(-2.0 * tables::kLogTwo), lookup(tables::kCellLogarithm, cell));
  return fma(polynomial(tables::kLogarithmSeries, r), r, base);
}
// near_one = u - 1 where is_near, to full precision.
FRACMOMENT_INLINE VecF minus_two_log(VecF u, VecF near_one, VecFInt is_near) {
  const VecFBits b = (VecFBits)u;
  const VecF mantissa = (VecF)((b & 0x7FFFFFu) | 0x3F800000u);
  const VecFBits cell = b >> 19;
  const VecF far = fma(mantissa, lookup(tables::kCellReciprocalF, cell), -1.0f);
  const VecF base =
      fma(exponent_of(u), VecF{} + -2.0f * tables::kLogTwoF, lookup(tables::kCellLogarithmF, cell));
  const VecF r = is_near ? near_one : far;
  return fma(polynomial(tables::kLogarithmSeriesF, r), r, is_near ? VecF{} : base);
}

// Sine first where the second lowest bit is set, cosine first elsewhere.
FRACMOMENT_INLINE NormalPair<Vec> in_order(VecBits bits, Vec sine, Vec cosine) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __mmask8 swap = _mm512_test_epi64_mask((__m512i)bits, _mm512_set1_epi64(2));
  return {(Vec)_mm512_mask_mov_pd((__m512d)cosine, swap, (__m512d)sine),
          (Vec)_mm512_mask_mov_pd((__m512d)sine, swap, (__m512d)cosine)};
#else
  const VecInt swap = (VecInt)((bits & std::uint64_t(2)) != std::uint64_t(0));
  return {select(swap, sine, cosine), select(swap, cosine, sine)};
#endif
}
FRACMOMENT_INLINE NormalPair<VecF> in_order(VecFBits bits, VecF sine, VecF cosine) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __mmask16 swap = _mm512_test_epi32_mask((__m512i)bits, _mm512_set1_epi32(2));
  return {(VecF)_mm512_mask_mov_ps((__m512)cosine, swap, (__m512)sine),
          (VecF)_mm512_mask_mov_ps((__m512)sine, swap, (__m512)cosine)};
#else
  const VecFInt swap = (VecFInt)((bits & 2u) != 0u);
  return {swap ? sine : cosine, swap ? cosine : sine};
#endif
}

// A point of the circle of the given radius: the highest 52 bits choose the angle within a quarter
// of the circle, the lowest 2 the quarter.
FRACMOMENT_INLINE NormalPair<Vec> on_circle(Vec radius, VecBits angle_bits) {
  const Vec f = (Vec)((angle_bits >> 12) | std::uint64_t(0x3FF0000000000000)) - 1.5;
  const Vec square = f * f;
  const Vec sine = polynomial(tables::kQuarterSine, square) * (f * radius);
  const Vec plus = polynomial(tables::kQuarterCosine, square) * radius;
  const Vec cosine = (Vec)((VecBits)plus ^ (angle_bits << 63));
  return in_order(angle_bits, sine, cosine);
}

// Uniform on (0, 1], the tail next to 0 to full relative precision.
FRACMOMENT_INLINE Vec open_uniform(VecBits u) {
  return fma(to_nearest(u), splat<Vec>(0x1p-64), 0x1p-65);
}

// Independent normals from two 64-bit numbers a lane.
FRACMOMENT_INLINE NormalPair<Vec> normal_pair(VecBits radius_bits, VecBits angle_bits) {
  return on_circle(sqrt(minus_two_log(open_uniform(radius_bits))), angle_bits);
}

FRACMOMENT_INLINE NormalPair<VecF> normal_pair(VecFBits radius_bits, VecFBits angle_bits) {
  const VecF u = fma(to_nearest(radius_bits), VecF{} + 0x1p-32f, 0x1p-33f);
  const VecF near_one = fma(to_nearest(~radius_bits), VecF{} - 0x1p-32f, -0x1p-33f);
  const VecF radius = sqrt(minus_two_log(u, near_one, (VecFInt)(radius_bits >= 0xF8000000u)));
  const VecF f = (VecF)((angle_bits >> 9) | 0x3F800000u) - 1.5f;
  const VecF square = f * f;
  const VecF sine = polynomial(tables::kQuarterSineF, square) * (f * radius);
  const VecF plus = polynomial(tables::kQuarterCosineF, square) * radius;
  const VecF cosine = (VecF)((VecFBits)plus ^ (angle_bits << 31));
  return in_order(angle_bits, sine, cosine);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
