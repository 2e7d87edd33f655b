// Moments of complex order, by the formulas of log_form.hpp with complex double-doubles.
//
// Closed forms are accurate to the last bits of the larger part. The sums of mixtures and of Mellin
// rules are smaller than what they add up, and may vanish: by how much is returned with them.
//
// These are not instances of the templates of log_form.hpp, although the formulas are the same.
// There sums are of positive numbers (four interleaved chains, sums without a second
// renormalization, the ends of ends.hpp), logarithms of gamma functions may be short, the logarithm
// and the factor are kept apart to the end because scales need log M(s), and one more power has a
// removable singularity at s = -1; here values may be 0, nothing is positive, and only M(s) is
// wanted. One template would branch on the number type in every function.
#pragma once

#include "fracmoment/gains/log_form.hpp"
#include "fracmoment/special/complex.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <class V>
struct ComplexGamma {
  Complex<V> log, shift;
};

// Gamma(z) = exp(log)/shift for Re z > 0.
template <class V>
FRACMOMENT_INLINE ComplexGamma<V> gamma_parts(Complex<V> z) {
  const DD<V> one(splat<V>(1.0));
  Complex<V> shift = real_part_only(one);
  for (int k = 0; k < int(kStirlingStart<true>); ++k) {
    const MaskOf<V> below = z.re.hi < kStirlingStart<true>;
    shift = select(below, shift * z, shift);
    z = select(below, z + one, z);
  }
  const Complex<V> u = real_part_only(one) / z, q = u * u;
  Complex<V> series{};
  for (int n = kStirlingTerms<true> - 1; n >= 0; --n)
    series = series * q + splat<V>(table_entry(tables::kStirlingHi, tables::kStirlingLo, n));
  const Complex<V> half_off = z + DD<V>(splat<V>(-0.5));
  return {half_off * log(z) - z + series * u + splat<V>(half_log_two_pi()), shift};
}

// The size of a number to a factor of sqrt(2), whatever its exponent.
template <class V>
FRACMOMENT_INLINE V rough_size(const Complex<V>& z) {
  return abs(z.re.hi) + abs(z.im.hi);
}
// The modulus of a number of moderate size.
template <class V>
FRACMOMENT_INLINE V rough_modulus(const Complex<V>& z) {
  return sqrt(z.re.hi * z.re.hi + z.im.hi * z.im.hi);
}

// log Gamma(z) is never needed: values are exp(log) * factor again. The factor is a sum of terms
// whose moduli add up to `loss` times the size of the sum: relative errors of terms grow so.
template <class V>
struct ComplexForm {
  Complex<V> log, factor;
  V loss = splat<V>(1.0);
};

template <class V>
FRACMOMENT_INLINE Complex<V> half_sum(double a, V re, V im) {  // (a + s)/2
  const V half = splat<V>(0.5);
  return {scale_by(two_sum(splat<V>(a), re), half), DD<V>(im * half)};
}

template <class V>
FRACMOMENT_INLINE ComplexForm<V> complex_chi(const LawState& law, V re, V im) {
  const ComplexGamma<V> top = gamma_parts(half_sum<V>(law.width, re, im));
  const DD<V> log_root_two = splat<V>(constant(4));
  const Complex<V> power{log_root_two * re, log_root_two * im};
  return {top.log + -splat<V>(law.gamma_log) + power,
          real_part_only(splat<V>(law.gamma_shift)) / top.shift};
}

template <class V>
FRACMOMENT_INLINE ComplexForm<V> complex_mixture(const MixtureRule& rule, V re, V im) {
  Complex<V> part[2] = {};
  V size[2] = {};
  for (std::int64_t n = rule.count; n >= 1; --n) {
    Complex<V>& acc = part[n & 1];
    const DD<V> inverse(splat<V>(rule.inverse_hi[n - 1]), splat<V>(rule.inverse_lo[n - 1]));
    const Complex<V> step{two_sum(splat<V>(double(n)), re) * inverse, inverse * im};
    acc = acc * step + DD<V>(splat<V>(rule.hi[n - 1]), splat<V>(rule.lo[n - 1]));
    size[n & 1] = size[n & 1] * rough_modulus(step) + rule.hi[n - 1];
  }
  const ComplexGamma<V> even = gamma_parts(half_sum<V>(2.0, re, im));
  const ComplexGamma<V> odd = gamma_parts(half_sum<V>(1.0, re, im));
  const Complex<V> ratio = exp(odd.log - even.log) * splat<V>(constant(3)) / odd.shift;
  const DD<V> log_root_two = splat<V>(constant(4));
  const Complex<V> sum = part[0] / even.shift + part[1] * ratio;
  const V sizes = size[0] / rough_size(even.shift) + size[1] * rough_size(ratio);
  return {even.log + Complex<V>{log_root_two * re, log_root_two * im}, sum,
          sizes / rough_size(sum)};
}

