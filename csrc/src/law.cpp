// Gain laws: moments, scales, tail indices and the calls of everything else.
#include "fracmoment/gains/law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "fracmoment/kernels.hpp"
#include "fracmoment/special/polygamma.hpp"
#include "law_impl.hpp"

namespace fracmoment {
namespace {

constexpr double kTinyOrder = 1e-5;         // scales of smaller orders come from cumulants
constexpr double kLargestImaginary = 16.0;  // of orders: sums cancel too much beyond
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Whether a moment may be right: the sum of a rule for orders far below -width can leave the range
// of doubles where the moment does not.
bool in_range(double moment) { return moment > 0.0 && moment < kInfinity; }

}  // namespace

bool operator==(const LawSpec& a, const LawSpec& b) {
  return a.width == b.width && a.lower == b.lower && a.upper == b.upper &&
         a.keep_prob == b.keep_prob && a.inverted == b.inverted && a.orthogonal == b.orthogonal;
}

GainLaw::GainLaw(const LawSpec& spec) : impl_(std::make_unique<Impl>(spec)) {}
GainLaw::~GainLaw() = default;
GainLaw::GainLaw(GainLaw&&) noexcept = default;
GainLaw& GainLaw::operator=(GainLaw&&) noexcept = default;
const LawSpec& GainLaw::spec() const { return impl_->spec; }

void GainLaw::moments(const double* order, double* out, std::size_t n, bool given_alive) const {
  if (n == 0) return;
  if (impl_->law.kind == LawKind::chi) {
    const std::vector<double> width(n, impl_->base.width);
    kernels().chi_moments(width.data(), order, out, n);
    return;
  }
  const auto by_rule = [&](const Rule& r, const double* s, const std::size_t* index,
                           std::size_t m) {
    const LawState state = impl_->adjusted(r, given_alive);
    std::vector<double> part(index == nullptr ? 0 : m);
    double* const values = index == nullptr ? out : part.data();
    kernels().moments(state, s, values, m);
    if (state.kind == LawKind::mellin && state.mellin.plan.k > 0)
      for (std::size_t i = 0; i < m; ++i)
        if (!in_range(values[i])) values[i] = any_precision_moment(impl_->spec, s[i], given_alive);
    if (index == nullptr) return;
    for (std::size_t i = 0; i < m; ++i) out[index[i]] = part[i];
  };
  impl_->grouped(order, n, by_rule, [&](double s, std::size_t i) {
    out[i] = any_precision_moment(impl_->spec, s, given_alive);
  });
}

void GainLaw::moments(const std::complex<double>* order, std::complex<double>* out, std::size_t n,
                      bool given_alive) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double size = std::abs(order[i].imag());
    int level = 1;
    while (level < RuleBook::kPreciseLevel && size > std::ldexp(1.0, level)) ++level;
    const bool level_free = impl_->law.kind != LawKind::mellin;
    const Rule* r = nullptr;
    try {
      if (level_free || size <= kLargestImaginary)
        r = &impl_->rule(impl_->bucket(order[i].real()), level_free ? 0 : level);
    } catch (const ConvergenceError&) {  // no rule in double-double
    }
    if (r == nullptr) {
      out[i] = any_precision_complex_moment(impl_->spec, order[i], given_alive);
      continue;
    }
    const LawState state = impl_->adjusted(*r, given_alive);
    // neighbours with the same rule go together
    std::size_t end = i + 1;
    while (end < n && impl_->bucket(order[end].real()) == impl_->bucket(order[i].real()) &&
           std::abs(order[end].imag()) <= std::ldexp(1.0, level) &&
           (level == 1 || std::abs(order[end].imag()) > std::ldexp(1.0, level - 1)))
      ++end;
    kernels().complex_moments(state, reinterpret_cast<const double*>(order + i),
                              reinterpret_cast<double*>(out + i), end - i);
    for (; i < end; ++i)
      if (std::isnan(out[i].real()))
        out[i] = any_precision_complex_moment(impl_->spec, order[i], given_alive);
    i = end - 1;
  }
}

Real GainLaw::Impl::log_scale_near_zero(double s, bool given_alive) const {
  if (s == 0.0) return -log_mean();
  try {
    return log_scale_series(s, given_alive);
  } catch (const ConvergenceError&) {
    return any_precision_log_scale(spec, s, given_alive);
  }
}

