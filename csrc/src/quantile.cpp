// Quantiles of a gain: see distribution.hpp and docs/algorithms/inversion.md.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/error.hpp"
#include "fracmoment/gains/distribution.hpp"
#include "fracmoment/gains/inversion.hpp"
#include "fracmoment/gains/slope_law.hpp"

namespace fracmoment {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One quantile of R/factor by Newton's method for the logarithm of the smaller side as a function
// of the coordinate u of its point, kept inside a bracket.
struct Distribution::Search {
  std::size_t index = 0;
  bool low_side = true;  // the distribution function is to be `want`, or the survival function
  double want = 0.5;
  double lo = 0.0, hi = 0.0, at = 0.0;  // of u
  bool lo_tried = false, hi_tried = false;
  Real root{0.0};  // u
  bool done = false;

  // With the side's value at u and its derivative.
  void step(double have, double slope);
};

void Distribution::Search::step(double have, double slope) {
  const double error = have > 0.0 ? log(Real(have) / Real(want)).hi : -700.0;
  const bool above = low_side == (error > 0.0), steep = have > 0.0 && slope > 0.0;
  (above ? hi : lo) = at;
  (above ? hi_tried : lo_tried) = true;
  const double move = steep ? (low_side ? -error : error) * have / slope : 0.0;
  // a root, or the bracket has closed: an atom, or a root that rounds to an end
  const bool near = steep && std::abs(move) < 1e-9 && std::abs(error) < 1e-3;
  root = near ? two_sum(at, move) : Real(at);
  done = near || hi - lo < 1e-15 * (1.0 + std::abs(at));
  double next = steep ? at + move : above ? -kInfinity : kInfinity;
  if (next <= lo) next = lo_tried ? 0.5 * (lo + hi) : lo;
  if (next >= hi) next = hi_tried ? 0.5 * (lo + hi) : hi;
  at = next;
}

namespace {

// The normal quantile of min(q, 1-q), without its sign, to 4.5e-4 [AS64, 26.2.23].
double normal_quantile(double q) {
  const double t = std::sqrt(-2.0 * rough_log(std::max(std::min(q, 1.0 - q), 1e-300)));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                 (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

}  // namespace

// Quantiles that need no search.
bool Distribution::known_quantile(double q, bool upper, double& out) const {
  const double above = upper ? q : 1.0 - q, below = upper ? 1.0 - q : q;
  Real scaled{0.0};
  if (law_.constant)
    scaled = Real(1.0);
  else if (is_slope())
    scaled = Real(SlopeLaw(law_.unit).quantile(q, upper));
  else if (above <= end_atom(true))
    scaled = Real(high_);
  else if (below <= end_atom(false))
    scaled = square_root(floor_);
  else
    return false;
  out = to_double(law_.factor * scaled);
  return true;
}

// The coordinate separates points next to both ends of the support: log r^2, or under orthogonal
// weights the logit of (r^2 - low^2)/(1 - low^2).
Real Distribution::point_at(const Real& u) const {
  if (!law_.ratio) return exp(scale_by(u, 0.5));
  const Real span = Real(1.0) - floor_;
  const Real small = exp(u.hi > 0.0 ? -u : u), share = small / (small + 1.0);
  if (floor_.hi == 0.0 && u.hi < 0.0) return exp(scale_by(u, 0.5)) / square_root(small + 1.0);
  return square_root(u.hi > 0.0 ? Real(1.0) - span * share : floor_ + span * share);
}
double Distribution::speed(double u, double r) const {  // dr/du
  if (!law_.ratio) return 0.5 * r;
  const double small = exp_rounded(Real(-std::abs(u))), both = 1.0 / (1.0 + small);
  if (floor_.hi == 0.0 && u < 0.0) return 0.5 * r * both;
  return 0.5 * (Real(1.0) - floor_).hi * small * both * both / r;
}

// Starts from a lognormal law of the same mean and variance of R^2.
Distribution::Search Distribution::start(double q, bool upper) const {
  constexpr double kLeast = -1488.0, kLogUlp = -36.7;
  Search s;
  s.low_side = (q <= 0.5) != upper;
  s.want = std::min(q, 1.0 - q);
  const double floor = floor_.hi, log_span = rough_log((Real(1.0) - floor_).hi);
  s.lo = floor > 0.0 ? rough_log(floor) - log_span + kLogUlp : kLeast;
  s.lo_tried = floor == 0.0;
  // P(X > x) <= e^(-x/4) 2^(d/2)
  const double tail = rough_log(s.low_side ? 0.5 : s.want) + law_.log_alive.hi;
  s.hi = law_.ratio ? log_span - kLogUlp : rough_log(4.0 * (0.35 * law_.unit.width - tail));
  const double log_spread = log1p(Real(spread_)).hi;
  const double middle = rough_log(mean_square_) - 0.5 * log_spread;
  const double away = normal_quantile(q) * std::sqrt(log_spread);
  s.at = s.low_side ? middle - away : middle + away;
  if (law_.ratio) {
    const double x = exp_rounded(Real(std::min(s.at, -1e-9)));
    s.at = rough_log(std::max((x - floor) / (1.0 - x), 1e-300));
  }
  s.at = std::min(std::max(s.at, s.lo), s.hi);
  return s;
}

// Whether the level lies in the jump at a point inside the support, where all units of an
// orthogonal layer have the same slope. If not, the point is an end of the bracket.
bool Distribution::at_atom(int i, Search& s) const {
  const Real& point = law_.unit.point[i];
  const Real above = point - floor_, below = Real(1.0) - point;
  const Real jump = Real(slope_atom(law_.unit, i)) / exp(law_.log_alive);
  if (!(above.hi > 0.0 && below.hi > 0.0 && jump.hi > 0.0)) return false;
  const Real side = probability({square_root(point)}, !s.low_side)[0];
  const Real least = s.low_side ? side - jump : side, most = s.low_side ? side : side + jump;
  const double u = log(above / below).hi;
  if (s.want > to_double(least) && s.want <= to_double(most)) {
    return true;
  }
  const bool lower = s.low_side == (s.want <= to_double(least));  // the root, than the atom
  (lower ? s.hi : s.lo) = u;
  (lower ? s.hi_tried : s.lo_tried) = true;
  s.at = std::min(std::max(s.at, s.lo), s.hi);
  if (s.at == u) s.at = lower ? u - 1.0 : u + 1.0;
  return false;
}

// One step of every search.
void Distribution::advance(std::vector<Search>& active) const {
  std::vector<Real> r, of_side[2];
  for (const Search& s : active) {
    r.push_back(point_at(Real(s.at)));
    of_side[s.low_side ? 0 : 1].push_back(r.back());
  }
  const std::vector<Real> f = density(r),
                          p[2] = {probability(of_side[0], false), probability(of_side[1], true)};
  std::size_t used[2] = {0, 0};
  for (std::size_t i = 0; i < active.size(); ++i) {
    const int side = active[i].low_side ? 0 : 1;
    const double have = to_double(p[side][used[side]++]);
    const double slope = to_double(f[i]) * speed(active[i].at, r[i].hi);
    if (!(have == have && slope == slope))
      throw ConvergenceError("a quantile of the gain is out of reach of the inversion integrals");
    active[i].step(have, slope);
  }
}

void Distribution::quantile(const double* q, double* out, std::size_t n, bool upper) const {
  if (is_beta_mixture()) {
    beta_mixture_quantile(q, out, n, upper);
    return;
  }
  std::vector<Search> active;
  for (std::size_t i = 0; i < n; ++i) {
    if (known_quantile(q[i], upper, out[i])) continue;
    Search search = start(q[i], upper);
    search.index = i;
    int atom = law_.ratio ? law_.unit.points - 1 : -1;
    while (atom >= 0 && !at_atom(atom, search)) --atom;
    if (atom >= 0)
      out[i] = to_double(square_root(law_.unit.point[atom]) * law_.factor);
    else
      active.push_back(search);
  }
  for (int round = 0; round < 200 && !active.empty(); ++round) {
    advance(active);
    for (const Search& s : active) out[s.index] = to_double(point_at(s.root) * law_.factor);
    active.erase(
        std::remove_if(active.begin(), active.end(), [](const Search& s) { return s.done; }),
        active.end());
  }
  if (!active.empty()) throw ConvergenceError("a quantile of the gain did not converge");
}

void Distribution::beta_mixture_quantile(const double* q, double* out, std::size_t n,
                                         bool upper) const {
  const BetaMixture mixture(law_.unit, law_.log_alive);
  for (std::size_t i = 0; i < n; ++i) {
    if (q[i] <= 0.0 || q[i] >= 1.0)
      out[i] =
          to_double(law_.factor * ((q[i] <= 0.0) != upper ? square_root(floor_) : Real(high_)));
    else
      out[i] = to_double(mixture.quantile(q[i], upper) * law_.factor);
  }
}

}  // namespace fracmoment
