// Building quantile tables: roots of log P at Chebyshev nodes, panel by panel, then cells.
#include "fracmoment/random/quantile_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fracmoment/error.hpp"
#include "fracmoment/random/chebyshev.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLowest = -45.1;              // of log p: below log 2^-65
constexpr double kHighest = -0.6931471805599;  // slightly above log 1/2
constexpr double kSeriesTolerance = 4e-14;     // of a panel, relative to dx/dlog p
constexpr double kCellTolerance = 4e-13;       // of a cell, in log p
constexpr int kNewtonRounds = 25;              // then by halves: there is a jump
constexpr double kNarrowest = 1e-10;           // a panel this narrow holds a jump

double natural_log(double x) { return log(Real(x)).hi; }

}  // namespace

// One half of the law: x where log P = y, for y between kLowest and kHighest.
class QuantileTable::Builder {
 public:
  Builder(const TailLaw& law, bool upper) : law_(law), upper_(upper), scale_(law.spread()) {
    walk();
  }

  void panels(double left, double right, std::vector<Panel>& out) {
    const auto& node = chebyshev_nodes<kTerms>();
    double y[kTerms], x[kTerms];
    const double middle = 0.5 * (left + right), half = 0.5 * (right - left);
    for (std::size_t k = 0; k < std::size_t(kTerms); ++k) y[k] = middle + half * node[k];
    double slope[kTerms];
    solve(y, x, slope, kTerms);
    Panel panel{left, right, {}};
    chebyshev_series<kTerms>(x, panel.series);
    if (right - left < kNarrowest || settled(panel)) {
      out.push_back(panel);
      return;
    }
    remember(y, x, slope, kTerms);
    panels(left, middle, out);
    panels(middle, right, out);
  }

 private:
  struct Mark {
    double y, x;   // log P at x
    double slope;  // dx/dlog P, 0 where it is not known
  };

  // The last terms against the slope of the panel, and against the rounding of x.
  bool settled(const Panel& panel) const {
    double last = 0.0, size = 0.0;
    for (int j = 0; j < kTerms; ++j) size = std::max(size, std::abs(panel.series[j]));
    for (int j = kTerms - 3; j < kTerms; ++j) last = std::max(last, std::abs(panel.series[j]));
    const double slope = std::abs(panel.series[1]) / (0.5 * (panel.right - panel.left));
    return last <= kSeriesTolerance * slope + 4e-16 * size;
  }

  // Points from the middle of the law outwards until P is below 2^-65, for brackets.
  void walk() {
    constexpr int batch = 16;
    const double direction = upper_ ? 1.0 : -1.0;
    double reach = -2.0 * scale_;  // the median lies within one deviation of the mean
    double step = 0.25 * scale_;
    for (int round = 0; round < 400; ++round) {
      double x[batch], log_p[batch], density[batch];
      for (double& value : x) {
        value = direction * reach;
        reach += step;
      }
      law_.tails(x, batch, upper_, log_p, density);
      for (int i = 0; i < batch; ++i)
        marks_.push_back({log_p[i], x[i], slope_of(log_p[i], density[i])});
      if (log_p[batch - 1] < kLowest) break;
      if (round > 1) step *= 1.5;
    }
    sort_marks();
  }

  void remember(const double* y, const double* x, const double* slope, int n) {
    for (int i = 0; i < n; ++i) marks_.push_back({y[i], x[i], slope[i]});
    sort_marks();
  }
  void sort_marks() {
    std::stable_sort(marks_.begin(), marks_.end(),
                     [](const Mark& a, const Mark& b) { return a.y < b.y; });
  }

  double slope_of(double log_p, double density) const {
    const double p = log_p > -700.0 ? exp_rounded(Real(log_p)) : 0.0;
    return density > 0.0 ? (upper_ ? -p : p) / density : 0.0;
  }

  struct Root {
    double low, high, x;  // P is smaller at low, larger at high
    double slope = 0.0;
    bool done = false;
  };

  // x at y between two marks, by the cubic through values and slopes.
  static double interpolated(const Mark& a, const Mark& b, double y) {
    const double span = b.y - a.y, t = (y - a.y) / span, rise = b.x - a.x;
    if (a.slope == 0.0 || b.slope == 0.0) return a.x + rise * t;
    const double left = a.slope * span - rise, right = rise - b.slope * span;
    return a.x + rise * t + t * (1.0 - t) * (left * (1.0 - t) + right * t);
  }

