// The tables of log chi and of the normal law, from the incomplete gamma functions: positive series
// and a continued fraction instead of the contours that serve every law.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/random/gain_table.hpp"
#include "fracmoment/random/normal_table.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr int kMostTerms = 100000;

// P(a, z) over z^a e^(-z)/Gamma(a + 1): 1 + z/(a + 1) + z^2/((a + 1)(a + 2)) + ...
double lower_series(double a, double z) {
  double term = 1.0, sum = 1.0;
  for (int k = 1; k < kMostTerms && term > 0x1p-55 * sum; ++k) {
    term *= z / (a + k);
    sum += term;
  }
  return sum;
}

// Q(a, z) over z^a e^(-z)/Gamma(a) for z > a: Legendre's continued fraction [DLMF 8.9.2] by Lentz's
// method.
double upper_fraction(double a, double z) {
  double b = z + 1.0 - a, c = kInfinity, d = 1.0 / b, value = d;
  for (int k = 1; k < kMostTerms; ++k) {
    const double an = k * (a - k);
    b += 2.0;
    d = 1.0 / (an * d + b);
    c = b + an / c;
    const double factor = c * d;
    value *= factor;
    if (std::abs(factor - 1.0) < 0x1p-52) break;
  }
  return value;
}

// Logarithm of a tail of the gamma law of shape a at z, base = log(z^a e^(-z)/Gamma(a)).
double log_gamma_tail(double a, const Real& z, const Real& base, bool upper) {
  const bool by_series = z.hi < a + 1.0;
  const double tail = by_series ? lower_series(a, z.hi) / a : upper_fraction(a, z.hi);
  const Real log_tail = base + log(Real(tail));
  return by_series != upper ? log_tail.hi : log(Real(1.0) - exp(log_tail)).hi;
}

class LogChi : public TailLaw {
 public:
  LogChi(std::int64_t width, double log_mean, double spread)
      : a_(0.5 * double(width)), log_mean_(log_mean), spread_(spread) {
    log_gamma_ = log_gamma(Real(a_));
  }
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override {
    for (std::size_t i = 0; i < n; ++i) one(x[i], upper, log_p[i], density[i]);
  }
  double spread() const override { return spread_; }

 private:
  // chi^2/2 = z is a gamma variate
  void one(double x, bool upper, double& log_p, double& density) const {
    const Real log_z = (Real(log_mean_) + Real(x)) * 2.0 - log_two();
    const Real z = exp(log_z);
    const Real base = log_z * a_ - z - log_gamma_;
    density = 2.0 * exp_rounded(base);
    log_p = log_gamma_tail(a_, z, base, upper);
  }

  double a_, log_mean_, spread_;
  Real log_gamma_;
};

// z^2/2 is a gamma variate of shape 1/2.
class Normal : public TailLaw {
 public:
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override {
    for (std::size_t i = 0; i < n; ++i) one(x[i], upper, log_p[i], density[i]);
  }
  double spread() const override { return 1.0; }

 private:
  void one(double x, bool upper, double& log_p, double& density) const {
    const Real z = scale_by(two_prod(x, x), 0.5);
    density = exp_rounded(-z - log(Real(2.0 * kPi)) * 0.5);
    if (x == 0.0) {
      log_p = -log_two().hi;
      return;
    }
    const Real base = (log(z) - log(Real(kPi))) * 0.5 - z;
    const double outer = log_gamma_tail(0.5, z, base, true) - log_two().hi;
    log_p = upper == (x > 0.0) ? outer : log1p(-exp(Real(outer))).hi;
  }
};

}  // namespace

QuantileTable chi_table(std::int64_t width) {
  const GainLaw law(LawSpec{width, 1.0, 1.0, 1.0, true, false});
  return QuantileTable(LogChi(width, law.log_mean(), std::sqrt(law.log_var())));
}

const QuantileTable& normal_table() {
  static const QuantileTable table{Normal()};
  return table;
}

}  // namespace fracmoment
