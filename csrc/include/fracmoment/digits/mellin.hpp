// Real moments of X = R^2 by one trapezoid sum that is uniform in the law and flat in the width.
//
// For any integer m > p (m >= 1 if P(X = 0) > 0), with P(t) = E[(tX)^m e^(-tX)]/m!,
//     E[X^p; X > 0] = m!/Gamma(m-p) * integral over v of t^(-p) P(t), t = e^v
// (theory.md, 'Numerical notes'), and P(t) = [eps^m] (sum_j u_j(t) eps^j)^d is a sum of positive
// terms (unit_transform.hpp).
//
// Discretization. For a fixed X = x the integrand is x^p g(v + log x), g(v) = exp((m-p) v - e^v),
// and by Poisson's formula the trapezoid rule of step h over the whole line gives
//     x^p sum_k Gamma(m-p + 2 pi i k/h) x^(-2 pi i k/h).
// So its relative error is at most 2 sum_{k>=1} |Gamma(m-p + 2 pi i k/h)|/Gamma(m-p), whatever x:
// the bound survives any mixture over x, that is, it holds for every law. choose_step inverts it.
//
// Tails. The sum runs over the whole line. Left of v_0, L(t)^d is its Taylor series, right of v_1
// its series in 1/t (in t^(-1/2) if there is an atom); a power of t summed over the nodes of a half
// line is a geometric series, so both tails are summed exactly, however slowly they decay.
//
// Between, coarse samples of f(v) = t^(-p) P(t) find the nodes that count: f is a mixture of shifts
// of g, whose logarithm has second derivative at least -(m-p) e^D within D of its peak, so on an
// interval of length D, f <= exp((m-p)(e^D - 1 - D)) (f(left end) + f(right end)).
//
// Duality. For slopes bounded away from 0 Euler's transformation of the Dirichlet average
// E (sum b_i w_i)^p, w = z^2/|z|^2 (Carlson's R function), reads
//     E[B^p] = E[ prod b_i^(-1/2) (sum_i w_i/b_i)^(p*) ],  p* = -(d/2+p),  B = X/|z|^2,
// and turns orders below -d/4, down to any order of the ratio law, into p* > -d/4.
#pragma once

#include <vector>

#include "fracmoment/digits/complex.hpp"
#include "fracmoment/digits/cumulants.hpp"
#include "fracmoment/digits/series.hpp"
#include "fracmoment/digits/unit_transform.hpp"
#include "fracmoment/error.hpp"

namespace fracmoment::digits {

// Sums of f (v-c)^k over nodes v, k = 0..powers; k > 0 for logarithms only. For complex orders the
// real and the imaginary part of the sum of f e^(-i frequency v).
struct NodeSums {
  NodeSums(Bits bits, double center_, unsigned long powers, const Rational& frequency_)
      : sum(std::max(powers, 1UL) + 1, Real(bits)),
        frequency(bits, frequency_),
        center(center_),
        logs(powers > 0),
        wave(frequency_.sign() != 0) {}

  Complex phase(double v) const {
    return unit_circle(-(frequency * Real::from_double(frequency.bits(), v)));
  }

  void add(const Real& f, double v) {
    if (wave) {
      const Complex part = phase(v) * f;
      sum[0] += part.re;
      sum[1] += part.im;
      return;
    }
    sum[0] += f;
    if (!logs) return;
    const double offset = v - center;
    Real term = f;
    for (std::size_t k = 1; k < sum.size(); ++k) {
      mpfr_mul_d(term.get(), term.get(), offset, kNearest);
      sum[k] += term;
    }
  }

  // Nodes v = edge + h i, i = 0, 1, ... (h < 0: leftwards), where f = scale r^i, r = 1 - gap.
  void add_geometric(const Real& scale, const Real& gap, double edge, double h) {
    if (wave) {
      // scale e^(-i q edge)/(1 - (1-gap) e^(-i q h)), with 1 - cos(q h) = 2 sin(q h/2)^2
      const Complex turn = phase(h);
      const Complex half_turn = phase(0.5 * h);
      const Real versine = half_turn.im * half_turn.im * 2;
      const Complex total = phase(edge) * scale /
                            Complex(versine + gap * turn.re, (gap - Real(gap.bits(), 1)) * turn.im);
      sum[0] += total.re;
      sum[1] += total.im;
      return;
    }
    const Real first = scale / gap;
    sum[0] += first;
    if (logs) add_geometric_powers(first, gap, edge, h);
  }

