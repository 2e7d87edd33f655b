// Lanes: the same arithmetic on one double or on a short vector of doubles.
//
// Every function below is made of IEEE additions, multiplications, divisions, square roots,
// comparisons and integer operations on bits, each correctly rounded on every path. A kernel
// written with them gives the same bits on one lane or eight, with or without a fused multiply-add
// (used only where it returns an exact error term), so dispatch changes speed and nothing else.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

// The instruction set is part of the namespace: code compiled for several sets into one module must
// not be merged by the linker.
#ifndef FRACMOMENT_ISA
#define FRACMOMENT_ISA scalar
#endif
#ifndef FRACMOMENT_INLINE
#define FRACMOMENT_INLINE inline __attribute__((always_inline))
#endif

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int kLanes = 8;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
typedef double Vec __attribute__((vector_size(8 * kLanes)));
typedef std::int64_t VecInt __attribute__((vector_size(8 * kLanes)));

template <class V>
struct LaneTraits;
template <>
struct LaneTraits<double> {
  static constexpr int lanes = 1;
  using Int = std::int64_t;
  using Mask = bool;
};
template <>
struct LaneTraits<Vec> {
  static constexpr int lanes = kLanes;
  using Int = VecInt;
  using Mask = VecInt;
};
template <class V>
using IntOf = typename LaneTraits<V>::Int;
template <class V>
using MaskOf = typename LaneTraits<V>::Mask;

template <class V>
FRACMOMENT_INLINE V splat(double x) {
  return x - V{};  // x for every x, so that no operation is left; 0 + x is not
}
FRACMOMENT_INLINE double select(bool m, double a, double b) { return m ? a : b; }
FRACMOMENT_INLINE std::int64_t select(bool m, std::int64_t a, std::int64_t b) { return m ? a : b; }
FRACMOMENT_INLINE Vec select(VecInt m, Vec a, Vec b) { return m ? a : b; }
FRACMOMENT_INLINE VecInt select(VecInt m, VecInt a, VecInt b) { return m ? a : b; }

FRACMOMENT_INLINE bool any(bool m) { return m; }
FRACMOMENT_INLINE bool any(VecInt m) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0;
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_testz_si256((__m256i)m, (__m256i)m) == 0;
#else
  std::int64_t r = 0;
  for (int i = 0; i < kLanes; ++i) r |= m[i];
  return r != 0;
#endif
}
FRACMOMENT_INLINE bool all(bool m) { return m; }
FRACMOMENT_INLINE bool all(VecInt m) { return !any(~m); }

FRACMOMENT_INLINE bool lane_mask(bool m, int) { return m; }
FRACMOMENT_INLINE bool lane_mask(VecInt m, int i) { return m[i] != 0; }
FRACMOMENT_INLINE double lane(double x, int) { return x; }
FRACMOMENT_INLINE double lane(Vec x, int i) { return x[i]; }
FRACMOMENT_INLINE std::int64_t lane(std::int64_t x, int) { return x; }
FRACMOMENT_INLINE std::int64_t lane(VecInt x, int i) { return x[i]; }
FRACMOMENT_INLINE void set_lane(double& x, int, double value) { x = value; }
FRACMOMENT_INLINE void set_lane(Vec& x, int i, double value) { x[i] = value; }

FRACMOMENT_INLINE std::int64_t bits(double x) {
  std::int64_t r;
  std::memcpy(&r, &x, sizeof r);
  return r;
}
FRACMOMENT_INLINE double from_bits(std::int64_t x) {
  double r;
  std::memcpy(&r, &x, sizeof r);
  return r;
}
FRACMOMENT_INLINE VecInt bits(Vec x) { return (VecInt)x; }
FRACMOMENT_INLINE Vec from_bits(VecInt x) { return (Vec)x; }

template <class V>
FRACMOMENT_INLINE V abs(V x) {
  return from_bits(bits(x) & INT64_MAX);
}

