// Distribution and density of X = Y_1 + ... + Y_d, and of the ratio B = X/chi^2_d, by inversion of
// the Laplace transform on a contour through the saddle point.
//
//   P(X <= x; X > 0) =  (1/2 pi i) int e^(zx) (L(z)^d - dead^d)/z dz,  Re z > 0 at the axis,
//   P(X > x)         = -(1/2 pi i) int e^(zx) L(z)^d/z dz,             Re z < 0 at the axis,
//   f(x)             =  (1/2 pi i) int e^(zx) (L(z)^d - dead^d) dz,
// and for the ratio, with L_beta(z) = E (1 + 2z(b - beta))^(-1/2) the transform of Y - beta z^2,
//   P(B <= beta) = P(sum(Y - beta z^2) <= 0): the same with x = 0 (without live units:
//   (dead (1 - 2z beta)^(-1/2))^d is subtracted),
//   f_B(beta) = (1/2 pi i) int d L_beta^(d-1) E (1 + 2z(b - beta))^(-3/2) dz.
// For x > 0 the contour is the parabola z = -1/2 + (zeta+1/2)(1+iu)^2 around the cut, on which
// e^(zx) decays like a Gaussian; for the ratio it is z = zeta + i s sinh(u) between the two cuts.
// The trapezoidal rule in u converges exponentially; the step is halved until two results agree to
// 2^-44, which puts the second within 2^-80. The larger side of the distribution is never
// subtracted from 1 to get the smaller one. See docs/algorithms/inversion.md.
#pragma once

#include "fracmoment/gains/unit.hpp"
#include "fracmoment/special/complex.hpp"

