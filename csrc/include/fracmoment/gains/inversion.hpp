// Distribution and density of X = Y_1 + ... + Y_d, and of the ratio B = X/chi^2_d, by inversion of
// the Laplace transform on a contour through the saddle point.
//
//   P(X <= x; X > 0) =  (1/2 pi i) int e^(zx) (L(z)^d - dead^d)/z dz,  Re z > 0 at the axis,
//   P(X > x)         = -(1/2 pi i) int e^(zx) (L(z)^d - dead^d)/z dz,  Re z < 0 at the axis,
//   f(x)             =  (1/2 pi i) int e^(zx) (L(z)^d - dead^d) dz,
// and for the ratio, with L_beta(z) = E (1 + 2z(b - beta))^(-1/2) the transform of Y - beta z^2,
//   P(B <= beta) = P(sum(Y - beta z^2) <= 0): the same with x = 0 (without live units:
//   D^d with D = dead (1 - 2z beta)^(-1/2) is subtracted),
//   f_B(beta) = (1/2 pi i) int d (L_beta^(d-1) E (1 + 2z(b - beta))^(-3/2) - dead part) dz.
// For x > 0 the contour is the parabola z = -1/2 + (zeta+1/2)(1+iu)^2 around the cut, on which
// e^(zx) decays like a Gaussian; for the ratio it is the hyperbola between the two cuts
// z = zeta + s (i sinh u + k (cosh u - 1)). The integrals of the ratio leave out the atoms, where
// all units have the same slope: H^d with H = weight (1 + 2z(b - beta))^(-1/2) is subtracted too.
// The trapezoidal rule in u converges exponentially; the step is halved until two results agree to
// 2^-44, which puts the second within 2^-80. The larger side of the distribution is never
// subtracted from 1 to get the smaller one.
//
// Points are given in units of a power of two, `scale`: R = scale sqrt(x). With z for z scale^2
// and beta for beta/scale^2,
//   L(z) = scale l(z) + dead,    l(z) = E[(base + 2zb)^(-1/2); b > 0],
//   base + 2zb = scale^2 + 2z (b - scale^2 beta),
// which loses nothing where scale^2 underflows. See docs/algorithms/inversion.md.
#pragma once

#include "fracmoment/gains/unit.hpp"
#include "fracmoment/special/complex.hpp"