  Root bracket(double y) const {
    const auto above = std::lower_bound(marks_.begin(), marks_.end(), y,
                                        [](const Mark& m, double value) { return m.y < value; });
    const double direction = upper_ ? 1.0 : -1.0, beyond = 1e3 * scale_ + 1.0;
    Root root;
    root.low = above == marks_.begin() ? marks_.front().x + direction * beyond : (above - 1)->x;
    root.high = above == marks_.end() ? marks_.back().x - direction * beyond : above->x;
    root.x = 0.5 * (root.low + root.high);
    if (above != marks_.begin() && above != marks_.end()) {
      const double span = above->y - (above - 1)->y;
      const double guess = span > 0.0 && span < 50.0 ? interpolated(*(above - 1), *above, y) : kNaN;
      const double least = std::min(root.low, root.high), most = std::max(root.low, root.high);
      if (guess > least && guess < most) root.x = guess;
    }
    return root;
  }

  // Newton's method for log P, kept inside brackets, for all points at once.
  void solve(const double* y, double* x, double* slope, int n) const {
    std::vector<Root> root;
    for (int i = 0; i < n; ++i) root.push_back(bracket(y[i]));
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < std::size_t(n); ++i) open.push_back(i);
    std::vector<double> at, log_p, density;
    for (int round = 0; round < 120 && !open.empty(); ++round) {
      at.clear();
      for (const std::size_t i : open) at.push_back(root[i].x);
      log_p.resize(at.size());
      density.resize(at.size());
      law_.tails(at.data(), at.size(), upper_, log_p.data(), density.data());
      std::vector<std::size_t> left;
      for (std::size_t j = 0; j < open.size(); ++j) {
        advance(root[open[j]], y[open[j]], log_p[j], density[j], round < kNewtonRounds);
        if (!root[open[j]].done) left.push_back(open[j]);
      }
      open = std::move(left);
    }
    if (!open.empty()) throw ConvergenceError("a quantile for the sampling table did not converge");
    for (int i = 0; i < n; ++i) {
      x[i] = root[std::size_t(i)].x;
      slope[i] = root[std::size_t(i)].slope;
    }
  }

  void advance(Root& root, double y, double log_p, double density, bool newton) const {
    const double here = root.x;
    (log_p < y ? root.low : root.high) = here;
    root.slope = slope_of(log_p, density);
    const double step = (y - log_p) * root.slope, moved = here + step;
    const double least = std::min(root.low, root.high), most = std::max(root.low, root.high);
    if (newton && root.slope != 0.0 && moved >= least && moved <= most) {
      root.x = moved;
      // Newton's error is the square of the step, on the scale on which log P bends
      root.done = std::abs(step) < 1e-8 * scale_ && std::abs(y - log_p) < 1e-8;
    } else {
      root.x = 0.5 * (root.low + root.high);
    }
    if (most - least <= 4e-16 * std::max(scale_, std::abs(here))) root.done = true;
  }

  const TailLaw& law_;
  bool upper_;
  double scale_;
  std::vector<Mark> marks_;
};

namespace {

// 2^64 q rounded to an integer, for 0 <= q < 1.
std::uint64_t steps_of(double q) {
  const double high = std::floor(q * 0x1p32);
  const double low = std::floor((q * 0x1p32 - high) * 0x1p32);
  return (std::uint64_t(high) << 32) + std::uint64_t(low);
}

constexpr std::int64_t kCellBits = 52 - QuantileTable::kCellsLog2;

// Two numbers in one double, 32 bits each.
double packed(double a, double b) {
  const auto upper_half = [](double x) { return bits(x) & std::int64_t(0xFFFFFFFF00000000ULL); };
  return from_bits(upper_half(a) | std::int64_t(std::uint64_t(bits(b)) >> 32));
}

}  // namespace

QuantileTable::QuantileTable(const TailLaw& law, double dead) {
  dead_below_ = steps_of(dead);
  const std::uint64_t alive = std::uint64_t(0) - dead_below_;  // modulo 2^64
  middle_ = dead_below_ == 0 ? std::uint64_t(1) << 63 : alive / 2;
  unit_ = 0x1p-64 / (1.0 - dead);
  rows_.assign(std::size_t(2 * kSide * kRow), 0.0);
  for (const bool upper : {false, true}) {
    std::vector<Panel>& side = panels_[upper ? 1 : 0];
    if (law.spread() == 0.0) {
      side.push_back({kLowest, kHighest, {}});
      continue;
    }
    Builder builder(law, upper);
    const double steps[] = {kLowest, -22.0, -11.0, -5.5, -2.0, kHighest};
    for (int i = 0; i < 5; ++i) builder.panels(steps[i], steps[i + 1], side);
    fill_cells(upper);
  }
}

double QuantileTable::from_panels(double p, bool upper) const {
  return at_log(natural_log(p), upper);
}

double QuantileTable::at_log(double y, bool upper) const {
  const std::vector<Panel>& side = panels_[upper ? 1 : 0];
  auto panel = std::lower_bound(side.begin(), side.end(), y,
                                [](const Panel& a, double value) { return a.right < value; });
  if (panel == side.end()) --panel;
  const double t = (2.0 * y - panel->left - panel->right) / (panel->right - panel->left);
  return clenshaw(panel->series, kTerms, t);
}