namespace fracmoment {

enum class Inverse { cdf, sf, density };

// One point to evaluate, in units of X (or B).
struct InversionPoint {
  Real x{0.0};          // x for X; 0 for the ratio
  Real beta{0.0};       // 0 for X; beta for the ratio
  double saddle = 0.0;  // zeta
  double width = 1.0;   // s: the scale of u on which the integrand changes near 0, or of z (ratio)
};

inline namespace FRACMOMENT_ISA {

template <class V>
class Inversion {
 public:
  Inversion(const UnitLaw& unit, Inverse what, bool ratio)
      : unit_(unit), what_(what), ratio_(ratio) {}

  // The integrals at one point a lane; `converged` is false where steps ran out.
  FRACMOMENT_INLINE DD<V> evaluate(const DD<V>& x, const DD<V>& beta, V saddle, V width,
                                   MaskOf<V>& converged) {
    x_ = x;
    beta_ = beta;
    saddle_ = saddle;
    scale_ = width;
    const Complex<V> at = real_part_only(DD<V>(saddle));
    base_ = live_transform(at).re;
    if (unit_.dead.hi > 0.0) base_ = base_ + dead_transform(at).re;
    front_ = x * saddle + log(base_) * splat<V>(unit_.width);
    V h = ratio_ ? splat<V>(0.25) : select(width < 0.3, width * 0.6, splat<V>(0.18));
    DD<V> sum = scale_by(integrand(V{}), splat<V>(0.5));
    decayed_ = ~MaskOf<V>{};
    sum = sum + march(h, h, sum);
    DD<V> result = sum * h;
    converged = MaskOf<V>{};
    for (int level = 0; level < 6 && !all(converged); ++level) {
      const V half = h * 0.5;
      const DD<V> finer_sum = sum + march(half, h, sum);
      const DD<V> finer = finer_sum * half;
      const V gap = abs(finer.hi - result.hi);
      result = select(converged, result, finer);
      converged = converged | (gap <= abs(finer.hi) * 5.7e-14);
      sum = finer_sum;
      h = half;
    }
    converged = converged & decayed_;
    const DD<V> scaled = result / splat<V>(pi());
    const Scaled<V> e = exp_scaled<true>(clamp_exponent(front_));
    const DD<V> value = e.mantissa * scaled;
    return scale_wide(value, e.exponent);
  }

 private:
  // sum of the integrand at first, first + step, ... until it has decayed
  FRACMOMENT_INLINE DD<V> march(V first, V step, const DD<V>& so_far) {
    DD<V> sum{};
    V u = first;
    MaskOf<V> done{};
    V small_run{};
    for (int i = 0; i < 2000 && !all(done); ++i) {
      const DD<V> term = integrand(u);
      sum = select(done, sum, sum + term);
      const MaskOf<V> tiny = abs(term.hi) <= abs(so_far.hi + sum.hi) * 1e-22;
      small_run = select(tiny, small_run + 1.0, V{});
      done = done | (small_run > 3.5);
      u = u + step;
    }
    decayed_ = decayed_ & done;  // sums that ran out of steps could agree on a wrong value
    return sum;
  }

  // E (1 + 2z(b - beta))^(-1/2) over live units
  FRACMOMENT_INLINE Complex<V> live_transform(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> two_z = z * DD<V>(splat<V>(2.0));
    const Complex<V> base = one - two_z * beta_;
    Complex<V> sum{};
    for (int i = 0; i < unit_.points; ++i)
      sum = sum +
            one / square_root(base + two_z * splat<V>(unit_.point[i])) * splat<V>(unit_.weight[i]);
    if (unit_.uniform) {
      const Complex<V> root = square_root(two_z);
      const Complex<V> ends = arc(root, base, unit_.upper) - arc(root, base, unit_.lower);
      const DD<V> density = splat<V>(unit_.uniform_weight / (unit_.upper - unit_.lower));
      const MaskOf<V> zero = (two_z.re.hi == 0.0) & (two_z.im.hi == 0.0);
      const Complex<V> safe = select(zero, one, root);
      const Complex<V> part = ends / safe * density;
      sum = sum + select(zero, real_part_only(splat<V>(unit_.uniform_weight)), part);
    }
    return sum;
  }
  // and over dead ones
  FRACMOMENT_INLINE Complex<V> dead_transform(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> value =
        ratio_ ? one / square_root(one - z * scale_by(beta_, splat<V>(2.0))) : one;
    return value * splat<V>(unit_.dead);
  }
  // L^d - dead^d over L(zeta)^d: where the live part is tiny, dead^d times the series of
  // (1+w)^d - 1, w = live/dead
  FRACMOMENT_INLINE Complex<V> live_power(const Complex<V>& live, const Complex<V>& dead) const {
    const DD<V> d(splat<V>(unit_.width)), one(splat<V>(1.0));
    const Complex<V> whole = exp(log(over_base(live + dead)) * d);
    const Complex<V> gone = exp(log(over_base(dead)) * d);
    const Complex<V> w = live / dead;
    const DD<V> size = (w.re * w.re + w.im * w.im) * (d * d);
    const Complex<V> x = w * (real_part_only(one) - w * DD<V>(splat<V>(0.5))) * d;
    const Complex<V> series = x * (real_part_only(one) + x * DD<V>(splat<V>(0.5)));
    return select(size.hi < 1e-16, gone * series, whole - gone);
  }
  FRACMOMENT_INLINE Complex<V> over_base(const Complex<V>& a) const {
    return {a.re / base_, a.im / base_};
  }
  // log(A sqrt(2z) + sqrt(base + 2z A^2))
  FRACMOMENT_INLINE Complex<V> arc(const Complex<V>& root, const Complex<V>& base,
                                   const Real& slope) const {
    const Complex<V> x = root * splat<V>(slope);
    return log(x + square_root(base + x * x));
  }

  // E (1 + 2z(b - beta))^(-3/2)
  FRACMOMENT_INLINE Complex<V> cubed(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> two_z = z * DD<V>(splat<V>(2.0));
    const Complex<V> base = one - two_z * beta_;
    const auto power = [&](const Complex<V>& w) { return one / (w * square_root(w)); };
    Complex<V> sum{};
    for (int i = 0; i < unit_.points; ++i)
      sum = sum + power(base + two_z * splat<V>(unit_.point[i])) * splat<V>(unit_.weight[i]);
    if (unit_.dead.hi > 0.0) sum = sum + power(base) * splat<V>(unit_.dead);
    if (unit_.uniform) {  // int (w + 2z A^2)^(-3/2) dA = A/(w sqrt(w + 2z A^2))
      const auto end = [&](const Real& a) {
        return one / square_root(base + two_z * splat<V>(a * a)) * splat<V>(a);
      };
      const DD<V> density = splat<V>(unit_.uniform_weight / (unit_.upper - unit_.lower));
      sum = sum + (end(unit_.upper) - end(unit_.lower)) / base * density;
    }
    return sum;
  }

  // Re of the integrand over exp(front), with dz/(i du)
  FRACMOMENT_INLINE DD<V> integrand(V u) const {
    const DD<V> one(splat<V>(1.0)), zeta(saddle_);
    Complex<V> z, speed;
    if (ratio_) {
      const DD<V> e = exp(DD<V>(u)), inverse = one / e;
      const DD<V> half_scale(scale_ * 0.5);
      z = {zeta, (e - inverse) * half_scale};
      speed = real_part_only((e + inverse) * half_scale);
    } else {
      const DD<V> a = zeta + splat<V>(0.5);
      const DD<V> square = two_prod(u, u);
      z = {zeta - a * square, scale_by(a * u, splat<V>(2.0))};
      speed = Complex<V>{a, a * u} * DD<V>(splat<V>(2.0));
    }
    const bool atom = unit_.dead.hi > 0.0;
    const Complex<V> live = live_transform(z);
    const Complex<V> dead = atom ? dead_transform(z) : Complex<V>{};
    const Complex<V> L = live + dead;
    const DD<V> d(splat<V>(unit_.width));
    Complex<V> value;
    if (what_ == Inverse::density && ratio_) {
      value = exp(log(over_base(L)) * d) * cubed(z) / L * d;
    } else {
      const Complex<V> shift = Complex<V>{z.re - zeta, z.im} * x_;
      value = atom && what_ != Inverse::sf ? live_power(live, dead) : exp(log(over_base(L)) * d);
      value = value * exp(shift);
      if (what_ != Inverse::density) value = value / z;
    }
    const DD<V> r = (value * speed).re;
    return what_ == Inverse::sf ? -r : r;
  }

  const UnitLaw& unit_;
  Inverse what_;
  bool ratio_;
  DD<V> x_{}, beta_{}, base_{}, front_{};
  V saddle_{}, scale_{};
  MaskOf<V> decayed_{};
};

// The integrals at n points, NaN where they did not converge; returns how many did not.
template <class V>
std::size_t invert(const UnitLaw& unit, Inverse what, bool ratio, const InversionPoint* points,
                   Real* out, std::size_t n) {
  constexpr int W = LaneTraits<V>::lanes;
  Inversion<V> inversion(unit, what, ratio);
  std::size_t failed = 0;
  for (std::size_t start = 0; start < n; start += std::size_t(W)) {
    DD<V> x{}, beta{};
    V saddle{}, width{};
    for (int i = 0; i < W; ++i) {
      const InversionPoint& p = points[start + std::size_t(i) < n ? start + std::size_t(i) : n - 1];
      set_lane(x.hi, i, p.x.hi);
      set_lane(x.lo, i, p.x.lo);
      set_lane(beta.hi, i, p.beta.hi);
      set_lane(beta.lo, i, p.beta.lo);
      set_lane(saddle, i, p.saddle);
      set_lane(width, i, p.width);
    }
    MaskOf<V> converged;
    const DD<V> value = inversion.evaluate(x, beta, saddle, width, converged);
    for (int i = 0; i < W && start + std::size_t(i) < n; ++i) {
      const bool good = lane_mask(converged, i);
      out[start + std::size_t(i)] =
          good ? Real(lane(value.hi, i), lane(value.lo, i)) : Real(__builtin_nan(""));
      failed += good ? 0 : 1;
    }
  }
  return failed;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
