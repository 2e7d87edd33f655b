// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/kernels.hpp"

#include <algorithm>

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

// Phase by phase over a few registers: the chains of dependent operations then overlap.
constexpr int kBatch = 8;

// 2^p Gamma(z+p)/Gamma(z), z = width/2, p = order/2, for a few registers at once. With z moved up
// to z', z+p to z'+q, and S Stirling's series, the logarithm of the quotient is
//   q log(z'+q) + (z' - 1/2) log(1 + q/z') - q + S(z'+q) - S(z'):
// no term is much larger than the result, so that logarithms to 2^-72 and S in double (it is below
// 1/100, and errs by 2^-59) give the whole to 2^-58.
struct ChiBatch {
  DD<Vec> bottom[kBatch], top[kBatch], q[kBatch];  // z', z'+q, q
  Pair<Vec> factor[kBatch];                        // what the steps up have to be corrected by
  Vec series[kBatch];
  DD<Vec> log_top[kBatch], log_quotient[kBatch];

  static constexpr double kStart = 8.0;

  // The product of z, z+1, ... up to the start of the series, to which z is moved.
  static Pair<Vec> step_up(Pair<Vec>& z) {
    Pair<Vec> product{splat<Vec>(1.0), Vec{}};
    if (!any(z.hi < kStart)) return product;
    for (int k = 0; k < int(kStart); ++k) {
      const VecInt below = z.hi < kStart;
      product = select(below, product * z, product);
      z = z + select(below, splat<Vec>(1.0), Vec{});
    }
    return product;
  }
  static Vec stirling_tail(Vec z) {
    constexpr int terms = 13;  // the next is below 2^-59 at kStart
    const Vec u = 1.0 / z, square = u * u;
    Vec sum = splat<Vec>(tables::kStirlingHi[terms - 1]);
    for (int n = terms - 2; n >= 0; --n) sum = sum * square + tables::kStirlingHi[n];
    return sum * u;
  }

  void evaluate(const Vec* width, const Vec* order, Vec* out, int count) {
    const Vec half = splat<Vec>(0.5);
    for (int i = 0; i < count; ++i) {
      Pair<Vec> z{width[i] * half, Vec{}}, z_plus_p(scale_by(two_sum(width[i], order[i]), half));
      const Pair<Vec> below = step_up(z_plus_p), above = step_up(z);
      bottom[i] = normalized(z);
      top[i] = normalized(z_plus_p);
      factor[i] = above;
      if (any(below.hi != 1.0)) factor[i] = above * reciprocal(below);
      q[i] = top[i] - bottom[i];
    }
    for (int i = 0; i < count; ++i)
      series[i] = stirling_tail(top[i].hi) - stirling_tail(bottom[i].hi);
    for (int i = 0; i < count; ++i)
      log_top[i] = log_offset<false>(top[i], top[i] + splat<Vec>(-1.0));
    for (int i = 0; i < count; ++i) {
      const DD<Vec> x = q[i] / bottom[i];
      log_quotient[i] = log_offset<false>(x + splat<Vec>(1.0), x);
    }
    for (int i = 0; i < count; ++i) {
      const DD<Vec> power = q[i] * log_top[i] + (bottom[i] + splat<Vec>(-0.5)) * log_quotient[i];
      const DD<Vec> log_ratio = power - q[i] + series[i] + splat<Vec>(constant(4)) * order[i];
      const Scaled<Vec> e = exp_scaled<false>(clamp_exponent(log_ratio));
      const Pair<Vec> value = Pair<Vec>(e.mantissa) * factor[i];
      out[i] = ldexp_wide(value.hi + value.lo, e.exponent);
    }
  }
};

void chi_moments(const double* width, const double* order, double* out, std::size_t n) {
  ChiBatch batch;
  for (std::size_t start = 0; start < n; start += kBatch * W) {
    Vec d[kBatch], s[kBatch], value[kBatch];
    const int count = int(std::min<std::size_t>(kBatch, (n - start + W - 1) / W));
    for (int i = 0; i < count; ++i) {
      const std::size_t at = start + std::size_t(i * W);
      d[i] = load_lanes(width + at, n - at);
      s[i] = load_lanes(order + at, n - at);
    }
    batch.evaluate(d, s, value, count);
    for (int i = 0; i < count; ++i) {
      const std::size_t at = start + std::size_t(i * W);
      store_lanes(out + at, value[i], n - at);
    }
  }
}

void moments(const LawState& law, const double* order, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W)
    store_lanes(out + i, rounded(log_form<false>(law, load_lanes(order + i, n - i))), n - i);
}

void complex_moments(const LawState& law, const double* order, double* out, std::size_t n) {
  for (std::size_t start = 0; start < n; start += W) {
    Vec re{}, im{};
    for (int i = 0; i < W; ++i) {
      const std::size_t at = start + std::size_t(i) < n ? start + std::size_t(i) : n - 1;
      set_lane(re, i, order[2 * at]);
      set_lane(im, i, order[2 * at + 1]);
    }
    const Complex<Vec> value = complex_moment(law, re, im);
    for (int i = 0; i < W && start + std::size_t(i) < n; ++i) {
      out[2 * (start + std::size_t(i))] = lane(value.re.hi, i) + lane(value.re.lo, i);
      out[2 * (start + std::size_t(i)) + 1] = lane(value.im.hi, i) + lane(value.im.lo, i);
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
                          mellin_weights<false, Vec>,
                          mellin_weights<true, Vec>,
                          invert<Vec>,
                          exponentials,
                          log_gammas,
                          polygammas};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