void GainLaw::log_scales(const double* order, Real* out, std::size_t n, bool given_alive,
                         bool precise) const {
  if (n == 0) return;
  const bool other_rule = precise && impl_->law.kind == LawKind::mellin;
  std::vector<Real> values;
  const auto by_rule = [&](const Rule& plain, const double* s, const std::size_t* index,
                           std::size_t m) {
    const Rule& r = other_rule ? impl_->rule(impl_->bucket(*s), RuleBook::kPreciseLevel) : plain;
    values.resize(m);
    if (m > 1 || *s != 0.0) r.log_moments(s, m, values.data());
    for (std::size_t i = 0; i < m; ++i) {
      Real& log_scale = out[index == nullptr ? i : index[i]];
      if (std::abs(s[i]) < kTinyOrder)
        log_scale = impl_->log_scale_near_zero(s[i], given_alive);
      else if (std::isfinite(values[i].hi))
        log_scale = impl_->log_scale_from(r, s[i], values[i], given_alive);
      else
        log_scale = any_precision_log_scale(impl_->spec, s[i], given_alive);
    }
  };
  impl_->grouped(order, n, by_rule, [&](double s, std::size_t i) {
    out[i] = any_precision_log_scale(impl_->spec, s, given_alive);
  });
}

void GainLaw::scales(const double* order, double* out, std::size_t n, bool given_alive) const {
  std::vector<Real> logs(n);
  log_scales(order, logs.data(), n, given_alive);
  kernels().exponentials(logs.data(), out, n);
}

namespace {

// The root of an increasing function with f(lo) < 0 < f(hi), by the Illinois variant of false
// position, to the last bits of the root.
template <class F>
double increasing_root(F&& f, double lo, double flo, double hi, double fhi) {
  int last = 0;
  for (int i = 0; i < 200 && hi - lo > 4e-16 * hi; ++i) {
    double x = i < 60 ? (lo * fhi - hi * flo) / (fhi - flo) : 0.5 * (lo + hi);
    if (!(x > lo && x < hi)) x = 0.5 * (lo + hi);
    if (x == lo || x == hi) break;
    const double fx = f(x);
    if (fx == 0.0) return x;
    if (fx < 0.0) {
      lo = x;
      flo = fx;
      if (last == -1) fhi *= 0.5;
      last = -1;
    } else {
      hi = x;
      fhi = fx;
      if (last == 1) flo *= 0.5;
      last = 1;
    }
  }
  return 0.5 * (lo + hi);
}

}  // namespace

void GainLaw::tail_indices(const double* sigma, double* out, std::size_t n) const {
  const Real log_mean = impl_->log_mean();
  for (std::size_t i = 0; i < n; ++i) {
    const Real log_sigma = log(Real(sigma[i]));
    // With an atom the drift is -infinity and a root exists whatever the scale; it is far below
    // 1e-9 where the drift given R > 0 is positive, unless the layer is narrow.
    if (!impl_->law.atom && (log_sigma + log_mean).hi >= 0.0) {
      out[i] = 0.0;
      continue;
    }
    if (impl_->base.ratio && (log_sigma + impl_->base.log_factor).hi <= 0.0) {
      out[i] = kInfinity;
      continue;
    }
    // log E(sigma R)^s / s increases from the drift (or from -infinity with an atom) through 0
    const auto value = [&](double s) {
      Real log_scale;
      log_scales(&s, &log_scale, 1, false, true);
      return to_double(log_sigma - log_scale);
    };
    double lo = 0.0, flo = to_double(log_sigma + log_mean), hi = 1.0, fhi = value(hi);
    while (fhi < 0.0 && hi < 1e9) {
      lo = hi;
      flo = fhi;
      hi *= 2.0;
      fhi = value(hi);
    }
    if (lo == 0.0) {
      double probe = 0.5;
      while (probe > 1e-9) {
        const double f = value(probe);
        if (f < 0.0) {
          lo = probe;
          flo = f;
          break;
        }
        hi = probe;
        fhi = f;
        probe *= 0.25;
      }
      if (lo == 0.0 && impl_->law.atom) {
        out[i] = 0.0;
        continue;
      }
    }
    out[i] = fhi == 0.0 ? hi : increasing_root(value, lo, flo, hi, fhi);
  }
}

