// What a gain law holds: shared by law.cpp and cumulants.cpp.
#pragma once

#include <cmath>
#include <map>
#include <mutex>

#include "fracmoment/gains/any_precision.hpp"
#include "fracmoment/gains/cumulants.hpp"
#include "fracmoment/gains/distribution.hpp"
#include "fracmoment/gains/rules.hpp"

namespace fracmoment {

// What was computed once, by an integer. Safe to use from several threads, of which two may compute
// the same.
template <class T>
class Memory {
 public:
  template <class F>
  T operator()(int key, F&& compute) const {
    {
      const std::lock_guard<std::mutex> lock(guard_);
      const auto found = values_.find(key);
      if (found != values_.end()) return found->second;
    }
    const T value = compute();
    const std::lock_guard<std::mutex> lock(guard_);
    return values_.emplace(key, value).first->second;
  }

 private:
  mutable std::mutex guard_;
  mutable std::map<int, T> values_;
};

struct GainLaw::Impl : RuleBook {
  using RuleBook::RuleBook;

  LawState adjusted(const Rule& r, bool given_alive) const {
    LawState state = r.state;
    if (law.atom && given_alive) state.log_alive = log_alive;
    return state;
  }

  // -log M(s)/s as a double-double, from the rule's log M(s) and log M(0).
  Real log_scale_from(const Rule& r, double s, Real log_moment, bool given_alive) const {
    if (std::abs(s) <= 2.0 && r.serves_zero) {
      log_moment = log_moment - r.log_at_zero();
      if (law.atom && !given_alive) log_moment = log_moment + log_alive;
    } else if (law.atom && given_alive) {
      log_moment = log_moment - log_alive;
    }
    return -over_order(log_moment, s);
  }
  // x/s, which a tiny order may carry out of range: scales beyond exp(10^6) are 0 or infinite.
  static Real over_order(const Real& x, double s) {
    const double rough = x.hi / s;
    return std::abs(rough) < 1e6 ? x / Real(s) : Real(rough > 0.0 ? 1e6 : -1e6);
  }

  // log M(s)/s = sum_j kappa_j s^(j-1)/j! given R > 0: what follows j = 5 is negligible, and
  // nothing is divided by a tiny order.
  Real log_scale_series(double s, bool given_alive) const {
    const Cumulants kappa = cumulants(5);
    const Real third = (kappa[5] * (0.2 * s) + kappa[4]) * (0.25 * s) + kappa[3];
    const Real higher = third * (s / 3.0) + kappa[2];
    const Real result = -(kappa[1] + higher * (0.5 * s));
    return law.atom && !given_alive ? result - over_order(log_alive, s) : result;
  }

  Real log_scale_near_zero(double s, bool given_alive) const;

  // Cumulants 1 to n_max of log R given R > 0.
  Cumulants cumulants(int n_max) const {
    return cumulants_(n_max, [&] { return compute_cumulants(n_max); });
  }
  Cumulants compute_cumulants(int n_max) const;
  Cumulants mellin_cumulants(int n_max) const;
  Cumulants mixture_cumulants(int n_max) const;
  // The n-th cumulant of log R given R > 0, to the accuracy of a double.
  Real log_cumulant(int n) const {
    return numbers_(n, [&] { return compute_log_cumulant(n); });
  }
  Real compute_log_cumulant(int n) const;
  double cumulant_error(int n) const;
  Real log_mean() const { return log_cumulant(1); }
  double log_abs_third() const {
    return numbers_(0, [&] { return Real(compute_log_abs_third()); }).hi;
  }
  double compute_log_abs_third() const;
  Distribution distribution() const;

 private:
  Memory<Cumulants> cumulants_;
  Memory<Real> numbers_;
};

}  // namespace fracmoment
