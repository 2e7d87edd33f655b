// Cumulants of log R: from a Mellin rule, from the mixture, of one unit, or by expansion.
#include "fracmoment/kernels.hpp"
#include "fracmoment/special/polygamma.hpp"
#include "law_impl.hpp"

namespace fracmoment {

namespace {

// f and x f'.
struct WithSlope {
  Pair<double> value{0.0, 0.0}, slope{0.0, 0.0};
};

WithSlope end_sum_with_slope(const EndSum& end, const Pair<double>& x) {
  WithSlope top;
  Pair<double> bottom{1.0, 0.0}, log_slope{0.0, 0.0};
  for (int j = end.count - 1; j >= 0; --j) {
    top.slope = top.slope * x + top.value;
    top.value = top.value * x + Pair<double>(end.numerator[j]);
    const Pair<double> gone = Pair<double>(end.ratio[j]) * x, left = -gone + 1.0;
    bottom = bottom * left;
    log_slope = log_slope + gone * reciprocal(left);
  }
  const Pair<double> inverse = reciprocal(bottom), value = top.value * inverse;
  return {value, top.slope * x * inverse + value * log_slope};
}

// sum_{i<n} w_i x^i + rest x^n in four interleaved chains, sums in x^4.
WithSlope polynomial_with_slope(const MellinRule& rule, const WithSlope& rest,
                                const Pair<double>& x) {
  constexpr int chains = 4;
  const Pair<double> x2 = x * x, x4 = x2 * x2;
  WithSlope part[chains];
  std::int64_t i = (rule.count + chains - 1) / chains * chains;
  while ((i -= chains) >= 0)
    for (int j = 0; j < chains; ++j) {
      WithSlope& sum = part[j];
      sum.slope = sum.slope * x4 + sum.value * x4;
      sum.value = sum.value * x4;
      if (i + j < rule.count) sum.value = sum.value + Pair<double>(rule.hi[i + j], rule.lo[i + j]);
    }
  WithSlope sum;
  for (int j = chains; j-- > 0;) {
    sum.slope = sum.slope * x + sum.value * x + part[j].slope * double(chains);
    sum.value = sum.value * x + part[j].value;
  }
  Pair<double> power{1.0, 0.0}, base = x;  // x^n
  for (std::int64_t n = rule.count; n > 0; n /= 2, base = base * base)
    if (n % 2 == 1) power = power * base;
  sum.slope = sum.slope + (rest.slope + rest.value * double(rule.count)) * power;
  sum.value = sum.value + rest.value * power;
  return sum;
}

// The mean of log X under a rule's weights at order 0, ends included: with S(z) the sum of
// mellin_sum it is h (first + z S'/S).
Real mean_under_weights(const MellinRule& rule) {
  const Pair<double> z(exp(two_prod(rule.plan.p0, rule.plan.h))), back = reciprocal(z);
  const WithSlope sum = polynomial_with_slope(rule, end_sum_with_slope(rule.ends.right, z), z);
  const WithSlope left = end_sum_with_slope(rule.ends.left, back);
  const Real value = normalized(sum.value + left.value * back);
  const Real slope = normalized(sum.slope - (left.slope + left.value) * back);
  return (slope / value + double(rule.plan.first)) * rule.plan.h;
}

// Mean and central moments of log X under a rule's weights at order 0; a rule without ends.
Real central_moments(const MellinRule& rule, Cumulants& central, int n_max) {
  const MellinPlan& plan = rule.plan;
  std::vector<Real> w(std::size_t(rule.count));
  Real total{0.0}, mean{0.0};
  const Real step = exp(Real(plan.p0 * plan.h));
  Real tilt = exp(two_prod(plan.p0, double(plan.first - plan.reference) * plan.h));
  const auto v = [&](std::size_t i) { return double(plan.first + std::int64_t(i)) * plan.h; };
  for (std::size_t i = 0; i < w.size(); ++i, tilt = tilt * step) {
    w[i] = Real(rule.hi[i], rule.lo[i]) * tilt;
    total = total + w[i];
    mean = mean + w[i] * v(i);
  }
  mean = mean / total;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const Real x = Real(v(i)) - mean;
    Real power = w[i];
    for (int j = 1; j <= n_max; ++j) {
      power = power * x;
      central[std::size_t(j)] = central[std::size_t(j)] + power;
    }
  }
  central[1] = Real(0.0);
  for (int j = 2; j <= n_max; ++j) central[std::size_t(j)] = central[std::size_t(j)] / total;
  return mean;
}

// psi^(m)(n/2) for n = 1, ..., as many as the mixture has terms: the last two, and downwards
// psi^(m)(x) = psi^(m)(x+1) - (-1)^m m!/x^(m+1), from m = 1 on a sum of numbers of one sign.
std::vector<Real> half_integer_polygammas(int m, const Rule& mixture) {
  const std::size_t n = mixture.hi.size();
  std::vector<Real> result(n);
  const std::size_t known = std::min<std::size_t>(n, 2);
  std::vector<Real> last;
  for (std::size_t i = n - known; i < n; ++i) last.push_back(Real(0.5 * (double(i) + 1.0)));
  kernels().polygammas(m, last.data(), result.data() + (n - known), known);
  double factor = m % 2 == 0 ? -1.0 : 1.0;  // -(-1)^m m!
  if (m % 2 == 0)                           // the kernel returns (-1)^(m+1) psi^(m)
    for (Real& x : result) x = -x;
  for (int i = 2; i <= m; ++i) factor *= i;
  for (std::size_t i = n - known; i-- > 0;) {
    const Real inverse{2.0 * mixture.inverse_hi[i], 2.0 * mixture.inverse_lo[i]};  // 1/x
    result[i] = result[i + 2] + integer_power(inverse, m + 1) * factor;
  }
  return result;
}

}  // namespace

