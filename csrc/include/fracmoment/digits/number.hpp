// Numbers of the any-precision route: Real (MPFR) and Rational (GMP), each owning its memory.
//
// Every Real carries its own precision, given when it is made. Nothing here reads or writes a
// default precision (MPFR's lives in thread-local state, Boost's mpfr_float adds a global one), so
// evaluations of different precision may run side by side in any number of threads.
#pragma once

#include <gmp.h>
#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace fracmoment::digits {

using Bits = mpfr_prec_t;

inline constexpr mpfr_rnd_t kNearest = MPFR_RNDN;
inline constexpr double kLog2 = 0.69314718055994530942;
inline constexpr double kPi = 3.14159265358979323846;

// Widens MPFR's exponent range while it lives. Gamma(5e8) needs an exponent near 1.4e10, beyond the
// default limit of 2^30. The range is thread-local in MPFR, so other threads see nothing of it.
class ExponentRange {
 public:
  ExponentRange() : min_(mpfr_get_emin()), max_(mpfr_get_emax()) {
    // MPFR caches constants such as pi for each thread; free them when the thread ends.
    struct CacheOwner {
      CacheOwner() = default;
      CacheOwner(const CacheOwner&) = delete;
      CacheOwner& operator=(const CacheOwner&) = delete;
      ~CacheOwner() { mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE); }
      void touch() const {}
    };
    thread_local const CacheOwner owner;
    owner.touch();
    mpfr_set_emin(mpfr_get_emin_min());
    mpfr_set_emax(mpfr_get_emax_max());
  }
  ExponentRange(const ExponentRange&) = delete;
  ExponentRange& operator=(const ExponentRange&) = delete;
  ~ExponentRange() {
    mpfr_set_emin(min_);
    mpfr_set_emax(max_);
  }

 private:
  mpfr_exp_t min_, max_;
};

class Rational {
 public:
  Rational() { mpq_init(q_); }
  Rational(long num, unsigned long den) : Rational() {
    mpq_set_si(q_, num, den);
    mpq_canonicalize(q_);
  }
  // The rational number that a finite double is.
  explicit Rational(double x) : Rational() { mpq_set_d(q_, x); }
  // "num" or "num/den" in decimal.
  explicit Rational(const std::string& text) : Rational() {
    const std::size_t slash = text.find('/');
    const std::string num = text.substr(0, slash);
    const std::string den = slash == std::string::npos ? "1" : text.substr(slash + 1);
    if (mpz_set_str(mpq_numref(q_), num.c_str(), 10) != 0 ||
        mpz_set_str(mpq_denref(q_), den.c_str(), 10) != 0 || mpz_sgn(mpq_denref(q_)) == 0) {
      throw std::invalid_argument("not a rational number: '" + text + "'");
    }
    mpq_canonicalize(q_);
  }
  Rational(const Rational& other) : Rational() { mpq_set(q_, other.q_); }
  Rational(Rational&& other) noexcept : Rational() { mpq_swap(q_, other.q_); }
  Rational& operator=(Rational other) noexcept {
    mpq_swap(q_, other.q_);
    return *this;
  }
  ~Rational() { mpq_clear(q_); }

  mpq_srcptr get() const { return q_; }
  int sign() const { return mpq_sgn(q_); }
  bool is_integer() const { return mpz_cmp_ui(mpq_denref(q_), 1) == 0; }
  double to_double() const { return mpq_get_d(q_); }
  // log2|x|, also where x itself has no double.
  double log2_abs() const {
    signed long num_exponent = 0;
    signed long den_exponent = 0;
    const double num = mpz_get_d_2exp(&num_exponent, mpq_numref(q_));
    const double den = mpz_get_d_2exp(&den_exponent, mpq_denref(q_));
    return std::log2(std::fabs(num) / den) + static_cast<double>(num_exponent - den_exponent);
  }
  Rational abs() const {
    Rational out;
    mpq_abs(out.q_, q_);
    return out;
  }
  friend Rational operator+(const Rational& a, const Rational& b) {
    Rational out;
    mpq_add(out.q_, a.q_, b.q_);
    return out;
  }
  friend Rational operator-(const Rational& a, const Rational& b) {
    Rational out;
    mpq_sub(out.q_, a.q_, b.q_);
    return out;
  }
  friend Rational operator*(const Rational& a, const Rational& b) {
    Rational out;
    mpq_mul(out.q_, a.q_, b.q_);
    return out;
  }
  friend Rational operator/(const Rational& a, const Rational& b) {
    Rational out;
    mpq_div(out.q_, a.q_, b.q_);
    return out;
  }
  friend Rational operator-(const Rational& a) {
    Rational out;
    mpq_neg(out.q_, a.q_);
    return out;
  }
  friend bool operator<(const Rational& a, const Rational& b) { return mpq_cmp(a.q_, b.q_) < 0; }
  friend bool operator>(const Rational& a, const Rational& b) { return b < a; }
  friend bool operator<=(const Rational& a, const Rational& b) { return !(b < a); }
  friend bool operator>=(const Rational& a, const Rational& b) { return !(a < b); }
  friend bool operator==(const Rational& a, const Rational& b) {
    return mpq_equal(a.q_, b.q_) != 0;
  }
  // Smallest integer >= x, for |x| below 2^62.
  long ceil() const {
    mpz_t out;
    mpz_init(out);
    mpz_cdiv_q(out, mpq_numref(q_), mpq_denref(q_));
    const long value = mpz_get_si(out);
    mpz_clear(out);
    return value;
  }

