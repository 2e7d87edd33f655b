// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/special/polygamma.hpp"

#define FRACMOMENT_STRING_(x) #x
#define FRACMOMENT_STRING(x) FRACMOMENT_STRING_(x)

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

constexpr int W = kLanes;

// Loads lanes from p, repeating the last element where fewer than W are left.
Vec load_lanes(const double* p, std::size_t left) {
  if (left >= std::size_t(W)) return load<Vec>(p);
  Vec r;
  for (int i = 0; i < W; ++i) set_lane(r, i, p[std::size_t(i) < left ? std::size_t(i) : left - 1]);
  return r;
}
void store_lanes(double* p, Vec x, std::size_t left) {
  if (left >= std::size_t(W)) return store(p, x);
  for (std::size_t i = 0; i < left; ++i) p[i] = lane(x, int(i));
}
DD<Vec> load_reals(const Real* p, std::size_t left) {
  DD<Vec> r;
  for (int i = 0; i < W; ++i) {
    const Real& x = p[std::size_t(i) < left ? std::size_t(i) : left - 1];
    set_lane(r.hi, i, x.hi);
    set_lane(r.lo, i, x.lo);
  }
  return r;
}
void store_reals(Real* p, const DD<Vec>& x, std::size_t left) {
  for (std::size_t i = 0; i < left && i < std::size_t(W); ++i)
    p[i] = {lane(x.hi, int(i)), lane(x.lo, int(i))};
}

Vec rounded(const LogForm<Vec>& form) {
  const Scaled<Vec> e = exp_scaled<false>(clamp_exponent(form.log));
  const DD<Vec> value = e.mantissa * form.factor;
  return ldexp_wide(value.hi + value.lo, e.exponent);
}

// 2^p Gamma(z+p)/Gamma(z), z = width/2, p = order/2. With z moved up to z', z+p to z'+q, and S
// Stirling's series, the logarithm of the quotient is
//   q log(z'+q) + (z' - 1/2) log(1 + q/z') - q + S(z'+q) - S(z'):
// no term is much larger than the result, so that logarithms to 2^-72 and S in double (it is below
// 1/100, and errs by 2^-59) give the whole to 2^-58.
template <class V>
struct ChiMoment {
  static constexpr double kStart = 8.0;

  // The product of z, ..., z+7 where z is below the start of the series, to which it is moved.
  FRACMOMENT_INLINE static Pair<V> step_up(Pair<V>& z) {
    const Pair<V> one{splat<V>(1.0), V{}};
    const MaskOf<V> below = z.hi < kStart;
    if (!any(below)) return one;
    // (z+k)(z+7-k) = z (z+7) + k (7-k)
    const Pair<V> w = z * (z + splat<V>(7.0));
    const Pair<V> product =
        (w * (w + splat<V>(6.0))) * ((w + splat<V>(10.0)) * (w + splat<V>(12.0)));
    z = z + select(below, splat<V>(kStart), V{});
    return select(below, product, one);
  }
  FRACMOMENT_INLINE static V stirling_tail(V z) {
    constexpr int terms = 13;  // the next is below 2^-59 at kStart
    const V u = 1.0 / z, square = u * u;
    V sum = splat<V>(tables::kStirlingHi[terms - 1]);
    for (int n = terms - 2; n >= 0; --n) sum = sum * square + tables::kStirlingHi[n];
    return sum * u;
  }