// Cumulants of log X: log M(p) = log S(p) - log Gamma(m-p) - log (d/2+p)_k, S the sum of the rule.
Cumulants GainLaw::Impl::mellin_cumulants(int n_max) const {
  const Rule& r = rule(n_max == 1 ? 0 : kTight);
  const MellinPlan& plan = r.state.mellin.plan;
  Cumulants central{}, kappa{}, result{};
  const Real mean = n_max == 1 ? mean_under_weights(r.state.mellin)
                               : central_moments(r.state.mellin, central, n_max);
  cumulants_from_moments(central, kappa, n_max);
  kappa[1] = mean;
  double factorial = 1.0;  // (j-1)!
  for (int j = 1; j <= n_max; ++j) {
    if (j > 1) factorial *= j - 1;
    const double sign = j % 2 == 0 ? 1.0 : -1.0;  // (-1)^j
    Real value = kappa[std::size_t(j)] - polygamma(j - 1, Real(double(plan.m)));
    value = value * sign;
    for (int i = 0; i < plan.k; ++i)
      value = value + Real(sign * factorial) / integer_power(Real(0.5 * base.width + i), j);
    result[std::size_t(j)] = value;
  }
  return result;
}

// log X given n live units has cumulants psi^(j-1)(n/2) (+ log 2): mixed over n >= 1.
Cumulants GainLaw::Impl::mixture_cumulants(int n_max) const {
  const Rule& r = rule(0);
  const std::size_t n = r.hi.size();
  std::vector<std::vector<Real>> part;
  for (int j = 0; j <= n_max; ++j)
    part.push_back(j == 0 ? std::vector<Real>() : half_integer_polygammas(j - 1, r));
  Real total{0.0}, mean{0.0};
  for (std::size_t i = n; i-- > 0;) {
    const Real w{r.hi[i], r.lo[i]};
    total = total + w;
    mean = mean + w * part[1][i];
  }
  mean = mean / total;
  Cumulants central{}, kappa{};
  for (std::size_t i = 0; i < n && n_max > 1; ++i) {
    const Real w{r.hi[i], r.lo[i]};
    Cumulants given{}, moment{};
    for (int j = 1; j <= n_max; ++j) given[std::size_t(j)] = part[std::size_t(j)][i];
    given[1] = given[1] - mean;
    moments_from_cumulants(given, moment, n_max);
    for (int j = 1; j <= n_max; ++j)
      central[std::size_t(j)] = central[std::size_t(j)] + w * moment[std::size_t(j)];
  }
  for (int j = 1; j <= n_max; ++j)
    central[std::size_t(j)] = j == 1 ? Real(0.0) : central[std::size_t(j)] / total;
  cumulants_from_moments(central, kappa, n_max);
  kappa[1] = mean + log_two();
  return kappa;
}

