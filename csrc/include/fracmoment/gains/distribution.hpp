// Density, distribution, survival and quantile function of a gain given R > 0.
#pragma once

#include <cstddef>
#include <vector>

#include "fracmoment/gains/beta_mixture.hpp"
#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

class Distribution {
 public:
  // R = factor * sqrt(X), or factor * sqrt(B) for the ratio law.
  struct Law {
    UnitLaw unit;
    Real factor{1.0};
    Real log_alive{0.0};
    bool ratio = false, constant = false;  // constant: R = factor
  };
  explicit Distribution(const Law& law);

  void pdf(const double* r, double* out, std::size_t n) const;
  void cdf(const double* r, double* out, std::size_t n) const;
  void sf(const double* r, double* out, std::size_t n) const;
  // where the distribution function (or the survival function, if upper) is q
  void quantile(const double* q, double* out, std::size_t n, bool upper) const;
  // E |log R - log_mean|^3, with the mean and the standard deviation of log R
  double log_abs_third(const Real& log_mean, double log_sd) const;
  // log of the distribution (or survival) function of log R - log_mean, and its density
  void centred_tails(const Real& log_mean, const double* x, double* log_p, double* density,
                     std::size_t n, bool upper) const;

  // density of log R - log_mean
  void centred_density(const Real& log_mean, const Real* x, double* out, std::size_t n) const;

 private:
  struct Search;  // for one quantile: quantile.cpp

  // At r = factor * scaled: P(R <= r) or P(R > r), and the density of R/factor. NaN where an
  // integral did not converge.
  std::vector<Real> probability(const std::vector<Real>& scaled, bool upper) const;
  std::vector<Real> density(const std::vector<Real>& scaled) const;
  // Whether r is an atom inside the support: all units of an orthogonal layer have one slope, which
  // is neither the smallest nor the largest. On both sides the density is a multiple of |x|^(-1/2),
  // where one unit has another slope, so infinite at the atom; but where even the next numbers show
  // nothing of that the atom is too light to matter, and their mean is the density there.
  bool at_inner_atom(double r) const;
  Real density_across(double r) const;
  std::vector<Real> contour_probability(const std::vector<Real>& scaled, bool upper) const;
  std::vector<Real> contour_density(const std::vector<Real>& scaled) const;
  Real complement(const Real& scaled, bool upper) const;

  bool is_beta_mixture() const {
    return law_.ratio && !law_.constant && BetaMixture::applies(law_.unit);
  }
  bool is_slope() const { return law_.ratio && law_.unit.width == 1.0; }
  // P(R = infimum | R > 0): all units of an orthogonal layer have the smallest slope; or the
  // largest.
  double end_atom(bool highest) const;
  // whether a point lies inside the support
  bool above_low(const Real& r) const;
  bool below_high(const Real& r) const;

  bool known_quantile(double q, bool upper, double& out) const;
  void beta_mixture_quantile(const double* q, double* out, std::size_t n, bool upper) const;
  Real point_at(const Real& u) const;
  double speed(double u, double r) const;
  Search start(double q, bool upper) const;
  bool at_atom(int i, Search& search) const;
  void advance(std::vector<Search>& active) const;

  Law law_;
  Real floor_;                   // infimum of (R/factor)^2 given R > 0
  double high_;                  // supremum of R/factor
  double mean_square_, spread_;  // of (R/factor)^2: the mean, and the variance over its square
};

}  // namespace fracmoment