  FRACMOMENT_INLINE static V evaluate(V width, V order) {
    const V half = splat<V>(0.5);
    Pair<V> z{width * half, V{}}, z_plus_p(scale_by(two_sum(width, order), half));
    const Pair<V> below = step_up(z_plus_p), above = step_up(z);
    const DD<V> bottom = normalized(z), top = normalized(z_plus_p), q = top - bottom;
    const V series = stirling_tail(top.hi) - stirling_tail(bottom.hi);
    const DD<V> log_top = log_offset<false>(top, top + splat<V>(-1.0));
    const DD<V> x = quotient(q, bottom);
    const DD<V> log_quotient = log_offset<false>(x + splat<V>(1.0), x);
    const DD<V> power = q * log_top + (bottom + splat<V>(-0.5)) * log_quotient;
    const DD<V> log_ratio = power - q + series + splat<V>(constant(4)) * order;
    const Scaled<V> e = exp_scaled<false>(clamp_exponent(log_ratio));
    const Pair<V> value = Pair<V>(e.mantissa) * (above * reciprocal(below));
    return ldexp_wide(value.hi + value.lo, e.exponent);
  }
};

void chi_moments(const double* width, const double* order, double* out, std::size_t n) {
  constexpr std::size_t lanes = W;
  for (std::size_t i = 0; i < n; i += 2 * lanes) {
    const std::size_t left = n - i, second = left > lanes ? i + lanes : i;
    const Twin d{load_lanes(width + i, left), load_lanes(width + second, n - second)};
    const Twin s{load_lanes(order + i, left), load_lanes(order + second, n - second)};
    const Twin value = ChiMoment<Twin>::evaluate(d, s);
    store_lanes(out + i, value.a, left);
    if (left > lanes) store_lanes(out + second, value.b, n - second);
  }
}

void moments(const LawState& law, const double* order, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W)
    store_lanes(out + i, rounded(log_form<false>(law, load_lanes(order + i, n - i))), n - i);
}

// Not a number where the terms of a sum cancel by more than law.most_loss, or leave the range.
void complex_moments(const LawState& law, const double* order, double* out, std::size_t n) {
  for (std::size_t start = 0; start < n; start += W) {
    Vec re{}, im{};
    for (int i = 0; i < W; ++i) {
      const std::size_t at = start + std::size_t(i) < n ? start + std::size_t(i) : n - 1;
      set_lane(re, i, order[2 * at]);
      set_lane(im, i, order[2 * at + 1]);
    }
    const ComplexForm<Vec> form = complex_form(law, re, im);
    const Scaled<Vec> size = exp_scaled<true>(clamp_exponent(form.log.re));
    const Complex<Vec> value = unit_circle(form.log.im) * form.factor * size.mantissa;
    for (int i = 0; i < W && start + std::size_t(i) < n; ++i) {
      double* const at = out + 2 * (start + std::size_t(i));
      const int power = int(lane(size.exponent, i));
      if (!(lane(form.loss, i) <= law.most_loss)) {
        at[0] = at[1] = std::numeric_limits<double>::quiet_NaN();
        continue;
      }
      at[0] = std::ldexp(lane(value.re.hi, i) + lane(value.re.lo, i), power);
      at[1] = std::ldexp(lane(value.im.hi, i) + lane(value.im.lo, i), power);
    }
  }
}

void log_moments(const LawState& law, const double* order, Real* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W) {
    const LogForm<Vec> form = log_form<true>(law, load_lanes(order + i, n - i));
    store_reals(out + i, form.log + log(form.factor), n - i);
  }
}

void exponentials(const Real* x, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W)
    store_lanes(out + i, exp_rounded(load_reals(x + i, n - i)), n - i);
}

void log_gammas(const Real* z, Real* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W)
    store_reals(out + i, log_gamma(load_reals(z + i, n - i)), n - i);
}

void polygammas(int m, const Real* z, Real* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W)
    store_reals(out + i, signed_polygamma(m, load_reals(z + i, n - i)), n - i);
}

}  // namespace

extern const Kernels kKernels;
const Kernels kKernels = {FRACMOMENT_STRING(FRACMOMENT_ISA),
                          chi_moments,
                          moments,
                          log_moments,
                          complex_moments,
                          mellin_weights<false>,
                          mellin_weights<true>,
                          moment_interpolation,
                          invert<Vec>,
                          exponentials,
                          log_gammas,
                          polygammas};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