template <class V>
FRACMOMENT_INLINE ComplexForm<V> complex_mellin(const LawState& law, V re, V im) {
  const MellinPlan& plan = law.mellin.plan;
  const V half = splat<V>(0.5), p = re * half, q = im * half;
  const DD<V> from = two_sum(p, splat<V>(-plan.p0));
  const Complex<V> z = exp(Complex<V>{from * splat<V>(-plan.h), two_prod(q, splat<V>(-plan.h))});
  Complex<V> sum{};
  V sizes{};
  const V modulus = rough_modulus(z);
  for (std::int64_t i = law.mellin.count - 1; i >= 0; --i) {
    sum = sum * z + DD<V>(splat<V>(law.mellin.hi[i]), splat<V>(law.mellin.lo[i]));
    sizes = sizes * modulus + law.mellin.hi[i];
  }
  const double reference = double(plan.reference) * plan.h, first = double(plan.first) * plan.h;
  const ComplexGamma<V> g =
      gamma_parts(Complex<V>{two_sum(splat<V>(double(plan.m)), -p), DD<V>(-q)});
  const DD<V> re_log = -(two_prod(p, splat<V>(reference)) + from * splat<V>(first - reference));
  const DD<V> im_log = two_prod(q, splat<V>(-first));
  ComplexForm<V> r{Complex<V>{re_log, im_log} - g.log,
                   sum * splat<V>(law.mellin.constant) * g.shift, sizes / rough_size(sum)};
  const Complex<V> dof = half_sum<V>(law.width, re, im);
  if (plan.k > 0 && law.ratio) {  // divided by the chi moment, which may be infinite
    const ComplexGamma<V> e = gamma_parts(dof + DD<V>(splat<V>(double(plan.k))));
    const DD<V> log_root_two = splat<V>(constant(4));
    r.log =
        r.log + splat<V>(law.gamma_log) - e.log - Complex<V>{log_root_two * re, log_root_two * im};
    r.factor = r.factor * e.shift * (DD<V>(splat<V>(1.0)) / splat<V>(law.gamma_shift));
  } else if (plan.k > 0) {
    Complex<V> rising = dof;
    for (int i = 1; i < plan.k; ++i) rising = rising * (dof + DD<V>(splat<V>(double(i))));
    r.factor = r.factor / rising;
  }
  return r;
}

// The layers with one live unit; the ratio law of a layer of one unit has no chi moment.
template <class V>
FRACMOMENT_INLINE ComplexForm<V> complex_single(const SingleUnit& unit, V re, V im, bool with_chi) {
  const V half = splat<V>(0.5);
  const DD<V> size = slope_size(unit, re);
  const auto power = [&](const Real& log_base, const DD<V>& a, const DD<V>& b) {  // over exp(size)
    return exp(Complex<V>{splat<V>(log_base) * a - size, splat<V>(log_base) * b});
  };
  Complex<V> slopes{};
  V sizes{};
  const auto add = [&](const Complex<V>& part) {
    slopes = slopes + part;
    sizes = sizes + rough_size(part);
  };
  for (int i = 0; i < unit.points; ++i)
    add(power(unit.log_point[i], DD<V>(re * half), DD<V>(im * half)) * splat<V>(unit.weight[i]));
  if (unit.uniform) {
    const Complex<V> next{two_sum(re, splat<V>(1.0)), DD<V>(im)};
    const Complex<V> density = real_part_only(splat<V>(unit.density)) / next;
    add(power(unit.log_upper, next.re, next.im) * density);
    if (unit.sign < 0.0) add(power(unit.log_lower, next.re, next.im) * density);
    if (unit.sign > 0.0) add(-(power(unit.log_lower, next.re, next.im) * density));
  }
  const V loss = sizes / rough_size(slopes);
  const Complex<V> log = real_part_only(splat<V>(unit.log_weight) + size);
  if (!with_chi) return {log, slopes, loss};
  const ComplexGamma<V> g = gamma_parts(half_sum<V>(1.0, re, im));
  const DD<V> log_root_two = splat<V>(constant(4));
  return {log + g.log + Complex<V>{log_root_two * re, log_root_two * im},
          slopes / g.shift * splat<V>(constant(3)), loss};
}

template <class V>
FRACMOMENT_INLINE ComplexForm<V> complex_form(const LawState& law, V re, V im) {
  const DD<V> one(splat<V>(1.0));
  ComplexForm<V> r{Complex<V>{}, real_part_only(law.kind == LawKind::one ? one : DD<V>{})};
  if (law.kind == LawKind::chi) {
    r = complex_chi(law, re, im);
  } else if (law.kind == LawKind::mixture) {
    r = complex_mixture(law.mixture, re, im);
  } else if (law.kind == LawKind::mellin) {
    r = complex_mellin(law, re, im);
  }
  if (law.kind == LawKind::none) {
    r = complex_single(*law.single, re, im, !law.ratio);
  } else if (law.single != nullptr) {
    const ComplexForm<V> single = complex_single(*law.single, re, im, true);
    const Complex<V> other = single.factor * exp(single.log - r.log);
    const V sizes = rough_size(r.factor) * r.loss + rough_size(other) * single.loss;
    r.factor = r.factor + other;
    r.loss = sizes / rough_size(r.factor);
  }
  const bool divide =
      law.kind == LawKind::mixture || (law.kind == LawKind::mellin && law.mellin.plan.k == 0);
  if (law.ratio && divide) {  // by the chi moment
    const ComplexForm<V> chi = complex_chi(law, re, im);
    r = {r.log - chi.log, r.factor / chi.factor, r.loss};
  }
  const DD<V> log_factor = splat<V>(law.log_factor);
  r.log = r.log + Complex<V>{log_factor * re - splat<V>(law.log_alive), log_factor * im};
  return r;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