FRACMOMENT_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
FRACMOMENT_INLINE Vec sqrt(Vec x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);  // unmasked: a false warning of GCC 12
#elif defined(__AVX2__) && defined(__FMA__)
  return (Vec)_mm256_sqrt_pd((__m256d)x);
#else
  Vec r;
  for (int i = 0; i < kLanes; ++i) r[i] = __builtin_sqrt(x[i]);
  return r;
#endif
}

// Nearest integer, for |x| < 2^51.
template <class V>
FRACMOMENT_INLINE V round_to_integer(V x) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52
  return (x + magic) - magic;
}
// The integer value of an integral double below 2^51 in magnitude.
template <class V>
FRACMOMENT_INLINE IntOf<V> to_int(V integral) {
  return bits(integral + 6755399441055744.0) - std::int64_t(0x4338000000000000);
}
FRACMOMENT_INLINE double to_double(std::int64_t k) {
  return from_bits(k + 0x4338000000000000LL) - 6755399441055744.0;
}
FRACMOMENT_INLINE Vec to_double(const VecInt& k) {
  return from_bits(k + std::int64_t(0x4338000000000000)) - 6755399441055744.0;
}

// 2^k for -1022 <= k <= 1023.
template <class I>
FRACMOMENT_INLINE auto pow2(I k) {
  return from_bits((k + std::int64_t(1023)) << 52);
}

FRACMOMENT_INLINE double gather(const double* table, std::int64_t i) { return table[i]; }
FRACMOMENT_INLINE Vec gather(const double* table, VecInt index) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_mask_i64gather_pd(_mm512_setzero_pd(), 0xff, (__m512i)index, table, 8);
#else
  Vec r;
  for (int i = 0; i < kLanes; ++i) r[i] = table[index[i]];
  return r;
#endif
}

template <class V>
FRACMOMENT_INLINE V load(const double* p) {
  V r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
template <class V>
FRACMOMENT_INLINE void store(double* p, V x) {
  std::memcpy(p, &x, sizeof x);
}

// The rounding error of the product p = a*b, exactly (barring over- and underflow).
#if defined(__FMA__)
FRACMOMENT_INLINE double product_error(double a, double b, double p) {
  return __builtin_fma(a, b, -p);
}
#endif
#if defined(__AVX512F__) && defined(__AVX512DQ__)
FRACMOMENT_INLINE Vec product_error(Vec a, Vec b, Vec p) {
  return (Vec)_mm512_fmsub_pd((__m512d)a, (__m512d)b, (__m512d)p);
}
#elif defined(__AVX2__) && defined(__FMA__)
FRACMOMENT_INLINE Vec product_error(Vec a, Vec b, Vec p) {
  return (Vec)_mm256_fmsub_pd((__m256d)a, (__m256d)b, (__m256d)p);
}
#else
template <class V>
FRACMOMENT_INLINE V product_error(V a, V b, V p) {  // Dekker's splitting; needs |a|, |b| < 2^996
  const double splitter = 134217729.0;              // 2^27 + 1
  const V ta = a * splitter, tb = b * splitter;
  const V ah = ta - (ta - a), al = a - ah;
  const V bh = tb - (tb - b), bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
}
#endif

// Two registers as one. Long chains of dependent operations keep a processor waiting; here every
// chain has a companion, operation by operation, which its window of instructions cannot miss.
struct Twin {
  Vec a, b;
};
struct TwinInt {
  VecInt a, b;
};
template <>
struct LaneTraits<Twin> {
  static constexpr int lanes = 2 * kLanes;
  using Int = TwinInt;
  using Mask = TwinInt;
};

#define FRACMOMENT_TWIN(result, type, scalar, op)                      \
  FRACMOMENT_INLINE result operator op(const type& x, const type& y) { \
    return {x.a op y.a, x.b op y.b};                                   \
  }                                                                    \
  FRACMOMENT_INLINE result operator op(const type& x, scalar y) { return {x.a op y, x.b op y}; }
#define FRACMOMENT_TWIN_LEFT(op) \
  FRACMOMENT_INLINE Twin operator op(double x, const Twin& y) { return {x op y.a, x op y.b}; }
FRACMOMENT_TWIN(Twin, Twin, double, +)
FRACMOMENT_TWIN(Twin, Twin, double, -)
FRACMOMENT_TWIN(Twin, Twin, double, *)
FRACMOMENT_TWIN(Twin, Twin, double, /)
FRACMOMENT_TWIN_LEFT(+)
FRACMOMENT_TWIN_LEFT(-)
FRACMOMENT_TWIN_LEFT(*)
FRACMOMENT_TWIN_LEFT(/)
FRACMOMENT_TWIN(TwinInt, Twin, double, <)
FRACMOMENT_TWIN(TwinInt, Twin, double, >)
FRACMOMENT_TWIN(TwinInt, Twin, double, ==)
FRACMOMENT_TWIN(TwinInt, Twin, double, !=)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, +)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, -)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, *)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, &)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, |)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, <)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, >)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, ==)
FRACMOMENT_TWIN(TwinInt, TwinInt, std::int64_t, >=)
#undef FRACMOMENT_TWIN
#undef FRACMOMENT_TWIN_LEFT
FRACMOMENT_INLINE Twin operator-(const Twin& x) { return {-x.a, -x.b}; }
FRACMOMENT_INLINE TwinInt operator-(const TwinInt& x) { return {-x.a, -x.b}; }
FRACMOMENT_INLINE TwinInt operator~(const TwinInt& x) { return {~x.a, ~x.b}; }
FRACMOMENT_INLINE TwinInt operator>>(const TwinInt& x, int k) { return {x.a >> k, x.b >> k}; }
FRACMOMENT_INLINE TwinInt operator<<(const TwinInt& x, int k) { return {x.a << k, x.b << k}; }