 private:
  mpq_t q_;
};

class Real {
 public:
  explicit Real(Bits bits, long value = 0) {
    mpfr_init2(x_, bits);
    mpfr_set_si(x_, value, kNearest);
  }
  Real(Bits bits, const Rational& value) {
    mpfr_init2(x_, bits);
    mpfr_set_q(x_, value.get(), kNearest);
  }
  static Real from_double(Bits bits, double value) {
    Real out(bits);
    mpfr_set_d(out.x_, value, kNearest);
    return out;
  }
  Real(const Real& other) {
    mpfr_init2(x_, mpfr_get_prec(other.x_));
    mpfr_set(x_, other.x_, kNearest);
  }
  Real(Real&& other) noexcept {
    mpfr_init2(x_, MPFR_PREC_MIN);
    mpfr_swap(x_, other.x_);
  }
  Real& operator=(Real other) noexcept {
    mpfr_swap(x_, other.x_);
    return *this;
  }
  ~Real() { mpfr_clear(x_); }

  mpfr_ptr get() { return x_; }
  mpfr_srcptr get() const { return x_; }
  Bits bits() const { return mpfr_get_prec(x_); }
  bool is_zero() const { return mpfr_zero_p(x_) != 0; }
  bool is_finite() const { return mpfr_number_p(x_) != 0; }
  int sign() const { return mpfr_sgn(x_); }
  double to_double() const { return mpfr_get_d(x_, kNearest); }
  // log2|x|, also where x itself has no double; -infinity at 0.
  double log2_abs() const {
    if (is_zero()) return -HUGE_VAL;
    long exponent = 0;
    const double mantissa = mpfr_get_d_2exp(&exponent, x_, kNearest);
    return std::log2(std::fabs(mantissa)) + static_cast<double>(exponent);
  }

  Real& operator+=(const Real& b) {
    mpfr_add(x_, x_, b.x_, kNearest);
    return *this;
  }
  Real& operator-=(const Real& b) {
    mpfr_sub(x_, x_, b.x_, kNearest);
    return *this;
  }
  Real& operator*=(const Real& b) {
    mpfr_mul(x_, x_, b.x_, kNearest);
    return *this;
  }
  Real& operator/=(const Real& b) {
    mpfr_div(x_, x_, b.x_, kNearest);
    return *this;
  }
  Real& operator*=(long b) {
    mpfr_mul_si(x_, x_, b, kNearest);
    return *this;
  }
  Real& operator/=(long b) {
    mpfr_div_si(x_, x_, b, kNearest);
    return *this;
  }

 private:
  mpfr_t x_;
};

// Arithmetic of the parts that run once an evaluation; inner loops call MPFR in place instead.
inline Real binary(const Real& a, const Real& b,
                   int (*op)(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t)) {
  Real out(std::max(a.bits(), b.bits()));
  op(out.get(), a.get(), b.get(), kNearest);
  return out;
}
inline Real unary(const Real& a, int (*op)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t)) {
  Real out(a.bits());
  op(out.get(), a.get(), kNearest);
  return out;
}
inline Real operator+(const Real& a, const Real& b) { return binary(a, b, mpfr_add); }
inline Real operator-(const Real& a, const Real& b) { return binary(a, b, mpfr_sub); }
inline Real operator*(const Real& a, const Real& b) { return binary(a, b, mpfr_mul); }
inline Real operator/(const Real& a, const Real& b) { return binary(a, b, mpfr_div); }
inline Real pow(const Real& a, const Real& b) { return binary(a, b, mpfr_pow); }
inline Real operator-(const Real& a) { return unary(a, mpfr_neg); }
inline Real operator*(Real a, long b) { return std::move(a *= b); }
inline Real operator/(Real a, long b) { return std::move(a /= b); }
inline Real exp(const Real& a) { return unary(a, mpfr_exp); }
inline Real expm1(const Real& a) { return unary(a, mpfr_expm1); }
inline Real log(const Real& a) { return unary(a, mpfr_log); }
inline Real log1p(const Real& a) { return unary(a, mpfr_log1p); }
inline Real sqrt(const Real& a) { return unary(a, mpfr_sqrt); }
inline Real abs(const Real& a) { return unary(a, mpfr_abs); }
inline Real pow(const Real& a, unsigned long n) {
  Real out(a.bits());
  mpfr_pow_ui(out.get(), a.get(), n, kNearest);
  return out;
}
inline Real exp2(Bits bits, const Rational& p) { return unary(Real(bits, p), mpfr_exp2); }

// A double with few significant bits, so that i*h and differences of nodes are exact doubles.
inline double short_double(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, 20)), exponent - 20);
}

// Bits by which a magnitude eats into the working precision: log2 of it, at least 0.
inline Bits magnitude_bits(double x) {
  return x > 1.0 ? static_cast<Bits>(std::ceil(std::log2(x))) : 0;
}
inline Bits magnitude_bits_log2(double log2_x) {
  return log2_x > 0.0 ? static_cast<Bits>(std::ceil(log2_x)) : 0;
}

}  // namespace fracmoment::digits
