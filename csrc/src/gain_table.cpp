#include "fracmoment/random/gain_table.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/random/interpolated_tails.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kNear = 1e-13;  // to an atom, where what lies within is taken for the atom

class LogGain : public TailLaw {
 public:
  explicit LogGain(const GainLaw& law) : law_(law), spread_(std::sqrt(law.log_var())) {
    const LawSpec& spec = law.spec();
    if (!spec.orthogonal) return;
    const Real factor = spec.inverted ? -log(Real(spec.keep_prob)) : Real(0.0);
    for (const double slope : {1.0, std::abs(spec.lower), std::abs(spec.upper)})
      if (slope > 0.0) atoms_.push_back((log(Real(slope)) + factor - Real(law.log_mean())).hi);
    std::sort(atoms_.begin(), atoms_.end());
    atoms_.erase(std::unique(atoms_.begin(), atoms_.end()), atoms_.end());
  }
  const std::vector<double>& atoms() const { return atoms_; }
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override {
    try {
      law_.centred_tails(x, log_p, density, n, upper);
    } catch (const ConvergenceError&) {
      std::vector<double> moved(x, x + n);
      for (double& value : moved) leave_atoms(value);
      law_.centred_tails(moved.data(), log_p, density, n, upper);
    }
  }
  double spread() const override { return spread_; }

 private:
  // Next to an atom of an orthogonal layer the law is known from a short distance only, on which
  // the density may have a pole: what lies within is taken for the atom.
  void leave_atoms(double& x) const {
    for (const double atom : atoms_)
      if (std::abs(x - atom) < kNear) x = x < atom ? atom - kNear : atom + kNear;
  }

  const GainLaw& law_;
  double spread_;
  std::vector<double> atoms_;
};

}  // namespace

QuantileTable gain_table(const GainLaw& law) {
  const LogGain tails(law);
  const bool smooth = tails.atoms().empty() || tails.spread() == 0.0;
  if (smooth) return QuantileTable(tails, law.prob_zero());
  return QuantileTable(InterpolatedTails(tails, tails.atoms(), kNear), law.prob_zero());
}

}  // namespace fracmoment
