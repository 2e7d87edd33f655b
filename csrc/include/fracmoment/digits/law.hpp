// The gain law of one layer in the form that the any-precision route works with.
//
// R^2 = X = b_1 z_1^2 + ... + b_d z_d^2, z_i ~ N(0,1), with i.i.d. squared slopes b: 1 with
// probability `one`, a^2 with probability `slope` (a fixed, or uniform on (lower, upper)), 0 with
// probability `atom` (theory.md section 1; dropout makes b = 0 too). Only |a| matters, so a uniform
// slope below 0 is reflected, slope 0 joins the atom, and slope +-1 joins b = 1.
#pragma once

#include "fracmoment/digits/number.hpp"

namespace fracmoment::digits {

enum class SlopeKind { kNone, kPoint, kUniform };

struct Law {
  unsigned long width = 1;
  Rational one, slope, atom;
  SlopeKind kind = SlopeKind::kNone;
  Rational lower, upper;  // kPoint: both |a|; kUniform: lower < upper, upper > 0
  Rational keep_prob;
  bool inverted = false;
  bool orthogonal = false;

  bool has_atom() const { return atom.sign() > 0; }
  // The slope can be as small as one likes: 0 lies in [lower, upper].
  bool vanishing() const { return kind == SlopeKind::kUniform && lower.sign() <= 0; }
  bool chi_square() const { return kind == SlopeKind::kNone && !has_atom(); }
  Rational half_width() const { return {static_cast<long>(width), 2}; }

  // log2 of the extreme slopes a != 0 (the end points, for a uniform slope around 0).
  double log2_smallest() const {
    if (kind == SlopeKind::kNone) return 0.0;
    const double low = lower.sign() == 0 ? upper.log2_abs() : lower.log2_abs();
    return std::min({0.0, low, upper.log2_abs()});
  }
  double log2_largest() const {
    if (kind == SlopeKind::kNone) return 0.0;
    const double low = lower.sign() == 0 ? upper.log2_abs() : lower.log2_abs();
    return std::max({0.0, low, upper.log2_abs()});
  }
  // Bits lost in differences of a function at the two ends of a short slope interval.
  Bits cancellation_bits() const {
    if (kind != SlopeKind::kUniform) return 0;
    const double largest = std::max(lower.abs().log2_abs(), upper.log2_abs());
    return 2 * magnitude_bits_log2(largest - (upper - lower).log2_abs());
  }
};

inline Law make_law(unsigned long width, Rational lower, Rational upper, const Rational& keep_prob,
                    bool inverted, bool orthogonal) {
  const Rational zero(0, 1);
  const Rational unit(1, 1);
  if (width < 1 || width > (1UL << 40)) throw std::invalid_argument("width outside 1..2^40");
  if (upper < lower) throw std::invalid_argument("lower > upper");
  if (keep_prob <= zero || keep_prob > unit) {
    throw std::invalid_argument("keep_prob outside (0, 1]");
  }
  if (upper.sign() <= 0) {
    std::swap(lower, upper);
    lower = lower.abs();
    upper = upper.abs();
  }
  Law law;
  law.width = width;
  law.keep_prob = keep_prob;
  law.inverted = inverted;
  law.orthogonal = orthogonal;
  const Rational half_keep = keep_prob * Rational(1, 2);
  law.one = half_keep;
  law.atom = unit - keep_prob;
  if (lower == upper && lower == unit) {
    law.one = keep_prob;
  } else if (lower == upper && lower == zero) {
    law.atom = unit - half_keep;
  } else {
    law.slope = half_keep;
    law.lower = lower;
    law.upper = upper;
    law.kind = lower == upper ? SlopeKind::kPoint : SlopeKind::kUniform;
  }
  return law;
}

// P(R > 0) = 1 - atom^d.
inline Real prob_alive(Bits bits, const Law& law) {
  if (!law.has_atom()) return Real(bits, 1);
  // -expm1(d log1p(-alive)): no cancellation where dropout leaves almost nothing alive.
  const Real dead = log1p(-Real(bits + 8, law.one + law.slope)) * static_cast<long>(law.width);
  return -expm1(dead);
}

}  // namespace fracmoment::digits
