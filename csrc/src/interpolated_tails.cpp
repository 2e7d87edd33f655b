#include "fracmoment/random/interpolated_tails.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fracmoment/random/chebyshev.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kLowest = -46.0;     // of log P: what tables ask for, and a little more
constexpr double kHighest = -0.2;     // beyond, the law itself answers
constexpr double kTolerance = 2e-13;  // of log P
constexpr double kLongest = 8.0;      // of a panel, in units of log distance or deviations
constexpr int kDeepest = 6;

double natural_log(double x) { return log(Real(x)).hi; }
double exponential(double x) { return x < -740.0 ? 0.0 : exp_rounded(Real(x)); }

}  // namespace

InterpolatedTails::InterpolatedTails(const TailLaw& law, std::vector<double> points, double near)
    : law_(law), points_(std::move(points)), near_(near) {
  for (const bool upper : {false, true}) {
    cover(upper);
    std::vector<Panel>& panels = panels_[upper ? 1 : 0];
    std::sort(panels.begin(), panels.end(),
              [](const Panel& a, const Panel& b) { return a.low < b.low; });
  }
}

// Intervals between the points from both ends, and outwards from the lowest.
void InterpolatedTails::cover(bool upper) {
  const double unit = std::min(law_.spread(), 1.0);
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const bool lowest = i == 0;
    const double half = lowest ? unit : 0.5 * (points_[i] - points_[i - 1]);
    cover_side(Scale::before, points_[i], half, upper);
    if (!lowest) cover_side(Scale::after, points_[i - 1], half, upper);
  }
  double right = points_.front() - unit;
  for (double length = 0.5 * unit; add(Scale::plain, 0.0, right - length, right, 0, upper);
       length = std::min(2.0 * length, kLongest)) {
    right -= length;
    if (right < -600.0) break;
  }
}

void InterpolatedTails::cover_side(Scale scale, double point, double length, bool upper) {
  double right = natural_log(length);
  const double end = natural_log(near_);
  for (double step = 0.5; right > end; step = std::min(2.0 * step, kLongest)) {
    const double left = std::max(right - step, end);
    if (!add(scale, point, left, right, 0, upper)) return;
    right = left;
  }
}

// A panel, or its halves where its series has not settled; false where the tail has left the range
// of the table on the way from right to left.
bool InterpolatedTails::add(Scale scale, double point, double left, double right, int depth,
                            bool upper) {
  const auto place = [&](double t) {
    if (scale == Scale::plain) return t;
    return scale == Scale::after ? point + exponential(t) : point - exponential(t);
  };
  const double end[] = {place(left), place(right)};
  double at_end[2];
  law_.tails(end, 2, upper, at_end, nullptr);
  if (std::max(at_end[0], at_end[1]) < kLowest) return at_end[0] > at_end[1];
  if (std::min(at_end[0], at_end[1]) > kHighest) return at_end[0] < at_end[1];
  const auto& node = chebyshev_nodes<kTerms>();
  const double middle = 0.5 * (left + right), half = 0.5 * (right - left);
  double x[kTerms], log_p[kTerms];
  for (std::size_t k = 0; k < std::size_t(kTerms); ++k) x[k] = place(middle + half * node[k]);
  law_.tails(x, kTerms, upper, log_p, nullptr);
  Panel panel{scale, point, left, right, std::min(end[0], end[1]), std::max(end[0], end[1]), {}};
  if (std::isfinite(at_end[0]) && std::isfinite(at_end[1])) {
    chebyshev_series<kTerms>(log_p, panel.series);
    double last = 0.0;
    for (int j = kTerms - 3; j < kTerms; ++j) last = std::max(last, std::abs(panel.series[j]));
    // next to a point its distance is known to the rounding of x only
    const double shift = scale == Scale::plain ? 0.0 : 2e-16 * std::abs(point) / exponential(left);
    if (last <= kTolerance + shift * std::abs(panel.series[1]) / half) {
      panels_[upper ? 1 : 0].push_back(panel);
      return true;
    }
  }
  if (depth == kDeepest) return true;  // the law itself answers
  return add(scale, point, middle, right, depth + 1, upper) &&
         add(scale, point, left, middle, depth + 1, upper);
}

void InterpolatedTails::evaluate(const Panel& panel, double x, bool upper, double& log_p,
                                 double& density) const {
  const double distance = panel.scale == Scale::plain   ? 1.0
                          : panel.scale == Scale::after ? x - panel.point
                                                        : panel.point - x;
  const double at = panel.scale == Scale::plain ? x : natural_log(distance);
  const double length = panel.right - panel.left;
  const double t = (2.0 * at - panel.left - panel.right) / length;
  // the series and its derivative
  double first = 0.0, second = 0.0, slope = 0.0, slope_before = 0.0;
  for (int j = kTerms - 1; j > 0; --j) {
    const double next_slope = 2.0 * (first + t * slope) - slope_before;
    slope_before = slope;
    slope = next_slope;
    const double next = panel.series[j] + 2.0 * t * first - second;
    second = first;
    first = next;
  }
  log_p = panel.series[0] + t * first - second;
  const double derivative = (first + t * slope - slope_before) * 2.0 / length / distance;
  const double rise = panel.scale == Scale::before ? -derivative : derivative;
  density = std::max(upper ? -rise : rise, 0.0) * exponential(log_p);
}

void InterpolatedTails::tails(const double* x, std::size_t n, bool upper, double* log_p,
                              double* density) const {
  const std::vector<Panel>& panels = panels_[upper ? 1 : 0];
  for (std::size_t i = 0; i < n; ++i) {
    double at = x[i];
    for (const double point : points_)
      if (std::abs(at - point) < near_) at = at < point ? point - near_ : point + near_;
    const auto after = std::upper_bound(panels.begin(), panels.end(), at,
                                        [](double value, const Panel& a) { return value < a.low; });
    if (after == panels.begin() || at > (after - 1)->high)
      law_.tails(&at, 1, upper, log_p + i, density + i);
    else
      evaluate(*(after - 1), at, upper, log_p[i], density[i]);
  }
}

}  // namespace fracmoment