namespace {

// Where the polynomial of a cell is made and judged: p, and its logarithm.
struct CellPoints {
  static constexpr int kNodes = 5, kChecks = 4;
  double p[kNodes + kChecks], log_p[kNodes + kChecks];
};

// The same for every table.
const std::vector<CellPoints>& cell_points() {
  static const std::vector<CellPoints> points = [] {
    const auto& node = chebyshev_nodes<CellPoints::kNodes>();
    constexpr double check[] = {-0.95, -0.3, 0.3, 0.95};
    std::vector<CellPoints> all(std::size_t(QuantileTable::kSide));
    for (std::size_t c = 0; c < all.size(); ++c) {
      const std::int64_t cell = std::int64_t(c);
      const double left = from_bits(QuantileTable::kFirst + (cell << kCellBits));
      const double right = from_bits(QuantileTable::kFirst + ((cell + 1) << kCellBits));
      const double middle = 0.5 * (left + right), radius = 0.5 * (right - left);
      for (std::size_t k = 0; k < std::size_t(CellPoints::kNodes + CellPoints::kChecks); ++k) {
        const double t =
            k < std::size_t(CellPoints::kNodes) ? node[k] : check[k - CellPoints::kNodes];
        all[c].p[k] = middle + radius * t;
        all[c].log_p[k] = natural_log(std::min(all[c].p[k], 0.5));
      }
    }
    return all;
  }();
  return points;
}

}  // namespace

// One polynomial a cell, through five Chebyshev nodes, in the distance of the mantissa of p from
// the middle of the cell; judged between the nodes.
void QuantileTable::fill_cells(bool upper) {
  constexpr int n = CellPoints::kNodes;
  constexpr double half = 0x1p-7;  // half a cell, in units of the octave
  const std::vector<CellPoints>& points = cell_points();
  for (int c = 0; c < kSide; ++c) {
    const CellPoints& at = points[std::size_t(c)];
    const double left = from_bits(kFirst + (std::int64_t(c) << kCellBits));
    const double right = from_bits(kFirst + (std::int64_t(c + 1) << kCellBits));
    const double middle = 0.5 * (left + right), radius = 0.5 * (right - left);
    double value[n], s[n];
    for (std::size_t k = 0; k < std::size_t(n); ++k) value[k] = at_log(at.log_p[k], upper);
    chebyshev_series<n>(value, s);
    // in powers of t, then of half * t
    const double a[n] = {s[0] - s[2] + s[4], s[1] - 3.0 * s[3], 2.0 * s[2] - 8.0 * s[4], 4.0 * s[3],
                         8.0 * s[4]};
    double* row = &rows_[std::size_t(((upper ? kSide : 0) + c) * kRow)];
    row[0] = a[0];
    row[1] = a[1] / half;
    row[2] = a[2] / (half * half);
    row[3] = packed(a[3] / (half * half * half), a[4] / (half * half * half * half));
    const double slope = std::abs(s[1]) / radius * middle;  // dx/dlog p
    for (int k = n; k < n + CellPoints::kChecks; ++k) {
      const double error = std::abs(cell(at.p[k], upper) - at_log(at.log_p[k], upper));
      if (!(error <= kCellTolerance * slope + 2e-16 * std::abs(a[0]))) {
        row[0] = kNaN;
        ++hard_cells_;
        break;
      }
    }
  }
}

// As the lanes compute it, but for the fused operations.
double QuantileTable::cell(double p, bool upper) const {
  const std::int64_t b = bits(p), at = (b - kFirst) >> kCellBits;
  const double* row = &rows_[std::size_t((at + (upper ? kSide : 0)) * kRow)];
  const std::int64_t one = std::int64_t(1023) << 52;
  const double t = from_bits((b & ((std::int64_t(1) << kCellBits) - 1)) | one) - (1.0 + 0x1p-7);
  const double third = from_bits(bits(row[3]) & std::int64_t(0xFFFFFFFF00000000ULL));
  const double fourth = from_bits(std::int64_t(std::uint64_t(bits(row[3])) << 32));
  const auto fused = [](double a, double x, double c) { return std::fma(a, x, c); };
  return fused(fused(fused(fused(fourth, t, third), t, row[2]), t, row[1]), t, row[0]);
}

double QuantileTable::at(std::uint64_t u) const {
  if (u < dead_below_) return kNaN;
  const std::uint64_t alive = u - dead_below_;
  const bool upper = alive >= middle_;
  const double steps = double(upper ? ~u : alive);
  const double p = std::min((steps + 0.5) * unit_, 0.5 - 0x1p-54);
  const double x = cell(p, upper);
  return x == x ? x : from_panels(p, upper);
}

}  // namespace fracmoment
