// The rules of a law: what is computed once and serves many orders.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "fracmoment/error.hpp"
#include "fracmoment/gains/law.hpp"
#include "fracmoment/gains/log_form.hpp"

namespace fracmoment {

// The sorted-out description of a law.
struct Description {
  LawKind kind = LawKind::chi;
  double live = 1.0;          // P(unit live), exactly
  bool atom = false;          // P(R = 0) > 0
  bool through_zero = false;  // slopes on both sides of 0, or touching it
  Real factor{1.0};           // R is this times the R of `unit`
  UnitLaw unit;
};

// A narrow range of slopes is described by quadrature points unless `exact_slopes`.
Description describe(const LawSpec& spec, bool exact_slopes = false);
// The uniform part as points, by Gauss-Legendre panels in log A: for rules with added degrees of
// freedom, whose moments have no closed form beyond the first. No points at all where it would take
// too many.
UnitLaw with_points(const UnitLaw& unit, int raised);
// About the smallest squared slope that matters; of uniform ones the smallest if `exactly`.
double smallest_scale(const UnitLaw& unit, bool exactly = false);

struct Rule {
  LawState state;
  const UnitLaw* unit = nullptr;  // the nodes are made of: the law's, or its own
  std::unique_ptr<UnitLaw> own_unit;
  std::unique_ptr<SingleUnit> single;
  std::unique_ptr<MomentInterpolation> interpolation;
  std::vector<double> hi, lo, inverse_hi, inverse_lo;
  // Where the rule serves order 0: log M there, of the mass P(R > 0).
  bool serves_zero = false;
  const Real& log_at_zero() const { return log_at_zero_; }  // after a call of log_moments
  // log M at some orders. Order 0 goes with them the first time: lanes are there anyway.
  void log_moments(const double* order, std::size_t n, Real* out) const;

 private:
  mutable std::mutex guard_;
  mutable bool knows_zero_ = false;
  mutable Real log_at_zero_{0.0};
};

// The law and its rules, each made when it is first asked for. Safe to use from several threads.
class RuleBook {
 public:
  static constexpr int kPreciseLevel = 4;
  LawSpec spec;
  Description law;
  LawState base;                       // without a rule
  Real log_dead{0.0}, log_alive{0.0};  // of one unit dead, and of R > 0

  explicit RuleBook(const LawSpec& s);

  Real log_dead_power() const { return log_dead * base.width; }

  // Mellin rules serve orders with floor(p) = bucket, p = order/2. Laws with an atom split the
  // bucket -1: key -2 (one live unit left out of the integral, for p < -0.2) and key -1.
  static constexpr int kTight = 1000000;  // the rule for cumulants

  // Near the edge of a law whose integrand decays like exp(-(d/2+p) v) and no faster, the ranges
  // shrink with the distance: key kEdge - j serves 2^-j <= d/2+p < 2^(1-j).
  static constexpr int kEdge = -1000000;

  int bucket(double order) const;
  // Level 0 serves real orders; level j > 0 complex ones with |Im order| <= 2^j, and real ones with
  // accuracy to spare.
  const Rule& rule(int key, int level = 0) const;

  // Calls f(rule, orders, indices, n) for each group of orders that share a rule (no indices: all
  // in place), or otherwise(order, index) where there is none in double-double.
  template <class F, class G>
  void grouped(const double* order, std::size_t n, F&& f, G&& otherwise) const {
    const auto group = [&](int key, const double* s, const std::size_t* index, std::size_t m) {
      const Rule* r = nullptr;
      try {
        r = &rule(key);
      } catch (const ConvergenceError&) {
        for (std::size_t i = 0; i < m; ++i) otherwise(s[i], index == nullptr ? i : index[i]);
        return;
      }
      f(*r, s, index, m);
    };
    bool one = true;
    const int first = bucket(order[0]);
    for (std::size_t i = 1; i < n && one; ++i) one = bucket(order[i]) == first;
    if (one) {
      group(first, order, nullptr, n);
      return;
    }
    std::map<int, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < n; ++i) groups[bucket(order[i])].push_back(i);
    std::vector<double> part;
    for (const auto& [key, indices] : groups) {
      part.clear();
      for (const std::size_t i : indices) part.push_back(order[i]);
      group(key, part.data(), indices.data(), part.size());
    }
  }

 private:
  struct Range {
    double low, high;
  };
  Range range(int key) const;
  std::unique_ptr<Rule> make_rule(int key, int level) const;
  bool interpolates(Rule& r, int key) const;
  void leave_single_out(MellinPlan& plan) const;
  void attach_single(Rule& r, const Real& log_weight) const;
  void set_ends(MellinPlan& plan) const;
  void make_mellin(Rule& r, double low, double high, double target, double imaginary,
                   bool drop_single) const;
  double tilted_mean(double p) const;
  void fill_mixture(Rule& r, double p_max) const;

  mutable std::mutex guard_;
  mutable std::map<std::pair<int, int>, std::unique_ptr<Rule>> rules_;
};

}  // namespace fracmoment
