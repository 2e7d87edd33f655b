// Moments of X = Y_1 + ... + Y_d from the Laplace transform of one neuron.
//
// With P_mk(t) the coefficient of e^m f^k in U(e, f)^d (unit.hpp), for any integers m > p, k >= 0,
//   E X^p = m! k! / (Gamma(m-p) (d/2+p)_k) int_0^inf t^(-p-1) P_mk(t) dt ,
//   E B^p = 2^(-p) m! k! Gamma(d/2) / (Gamma(m-p) Gamma(d/2+k+p)) times the same integral,
// B = X/chi^2_d the ratio law (Beta integral: 1/(1+2tB) to the power d/2+k times (1-y)^m). Every
// P_mk is a sum of positive terms. In v = log t the trapezoidal rule with step h errs relatively by
// at most 2 |Gamma(c+iw) Gamma(e+iw)| / (Gamma(c) Gamma(e)), w = 2 pi/h, c = m-p, e = d/2+k+p,
// whatever the law, since |E B^(p-iw)| <= E B^p. The order enters only through exp(-p v): a rule
// (nodes and weights at a reference order) is a polynomial in exp(-(p - p0) h).
// Derivation, ranges and bounds: docs/algorithms/mellin.md.
#pragma once

#include <algorithm>
#include <vector>

#include "fracmoment/gains/ends.hpp"
#include "fracmoment/gains/unit.hpp"

