// The law of the gain R = |phi(g)| of one layer, in double precision.
//
// Every number is computed in double-double and rounded once: errors stay below 0.52 ulp where the
// formulas of log_form.hpp apply, and below 1 ulp everywhere the result is a normal number.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fracmoment/real.hpp"

namespace fracmoment {

// Activations are given by the slope of the negative side: 1 linear, 0 ReLU, a leaky, and uniform
// on (lower, upper) per unit for the randomized leaky ReLU.
struct LawSpec {
  std::int64_t width = 1;
  double lower = 0.0, upper = 0.0;
  double keep_prob = 1.0;
  bool inverted = true;     // dropout divides by keep_prob
  bool orthogonal = false;  // R over |g|: the ratio law
};

bool operator==(const LawSpec& a, const LawSpec& b);

class GainLaw {
 public:
  explicit GainLaw(const LawSpec& spec);
  ~GainLaw();
  GainLaw(GainLaw&&) noexcept;
  GainLaw& operator=(GainLaw&&) noexcept;

  const LawSpec& spec() const;

  // E R^order; given R > 0 where asked (always for orders <= 0 of a law with an atom).
  void moments(const double* order, double* out, std::size_t n, bool given_alive) const;
  // The same for complex orders.
  void moments(const std::complex<double>* order, std::complex<double>* out, std::size_t n,
               bool given_alive) const;
  // (E R^order)^(-1/order); order 0 gives exp(-E[log R | R > 0]).
  void scales(const double* order, double* out, std::size_t n, bool given_alive) const;
  // their logarithms as double-doubles: absolute error below 2^-60, `precise` 2^-85
  void log_scales(const double* order, Real* out, std::size_t n, bool given_alive,
                  bool precise = false) const;

  // Of log R given R > 0.
  double log_mean() const;
  double log_var() const;
  double log_cumulant(int n) const;  // 1 <= n <= 12

  double log_abs_third() const;  // E |log R - E log R|^3

  // Of R given R > 0: density (of the continuous part), distribution, survival and quantile
  // function.
  void pdf(const double* r, double* out, std::size_t n) const;
  void cdf(const double* r, double* out, std::size_t n) const;
  void sf(const double* r, double* out, std::size_t n) const;
  void ppf(const double* q, double* out, std::size_t n) const;
  void isf(const double* q, double* out, std::size_t n) const;  // ppf(1 - q), for small q

  // Of log R - E log R given R > 0: log of the distribution (or survival) function, and density.
  void centred_tails(const double* x, double* log_p, double* density, std::size_t n,
                     bool upper) const;

  // Of log R - E log R given R > 0: its density.
  void centred_density(const Real* x, double* out, std::size_t n) const;

  double prob_zero() const;
  double prob_alive() const;

  // alpha > 0 with E (sigma R)^alpha = 1; 0 where the drift is not negative; infinity where
  // sigma R <= 1 almost surely.
  void tail_indices(const double* sigma, double* out, std::size_t n) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Calls f(begin, count) for each run of equal neighbours.
template <class T, class F>
void each_run(const T* items, std::size_t n, F&& f) {
  for (std::size_t i = 0, j; i < n; i = j) {
    for (j = i + 1; j < n && items[j] == items[i];) ++j;
    f(i, j - i);
  }
}

// Elementwise, each element with its own law; equal neighbours share their work.
void law_moments(const double* order, const LawSpec* specs, double* out, std::size_t n,
                 bool given_alive);
void law_scales(const double* order, const LawSpec* specs, double* out, std::size_t n,
                bool given_alive);
void law_log_means(const LawSpec* specs, double* out, std::size_t n);
void law_log_vars(const LawSpec* specs, double* out, std::size_t n);

// 2^(s/2) Gamma((d+s)/2)/Gamma(d/2) for real d > 0, s > -d.
void chi_moments(const double* width, const double* order, double* out, std::size_t n);

// E (chi_m/chi_n)^s, -m < s < n; E B^r for B ~ Beta(a, b), r > -a; E F^r for F ~ F(m, n),
// -m/2 < r < n/2. Closed forms in gamma functions, elementwise, real parameters.
void chi_ratio_moments(const double* m, const double* n, const double* order, double* out,
                       std::size_t count);
void beta_moments(const double* a, const double* b, const double* order, double* out,
                  std::size_t count);
void f_moments(const double* m, const double* n, const double* order, double* out,
               std::size_t count);

}  // namespace fracmoment
