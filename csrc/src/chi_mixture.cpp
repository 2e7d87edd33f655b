// Closed densities of chi laws and their mixtures: see chi_mixture.hpp.
#include "fracmoment/gains/chi_mixture.hpp"

#include <algorithm>

#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {
namespace {

constexpr double kMostTerms = 128.0;
constexpr double kMostPowers = 900.0;  // of two, in the binomial weights

}  // namespace

bool ChiMixture::applies(const UnitLaw& unit) {
  if (unit.uniform || unit.points != 1 || unit.point[0].hi != 1.0) return false;
  if (unit.dead.hi == 0.0) return true;
  const double d = unit.width, dead = -1.4426950408889634 * rough_log(unit.dead.hi),
               live = -1.4426950408889634 * rough_log(unit.weight[0].hi);
  return d <= kMostTerms && d * dead < kMostPowers && d * live < kMostPowers;
}

ChiMixture::ChiMixture(const UnitLaw& unit, const Real& log_alive) {
  const int d = int(std::min(unit.width, kMostTerms));
  if (unit.dead.hi == 0.0) {
    const Real half{0.5 * unit.width};
    power_ = Real(unit.width - 1.0);
    log_constant_ = log_two() * (Real(1.0) - half) - log_gamma(half);
    return;
  }
  // C(d, n) live^n dead^(d-n), and 2^(1-n/2)/Gamma(n/2) by g_(n+2) = g_n/n
  Real binomial = exp(-log_alive), gamma[2] = {square_root(Real(2.0) / pi()), Real(1.0)};
  for (int n = 0; n < d; ++n) binomial = binomial * unit.dead;
  const Real odds = unit.weight[0] / unit.dead;
  for (int n = 1; n <= d; ++n) {
    binomial = binomial * odds * (Real(double(d - n + 1)) / Real(double(n)));
    Real& g = gamma[(n - 1) % 2];
    coefficient_.push_back(binomial * g);
    g = g / Real(double(n));
  }
}

Real ChiMixture::density(const Real& r) const {
  const Real square = r * r, half = scale_by(square, -0.5);
  if (coefficient_.empty()) return exp(log(r) * power_ + half + log_constant_);
  Real sum = coefficient_.back();
  for (std::size_t n = coefficient_.size() - 1; n-- > 0;) sum = sum * r + coefficient_[n];
  return sum * exp(half);
}

}  // namespace fracmoment
