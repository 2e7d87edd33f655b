// Lanes for sampling: fused multiply-add, 32-bit products, and the conversion of random bits.
//
// Everything is exact or correctly rounded once, so that samples have the same bits on every
// instruction set. Where the machine has no fused multiply-add the library's function serves,
// slowly.
#pragma once

#include <cmath>

#include "fracmoment/simd.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

typedef std::uint64_t VecBits __attribute__((vector_size(8 * kLanes)));
// Single precision: twice as many lanes in a register.
constexpr int kFloatLanes = 2 * kLanes;
typedef float VecF __attribute__((vector_size(4 * kFloatLanes)));
typedef std::int32_t VecFInt __attribute__((vector_size(4 * kFloatLanes)));
typedef std::uint32_t VecFBits __attribute__((vector_size(4 * kFloatLanes)));

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

// What a block of random bits gives: two numbers a lane.
template <class V>
struct LanePair {
  V first, second;
};

FRACMOMENT_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__) && defined(__FMA__)
  return (Vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  Vec r;
  for (int i = 0; i < kLanes; ++i) r[i] = std::fma(a[i], b[i], c[i]);
  return r;
#endif
}
FRACMOMENT_INLINE VecF fma(VecF a, VecF b, VecF c) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecF)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
  return (VecF)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  VecF r;
  for (int i = 0; i < kFloatLanes; ++i) r[i] = std::fma(a[i], b[i], c[i]);
  return r;
#endif
}
FRACMOMENT_INLINE Vec fma(Vec a, Vec b, double c) { return fma(a, b, splat<Vec>(c)); }
FRACMOMENT_INLINE VecF fma(VecF a, VecF b, float c) { return fma(a, b, VecF{} + c); }

FRACMOMENT_INLINE VecF sqrt(VecF x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecF)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
#elif defined(__AVX2__) && defined(__FMA__)
  return (VecF)_mm256_sqrt_ps((__m256)x);
#else
  VecF r;
  for (int i = 0; i < kFloatLanes; ++i) r[i] = __builtin_sqrtf(x[i]);
  return r;
#endif
}

// The full product of the low 32 bits of each lane.
FRACMOMENT_INLINE VecBits multiply_low_words(VecBits a, VecBits b) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecBits)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && defined(__FMA__)
  return (VecBits)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  const std::uint64_t low = 0xffffffff;
  return (a & low) * (b & low);
#endif
}

// The nearest double of an unsigned integer.
FRACMOMENT_INLINE Vec to_nearest(VecBits x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_maskz_cvtepu64_pd(0xff, (__m512i)x);
#else
  // both halves exactly, below 2^84 and 2^52; then one rounding
  const Vec high = (Vec)((x >> 32) | std::uint64_t(0x4530000000000000)) - 0x1.00000001p84;
  const Vec low = (Vec)((x & std::uint64_t(0xffffffff)) | std::uint64_t(0x4330000000000000));
  return high + low;  // 0x1p52 of low cancels the 0x1p52 subtracted with 0x1p84
#endif
}

FRACMOMENT_INLINE VecF to_nearest(VecFBits x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecF)_mm512_maskz_cvtepu32_ps(0xffff, (__m512i)x);
#else
  VecF r;
  for (int i = 0; i < kFloatLanes; ++i) r[i] = float(x[i]);
  return r;
#endif
}

FRACMOMENT_INLINE VecBits gather_words(const std::uint64_t* table, VecBits index) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecBits)_mm512_mask_i64gather_epi64(_mm512_setzero_si512(), 0xff, (__m512i)index, table,
                                              8);
#else
  VecBits r;
  for (int i = 0; i < kLanes; ++i) r[i] = table[index[i]];
  return r;
#endif
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