  // With i geometric, P(i) = r^i gap: E i^k = (r/gap) sum_{j<k} C(k,j) E i^j.
  void add_geometric_powers(const Real& first, const Real& gap, double edge, double h) {
    const Bits bits = gap.bits();
    const Real offset = Real::from_double(bits, edge) - Real::from_double(bits, center);
    const Real step = Real::from_double(bits, h);
    const Real odds = Real(bits, 1) / gap - Real(bits, 1);
    std::vector<Real> moment{Real(bits, 1)};  // E (h i)^k/h^k
    for (std::size_t k = 1; k < sum.size(); ++k) {
      Real lower(bits);
      for (std::size_t j = 0; j < k; ++j) lower += moment[j] * binomial_coefficient(k, j);
      moment.push_back(lower * odds);
      Real mean(bits);  // E (offset + h i)^k
      for (std::size_t j = 0; j <= k; ++j)
        mean += moment[j] * pow(step, j) * pow(offset, k - j) * binomial_coefficient(k, j);
      sum[k] += first * mean;
    }
  }

  std::vector<Real> sum;
  Real frequency;
  double center;
  bool logs, wave;
};

// Cumulants 1..n of log X given X > 0 from those of v under the weights of the nodes at p = 0: with
// M(p) = sum w e^(-p v)/Gamma(m-p), the derivatives of log M.
inline std::vector<Real> log_cumulants_from_nodes(const std::vector<Real>& sums, double center,
                                                  unsigned long m) {
  std::vector<Real> moments;
  for (const Real& sum : sums) moments.push_back(sum / sums[0]);
  std::vector<Real> kappa = cumulants_from_moments(moments);
  const Bits bits = sums[0].bits();
  kappa[0] += Real::from_double(bits, center);
  for (std::size_t k = 0; k < kappa.size(); ++k) {
    kappa[k] -= polygamma(bits, k, Rational(static_cast<long>(m), 1));
    if (k % 2 == 0) kappa[k] = -kappa[k];
  }
  return kappa;
}

struct MellinPlan {
  double step;  // h
  double left;  // v_0; node i sits at v_0 + i h
  long nodes;   // nodes 1..nodes are summed one by one
  bool series_right;
};

// The largest step whose Poisson bound is below 2^-bits of Gamma(alpha). A complex order, alpha +
// iq, brings the nearest alias nearer by q.
inline double choose_step(double alpha, double bits, double frequency) {
  const double target = log_abs_gamma(alpha, 0.0) - bits * kLog2 - std::log(4.0);
  double low = 0.0;
  double high = 1.0;
  while (log_abs_gamma(alpha, high) > target) high *= 2.0;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (log_abs_gamma(alpha, middle) > target ? low : high) = middle;
  }
  return 2.0 * kPi / (high + frequency);
}

class MellinSum {
 public:
  // dual: the sum for p* in place of p. variant changes step, nodes and the ends of the middle
  // part.
  // target: bits relative to the moment of order Re p. cumulants: how many of log X, at p = 0.
  MellinSum(const Law& law, const ComplexRational& p, bool dual, unsigned long cumulants,
            Bits target, unsigned variant)
      : law_(law),
        p_(p.re),
        frequency_(p.im),
        dual_(dual),
        m_(derivative_order(law, p.re, cumulants > 0)),
        alpha_((Rational(static_cast<long>(m_), 1) - p.re).to_double()),
        target_(target),
        plan_(make_plan(variant)),
        bits_(working_bits()),
        sums_(bits_, center(), cumulants, p.im) {
    run();
  }

  // E[X^p; X > 0] (dual: under the dual measure).
  Complex moment() const {
    Real factor(bits_);
    mpfr_fac_ui(factor.get(), m_, kNearest);
    factor *= Real::from_double(bits_, plan_.step);
    const Rational alpha = Rational(static_cast<long>(m_), 1) - p_;
    return Complex(sums_.sum[0], sums_.sum[1]) * factor / gamma(bits_, {alpha, -frequency_});
  }

  std::vector<Real> log_cumulants() const {
    return log_cumulants_from_nodes(sums_.sum, sums_.center, m_);
  }