FRACMOMENT_INLINE Twin select(const TwinInt& m, const Twin& x, const Twin& y) {
  return {select(m.a, x.a, y.a), select(m.b, x.b, y.b)};
}
FRACMOMENT_INLINE TwinInt select(const TwinInt& m, const TwinInt& x, const TwinInt& y) {
  return {select(m.a, x.a, y.a), select(m.b, x.b, y.b)};
}
FRACMOMENT_INLINE bool any(const TwinInt& m) { return any(m.a | m.b); }
FRACMOMENT_INLINE bool all(const TwinInt& m) { return !any(~m); }
FRACMOMENT_INLINE double lane(const Twin& x, int i) {
  return i < kLanes ? x.a[i] : x.b[i - kLanes];
}
FRACMOMENT_INLINE std::int64_t lane(const TwinInt& x, int i) {
  return i < kLanes ? x.a[i] : x.b[i - kLanes];
}
FRACMOMENT_INLINE void set_lane(Twin& x, int i, double value) {
  (i < kLanes ? x.a[i] : x.b[i - kLanes]) = value;
}
FRACMOMENT_INLINE TwinInt bits(const Twin& x) { return {bits(x.a), bits(x.b)}; }
FRACMOMENT_INLINE Twin from_bits(const TwinInt& x) { return {from_bits(x.a), from_bits(x.b)}; }
FRACMOMENT_INLINE Twin sqrt(const Twin& x) { return {sqrt(x.a), sqrt(x.b)}; }
FRACMOMENT_INLINE Twin to_double(const TwinInt& k) { return {to_double(k.a), to_double(k.b)}; }
FRACMOMENT_INLINE Twin gather(const double* table, const TwinInt& i) {
  return {gather(table, i.a), gather(table, i.b)};
}
FRACMOMENT_INLINE Twin product_error(const Twin& x, const Twin& y, const Twin& p) {
  return {product_error(x.a, y.a, p.a), product_error(x.b, y.b, p.b)};
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
