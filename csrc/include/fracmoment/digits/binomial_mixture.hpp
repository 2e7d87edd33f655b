// ReLU and linear layers, with or without dropout, of moderate width: given N alive units X = R^2
// is chi-square with N degrees of freedom, N ~ Bin(d, theta) (theory.md section 2, [GH21]), so
//     E[X^p; X > 0] = sum_{n=1..d} C(d,n) theta^n (1-theta)^(d-n) 2^p Gamma(n/2+p)/Gamma(n/2).
//
// All terms are positive. Even and odd n form two chains, in which the term at n+2 is that at n
// times
//     (d-n)(d-n-1)/((n+1)(n+2)) (theta/(1-theta))^2 (n+2p)/n;
// both start at the mode of N, walk both ways, and stop where a geometric series bounds the rest.
//
// The relative error of a moment is proved to be below 2^-target. Gamma functions and powers are
// rounded correctly; a term takes fewer than 20 roundings for each of at most d/2 steps from the
// mode, so the sum of positive terms errs by less than 10 (d + 10) 2^-bits, and bits is 20 + log2 d
// more than target. The factor above decreases in n, whatever p > -1/2 (n >= 2), so that what
// follows a term that fell by 2^(1/4) in four steps is less than 24 times that term.
#pragma once

#include <array>
#include <initializer_list>
#include <vector>

#include "fracmoment/digits/gamma.hpp"
#include "fracmoment/digits/law.hpp"
#include "fracmoment/digits/single_unit.hpp"

namespace fracmoment::digits {

// Multiplies (or divides) by a product of integers, as few single-limb operations as they fit in.
inline void scale_by(Real& x, std::initializer_list<unsigned long> factors, bool multiply) {
  auto* const operation = multiply ? mpfr_mul_ui : mpfr_div_ui;
  unsigned long product = 1;
  for (const unsigned long factor : factors) {
    unsigned long longer = 0;
    if (__builtin_mul_overflow(product, factor, &longer)) {
      operation(x.get(), x.get(), product, kNearest);
      longer = factor;
    }
    product = longer;
  }
  if (product != 1) operation(x.get(), x.get(), product, kNearest);
}

// A positive rational in two machine words, where it fits; 1 otherwise, and `rest` holds it.
struct SmallRational {
  explicit SmallRational(const Rational& value) : rest(value) {
    mpq_srcptr q = value.get();
    fits = mpz_sizeinbase(mpq_numref(q), 2) < 31 && mpz_sizeinbase(mpq_denref(q), 2) < 31;
    if (!fits) return;
    num = mpz_get_si(mpq_numref(q));
    den = mpz_get_si(mpq_denref(q));
  }
  bool fits = false;
  long num = 1;
  long den = 1;
  Rational rest;
};

class BinomialMixture {
 public:
  BinomialMixture(const Law& law, Bits target, unsigned long start_shift)
      : bits_(target + 20 + magnitude_bits(static_cast<double>(law.width))),
        width_(law.width),
        theta_(law.one),
        odds_(law.one / law.atom),
        start_(start(law, start_shift)) {}

  // E[X^p; X > 0], p > -1/2.
  Real moment(const Rational& p) const {
    const Rational half(1, 2);
    Real sum(bits_);
    double largest = 0.0;
    bool single_added = false;
    if (width_ > 1) {
      const SmallRational order(p * Rational(2, 1));
      const auto add = [&sum](const Real& term, unsigned long, Direction) { sum += term; };
      for (unsigned long n = start_; n <= std::min(start_ + 1, width_); ++n) {
        const Rational at(static_cast<long>(n), 2);
        const Real ratio = gamma(bits_, at + p) / gamma_of_half(bits_, n);
        if (n == start_) largest = ratio.log2_abs();
        const Real term = weight(n) * ratio;
        sum += term;
        walk(term, n, width_, kUp, order, add);
        single_added |= walk(term, n, 1, kDown, order, add) == 1;
      }
    }
    if (single_added) return sum * exp2(bits_, p);
    Real single = weight(1);
    // Gamma(1/2+p)/Gamma(1/2) is at most about 1/(1/2+p) for p < 0, and below the others for p > 0.
    const double bound = p.sign() > 0 ? largest : 2.0 - (p + half).log2_abs();
    if (width_ == 1 || single.log2_abs() + bound > sum.log2_abs() - static_cast<double>(bits_)) {
      sum += single * gamma(bits_, half + p) / gamma_of_half(bits_, 1);
    }
    return sum * exp2(bits_, p);
  }

  // Mean and variance of log X given X > 0: mixtures of psi(n/2) + log 2 and psi'(n/2).
  std::vector<Real> log_moments() const {
    Sums sums(bits_);
    // log of about n/2, taken out of psi(n/2) so that the variance does not cancel.
    const Real center = log(Real(bits_, static_cast<long>(start_))) - log(Real(bits_, 2));
    const auto first = [&](unsigned long n) {
      const Rational at(static_cast<long>(n), 2);
      return std::array<Real, 2>{digamma(bits_, at) - center, polygamma(bits_, 1, at)};
    };
    for (unsigned long n = start_; width_ > 1 && n <= std::min(start_ + 1, width_); ++n) {
      const SmallRational none{Rational()};
      const Real w = weight(n);
      const std::array<Real, 2> psi = first(n);
      sums.add(w, psi);
      for (const Direction direction : {kUp, kDown}) {
        std::array<Real, 2> moving = psi;
        walk(w, n, direction == kUp ? width_ : 2, direction, none,
             [&](const Real& term, unsigned long k, Direction way) {
               shift_psi(moving, way == kUp ? k - 2 : k, way);
               sums.add(term, moving);
             });
      }
    }
    sums.add(weight(1), first(1));
    const Real mean = sums.first / sums.weight;
    const Real variance = sums.second / sums.weight - mean * mean;
    return {mean + center + log(Real(bits_, 2)), variance};
  }

