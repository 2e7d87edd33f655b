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

void gamma_batch(DD<Vec>* z, Gamma<Vec>* out, int count) {
  DD<Vec> log_z[kBatch], series[kBatch];
  for (int i = 0; i < count; ++i) out[i].shift = shift_up<false>(z[i]);
  for (int i = 0; i < count; ++i) log_z[i] = log(z[i]);
  for (int i = 0; i < count; ++i) series[i] = stirling_series<false>(z[i]);
  for (int i = 0; i < count; ++i) out[i].log = stirling(z[i], log_z[i], series[i]);
}

void chi_moments(const double* width, const double* order, double* out, std::size_t n) {
  double known = -1.0;
  Gamma<Vec> base[kBatch] = {}, top[kBatch];
  for (std::size_t start = 0; start < n; start += kBatch * W) {
    Vec d[kBatch], s[kBatch];
    DD<Vec> z[kBatch];
    VecInt changed = {};
    const int count = int(std::min<std::size_t>(kBatch, (n - start + W - 1) / W));
    for (int i = 0; i < count; ++i) {
      const std::size_t at = start + std::size_t(i * W);
      d[i] = load_lanes(width + at, n - at);
      s[i] = load_lanes(order + at, n - at);
      changed |= d[i] != known;
    }
    if (any(changed)) {  // one width for many orders: its gamma function once
      for (int i = 0; i < count; ++i) z[i] = DD<Vec>(d[i] * 0.5);
      gamma_batch(z, base, count);
      known = lane(d[0], 0);
      for (int i = 0; i < count; ++i)
        if (any(d[i] != known)) known = -1.0;
    }
    for (int i = 0; i < count; ++i) z[i] = scale_by(two_sum(d[i], s[i]), splat<Vec>(0.5));
    gamma_batch(z, top, count);
    for (int i = 0; i < count; ++i) {
      const std::size_t at = start + std::size_t(i * W);
      const DD<Vec> log_ratio = top[i].log - base[i].log + splat<Vec>(constant(4)) * s[i];
      const Scaled<Vec> e = exp_scaled<false>(clamp_exponent(log_ratio));
      DD<Vec> value = e.mantissa;
      if (any((top[i].shift.hi != 1.0) | (base[i].shift.hi != 1.0)))
        value = value * base[i].shift / top[i].shift;
      store_lanes(out + at, ldexp_wide(value.hi + value.lo, e.exponent), n - at);
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

void log_forms(const LawState& law, const double* order, Real* log, Real* factor, std::size_t n) {
  for (std::size_t i = 0; i < n; i += W) {
    const LogForm<Vec> form = log_form<true>(law, load_lanes(order + i, n - i));
    store_reals(log + i, form.log, n - i);
    store_reals(factor + i, form.factor, n - i);
  }
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
                          log_forms,
                          complex_moments,
                          mellin_weights<false, Vec>,
                          mellin_weights<true, Vec>,
                          invert<Vec>,
                          log_gammas,
                          polygammas};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