namespace fracmoment {

constexpr int kMaxRaise = 88;  // largest k

// What to compute: chosen by the caller for the orders p in [p0 - reach, p0 + reach].
struct MellinPlan {
  int m = 0, k = 0;
  double p0 = 0.0, reach = 0.5;
  double h = 0.0;                         // step in log t
  std::int64_t first = 0, reference = 0;  // v = index * h; weights are relative to v_reference
  // Leave out the part with one live unit, exp(log_single) of all; with it the whole is at least
  // exp(log_whole) times the sum.
  bool drop_single = false;
  Real log_single{0.0};
  double log_whole = 0.0;
  double target = 44.0;        // what is left out is below exp(-target) of the whole
  bool complex = false;        // sums will cancel
  double tail_exponent = 1.0;  // the integrand decays at least like exp(-tail_exponent v)
  double all_decay = 0.0;      // beyond this v every scale b has decayed
  // Ends of known ratios (ends.hpp), none if the number of rates is 0. On the left the integrand is
  // a sum of exp(r v), r = m-p, m-p+1, ...; on the right of exp(-r v) v^l with `levels` rates r
  // from tail_first + p on, tail_step apart, l < multiplicity, which grows from level to level.
  int left_rates = 0, tail_levels = 0, multiplicity = 1, multiplicity_growth = 0;
  double tail_first = 0.0, tail_step = 1.0;
};
// What lies beyond the nodes of a rule.
struct MellinEnds {
  EndSum left, right;
};

inline namespace FRACMOMENT_ISA {

// Nodes are made in chunks, phase by phase: each phase is one long chain of dependent operations,
// and the processor overlaps the chains of neighbouring nodes only if they are short.
constexpr int kGroup = 8;  // the sum is looked at after every group, on every instruction set alike
constexpr int kChunk = 16;

// The local expansion at some nodes: L, 1 - L, and the series in e scaled by 2^down a power.
template <class V>
struct LocalSeries {
  Pair<V> L, below_one, u[kMaxDerivative + 1];
};
template <class V>
struct MellinNode {
  IntOf<V> down, lift;  // powers of e and f are scaled by 2^down and 2^lift
  DD<V> log_power;      // log P_00 = d log L
  Pair<V> value;        // P_mk/P_00 * 2^(m down + k lift)
  Pair<V> raised;       // P_0k/P_00 * 2^(k lift)
  Pair<V> single;       // the part of P_mk with one live unit over d dead^(d-1), scaled likewise
};

// How many terms of Miller's recurrence count: those beyond `near` are below 2^-37 of the sum,
// those beyond `far` below 2^-91.
struct MillerTerms {
  int near, far;
};

template <bool Full, class V>
class MellinKernel {
 public:
  static constexpr int kVectors = kChunk / LaneTraits<V>::lanes;

  MellinKernel(const UnitLaw& law, const MellinPlan& plan)
      : law_(law), plan_(plan), uniform_(law, plan.m, plan.complex) {
    for (int j = 0; j <= plan.m; ++j)
      for (int l = 0; l <= plan.k; ++l) coefficient_.push_back(unit_coefficient(j, l));
    for (int i = 0; i < law.points; ++i) smallest_ = std::min(smallest_, law.point[i].hi);
    if (law.uniform) {
      smallest_ = std::min(smallest_, law.lower.hi * law.lower.hi);
      set_gap();
    }
  }

  FRACMOMENT_INLINE void nodes(const DD<V>* at, MellinNode<V>* r) const {
    Pair<V> t[kVectors];
    for (int i = 0; i < kVectors; ++i) {  // 1-y is about 2t far on the left: keep its powers near 1
      t[i] = Pair<V>(at[i]);
      const V two_t = t[i].hi + t[i].hi;
      const IntOf<V> e = ((bits(two_t) >> 52) & std::int64_t(2047)) - std::int64_t(1023);
      r[i].down = select(two_t < 1.0, -e, IntOf<V>{});
      r[i].lift = IntOf<V>{};
    }
    if (plan_.k > 0) {
      for (int i = 0; i < kVectors; ++i) plane(t[i], r[i]);
      return;
    }
    LocalSeries<V> local[kVectors];
    if (law_.uniform) add_uniform<kVectors>(t, r, local);
    for (int i = 0; i < kVectors; ++i) expand(t[i], pow2(r[i].down), local[i]);
    for (int i = 0; i < kVectors; ++i)
      r[i].log_power = log_of(local[i].L, local[i].below_one) * splat<V>(law_.width);
    const MillerTerms terms = miller_terms(t, local, r);
    for (int i = 0; i < kVectors; ++i) power(local[i], terms, r[i]);
  }

 private:
  static constexpr int kGapTerms = Full ? 12 : 8;

  FRACMOMENT_INLINE void expand(const Pair<V>& t, V up, LocalSeries<V>& r) const {
    const int m = plan_.m;
    if (!law_.uniform) {
      for (int j = 0; j <= m; ++j) r.u[j] = Pair<V>{};
      r.below_one = Pair<V>{};
    }
    for (int i = 0; i < law_.points; ++i) {
      const Pair<V> two_bt = splat_pair<V>(law_.point[i]) * scale_by(t, splat<V>(2.0));
      const Pair<V> s = inverse_root(two_bt), one_less = two_bt * (s * s);
      const Pair<V> x = scale_by(one_less, up), weight = splat_pair<V>(law_.weight[i]);
      Pair<V> term = weight * s;
      r.below_one = r.below_one + weight * one_less * reciprocal(s + splat<V>(1.0));
      r.u[0] = r.u[0] + term;
      for (int j = 1; j <= m; ++j) {
        term = term * x;
        r.u[j] = r.u[j] + term;
      }
    }
    r.L = r.u[0] + splat_pair<V>(law_.dead);
  }

  // k = 0: a series in e alone.
  FRACMOMENT_INLINE void power(LocalSeries<V>& local, const MillerTerms& terms,
                               MellinNode<V>& r) const {
    const int m = plan_.m;
    const Pair<V> inverse = reciprocal(local.L);
    for (int j = 1; j <= m; ++j)
      local.u[j] = local.u[j] * splat_pair<V>(coefficient_[std::size_t(j)]);
    r.single = local.u[m];
    for (int j = 1; j <= m; ++j) local.u[j] = local.u[j] * inverse;
    local.u[0] = r.raised = one();
    if (law_.width <= 4.0) {
      r.value = small_power(local.u);
      return;
    }
    Pair<V> q[kMaxDerivative + 1];
    miller(local.u, q, m, terms);
    r.value = q[m];
  }
  FRACMOMENT_INLINE static Pair<V> one() { return {splat<V>(1.0), V{}}; }

  // J.C.P. Miller's recurrence for the d-th power of a positive series 1 + sum_j r_j e^j,
  //   n q_n = sum_{j=1..n} (j d - (n-j)) r_j q_(n-j).
  FRACMOMENT_INLINE void miller(const Pair<V>* r, Pair<V>* q, int m,
                                const MillerTerms& terms) const {
    q[0] = one();
    for (int n = 1; n <= m; ++n) {
      Pair<V> sum{};
      int j = std::min(n, terms.far);
      double factor = miller_factor(n, j);
      for (; j > terms.near; --j, factor -= law_.width + 1.0)
        sum.hi = sum.hi + (r[j].hi * factor) * q[n - j].hi;
      for (; j >= 1; --j, factor -= law_.width + 1.0)
        sum = sum + (r[j] * splat<V>(factor)) * q[n - j];
      q[n] = sum * splat_pair<V>(inverse_integer(n));
    }
  }
  double miller_factor(int n, int j) const { return j * law_.width - (n - j); }  // exact

  // For n <= m < d the j-th term is at most
  //   j (d+1)/(d+1-m) prod_{0<i<j} (m-i)/(d+1-m+i) * r_j/r_1^j
  // of the sum, since q_n is at least its first term; and r_j/r_1 <= 2 u_j x^(j-1) with the largest
  // x = 1-y. One choice for a chunk of nodes, whatever the lanes.
  FRACMOMENT_INLINE MillerTerms miller_terms(const Pair<V>* t, const LocalSeries<V>* local,
                                             const MellinNode<V>* node) const {
    const int m = plan_.m;
    const double d = law_.width;
    MillerTerms terms{m, m};
    if (m < 8 || d < 2.0 * m) return terms;
    double largest = 0.0;
    for (int i = 0; i < kVectors; ++i) {
      const V two_t = t[i].hi + t[i].hi;
      const V x = two_t * pow2(node[i].down) / (two_t + 1.0);
      const V ratio = x * local[i].L.hi / (local[i].u[1].hi * 0.5);
      for (int j = 0; j < LaneTraits<V>::lanes; ++j) largest = std::max(largest, lane(ratio, j));
    }
    double bound = 32.0;  // above 2 (d+1)/(d+1-m) j u_j
    for (int j = 2; j <= m; ++j) {
      const double step = largest * (m - j + 1) / (d - m + j);
      bound *= step;
      if (!(step < 0.5)) continue;
      if (terms.near == m && bound < 0x1p-38) terms.near = j - 1;
      if (bound < 0x1p-92) {
        terms.far = j - 1;
        break;
      }
    }
    return terms;
  }

  // The m-th coefficient of the power, of up to four units, by products.
  FRACMOMENT_INLINE Pair<V> small_power(const Pair<V>* r) const {
    const int m = plan_.m, d = int(law_.width);
    if (d == 1) return r[m];
    if (d == 2) return square_at(r, m);
    Pair<V> square[kMaxDerivative + 1];
    for (int n = 0; n <= m; ++n) square[n] = square_at(r, n);
    if (d == 4) return square_at(square, m);
    Pair<V> sum{};
    for (int j = 0; j <= m; ++j) sum = sum + square[j] * r[m - j];
    return sum;
  }
  FRACMOMENT_INLINE static Pair<V> square_at(const Pair<V>* r, int n) {
    Pair<V> sum{};
    for (int j = 0; 2 * j < n; ++j) sum = sum + r[j] * r[n - j];
    sum = scale_by(sum, splat<V>(2.0));
    return n % 2 == 0 ? sum + r[n / 2] * r[n / 2] : sum;
  }

  // L = 1 - below_one; near 1 the second form is exact enough, far from it the first.
  FRACMOMENT_INLINE DD<V> log_of(const Pair<V>& L, const Pair<V>& below_one) const {
    return normalized(log_pair<Full>(L, -below_one));
  }

  // Starts the series with the uniform part of the law.
  template <int N>
  FRACMOMENT_INLINE void add_uniform(const Pair<V>* t, const MellinNode<V>* node,
                                     LocalSeries<V>* r) const {
    Pair<V> root[N];
    for (int i = 0; i < N; ++i)
      root[i] = Pair<V>(square_root(normalized(scale_by(t[i], splat<V>(2.0)))));
    Pair<V>* moments[N];
    V up[N];
    for (int i = 0; i < N; ++i) {
      moments[i] = r[i].u;
      up[i] = pow2(node[i].down);
    }
    uniform_.template moments<N>(root, up, moments);
    for (int i = 0; i < N; ++i) {
      // 1 - E sqrt(y): for small t, where the difference of the two cancels, a series in t serves
      r[i].below_one = splat_pair<V>(law_.uniform_weight) - r[i].u[0];
      const MaskOf<V> small = t[i].hi < 1e-3;
      if (any(small)) r[i].below_one = select(small, uniform_gap(t[i]), r[i].below_one);
    }
  }
  // weight * E (1 - (1 + 2 A^2 t)^(-1/2)) for t < 1e-3, by the binomial series.
  FRACMOMENT_INLINE Pair<V> uniform_gap(const Pair<V>& t) const {
    const Pair<V> x = scale_by(t, splat<V>(-2.0));
    Pair<V> sum{};
    for (int n = kGapTerms; n >= 1; --n) sum = (sum + splat_pair<V>(gap_[n])) * x;
    return -(sum * splat_pair<V>(law_.uniform_weight));
  }
  // (1/2)_n/n! E A^(2n), with E A^(2n) = (u^(2n+1) - l^(2n+1))/((2n+1)(u-l))
  void set_gap() {
    const Real high = law_.upper * law_.upper, low = law_.lower * law_.lower;
    const Real inverse_span = Real(1.0) / (law_.upper - law_.lower);
    Real up = law_.upper, down = law_.lower;
    for (int n = 1; n <= kGapTerms; ++n) {
      up = up * high;
      down = down * low;
      gap_[n] = table_entry(tables::kHalfRisingHi, tables::kHalfRisingLo, n) *
                inverse_integer(2 * n + 1) * ((up - down) * inverse_span);
    }
  }

  // k > 0: polynomials in f as coefficients of the series in e; uniform slopes for k = 1 only.
  FRACMOMENT_INLINE void plane(const Pair<V>& t, MellinNode<V>& r) const {
    const int m = plan_.m, k = plan_.k, row = k + 1;
    const V up = pow2(r.down), slowest = t.hi * (2.0 * smallest_) + 1.0;
    r.lift = (bits(slowest) >> 52) - std::int64_t(1023);  // keeps the largest y^k near 1
    constexpr int most = 2 * (kMaxRaise + 1) > 12 * 12 ? 2 * (kMaxRaise + 1) : 12 * 12;
    Pair<V> u[most], q[most], below_one{};
    for (int i = 0; i < (m + 1) * row; ++i) u[i] = Pair<V>{};
    for (int i = 0; i < law_.points; ++i) {
      const Pair<V> two_bt = splat_pair<V>(law_.point[i]) * scale_by(t, splat<V>(2.0));
      const Pair<V> s = inverse_root(two_bt), square = s * s, one_less = two_bt * square;
      const Pair<V> y = scale_by(square, pow2(r.lift));
      const Pair<V> x = scale_by(one_less, up), weight = splat_pair<V>(law_.weight[i]);
      below_one = below_one + weight * one_less * reciprocal(s + splat<V>(1.0));
      Pair<V> outer = weight * s;
      for (int j = 0; j <= m; ++j, outer = outer * x) {
        Pair<V> inner = outer;
        for (int l = 0; l <= k; ++l, inner = inner * y) u[j * row + l] = u[j * row + l] + inner;
      }
    }
    if (law_.uniform) add_uniform_plane(t, r, u, below_one);
    const Pair<V> L = u[0] + splat_pair<V>(law_.dead), inverse = reciprocal(L);
    for (int j = 0; j <= m; ++j)
      for (int l = 0; l <= k; ++l)
        u[j * row + l] =
            u[j * row + l] * (inverse * splat_pair<V>(coefficient_[std::size_t(j * row + l)]));
    r.log_power = log_of(L, below_one) * splat<V>(law_.width);
    miller(u, q, k, {k, k});
    r.raised = q[k];
    if (m > 0) higher_rows(u, q);
    r.value = q[m * row + k];
    r.single = Pair<V>{};
  }

  FRACMOMENT_INLINE void add_uniform_plane(const Pair<V>& t, const MellinNode<V>& node, Pair<V>* u,
                                           Pair<V>& below_one) const {
    LocalSeries<V> plain;
    add_uniform<1>(&t, &node, &plain);
    below_one = below_one + plain.below_one;
    Pair<V> raised[kMaxDerivative + 1];
    const Pair<V> root(square_root(normalized(scale_by(t, splat<V>(2.0)))));
    uniform_.raised_moments(root, pow2(node.down), raised);
    const V lift = pow2(node.lift);
    for (int j = 0; j <= plan_.m; ++j) {
      u[2 * j] = u[2 * j] + plain.u[j];
      u[2 * j + 1] = u[2 * j + 1] + scale_by(raised[j], lift);
    }
  }

  // rows 1..m of (sum_j u_j(f) e^j)^d by Miller's recurrence with u_0(f) as divisor
  FRACMOMENT_INLINE void higher_rows(const Pair<V>* u, Pair<V>* q) const {
    const int m = plan_.m, k = plan_.k, row = k + 1;
    Pair<V> inverse[12];  // 1/u_0(f)
    for (int l = 0; l <= k; ++l) {
      Pair<V> sum = l == 0 ? one() : Pair<V>{};
      for (int i = 1; i <= l; ++i) sum = sum - u[i] * inverse[l - i];
      inverse[l] = sum;
    }
    for (int n = 1; n <= m; ++n) {
      Pair<V> sum[12] = {};
      for (int j = 1; j <= n; ++j)
        for (int l = 0; l <= k; ++l) {
          Pair<V> product{};
          for (int i = 0; i <= l; ++i)
            product = product + u[j * row + i] * q[(n - j) * row + l - i];
          sum[l] = sum[l] + product * splat<V>(miller_factor(n, j));
        }
      for (int l = 0; l <= k; ++l) sum[l] = sum[l] * splat_pair<V>(inverse_integer(n));
      for (int l = 0; l <= k; ++l) {
        Pair<V> value{};
        for (int i = 0; i <= l; ++i) value = value + sum[i] * inverse[l - i];
        q[n * row + l] = value;
      }
    }
  }

  const UnitLaw& law_;
  MellinPlan plan_;
  UniformMoments<Full, V> uniform_;
  double smallest_ = 1.0;          // scale b
  std::vector<Real> coefficient_;  // unit_coefficient(j, l), row by row
  Real gap_[kGapTerms + 1];
};

constexpr std::int64_t kTooSmall = -1, kOverflow = -2;

// Decides after each group of nodes whether what is left to the right is below exp(-target) of the
// sum, or as far known.
class MellinStop {
 public:
  enum class Answer { go_on, nothing_left, rest_known };

  MellinStop(const UnitLaw& law, const MellinPlan& plan) : plan_(plan) {
    // P_mk <= (d/2+k)_m/m! P_0k, the certain bound on what is to come
    double bound = 1.0;
    for (int i = 0; i < plan.m; ++i) {
      bound *= (0.5 * law.width + plan.k + i) / (i + 1.0);
      if (bound > 1e200 || i == plan.m - 1) {
        log_bound_ += coarse_log(bound);
        bound = 1.0;
      }
    }
    log_tail_ = plan.tail_exponent < 1.0 ? coarse_log(plan.tail_exponent) : 0.0;
    // 1/(1 - exp(-x)) <= 1 + 1/x, for each ratio and the first that is not among them
    double rate = plan.tail_first + plan.p0 - plan.reach, unknown = 1.0;
    for (int i = 0; i <= plan.tail_levels && plan.tail_levels > 0; ++i, rate += plan.tail_step) {
      const int times = i < plan.tail_levels ? plan.multiplicity + i * plan.multiplicity_growth : 1;
      for (int l = 0; l < times; ++l) unknown *= 1.0 + 1.0 / (rate * plan.h);
    }
    log_unknown_ = coarse_log(unknown);
  }
  // The last node of a group of nodes, log P_0k there, the weights of the group's first and last
  // node, and the sum so far. `unknown` returns the largest of the group's weights after the known
  // ratios have been filtered out.
  template <class Unknown>
  FRACMOMENT_INLINE Answer operator()(double v, double log_raised, double first, double last,
                                      double sum, Unknown&& unknown) const {
    if (!(sum > 0.0)) return Answer::go_on;
    const double from_reference = v - double(plan_.reference) * plan_.h;
    const double margin = plan_.reach * abs(from_reference);
    const double log_sum = coarse_log(sum) + plan_.log_whole;
    // where negative orders may still bring the weights of smaller scales up
    const double ahead = plan_.p0 < 0.0 && v < plan_.all_decay
                             ? (plan_.reach - plan_.p0) * (plan_.all_decay - v)
                             : 0.0;
    // with an atom the bound falls to dead^d only
    if (log_raised + log_bound_ - plan_.p0 * from_reference + margin - log_tail_ + ahead <
        log_sum - plan_.target - 6.0)
      return Answer::nothing_left;
    // once all scales have decayed the weights themselves tell
    if (v <= plan_.all_decay || last > first) return Answer::go_on;
    if (last <= 0.0 || coarse_log(last) + margin - log_tail_ < log_sum - plan_.target - 8.0)
      return Answer::nothing_left;
    if (plan_.tail_levels == 0) return Answer::go_on;
    const double rest = unknown();
    if (rest <= 0.0 || coarse_log(rest) + log_unknown_ + margin < log_sum - plan_.target - 4.0)
      return Answer::rest_known;
    return Answer::go_on;
  }

 private:
  const MellinPlan& plan_;
  double log_bound_ = 0.0, log_tail_ = 0.0, log_unknown_ = 0.0;
};

// The weights of one chunk from t, v and the nodes' expansions.
template <bool Full, class V>
FRACMOMENT_INLINE void chunk_weights(const MellinPlan& plan, const MellinNode<V>* node, const V* v,
                                     DD<V>* weight) {
  constexpr int vectors = MellinKernel<Full, V>::kVectors;
  DD<V> shift[vectors];
  for (int i = 0; i < vectors; ++i) {
    const V from_reference = v[i] - splat<V>(double(plan.reference) * plan.h);
    shift[i] = two_prod(from_reference, splat<V>(-plan.p0));
    if (plan.k > 0) shift[i] = shift[i] - splat<V>(log_two()) * to_double(node[i].lift * plan.k);
  }
  for (int i = 0; i < vectors; ++i) {
    IntOf<V> exponent;
    Pair<V> w = exp_pair<Full>(clamp_exponent(node[i].log_power + shift[i]), exponent);
    w = w * node[i].value;
    if (plan.drop_single) {
      IntOf<V> power;
      const DD<V> log_one =
          shift[i] + splat<V>(plan.log_single) - splat<V>(log_two()) * to_double(exponent);
      const Pair<V> one = exp_pair<Full>(clamp_exponent(log_one), power);
      w = w - Pair<V>(scale_wide(normalized(one * node[i].single), power));
    }
    weight[i] =
        scale_wide(normalized(w), clamp_power(exponent - node[i].down * std::int64_t(plan.m)));
  }
}

// The nodes t = e^v of a rule: from group to group by one factor, within a group by another,
// whatever the lanes. The ratios of the ends are made with them.
class MellinGrid {
 public:
  FRACMOMENT_INLINE MellinGrid(const MellinPlan& plan, MellinEnds& ends) {
    const double h = plan.h;
    const Real x[] = {Real(double(plan.first) * h),           Real(kGroup * h),
                      two_sum(double(plan.m), -plan.p0) * -h, Real(-h),
                      two_sum(plan.tail_first, plan.p0) * -h, Real(-h * plan.tail_step)};
    constexpr int count = int(sizeof x / sizeof x[0]), W = LaneTraits<Twin>::lanes;
    for (int j = 0; j < kGroup; ++j) hi_[j] = j * h;
    for (int j = 0; j < count; ++j) {
      hi_[kGroup + j] = x[j].hi;
      lo_[kGroup + j] = x[j].lo;
    }
    for (int j = 0; j < kBoth; j += W) {
      const DD<Twin> e = exp(DD<Twin>(load<Twin>(hi_ + j), load<Twin>(lo_ + j)));
      store(hi_ + j, e.hi);
      store(lo_ + j, e.lo);
    }
    const auto exp_x = [&](int j) { return Real(hi_[kGroup + j], lo_[kGroup + j]); };
    group_t_ = exp_x(0);
    next_ = exp_x(1);
    EndSum &left = ends.left, &right = ends.right;
    left.count = plan.left_rates;
    Real ratio = exp_x(2);
    for (int j = 0; j < left.count; ++j, ratio = ratio * exp_x(3)) left.ratio[j] = ratio;
    right.count = 0;
    ratio = exp_x(4);
    for (int i = 0; i < plan.tail_levels; ++i, ratio = ratio * exp_x(5))
      for (int l = 0; l < plan.multiplicity + i * plan.multiplicity_growth; ++l)
        right.ratio[right.count++] = ratio;
  }
  // The nodes of the next two registers.
  FRACMOMENT_INLINE DD<Twin> next() {
    const DD<Vec> a = next_register(), b = next_register();
    return {{a.hi, b.hi}, {a.lo, b.lo}};
  }

 private:
  static constexpr int kBoth = 16;  // the nodes of a group over its first, and what else is needed

  FRACMOMENT_INLINE DD<Vec> next_register() {
    const DD<Vec> t = DD<Vec>(load<Vec>(hi_ + at_), load<Vec>(lo_ + at_)) * splat<Vec>(group_t_);
    at_ += kLanes;
    if (at_ == kGroup) {
      at_ = 0;
      group_t_ = group_t_ * next_;
    }
    return t;
  }

  double hi_[kBoth] = {}, lo_[kBoth] = {};
  Real group_t_, next_;
  int at_ = 0;
};

// The largest of a group's weights after the filter.
template <class V>
FRACMOMENT_INLINE double largest_filtered(const EndFilter& filter, const double* hi,
                                          const double* lo) {
  constexpr int W = LaneTraits<V>::lanes;
  double largest = 0.0;
  for (int i = 0; i < kGroup; i += W) {
    Pair<V> sum{V{}, V{}};
    for (int k = 0; k <= filter.count; ++k)
      sum =
          sum + Pair<V>(load<V>(hi + i - k), load<V>(lo + i - k)) *
                    Pair<V>(splat<V>(filter.coefficient[k].hi), splat<V>(filter.coefficient[k].lo));
    const V size = abs(sum.hi + sum.lo);
    for (int j = 0; j < W; ++j) largest = std::max(largest, lane(size, j));
  }
  return largest;
}

// Weights P_mk(t_i) exp(-p0 (v_i - v_reference)) from v_first on, until MellinStop, and the sums
// beyond, which take the place of as many weights at either end as they have ratios. Returns the
// number of nodes, kTooSmall if `capacity` is, or kOverflow if the reference is too far from the
// largest weights.
template <bool Full>
std::int64_t mellin_weights(const UnitLaw& law, const MellinPlan& plan, double* hi, double* lo,
                            std::int64_t capacity, MellinEnds& ends) {
  using V = Twin;
  constexpr int W = LaneTraits<V>::lanes, vectors = MellinKernel<Full, V>::kVectors;
  const MellinKernel<Full, V> kernel(law, plan);
  const MellinStop stop(law, plan);
  MellinGrid grid(plan, ends);
  const EndFilter left(ends.left), right(ends.right);
  V counting{};  // 0, 1, 2, ...
  for (int j = 0; j < W; ++j) set_lane(counting, j, j);
  double sum = 0.0;
  for (std::int64_t start = 0; start + kChunk <= capacity; start += kChunk) {
    DD<V> t[vectors], weight[vectors];
    V v[vectors];
    MellinNode<V> node[vectors];
    for (int i = 0; i < vectors; ++i) {
      t[i] = grid.next();
      v[i] = (counting + double(plan.first + start + i * W)) * plan.h;
    }
    kernel.nodes(t, node);
    chunk_weights<Full>(plan, node, v, weight);
    for (int i = 0; i < vectors; ++i) {
      store(hi + start + i * W, weight[i].hi);
      store(lo + start + i * W, weight[i].lo);
    }
    for (std::int64_t group = start; group < start + kChunk; group += kGroup) {
      for (int i = 0; i < kGroup; ++i) sum += hi[group + i];
      if (!(sum < 1e280)) return kOverflow;
      // nothing to ask while the weights are large
      if (group < kGroup || hi[group + kGroup - 1] > 1e-3 * sum) continue;
      const int last = int(group - start) + kGroup - 1;
      const MellinNode<V>& end = node[last / W];
      double log_raised = lane(end.log_power.hi, last % W);
      if (plan.k > 0)
        log_raised += coarse_log(lane(end.raised.hi, last % W)) -
                      0.6931471805599453 * double(plan.k) * double(lane(end.lift, last % W));
      const auto answer = stop(
          double(plan.first + start + last) * plan.h, log_raised, hi[group], hi[group + kGroup - 1],
          sum, [&] {
            return group < 2 * kGroup ? sum : largest_filtered<Vec>(right, hi + group, lo + group);
          });
      if (answer == MellinStop::Answer::go_on) continue;
      const std::int64_t count = group + kGroup;
      left.set_numerator(hi + left.count - 1, lo + left.count - 1, -1, ends.left);
      if (answer == MellinStop::Answer::nothing_left)
        ends.right.count = 0;
      else
        right.set_numerator(hi + count - right.count, lo + count - right.count, 1, ends.right);
      return count;
    }
  }
  return kTooSmall;
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