 private:
  enum Direction { kDown = -1, kUp = 1 };

  struct Sums {
    explicit Sums(Bits bits) : weight(bits), first(bits), second(bits), term(bits), square(bits) {}
    void add(const Real& w, const std::array<Real, 2>& psi) {
      weight += w;
      mpfr_mul(term.get(), w.get(), psi[0].get(), kNearest);
      first += term;
      mpfr_sqr(square.get(), psi[0].get(), kNearest);
      square += psi[1];
      square *= w;
      second += square;
    }
    Real weight, first, second, term, square;
  };

  // The mode of N, at least 2: for p < 0 n = 1 can outweigh all the others, also where the chain to
  // it has ended before.
  static unsigned long start(const Law& law, unsigned long shift) {
    const double mode = law.one.to_double() * static_cast<double>(law.width + 1);
    const auto n = static_cast<unsigned long>(mode) + shift;
    return std::max(std::min(n, law.width - 1), 2UL);
  }

  // C(d,n) theta^n (1-theta)^(d-n).
  Real weight(unsigned long n) const {
    mpz_t choose;
    mpz_init(choose);
    mpz_bin_uiui(choose, width_, n);
    Real out(bits_);
    mpfr_set_z(out.get(), choose, kNearest);
    mpz_clear(choose);
    out *= pow(Real(bits_, theta_), n);
    out *= pow(Real(bits_, Rational(1, 1) - theta_), width_ - n);
    return out;
  }

  // The factor of the head comment, from n to n+2 (multiply) or back.
  void step(Real& term, unsigned long n, const SmallRational& order, bool multiply) const {
    const unsigned long left = width_ - n;
    const auto degrees = static_cast<long>(n);
    const auto over = static_cast<unsigned long>(degrees * order.den + order.num);
    const auto under = static_cast<unsigned long>(degrees * order.den);
    const auto num = static_cast<unsigned long>(odds_.num);
    const auto den = static_cast<unsigned long>(odds_.den);
    scale_by(term, {left, left - 1, order.fits ? over : 1, num, num}, multiply);
    scale_by(term, {n + 1, n + 2, order.fits ? under : 1, den, den}, !multiply);
    auto* const operation = multiply ? mpfr_mul_q : mpfr_div_q;
    if (!odds_.fits) {
      operation(term.get(), term.get(), odds_.rest.get(), kNearest);
      operation(term.get(), term.get(), odds_.rest.get(), kNearest);
    }
    if (!order.fits) {
      const Rational count(degrees, 1);
      const Rational factor = (count + order.rest) / count;
      operation(term.get(), term.get(), factor.get(), kNearest);
    }
  }

  // Visits the terms of the chain after the one at n, to `end`, and returns the last n visited. The
  // weights fall ever faster away from the mode, and (n+2p)/n changes slowly, so once a term is
  // below 2^-bits of the chain and falling, a geometric series bounds the rest.
  template <class Visit>
  unsigned long walk(Real term, unsigned long n, unsigned long end, Direction direction,
                     const SmallRational& order, const Visit& visit) const {
    Real sum = term;
    double previous = term.log2_abs();
    for (unsigned long count = 1;; ++count) {
      if (direction == kUp ? n + 2 > end : n < end + 2) return n;
      if (direction == kDown) n -= 2;
      step(term, n, order, direction == kUp);
      if (direction == kUp) n += 2;
      visit(term, n, direction);
      if (count % 4 != 0) continue;
      const double size = term.log2_abs();
      if (size > previous) {
        if (size > sum.log2_abs()) sum = term;
      } else if (size < previous - 0.25 &&
                 size < sum.log2_abs() - static_cast<double>(bits_) - 4.0) {
        return n;
      }
      previous = size;
    }
  }

  // psi(x+1) = psi(x) + 1/x and psi'(x+1) = psi'(x) - 1/x^2 at x = n/2, or back.
  void shift_psi(std::array<Real, 2>& psi, unsigned long n, Direction direction) const {
    Real inverse(bits_, 2);
    inverse /= static_cast<long>(n);
    if (direction == kDown) mpfr_neg(inverse.get(), inverse.get(), kNearest);
    psi[0] += inverse;
    mpfr_sqr(inverse.get(), inverse.get(), kNearest);
    if (direction == kUp) mpfr_neg(inverse.get(), inverse.get(), kNearest);
    psi[1] += inverse;
  }

  Bits bits_;
  unsigned long width_;
  Rational theta_;
  SmallRational odds_;
  unsigned long start_;
};

}  // namespace fracmoment::digits