// Absolute error of a cumulant of log R by double-doubles, n from 2 to 4, as measured: rules lose
// what psi^(n-1)(3) cancels, and what a narrow range of slopes divides by; ratio laws what log chi
// takes away. docs/algorithms/logarithms.md has the figures.
double GainLaw::Impl::cumulant_error(int n) const {
  constexpr double of_rules[] = {0.0, 0.0, 2e-26, 2e-25, 2e-24}, of_ratios = 1e-28;
  double error = 0.0;
  if (const WideExpansion wide(law.unit); wide.applies()) {
    error = 10.0 * wide.omitted();
  } else if (law.kind == LawKind::mellin) {
    error = of_rules[n];
    if (law.unit.uniform) {
      const double largest = std::max(std::abs(law.unit.lower.hi), std::abs(law.unit.upper.hi));
      const double range = (law.unit.upper.hi - law.unit.lower.hi) / largest;
      error += std::min(5e-23, 5e-29 / (range * range));
    }
  }
  if (base.ratio)
    error += of_ratios * std::pow(0.25 * polygamma(1, Real(0.5 * base.width)).hi, 0.5 * n);
  return error;
}

Real GainLaw::Impl::compute_log_cumulant(int n) const {
  if (n <= kAccurateCumulant) {
    try {
      const Cumulants all = cumulants(n);
      const Real value = all[std::size_t(n)];
      if (n == 1 || law.kind == LawKind::one || law.kind == LawKind::chi) return value;
      // of the larger of the cumulant and its natural unit, less than a tenth of an ulp
      const double size = std::max(std::abs(value.hi), std::pow(all[2].hi, 0.5 * n));
      if (1e-17 * size >= cumulant_error(n)) return value;
    } catch (const ConvergenceError&) {  // no rule in double-double
    }
  }
  return any_precision_log_cumulant(spec, n);
}

double GainLaw::log_mean() const { return to_double(impl_->log_mean()); }
double GainLaw::log_var() const { return log_cumulant(2); }
double GainLaw::log_cumulant(int n) const { return to_double(impl_->log_cumulant(n)); }

Distribution GainLaw::Impl::distribution() const {
  return Distribution(
      {describe(spec, true).unit, law.factor, log_alive, base.ratio, law.kind == LawKind::one});
}

void GainLaw::pdf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().pdf(r, out, n);
}
void GainLaw::cdf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().cdf(r, out, n);
}
void GainLaw::sf(const double* r, double* out, std::size_t n) const {
  impl_->distribution().sf(r, out, n);
}
void GainLaw::ppf(const double* q, double* out, std::size_t n) const {
  impl_->distribution().quantile(q, out, n, false);
}
void GainLaw::isf(const double* q, double* out, std::size_t n) const {
  impl_->distribution().quantile(q, out, n, true);
}
void GainLaw::centred_tails(const double* x, double* log_p, double* density, std::size_t n,
                            bool upper) const {
  impl_->distribution().centred_tails(impl_->log_mean(), x, log_p, density, n, upper);
}
void GainLaw::centred_density(const Real* x, double* out, std::size_t n) const {
  impl_->distribution().centred_density(impl_->log_mean(), x, out, n);
}
double GainLaw::Impl::compute_log_abs_third() const {
  const double variance = std::max(log_cumulant(2).hi, 1e-300);
  return distribution().log_abs_third(log_mean(), std::sqrt(variance));
}
double GainLaw::log_abs_third() const { return impl_->log_abs_third(); }

double GainLaw::prob_zero() const {
  return impl_->law.atom ? exp_rounded(impl_->log_dead_power()) : 0.0;
}
double GainLaw::prob_alive() const { return impl_->law.atom ? exp_rounded(impl_->log_alive) : 1.0; }

namespace {

// Calls f(law, begin, count) for each run of equal neighbours.
template <class F>
void each_law(const LawSpec* specs, std::size_t n, F&& f) {
  each_run(specs, n, [&](std::size_t i, std::size_t count) { f(GainLaw(specs[i]), i, count); });
}

}  // namespace

void law_moments(const double* order, const LawSpec* specs, double* out, std::size_t n,
                 bool given_alive) {
  each_law(specs, n, [&](const GainLaw& law, std::size_t i, std::size_t count) {
    law.moments(order + i, out + i, count, given_alive);
  });
}
void law_scales(const double* order, const LawSpec* specs, double* out, std::size_t n,
                bool given_alive) {
  each_law(specs, n, [&](const GainLaw& law, std::size_t i, std::size_t count) {
    law.scales(order + i, out + i, count, given_alive);
  });
}
void law_log_means(const LawSpec* specs, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = i > 0 && specs[i] == specs[i - 1] ? out[i - 1] : GainLaw(specs[i]).log_mean();
}
void law_log_vars(const LawSpec* specs, double* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = i > 0 && specs[i] == specs[i - 1] ? out[i - 1] : GainLaw(specs[i]).log_var();
}

void chi_moments(const double* width, const double* order, double* out, std::size_t n) {
  kernels().chi_moments(width, order, out, n);
}

}  // namespace fracmoment