 private:
  static unsigned long derivative_order(const Law& law, const Rational& p, bool logs) {
    const long least = law.has_atom() || logs ? 1 : 0;
    return static_cast<unsigned long>(std::max(least, (p + Rational(1, 2)).ceil()));
  }

  // log of the largest squared slope (of 1/b for the dual), and of the smallest.
  double log_largest() const {
    return 2.0 * kLog2 * (dual_ ? -law_.log2_smallest() : law_.log2_largest());
  }
  double log_smallest() const {
    return 2.0 * kLog2 * (dual_ ? -law_.log2_largest() : law_.log2_smallest());
  }
  double center() const { return short_double(plan_.left); }

  MellinPlan make_plan(unsigned variant) const {
    const double wiggle = static_cast<double>(variant);
    const double precision = static_cast<double>(target_) + 24.0;
    const double width = static_cast<double>(law_.width);
    // Tails in powers of z: small enough for few terms, and for (1 + z)^d to stay near 1.
    const double reach = 2.5 + precision * kLog2 / 400.0 + 0.4 * wiggle;
    const double log_z = -std::max(reach, std::log(width + 2.0 * static_cast<double>(m_)));
    MellinPlan plan{};
    const double frequency = std::fabs(frequency_.to_double());
    plan.step = short_double(choose_step(alpha_, precision, frequency) * (1.0 - 0.06 * wiggle));
    plan.left = std::nearbyint((log_z - kLog2 - log_largest()) * 64.0) / 64.0;
    plan.series_right = !law_.vanishing();
    double right = -log_z - kLog2 - log_smallest();
    if (law_.has_atom()) {
      // Powers of t^(-1/2): (1 + slope/(atom sqrt(2t)))^d has to stay near 1 too.
      const double log_ratio = kLog2 * ((law_.one + law_.slope).log2_abs() - law_.atom.log2_abs());
      right = std::max(right, 2.0 * (std::log(4.0 * width) + log_ratio + log_inverse_slope()));
    }
    if (!plan.series_right) right = vanishing_end(right);
    const double count = std::ceil((right - plan.left) / plan.step);
    if (!(count < 2e7)) {
      throw ConvergenceError(
          "the order, slope or keep_prob is too extreme for the any-precision route at this width; "
          "ask for fewer digits or move away from the edge of the domain");
    }
    plan.nodes = std::max(1L, static_cast<long>(count));
    return plan;
  }

  // Bound of log E[b^(-1/2)].
  double log_inverse_slope() const { return -0.5 * log_smallest(); }

  // Slopes around 0 leave logarithms of t in the right tail, so the nodes run on until the
  // integrand has died. With A = v/2 + const, f decays at least at the rate d/2 (1 - 1/A) + p.
  double vanishing_end(double start) const {
    const double half = 0.5 * static_cast<double>(law_.width);
    const double rate = (law_.half_width() + p_).to_double();
    const double settled = start + 2.0 * half / std::max(0.5 * rate, 1.0);
    return settled + 2.0 * (static_cast<double>(target_) * kLog2 + 40.0) / rate;
  }

  Bits working_bits() const {
    const double span = std::fabs(plan_.left) + plan_.step * static_cast<double>(plan_.nodes);
    Bits bits = target_ + 24;
    bits += magnitude_bits(static_cast<double>(law_.width));
    bits += magnitude_bits(static_cast<double>(plan_.nodes));
    bits += magnitude_bits((std::fabs(p_.to_double()) + std::fabs(frequency_.to_double()) + 1.0) *
                           (span + 2.0));
    bits += law_.cancellation_bits();
    bits += UnitTransform::lost_bits(law_, m_, target_);
    if (dual_ && law_.kind == SlopeKind::kUniform) {
      // The dual recurrence loses a factor z = 2t/a^2 with every derivative.
      const double log2_z = plan_.left / kLog2 + 1.0 - 2.0 * law_.lower.log2_abs();
      bits += static_cast<Bits>(m_) * magnitude_bits_log2(-log2_z);
    }
    return bits;
  }

  double node(long i) const { return plan_.left + plan_.step * static_cast<double>(i); }