// Cumulants of log b given b > 0, one unit.
static Cumulants slope_cumulants(const UnitLaw& unit, int n_max) {
  Cumulants m{}, kappa{};
  Real mass{0.0};
  for (int i = 0; i < unit.points; ++i) {
    mass = mass + unit.weight[i];
    const Real x = log(unit.point[i]);
    Real power = unit.weight[i];
    for (int j = 1; j <= n_max; ++j) {
      power = power * x;
      m[std::size_t(j)] = m[std::size_t(j)] + power;
    }
  }
  if (unit.uniform) {  // int log^j x dx = x log^j x - j int log^(j-1) x dx
    mass = mass + unit.uniform_weight;
    const Real density = unit.uniform_weight / (unit.upper - unit.lower);
    for (int end = 0; end < 2; ++end) {
      const Real x = end ? unit.lower : unit.upper;
      if (x.hi == 0.0) continue;
      const Real ax = x.hi < 0.0 ? -x : x, lx = log(ax);
      Real integral = (x.hi < 0.0) != bool(end) ? -ax : ax, power = integral;
      double two = 1.0;
      for (int j = 1; j <= n_max; ++j) {
        power = power * lx;
        integral = power - integral * double(j);
        two *= 2.0;
        m[std::size_t(j)] = m[std::size_t(j)] + integral * density * two;
      }
    }
  }
  for (int j = 1; j <= n_max; ++j) m[std::size_t(j)] = m[std::size_t(j)] / mass;
  cumulants_from_moments(m, kappa, n_max);
  return kappa;
}

// Of log R given R > 0.
Cumulants GainLaw::Impl::compute_cumulants(int n_max) const {
  Cumulants r{};
  const auto chi_cumulant = [&](double d, int j) {
    const Real x = polygamma(j - 1, Real(0.5 * d));
    return j == 1 ? x + log_two() : x;
  };
  if (law.kind == LawKind::one) return r;
  const UnitLaw& unit = law.unit;
  if (law.kind == LawKind::chi) {
    for (int j = 1; j <= n_max; ++j) r[std::size_t(j)] = chi_cumulant(base.width, j);
  } else if (law.kind == LawKind::none) {
    r = slope_cumulants(unit, n_max);  // log X = log b + log chi^2_1, independent
    for (int j = 1; j <= n_max; ++j) r[std::size_t(j)] = r[std::size_t(j)] + chi_cumulant(1.0, j);
  } else {
    bool done = false;
    if (n_max > 1) {
      const WideExpansion wide(unit);
      if (wide.applies()) {
        r = wide.cumulants(n_max);
        done = true;
      }
    }
    if (!done && law.kind == LawKind::mixture) r = mixture_cumulants(n_max);
    if (!done && law.kind == LawKind::mellin) r = mellin_cumulants(n_max);
  }
  double scale = 1.0;
  for (int j = 1; j <= n_max; ++j) {
    scale *= 0.5;
    Real value = r[std::size_t(j)];
    if (base.ratio && law.kind != LawKind::one) value = value - chi_cumulant(base.width, j);
    r[std::size_t(j)] = scale_by(value, scale);
  }
  r[1] = r[1] + base.log_factor;
  return r;
}

}  // namespace fracmoment
