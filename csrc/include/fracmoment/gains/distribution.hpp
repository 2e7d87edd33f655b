// Density, distribution, survival and quantile function of a gain given R > 0.
#pragma once

#include <cstddef>
#include <vector>

#include "fracmoment/gains/beta_mixture.hpp"
#include "fracmoment/gains/inversion.hpp"

namespace fracmoment {

class Distribution {
 public:
  // R = factor * sqrt(X), or factor * sqrt(B) for the ratio law.
  struct Law {
    const UnitLaw* unit = nullptr;
    Real factor{1.0};
    Real log_alive{0.0};
    bool ratio = false, atom = false, constant = false;  // constant: R = factor
    double log_mean = 0.0, log_sd = 1.0;                 // of R given R > 0
    Real precise_log_mean{0.0};
  };
  explicit Distribution(const Law& law) : law_(law) {}

  void pdf(const double* r, double* out, std::size_t n) const;
  void cdf(const double* r, double* out, std::size_t n) const;
  void sf(const double* r, double* out, std::size_t n) const;
  // where the distribution function (or the survival function, if upper) is q
  void quantile(const double* q, double* out, std::size_t n, bool upper) const;
  double log_abs_third() const;
  // log of the distribution (or survival) function of log R - E log R, and its density
  void centred_tails(const double* x, double* log_p, double* density, std::size_t n,
                     bool upper) const;

 private:
  // P(R <= r) or P(R > r) at r = factor * scaled
  std::vector<Real> probability(const std::vector<Real>& scaled, bool upper) const;
  double lowest() const;  // infimum and supremum of R given R > 0
  double highest() const;
  double highest_atom() const;
  bool is_beta_mixture() const {
    return law_.ratio && !law_.constant && BetaMixture::applies(*law_.unit);
  }
  void beta_mixture_pdf(const double* r, double* out, std::size_t n) const;
  std::vector<Real> beta_mixture_probability(const std::vector<Real>& scaled, bool upper) const;
  void beta_mixture_quantile(const double* q, double* out, std::size_t n, bool upper) const;
  bool discrete() const { return law_.constant || (law_.ratio && law_.unit->width == 1.0); }
  // of sqrt(B) where B has one unit: P(sqrt(B) <= r) or P(sqrt(B) > r), and the density of its
  // slopes
  double discrete_probability(double r, bool upper) const;
  double discrete_quantile(double q, bool upper) const;

  Law law_;
};

}  // namespace fracmoment
