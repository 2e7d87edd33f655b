// Powers of power series, and the two expansions of the Laplace transform of one unit.
#pragma once

#include <vector>

#include "fracmoment/digits/gamma.hpp"
#include "fracmoment/digits/law.hpp"

namespace fracmoment::digits {

// Coefficients of (sum_j l_j x^j)^d, one more for each l_j appended (J.C.P. Miller's recurrence):
//     k l_0 r_k = sum_{j=1..k} (j (d+1) - k) l_j r_{k-j}.
class SeriesPower {
 public:
  SeriesPower(unsigned long d, Bits bits) : d_(d), bits_(bits) {}

  const Real& append(Real l) {
    l_.push_back(std::move(l));
    const std::size_t k = l_.size() - 1;
    if (k == 0) {
      r_.push_back(pow(l_[0], d_));
      return r_[0];
    }
    Real sum(bits_);
    Real term(bits_);
    for (std::size_t j = 1; j <= k; ++j) {
      if (l_[j].is_zero()) continue;
      mpfr_mul(term.get(), l_[j].get(), r_[k - j].get(), kNearest);
      term *= static_cast<long>(j) * static_cast<long>(d_ + 1) - static_cast<long>(k);
      sum += term;
    }
    sum /= static_cast<long>(k);
    r_.push_back(sum / l_[0]);
    return r_[k];
  }

 private:
  unsigned long d_;
  Bits bits_;
  std::vector<Real> l_, r_;
};

// One coefficient, [x^m] (sum_{j<=m} u_j x^j)^d, for u_j >= 0: Miller's recurrence when d >= m,
// where its factors stay positive for j >= 1 but for rounding-sized ones; repeated squaring,
// positive throughout, when the width is smaller than the order. Buffers live with the object.
class PowerCoefficient {
 public:
  PowerCoefficient(unsigned long d, unsigned long m, Bits bits)
      : d_(d), m_(m), r_(m + 1, Real(bits)), base_(r_), product_(r_), term_(bits), sum_(bits) {}

  const Real& operator()(const std::vector<Real>& u) {
    if (d_ >= m_) {
      miller(u);
    } else {
      squaring(u);
    }
    return r_[m_];
  }

 private:
  void miller(const std::vector<Real>& u) {
    mpfr_pow_ui(r_[0].get(), u[0].get(), d_, kNearest);
    for (unsigned long k = 1; k <= m_; ++k) {
      mpfr_set_zero(sum_.get(), 1);
      for (unsigned long j = 1; j <= k; ++j) {
        mpfr_mul(term_.get(), u[j].get(), r_[k - j].get(), kNearest);
        term_ *= static_cast<long>(j * (d_ + 1) - k);
        sum_ += term_;
      }
      sum_ /= static_cast<long>(k);
      mpfr_div(r_[k].get(), sum_.get(), u[0].get(), kNearest);
    }
  }

  void squaring(const std::vector<Real>& u) {
    for (unsigned long j = 0; j <= m_; ++j) {
      mpfr_set(base_[j].get(), u[j].get(), kNearest);
      mpfr_set_ui(r_[j].get(), j == 0 ? 1 : 0, kNearest);
    }
    for (unsigned long e = d_; e > 0; e >>= 1U) {
      if (e & 1U) multiply(r_, base_);
      if (e > 1) multiply(base_, base_);
    }
  }

  // a *= b, truncated after x^m.
  void multiply(std::vector<Real>& a, const std::vector<Real>& b) {
    for (unsigned long k = 0; k <= m_; ++k) {
      mpfr_set_zero(product_[k].get(), 1);
      for (unsigned long j = 0; j <= k; ++j) {
        mpfr_mul(term_.get(), a[j].get(), b[k - j].get(), kNearest);
        product_[k] += term_;
      }
    }
    for (unsigned long k = 0; k <= m_; ++k) mpfr_swap(a[k].get(), product_[k].get());
  }