namespace fracmoment {

enum class Inverse { cdf, sf, density };

// One point to evaluate, in units of scale^2.
struct InversionPoint {
  Real x{0.0};          // x for X; 0 for the ratio
  Real beta{0.0};       // 0 for X; beta for the ratio
  double scale = 1.0;   // a power of two
  double saddle = 0.0;  // zeta
  double width = 1.0;   // s: the scale of z on which the integrand changes near zeta (ratio)
  double bend = 0.0;    // k
  double step = 0.25;   // first step in u: of few bits, so that every node is exact
};

inline namespace FRACMOMENT_ISA {

// P(R = slope i of every unit) under orthogonal weights
inline double slope_atom(const UnitLaw& unit, int i) {
  return exp_rounded(log(unit.weight[i]) * unit.width);
}

template <class V>
class Inversion {
 public:
  Inversion(const UnitLaw& unit, Inverse what, bool ratio)
      : unit_(unit), what_(what), ratio_(ratio) {
    for (int i = 0; ratio && i < unit.points; ++i) has_atom_[i] = slope_atom(unit, i) > 0.0;
  }

  // One point a lane.
  struct Points {
    DD<V> x{}, beta{};
    V scale{}, saddle{}, width{}, bend{}, step{};
  };

  // The integrals; `converged` is false where steps ran out. Densities come multiplied by `scale`.
  FRACMOMENT_INLINE DD<V> evaluate(const Points& points, MaskOf<V>& converged) {
    at_ = points;
    log_scale_ = log(DD<V>(at_.scale));
    const Complex<V> at = real_part_only(DD<V>(at_.saddle));
    const bool atom = unit_.dead.hi > 0.0;
    peak_ = live_transform(at).re;
    if (atom) peak_ = scale_by(peak_, at_.scale) + dead_transform(at).re;
    DD<V> front = at_.x * at_.saddle + log(peak_) * splat<V>(unit_.width);
    front = front + log_scale_ * splat<V>(atom ? 1.0 : unit_.width);
    if (what_ == Inverse::density) front = front - log_scale_;
    V h = at_.step;
    DD<V> sum = scale_by(integrand(V{}), splat<V>(0.5));
    decayed_ = ~MaskOf<V>{};
    sum = sum + march(h, h, sum);
    DD<V> result = sum * h;
    converged = MaskOf<V>{};
    for (int level = 0; level < 6 && any(decayed_ & ~converged); ++level) {
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
    const Scaled<V> e = exp_scaled<true>(clamp_exponent(front));
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

  // 1 - 2z beta = base/scale^2
  FRACMOMENT_INLINE Complex<V> offset(const Complex<V>& z) const {
    return real_part_only(DD<V>(splat<V>(1.0))) - z * scale_by(at_.beta, splat<V>(2.0));
  }
  // base + 2zb: the difference of b and beta first, as they may nearly be equal
  FRACMOMENT_INLINE Complex<V> at_point(const Complex<V>& two_z, const Real& b) const {
    const DD<V> beta = scale_by(scale_by(at_.beta, at_.scale), at_.scale);
    return two_z * (splat<V>(b) - beta) + DD<V>(at_.scale * at_.scale);
  }

  // E (base + 2zb)^(-1/2) over live units
  FRACMOMENT_INLINE Complex<V> live_transform(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> two_z = scaled(z, splat<V>(2.0));
    Complex<V> sum{};
    for (int i = 0; i < unit_.points; ++i)
      sum = sum + one / square_root(at_point(two_z, unit_.point[i])) * splat<V>(unit_.weight[i]);
    if (unit_.uniform) {
      const MaskOf<V> zero = (two_z.re.hi == 0.0) & (two_z.im.hi == 0.0);
      const Complex<V> root = square_root(select(zero, one, two_z));
      const DD<V> density = splat<V>(unit_.uniform_weight / (unit_.upper - unit_.lower));
      const Complex<V> part = arc_span(root, two_z, offset(z)) / root * density;
      sum = sum + select(zero, real_part_only(splat<V>(unit_.uniform_weight)), part);
    }
    return sum;
  }
  // and over dead ones
  FRACMOMENT_INLINE Complex<V> dead_transform(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> value = ratio_ ? one / square_root(offset(z)) : one;
    return value * splat<V>(unit_.dead);
  }

  // arsinh(upper root/sqrt(base)) - arsinh(lower root/sqrt(base)), where base = scale^2 offset may
  // underflow. arsinh is odd, and sums of numbers on either side of 0 are avoided.
  FRACMOMENT_INLINE Complex<V> arc_span(const Complex<V>& root, const Complex<V>& two_z,
                                        const Complex<V>& offset) const {
    const Complex<V> high = root * splat<V>(unit_.upper), low = root * splat<V>(unit_.lower);
    const Complex<V> high_root = square_root(at_point(two_z, unit_.upper * unit_.upper));
    const Complex<V> low_root = square_root(at_point(two_z, unit_.lower * unit_.lower));
    const Complex<V> step = root * splat<V>(unit_.upper - unit_.lower);
    const MaskOf<V> near = norm(step) < norm(low_root) * 1e-4;
    Complex<V> span = log(high + high_root);
    if (unit_.lower.hi > 0.0) {
      span = span - log(low + low_root);
    } else {
      const Complex<V> log_base = log(offset) + scale_by(log_scale_, splat<V>(2.0));
      span = unit_.lower.hi < 0.0 ? span + log(low_root - low) - log_base
                                  : span - log_base * DD<V>(splat<V>(0.5));
    }
    if (!any(near)) return span;
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> growth =
        step * (one + (high + low) / (high_root + low_root)) / (low + low_root);
    return select(near, short_log1p(growth), span);
  }
  FRACMOMENT_INLINE static V norm(const Complex<V>& a) {
    return a.re.hi * a.re.hi + a.im.hi * a.im.hi;
  }
  // log(1+x) = 2 artanh(x/(2+x)) for |x| < 0.03
  FRACMOMENT_INLINE static Complex<V> short_log1p(const Complex<V>& x) {
    const Complex<V> t = x / (x + DD<V>(splat<V>(2.0))), q = t * t;
    const auto inverse_odd = [](int n) {
      return splat<V>(table_entry(tables::kInverseOddHi, tables::kInverseOddLo, n));
    };
    Complex<V> sum = real_part_only(inverse_odd(9));
    for (int n = 8; n >= 0; --n) sum = sum * q + inverse_odd(n);
    return t * sum * DD<V>(splat<V>(2.0));
  }

  // (L^n - dead^n)/scale, or l^n without dead units, over peak^n. Where the live part is tiny,
  // dead^n times the series of (1+w)^n - 1, w = scale l/dead.
  FRACMOMENT_INLINE Complex<V> live_power(const Complex<V>& live, const Complex<V>& dead,
                                          double exponent) const {
    if (unit_.dead.hi == 0.0) return power_over_peak(live, exponent);
    const DD<V> n(splat<V>(exponent)), one(splat<V>(1.0));
    const V shrink = at_.scale, grow = 1.0 / shrink;
    const Complex<V> whole = power_over_peak(scaled(live, shrink) + dead, exponent);
    const Complex<V> gone = power_over_peak(dead, exponent);
    const Complex<V> ratio = live / dead, w = scaled(ratio, shrink);
    const Complex<V> x = ratio * (real_part_only(one) - scaled(w, splat<V>(0.5))) * n;
    const Complex<V> series = x * (real_part_only(one) + scaled(x, shrink * 0.5));
    const MaskOf<V> tiny = norm(w) * (exponent * exponent) < 1e-16;
    return select(tiny, gone * series, scaled(whole - gone, grow));
  }
  FRACMOMENT_INLINE Complex<V> power_over_peak(const Complex<V>& a, double exponent) const {
    return exp(log(Complex<V>{a.re / peak_, a.im / peak_}) * DD<V>(splat<V>(exponent)));
  }
  FRACMOMENT_INLINE static Complex<V> scaled(const Complex<V>& a, V power_of_two) {
    return {scale_by(a.re, power_of_two), scale_by(a.im, power_of_two)};
  }

  // The density of the ratio: d (L^(d-1) C - D^(d-1) C_D)/scale over L(zeta)^d, where
  // C = E (1 + 2z(b-beta))^(-3/2) of all units and C_D of the dead ones, which cancel exactly.
  FRACMOMENT_INLINE Complex<V> ratio_density(const Complex<V>& z, const Complex<V>& live,
                                             const Complex<V>& dead) const {
    const double d = unit_.width;
    const Complex<V> live_cubed = cubed(z);
    const DD<V> front = DD<V>(splat<V>(d)) / peak_;
    if (unit_.dead.hi == 0.0) return power_over_peak(live, d - 1.0) * live_cubed * front;
    const Complex<V> all = scaled(live_cubed, at_.scale) + dead / offset(z);
    return (live_power(live, dead, d - 1.0) * all + power_over_peak(dead, d - 1.0) * live_cubed) *
           front;
  }
  // scale^2 E (base + 2zb)^(-3/2) over live units
  FRACMOMENT_INLINE Complex<V> cubed(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const Complex<V> two_z = scaled(z, splat<V>(2.0));
    Complex<V> sum{};
    for (int i = 0; i < unit_.points; ++i) {
      const Complex<V> w = at_point(two_z, unit_.point[i]);
      sum = sum + one / (w * square_root(w)) * splat<V>(unit_.weight[i]);
    }
    sum = scaled(scaled(sum, at_.scale), at_.scale);
    if (unit_.uniform) {  // int (w + 2z A^2)^(-3/2) dA = A/(w sqrt(w + 2z A^2)), w = base
      const auto end = [&](const Real& a) {
        return one / square_root(at_point(two_z, a * a)) * splat<V>(a);
      };
      const DD<V> density = splat<V>(unit_.uniform_weight / (unit_.upper - unit_.lower));
      Complex<V> span = end(unit_.upper);
      if (unit_.lower.hi != 0.0) span = span - end(unit_.lower);
      sum = sum + span / offset(z) * density;
    }
    return sum;
  }

  // The part of the atoms where all units have the same slope > 0: H^d/z, or d H^d/(1 +
  // 2z(b-beta)).
  FRACMOMENT_INLINE Complex<V> atoms(const Complex<V>& z) const {
    const Complex<V> one = real_part_only(DD<V>(splat<V>(1.0)));
    const double d = unit_.width;
    Complex<V> sum{};
    for (int i = 0; i < unit_.points; ++i) {
      if (!has_atom_[i]) continue;
      const Complex<V> bottom = at_point(scaled(z, splat<V>(2.0)), unit_.point[i]);
      const Complex<V> part =
          power_over_peak(one / square_root(bottom) * splat<V>(unit_.weight[i]), d);
      sum = sum + (what_ == Inverse::density ? part / bottom * DD<V>(splat<V>(d)) : part / z);
    }
    // Its integral is 0 but next to an atom; other units of measure mean points far below.
    return select(at_.scale < 1.0, Complex<V>{}, sum);
  }

  // Re of the integrand over exp(front), with dz/(i du)
  FRACMOMENT_INLINE DD<V> integrand(V u) const {
    const DD<V> one(splat<V>(1.0)), zeta(at_.saddle);
    Complex<V> z, speed;
    if (ratio_) {
      const DD<V> e = exp(DD<V>(u)), inverse = one / e;
      const DD<V> half_width(at_.width * 0.5);
      const DD<V> sine = (e - inverse) * half_width, cosine = (e + inverse) * half_width;
      z = {zeta + (cosine - DD<V>(at_.width)) * at_.bend, sine};
      speed = {cosine, -(sine * at_.bend)};
    } else {
      const DD<V> a = zeta + DD<V>(at_.scale * at_.scale * 0.5);
      const DD<V> square = two_prod(u, u);
      z = {zeta - a * square, scale_by(a * u, splat<V>(2.0))};
      speed = Complex<V>{a, a * u} * DD<V>(splat<V>(2.0));
    }
    const Complex<V> live = live_transform(z);
    const Complex<V> dead = unit_.dead.hi > 0.0 ? dead_transform(z) : Complex<V>{};
    Complex<V> value;
    if (what_ == Inverse::density && ratio_) {
      value = ratio_density(z, live, dead);
    } else {
      value = live_power(live, dead, unit_.width);
      if (!ratio_) value = value * exp(Complex<V>{z.re - zeta, z.im} * at_.x);
      if (what_ != Inverse::density) value = value / z;
    }
    if (ratio_) value = value - atoms(z);
    const DD<V> r = (value * speed).re;
    return what_ == Inverse::sf ? -r : r;
  }

  const UnitLaw& unit_;
  Inverse what_;
  bool ratio_;
  bool has_atom_[kMaxPoints] = {};
  Points at_;
  DD<V> log_scale_{}, peak_{};  // peak_ = L(zeta)
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
    typename Inversion<V>::Points lanes;
    for (int i = 0; i < W; ++i) {
      const InversionPoint& p = points[start + std::size_t(i) < n ? start + std::size_t(i) : n - 1];
      set_lane(lanes.x.hi, i, p.x.hi);
      set_lane(lanes.x.lo, i, p.x.lo);
      set_lane(lanes.beta.hi, i, p.beta.hi);
      set_lane(lanes.beta.lo, i, p.beta.lo);
      set_lane(lanes.scale, i, p.scale);
      set_lane(lanes.saddle, i, p.saddle);
      set_lane(lanes.width, i, p.width);
      set_lane(lanes.bend, i, p.bend);
      set_lane(lanes.step, i, p.step);
    }
    MaskOf<V> converged;
    const DD<V> value = inversion.evaluate(lanes, converged);
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
