#include "fracmoment/random/gain_table.hpp"

#include <cmath>

namespace fracmoment {
namespace {

class LogGain : public TailLaw {
 public:
  explicit LogGain(const GainLaw& law) : law_(law), spread_(std::sqrt(law.log_var())) {}
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override {
    law_.centred_tails(x, log_p, density, n, upper);
  }
  double spread() const override { return spread_; }

 private:
  const GainLaw& law_;
  double spread_;
};

}  // namespace

QuantileTable gain_table(const GainLaw& law) {
  return QuantileTable(LogGain(law), law.prob_zero());
}

}  // namespace fracmoment