  unsigned long d_, m_;
  std::vector<Real> r_, base_, product_;
  Real term_, sum_;
};

// The sequence E[b^j; b > 0] or E[b^(-1/2-j); b > 0], j = 0, 1, 2, ... (the second needs slopes
// bounded away from 0).
class SlopeMoments {
 public:
  SlopeMoments(const Law& law, bool inverse, Bits bits)
      : law_(law),
        inverse_(inverse),
        bits_(bits),
        high_(bits),
        low_(bits),
        high_step_(bits),
        low_step_(bits),
        length_(bits) {
    if (law.kind == SlopeKind::kNone) return;
    const Rational one(1, 1);
    const Rational high = inverse ? one / law.lower : law.upper;
    const Rational low = inverse ? one / law.upper : law.lower;
    high_ = Real(bits, high);
    low_ = Real(bits, low);
    high_step_ = Real(bits, high * high);
    low_step_ = Real(bits, low * low);
    if (law.kind == SlopeKind::kPoint && !inverse) high_ = Real(bits, 1);
    if (law.kind == SlopeKind::kUniform) {
      length_ = Real(bits, law.upper - law.lower);
      if (inverse) high_ = low_ = Real(bits, 1);
    }
  }

  Real next() {
    Real value(bits_, law_.one);
    if (law_.kind != SlopeKind::kNone) value += Real(bits_, law_.slope) * next_slope();
    ++index_;
    return value;
  }

 private:
  Real next_slope() {
    Real value = high_;
    if (law_.kind == SlopeKind::kUniform) {
      if (inverse_ && index_ == 0) {
        value = log1p(length_ / Real(bits_, law_.lower));
      } else {
        value -= low_;
        value /= inverse_ ? 2 * index_ : 2 * index_ + 1;
      }
      value /= length_;
    }
    high_ *= high_step_;
    low_ *= low_step_;
    return value;
  }

  const Law& law_;
  bool inverse_;
  Bits bits_;
  long index_ = 0;
  Real high_, low_, high_step_, low_step_, length_;
};

// The coefficients (1/2)_j/j! E[...] (-2)^j of t^j in L(t), or of t^(-1/2-j) up to the factor
// 2^(-1/2) and with 2^-j: both expansions of E (1+2tb)^(-1/2) are binomial series of exponent -1/2.
class BinomialSeries {
 public:
  BinomialSeries(const Law& law, bool inverse, bool at_zero, Bits bits)
      : moments_(law, inverse, bits), at_zero_(at_zero), factor_(bits, 1) {
    if (!at_zero) {
      factor_ = Real(bits, 2);
      mpfr_rec_sqrt(factor_.get(), factor_.get(), kNearest);
    }
  }

  Real next() {
    const Real value = moments_.next() * factor_;
    ++index_;
    factor_ *= -(2 * index_ - 1);
    factor_ /= 2 * index_;
    mpfr_mul_2si(factor_.get(), factor_.get(), at_zero_ ? 1 : -1, kNearest);
    return value;
  }

 private:
  SlopeMoments moments_;
  bool at_zero_;
  long index_ = 0;
  Real factor_;
};

// E X^p for a positive integer p: p! (-1)^p [t^p] L(t)^d, a finite sum.
inline Real integer_moment(Bits target, const Law& law, unsigned long p) {
  const Bits bits = target + 40 + magnitude_bits(static_cast<double>(law.width)) +
                    law.cancellation_bits() + 2 * static_cast<Bits>(p);
  std::vector<Real> u;
  BinomialSeries series(law, false, true, bits);
  for (unsigned long j = 0; j <= p; ++j) {
    Real value = series.next();
    if (j == 0) value += Real(bits, law.atom);
    u.push_back(abs(value));
  }
  PowerCoefficient coefficient(law.width, p, bits);
  Real factorial(bits);
  mpfr_fac_ui(factorial.get(), p, kNearest);
  return coefficient(u) * factorial;
}

}  // namespace fracmoment::digits
