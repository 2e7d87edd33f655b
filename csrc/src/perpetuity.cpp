#include "fracmoment/random/perpetuity.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "fracmoment/random/kernels.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = 0x1p300;  // sums beyond are scaled down, exactly
constexpr double kLogTwo = 0.6931471805599453;
constexpr std::uint64_t kSecondStream = std::uint64_t(1) << 55;  // replicas of the plain steps

double natural_log(double x) { return log(Real(x)).hi; }
double exponential(double x) { return x < -740.0 ? 0.0 : exp_rounded(Real(x)); }

class FactorOf : public TailLaw {
 public:
  explicit FactorOf(const TiltedGain& law) : law_(law) {}
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override {
    for (std::size_t i = 0; i < n; ++i) {
      if (x[i] <= -1.0) {
        log_p[i] = upper ? 0.0 : -kInfinity;
        density[i] = 0.0;
        continue;
      }
      const double y = 0.5 * log(Real(1.0) + Real(x[i])).hi;
      law_.tails(&y, 1, upper, log_p + i, density + i);
      density[i] *= 0.5 / (1.0 + x[i]);
    }
  }
  double spread() const override { return 2.0 * law_.spread(); }

 private:
  const TiltedGain& law_;
};

// The factors of one replica, one after the other; of a dead layer 0.
class Factors {
 public:
  Factors(const FactorLaw& law, const Stream& stream) : law_(law), stream_(stream) {
    factor_ = exponential(law.log_factor);
  }
  void start(std::uint64_t replica) {
    replica_ = replica;
    at_ = filled_ = 0;
  }
  double next() {
    if (at_ == filled_) refill();
    const double x = row_[at_++];
    return x == -kInfinity ? 0.0 : factor_ * std::max(1.0 + x, 0.0);
  }

 private:
  // A row is a prefix of a longer row: twice as many numbers go on where the last ended.
  void refill() {
    filled_ = filled_ == 0 ? std::max<std::size_t>(longest_ / 2, 64) : 2 * filled_;
    longest_ = std::max(longest_, filled_);
    row_.resize(std::max(row_.size(), filled_));
    random_kernels().variates(*law_.table, stream_, replica_, row_.data(), filled_);
  }

  const FactorLaw& law_;
  Stream stream_;
  double factor_;
  std::uint64_t replica_ = 0;
  std::size_t at_ = 0, filled_ = 0, longest_ = 0;
  std::vector<double> row_;
};

}  // namespace

QuantileTable factor_table(const TiltedGain& law, double dead) {
  return QuantileTable(FactorOf(law), dead);
}

void log_perpetuities(const FactorLaw& law, double log_bound, const Stream& stream,
                      std::uint64_t first, double* out, std::size_t n) {
  const double small = 0x1p-53 * exponential(-log_bound);
  Factors factors(law, stream);
  for (std::size_t i = 0; i < n; ++i) {
    factors.start(first + i);
    double product = 1.0, sum = 0.0, scaled = 0.0;
    do {
      product *= factors.next();
      sum += product;
      if (sum > kLargest) {
        product /= kLargest;
        sum /= kLargest;
        scaled += 1.0;
      }
    } while (product > sum * small);
    out[i] = sum > 0.0 ? natural_log(sum) + scaled * 300.0 * kLogTwo : -kInfinity;
  }
}

void log_tail_weights(const TiltedFactors& laws, double log_level, double log_reach,
                      double log_bound, const Stream& stream, std::uint64_t first, double* out,
                      std::size_t n) {
  const double reach = exponential(log_reach), small = exponential(-log_bound);
  Factors tilted(laws.tilted, stream), plain(laws.plain, stream);
  for (std::size_t i = 0; i < n; ++i) {
    tilted.start(first + i);
    plain.start(first + i + kSecondStream);
    double product = exponential(-log_level), missing = 1.0, steps = 0.0;  // over the level
    while (product * reach < missing) {
      product *= tilted.next();
      missing -= product;
      steps += 1.0;
    }
    out[i] = steps * laws.log_mass - laws.power * (natural_log(product) + log_level);
    while (missing >= 0.0 && product > missing * small) {
      product *= plain.next();
      missing -= product;
    }
    if (missing >= 0.0) out[i] = -kInfinity;
  }
}

}  // namespace fracmoment