  // f at one node, in any precision.
  struct Evaluator {
    Evaluator(const Law& law, bool dual, unsigned long m, Bits bits, Bits target)
        : unit(law, dual, bits, UnitTransform::small_exponent(m, target)),
          power(law.width, m, bits),
          u(m + 1, Real(bits)) {}
    const Real& operator()(const Real& t) {
      unit(t, u);
      return power(u);
    }
    UnitTransform unit;
    PowerCoefficient power;
    std::vector<Real> u;
  };

  // log2 of f at every stride-th node, in low precision and only where needed.
  class Samples {
   public:
    Samples(const MellinSum& sum, long stride)
        : sum_(sum),
          stride_(stride),
          bits_(64 + (sum.bits_ - sum.target_)),
          evaluate_(sum.law_, sum.dual_, sum.m_, bits_, sum.target_),
          exponent_(bits_, -sum.p_),
          size_(static_cast<std::size_t>(sum.plan_.nodes / stride) + 1, -HUGE_VAL) {
      // Long blocks first: steep integrands of large widths are negligible nearly everywhere.
      const long last = sum.plan_.nodes / stride;
      const long block = std::max(1L, static_cast<long>(1.0 / length(1)));
      double left = at(0);
      for (long i = 0; i < last; i += block) at(std::min(i + block, last));
      for (long i = 0; i < last; i += block) {
        const long j = std::min(i + block, last);
        const double right = size_[static_cast<std::size_t>(j)];
        refine(i, left, j, right);
        left = right;
      }
    }

    // Whether nodes in (i, i+1] strides can matter.
    bool keep(long i) const {
      const auto k = static_cast<std::size_t>(i);
      return counts(std::max(size_[k], size_[k + 1]), 1);
    }
    double left() const { return size_.front(); }
    double right() const { return size_.back(); }
    double largest() const { return largest_; }

   private:
    double length(long strides) const {
      return sum_.plan_.step * static_cast<double>(stride_) * static_cast<double>(strides);
    }

    bool counts(double larger_end, long strides) const {
      const double d = length(strides);
      const double slack = sum_.alpha_ * (std::expm1(d) - d) / kLog2 +
                           std::log2(static_cast<double>(sum_.plan_.nodes)) + 32.0;
      return larger_end + slack > largest_ - static_cast<double>(sum_.target_);
    }

    double at(long i) {
      const Real v = Real::from_double(bits_, sum_.node(i * stride_));
      const double size = (exponent_ * v).to_double() / kLog2 + evaluate_(exp(v)).log2_abs();
      size_[static_cast<std::size_t>(i)] = size;
      largest_ = std::max(largest_, size);
      return size;
    }

    void refine(long i, double left, long j, double right) {
      if (j - i == 1 || !counts(std::max(left, right), j - i)) return;
      const long middle = i + (j - i) / 2;
      const double size = at(middle);
      refine(i, left, middle, size);
      refine(middle, size, j, right);
    }

    const MellinSum& sum_;
    long stride_;
    Bits bits_;
    Evaluator evaluate_;
    Real exponent_;
    std::vector<double> size_;
    double largest_ = -HUGE_VAL;
  };

  void run() {
    const double coarse = std::min(1.0, 2.0 / std::sqrt(alpha_));
    const long stride = std::max(1L, static_cast<long>(coarse / plan_.step));
    // Whole strides, so that the last sample is the last node.
    plan_.nodes = (plan_.nodes + stride - 1) / stride * stride;
    const Samples samples(*this, stride);
    largest_ = samples.largest();
    left_size_ = samples.left();
    right_size_ = samples.right();
    Evaluator evaluate(law_, dual_, m_, bits_, target_);
    const Real exponent(bits_, -p_);
    const Real step = Real::from_double(bits_, plan_.step);
    const Real t_ratio = exp(step);
    const Real f_ratio = exp(step * exponent);
    Real t(bits_);
    Real power(bits_);
    Real f(bits_);
    bool running = false;
    for (long i = 1; i <= plan_.nodes; ++i) {
      if (!samples.keep((i - 1) / stride)) {
        running = false;
        i += stride - 1;  // i - 1 is a multiple of stride here
        continue;
      }
      if (running) {
        t *= t_ratio;
        power *= f_ratio;
      } else {
        const Real v = Real::from_double(bits_, node(i));
        t = exp(v);
        power = exp(v * exponent);
        running = true;
      }
      mpfr_mul(f.get(), power.get(), evaluate(t).get(), kNearest);
      sums_.add(f, node(i));
    }
    add_left();
    if (plan_.series_right) add_right();
  }

  // 1 - e^(-beta h), beta an exact rational.
  Real first_gap(const Rational& beta) const {
    return -expm1(-Real(bits_, beta) * Real::from_double(bits_, plan_.step));
  }

  // Whether a tail starting at a node of this size can matter: f is at most a constant times
  // e^(-beta |v - edge|) beyond it.
  bool negligible(double size, const Real& gap) const {
    return size - gap.log2_abs() + 24.0 < largest_ - static_cast<double>(target_ + 16);
  }

  // Nodes 0, -1, -2, ...: t^(-p) (-t)^m/m! D^m applied to L^d = sum_k r_k t^k.
  void add_left() {
    const Rational alpha = Rational(static_cast<long>(m_), 1) - p_;
    Real gap = first_gap(alpha);
    if (negligible(left_size_, gap)) return;
    const double edge = node(0);
    const Real v = Real::from_double(bits_, edge);
    const Real t = exp(v);
    const Real shrink = exp(Real::from_double(bits_, -plan_.step));
    const Real shrink_gap = first_gap(Rational(1, 1));
    BinomialSeries series(law_, dual_, true, bits_);
    SeriesPower power(law_.width, bits_);
    Real scale = exp(v * Real(bits_, alpha));  // binom(k, m) t^(k-p), with the sign of (-1)^m
    if (m_ % 2 == 1) scale = -scale;
    int small = 0;
    for (unsigned long k = 0; small < 4; ++k) {
      Real l = series.next();
      if (k == 0) l += Real(bits_, law_.atom);
      const Real& r = power.append(std::move(l));
      if (k < m_) continue;
      const Real term = scale * r;
      sums_.add_geometric(term, gap, edge, -plan_.step);
      small = settled(term, gap) ? small + 1 : 0;
      scale *= t;
      scale *= static_cast<long>(k + 1);
      scale /= static_cast<long>(k + 1 - m_);
      gap = gap * shrink + shrink_gap;
    }
  }

  bool settled(const Real& term, const Real& gap) const {
    return term.log2_abs() - gap.log2_abs() <
           sums_.sum[0].log2_abs() - static_cast<double>(target_ + 32);
  }

  // Nodes beyond the last one: the same operator on powers t^(-kappa), kappa = d/2 + k without an
  // atom, k/2 with one; it multiplies t^(-kappa) by kappa (kappa+1) ... (kappa+m-1)/m!.
  void add_right() {
    const bool atom = law_.has_atom();
    const long twice_step = atom ? 1 : 2;
    long twice_kappa = atom ? 0 : static_cast<long>(law_.width);
    const double edge = node(plan_.nodes + 1);
    const Real v = Real::from_double(bits_, edge);
    const Rational first = Rational(atom ? 1 : twice_kappa, 2) + p_;
    Real gap = first_gap(first);
    if (negligible(right_size_, gap)) return;
    const Rational delta(twice_step, 2);
    const Real step_gap = first_gap(delta);
    const Real shrink = Real(bits_, 1) - step_gap;
    const Real t_step = exp(-v * Real(bits_, delta));
    BinomialSeries series(law_, !dual_, false, bits_);
    SeriesPower power(law_.width, bits_);
    Real scale = exp(-v * Real(bits_, first));
    int small = 0;
    for (long k = 0; small < 4; ++k, twice_kappa += twice_step) {
      const Real& r = power.append(atom && k % 2 == 0 ? Real(bits_, k == 0 ? law_.atom : Rational())
                                                      : series.next());
      if (twice_kappa == 0) continue;
      Real term = scale * r;
      for (unsigned long i = 0; i < m_; ++i) {
        term *= twice_kappa + 2 * static_cast<long>(i);
        term /= 2 * static_cast<long>(i + 1);
      }
      sums_.add_geometric(term, gap, edge, plan_.step);
      small = settled(term, gap) ? small + 1 : 0;
      scale *= t_step;
      gap = gap * shrink + step_gap;
    }
  }

  const Law& law_;
  Rational p_, frequency_;
  bool dual_;
  unsigned long m_;
  double alpha_;
  Bits target_;
  MellinPlan plan_;
  Bits bits_;
  NodeSums sums_;
  double largest_ = 0.0, left_size_ = 0.0, right_size_ = 0.0;
};

}  // namespace fracmoment::digits
