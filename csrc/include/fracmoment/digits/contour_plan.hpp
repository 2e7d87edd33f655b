// Where a contour runs, with which step and to which ends: see contour.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "fracmoment/digits/path.hpp"
#include "fracmoment/digits/transform_bound.hpp"

namespace fracmoment::digits {

// What a path costs at a precision: see ContourPlan::price.
struct PathSurvey {
  double level = -HUGE_VAL;    // log of the largest |integrand|
  double length = 0.0;         // of the part that counts
  double distance = HUGE_VAL;  // from the nearest branch point
};

// Paths, steps and precision for one order, in doubles.
class ContourPlan {
 public:
  // known: paths found for the same order before, or none.
  ContourPlan(const Law& law, bool dual, const ComplexRational& p, Bits target, unsigned variant,
              std::vector<Path> known = {})
      : sigma_(p.re.to_double()),
        frequency_(p.im.to_double()),
        width_(static_cast<double>(law.width)),
        digits_(static_cast<double>(target) * kLog2),
        variant_(variant),
        paths_(std::move(known)),
        unit_(law, dual, 1.0),
        bound_(law, dual) {
    set_columns(law, dual);
    // What doubles cannot tell about the integrand: slopes too close, or too far apart.
    if (law.cancellation_bits() > 24 || std::fabs(columns_.front()) > 600.0 ||
        std::fabs(columns_.back()) > 600.0) {
      return;
    }
    if (paths_.empty()) search();
    found_paths_ = paths_;
    for (Path& path : paths_) {
      if (variant > 0) path = moved(path);
    }
    const auto rightly = [this](const Path& path) { return passes_rightly(path); };
    found_ = !paths_.empty() && std::all_of(paths_.begin(), paths_.end(), rightly) && measure() &&
             schedule();
  }
  // Whether there is a path; if not, nothing else here may be asked for.
  bool found() const { return found_; }

  // Orders p + iq with q above this share of p take arches; loops need p > 0.
  static constexpr double kLeastArchShare = 0.5;

  bool arch() const { return paths_.front().arch; }
  const std::vector<PlannedPath>& paths() const { return planned_; }
  // What the search found, before the second run moves it.
  const std::vector<Path>& found_paths() const { return found_paths_; }

  // The sum came out smaller than planned, or its terms larger: plan again for logarithms of both.
  void expect(double log_sum, double log_terms) {
    log_sum_ = std::min(log_sum_, log_sum);
    log_terms_ = std::max(log_terms_, log_terms);
    found_ = log_terms_ - log_sum_ < 20.0 * digits_ + 2000.0 && schedule();
  }
  double log_sum() const { return log_sum_; }
  double log_terms() const { return log_terms_; }

  // Whether a node counts.
  bool keep(const Path& path, double u) const {
    const double size = log_size(path, u);
    return !(size < log_sum_ - digits_ - 24.0);
  }
  // Bits that the sum loses by cancellation.
  Bits lost_bits() const { return magnitude_bits_log2((log_terms_ - log_sum_) / kLog2) + 2; }
  // Largest |w| of a path.
  double reach() const {
    double most = 1.0;
    for (const PlannedPath& p : planned_) {
      most = std::max(most, std::fabs(p.path.left) + p.step * static_cast<double>(p.nodes) + 8.0);
    }
    return most;
  }
  double last_column() const { return columns_.back(); }

 private:
  void set_columns(const Law& law, bool dual) {
    const auto add_column = [&](const Rational& slope) {
      columns_.push_back((dual ? 2.0 : -2.0) * kLog2 * slope.log2_abs() - kLog2);
    };
    add_column(Rational(1, 1));
    if (law.kind != SlopeKind::kNone) add_column(law.upper);
    if (law.kind == SlopeKind::kUniform && law.lower.sign() != 0) add_column(law.lower);
    std::sort(columns_.begin(), columns_.end());
    // Slopes of one size share a branch point; nothing passes between what rounding tells apart.
    const auto close = [](double a, double b) { return std::fabs(a - b) < kLeastGap; };
    columns_.erase(std::unique(columns_.begin(), columns_.end(), close), columns_.end());
  }

  void search() {
    mean_ = mean_slope();
    if (frequency_ > kLeastArchShare * sigma_) {
      choose_arches();
    } else {
      choose_loop();
    }
  }

  // -(d/dt) log f at t = 0, where the law has its bulk: f(-e^w) = f(0) (1 + mu e^w + ...), mu from
  // a point at e^w = i e^x.
  double mean_slope() const {
    const double x = columns_.front() - 12.0;
    const auto value = [&](double at) { return unit_(point(Complex64(at, 0.5 * kPi), true)); };
    return width_ * std::fabs((value(x) / value(x - 24.0)).imag()) / std::exp(x);
  }

  static PathPoint<Complex64> point(const Complex64& w, bool above) {
    const Complex64 half = std::exp(0.5 * w);
    return {w, half, half * half, w.real(), above};
  }

  // log of the integrand, its imaginary part up to multiples of 2 pi
  Complex64 log_value(const Path& path, const Complex64& u) const {
    const PathValue<Complex64> v = follow(path, u);
    const Complex64 i(0.0, 1.0);
    const Complex64 w = v.x + i * v.y;
    const bool above = path.arch || w.imag() >= 0.0;
    return -Complex64(sigma_, frequency_) * w + width_ * std::log(unit_(point(w, above))) +
           std::log(v.dx + i * v.dy);
  }
  double log_size(const Path& path, const Complex64& u) const { return log_value(path, u).real(); }

  // How far the ends of a path run beyond its corners, before its sum is known.
  double leg(const Path& path) const {
    const double first = path.first_corner();
    const double last = path.last_corner();
    double level = -HUGE_VAL;
    for (int k = 0; k <= kCoarse; ++k) {
      level = std::max(level, log_size(path, first + (last - first) * k / kCoarse));
    }
    const double budget = level - 1.3 * digits_ - 20.0;
    return std::max(end(path, false, budget), end(path, true, budget));
  }

  // Points of a side of a corner, for the search and for the step.
  static constexpr int kCoarse = 12;
  static constexpr int kFine = 40;

  // Points of a path, dense around the corners.
  std::vector<double> samples(const Path& path, double far, int side) const {
    const double first = path.first_corner();
    const double last = path.last_corner();
    const double middle = 0.5 * (last - first);
    const double least = 0.15 * std::min(path.corner, middle);
    std::vector<double> out{first, last, first + middle};
    for (int k = 0; k < side; ++k) {
      const double share = static_cast<double>(k) / static_cast<double>(side);
      const double out_step = least * std::pow(far / least, share);
      const double in_step = least * std::pow(middle / least, share);
      out.insert(out.end(), {first - out_step, last + out_step, first + in_step, last - in_step});
    }
    if (path.arch) {
      add_crossings(path, side / 2, out);
      add_legs(path, out);
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  // Where the legs pass beside branch points the integrand is largest, close by in a narrow peak.
  void add_legs(const Path& path, std::vector<double>& u) const {
    for (const double depth : {path.height, path.height + 2.0 * kPi}) {
      for (const double share : {-1.0, -0.3, 0.0, 0.3, 1.0}) {
        u.push_back(-depth + share * distance(path.left));
        u.push_back(path.width + depth + share * distance(path.left + path.width));
      }
    }
  }

  // From the nearest column.
  double distance(double x) const {
    double least = HUGE_VAL;
    for (const double column : columns_) least = std::min(least, std::fabs(x - column));
    return least;
  }

  // The integrand can peak sharply where an arch passes above a branch point: points there, dense
  // on the scale of e^(-iqw).
  void add_crossings(const Path& path, int side, std::vector<double>& u) const {
    for (const double column : columns_) {
      if (column <= path.left || column >= path.left + path.width) continue;
      const double low = crossing(path, column);
      u.push_back(low);
      const double least = 0.3 / frequency_;
      const double ratio =
          std::pow(std::max(path.width / least, 2.0), 1.0 / static_cast<double>(side));
      for (double step = least; step < 0.9 * path.width; step *= ratio) {
        u.push_back(low - step);
        u.push_back(low + step);
      }
    }
  }

  PathSurvey survey(const Path& path, int side) const {
    PathSurvey out;
    std::vector<double> sizes;
    const double far = leg(path);
    if (!(far < kLongest) || !passes_rightly(path)) {
      out.level = HUGE_VAL;
      return out;
    }
    const std::vector<double> u = samples(path, far, side);
    for (const double at : u) {
      const PathValue<Complex64> v = follow(path, Complex64(at));
      sizes.push_back(log_size(path, at));
      out.level = std::max(out.level, sizes.back());
      for (const double column : columns_) {
        for (const double turn : {-2.0 * kPi, 0.0, 2.0 * kPi}) {
          out.distance = std::min(out.distance, std::hypot(v.x.real() - column, v.y.real() - turn));
        }
      }
    }
    for (std::size_t k = 1; k < u.size(); ++k) {
      if (std::max(sizes[k - 1], sizes[k]) > out.level - digits_) out.length += u[k] - u[k - 1];
    }
    return out;
  }

  // Half the width of a strip around the path in which the integrand is tame.
  static double strip(const Path& path, const PathSurvey& s) {
    return std::min(1.5 * path.corner, 0.6 * s.distance);
  }

  // A monotone function of the work: nodes, which a loss of precision multiplies about twice over.
  double price(const Path& path) const {
    const PathSurvey s = survey(path, kCoarse);
    if (!std::isfinite(s.level)) return HUGE_VAL;
    return std::log(s.length / strip(path, s)) + 2.0 * s.level / digits_;
  }

  // Coordinate search from the best of several starts, over the logarithms of positive parameters.
  template <std::size_t N, class Make>
  Path improve(const std::vector<std::array<double, N>>& starts, const Make& make) const {
    std::array<double, N> at = starts.front();
    double least = HUGE_VAL;
    for (const std::array<double, N>& start : starts) {
      const double value = price(make(start));
      if (value < least) {
        least = value;
        at = start;
      }
    }
    Path best = make(at);
    descend(at, least, make, best);
    return best;
  }

  template <std::size_t N, class Make>
  void descend(std::array<double, N> at, double least, const Make& make, Path& best) const {
    for (double step = 0.8; step > 0.15; step *= 0.5) {
      for (bool again = true; again;) {
        again = false;
        for (std::size_t k = 0; k < 2 * N; ++k) {
          std::array<double, N> next = at;
          next[k / 2] += k % 2 == 0 ? step : -step;
          const Path path = make(next);
          const double value = price(path);
          if (!(value < least - 0.03)) continue;
          least = value;
          best = path;
          at = next;
          again = true;
        }
      }
    }
  }

  // The best arch over columns first..last that leaves room for arches over the others.
  Path best_arch(std::size_t first, std::size_t last) const {
    const double low = columns_[first];
    const double high = columns_[last];
    const double room_left = first > 0 ? 0.5 * (low - columns_[first - 1]) : HUGE_VAL;
    const double room_right =
        last + 1 < columns_.size() ? 0.5 * (columns_[last + 1] - high) : HUGE_VAL;
    const auto make = [&](const std::array<double, 4>& x) {
      const double left = std::min(std::exp(x[0]), room_left);
      const double right = std::min(std::exp(x[1]), room_right);
      const double middle = kPi / (1.0 + std::exp(-x[2]));  // wide corners lower it
      Path path;
      path.left = low - left;
      path.width = high + right - path.left;
      path.corner = std::clamp(std::exp(x[3]), 0.08 * std::min({left, right, middle}), 2.0);
      path.height = middle + sag(path);
      return path;
    };
    const auto angle = [](double y) { return std::log(y / (kPi - y)); };
    // Narrow layers: close to a branch point, where the integrand is e^(-iqw) (w - w_0)^(-d/2),
    // with room for the step.
    const double near = std::min((0.5 * width_ + 0.5) / frequency_, 1.5);
    const double side = near + 10.0 / frequency_;
    std::vector<std::array<double, 4>> starts{
        {std::log(side), std::log(side), angle(near), std::log(0.6 * side)}};
    // Wide layers: f(t) is nearly e^(-mu t), with a saddle at e^w = p/mu.
    const double far = low - std::log(std::hypot(sigma_, frequency_) / mean_);
    const double turn = std::min(std::atan2(frequency_, sigma_) + 0.1, 3.0);
    if (far > 0.1) starts.push_back({std::log(far), 0.0, angle(turn), -1.0});
    return improve(starts, make);
  }

  // Every way to cut the columns into neighbours under one arch each.
  void choose_arches() {
    const std::size_t n = columns_.size();
    std::vector<std::vector<Path>> arch(n, std::vector<Path>(n));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i; j < n; ++j) arch[i][j] = best_arch(i, j);
    }
    double least = HUGE_VAL;
    for (std::size_t cuts = 0; cuts < (1U << (n - 1)); ++cuts) {
      std::vector<Path> candidate;
      std::size_t start = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (i + 1 < n && (cuts >> i & 1U) == 0) continue;
        candidate.push_back(arch[start][i]);
        start = i + 1;
      }
      const double value = price(candidate);
      if (value < least) {
        least = value;
        paths_ = candidate;
      }
    }
  }

  double price(const std::vector<Path>& paths) const {
    double level = -HUGE_VAL;
    double nodes = 0.0;
    std::vector<PathSurvey> surveys;
    for (const Path& path : paths) {
      surveys.push_back(survey(path, kCoarse));
      level = std::max(level, surveys.back().level);
    }
    if (!std::isfinite(level)) return HUGE_VAL;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (surveys[i].level < level - digits_) continue;
      nodes += surveys[i].length / strip(paths[i], surveys[i]);
    }
    return std::log(nodes) + 2.0 * level / digits_;
  }

  void choose_loop() {
    const double low = columns_.front();
    const auto make = [&](const std::array<double, 2>& x) {
      Path path;
      path.arch = false;
      path.left = low - std::exp(x[0]);
      path.height = 2.6;
      path.corner = std::clamp(std::exp(x[1]), 0.05, 0.8);
      return path;
    };
    const double far = low - std::log(std::hypot(sigma_, frequency_) / mean_);
    const double near = std::min(1.0, 0.5 * width_ / sigma_);
    const std::vector<std::array<double, 2>> starts{{std::log(std::max(far, near)), -1.0}};
    paths_.push_back(improve(starts, make));
  }

  // The step for an error e^-nats: the best of some widths of the strip. log|integrand| is harmonic
  // where it is analytic, so it changes little over half the width of a strip.
  double choose_step(const Path& path, double nats) const {
    const double distance = survey(path, kFine).distance;
    const double far = leg(path);
    const double first = path.first_corner() - far;
    const double last = path.last_corner() + far;
    double best = 0.0;
    for (const double share : {0.1, 0.2, 0.35, 0.5, 0.7}) {
      const double strip = share * std::min(3.0 * path.corner, distance);
      const double spacing = std::max(0.5 * strip, (last - first) / kMostSamples);
      double largest = -HUGE_VAL;
      for (double u = first; u < last; u += spacing) {
        largest = std::max(
            {largest, log_size(path, Complex64(u, strip)), log_size(path, Complex64(u, -strip))});
      }
      if (largest + nats > 1.0) best = std::max(best, 2.0 * kPi * strip / (largest + nats));
    }
    if (!(best > 0.0)) best = 0.1 * path.corner;
    return best;
  }

  // log of the sum of all terms and of their moduli, by a sum in double.
  bool measure() {
    for (const Path& path : paths_) log_terms_ = std::max(log_terms_, survey(path, kFine).level);
    Complex64 sum(0.0);
    double moduli = 0.0;
    for (const Path& path : paths_) {
      const double far = leg(path);
      const double first = path.first_corner() - far;
      const double step = std::max(choose_step(path, 30.0 - log_terms_),
                                   (path.last_corner() + far - first) / kMostNodes);
      for (double u = first; u < path.last_corner() + far; u += step) {
        const Complex64 value = log_value(path, u) - log_terms_;
        if (value.real() < -60.0) continue;
        sum += step * std::exp(value);
        moduli += step * std::exp(value.real());
      }
    }
    const double share = std::abs(sum) / moduli;
    log_terms_ += std::log(moduli);
    // Below what doubles resolve, a guess: the two runs of the check will not agree if it is wrong.
    log_sum_ = log_terms_ + (share > 1e-11 ? std::log(share) : -45.0);
    return std::isfinite(log_sum_);
  }

  // The path of the second run of the check: another way around the same branch points, nearer to
  // them by a tenth, or by what brings the peak of the integrand, of width 1/sqrt|p|, to another
  // place.
  Path moved(const Path& from) const {
    const double most = 2.5 / std::sqrt(std::hypot(sigma_, frequency_) + 1.0);
    const auto inward = [&](double distance) { return std::min(0.15 * distance, most); };
    Path path = from;
    path.corner *= 0.8;
    path.left += inward(*std::upper_bound(columns_.begin(), columns_.end(), from.left) - from.left);
    if (!path.arch) {
      path.height -= 0.15;
      return path;
    }
    const double right = from.left + from.width;
    const auto last = std::prev(std::lower_bound(columns_.begin(), columns_.end(), right));
    path.width = right - inward(right - *last) - path.left;
    const double middle = from.height - sag(from);
    path.height = middle - inward(middle) + sag(path);
    return path;
  }

  // By how much the corners lower the middle of an arch.
  static double sag(const Path& path) {
    return 2.0 * path.corner * std::log1p(std::exp(-0.5 * path.width / path.corner));
  }

  // Whether arches cross the columns of their branch points between those and their copies at
  // +2 pi i, and loops go around all of them. x increases along an arch, so there is one crossing.
  bool passes_rightly(const Path& path) const {
    if (!path.arch) return follow(path, Complex64(0.0)).x.real() < columns_.front();
    return std::all_of(columns_.begin(), columns_.end(), [&](double column) {
      if (column <= path.left || column >= path.left + path.width) return true;
      const double y = follow(path, Complex64(crossing(path, column))).y.real();
      return y > 0.0 && y < 2.0 * kPi;
    });
  }

  // Where an arch crosses a column.
  double crossing(const Path& path, double column) const {
    double low = -40.0 * path.corner;
    double high = path.width - low;
    while (high - low > 1e-3 / frequency_ && high - low > 1e-13 * path.width) {
      const double middle = 0.5 * (low + high);
      (follow(path, Complex64(middle)).x.real() < column ? low : high) = middle;
    }
    return low;
  }

  // Steps and ends. Beyond the ends less than e^-(digits_ + 8) of the sum is left.
  bool schedule() {
    planned_.clear();
    const double budget = log_sum_ - digits_ - 8.0 - 8.0 * static_cast<double>(variant_);
    for (const Path& path : paths_) {
      const double left = end(path, false, budget);
      const double right = end(path, true, budget);
      PlannedPath planned;
      planned.path = path;
      planned.step = short_double(choose_step(path, digits_ + 8.0 - log_sum_) *
                                  (1.0 - 0.06 * static_cast<double>(variant_)));
      const double first = path.first_corner() - left;
      planned.begin = planned.step * (std::floor(first / planned.step) - 0.5 * variant_);
      const double nodes = (path.last_corner() + right - planned.begin) / planned.step + 1.0;
      planned.nodes = static_cast<long>(std::min(nodes, kMostNodes));
      planned_.push_back(planned);
      if (!(nodes < kMostNodes)) return false;
    }
    return true;
  }

  // How far beyond its corner a path has to run for a rest below e^budget.
  double end(const Path& path, bool right, double budget) const {
    double length = 4.0 * path.corner;
    while (length < kLongest) {
      const double rest =
          path.arch ? log_rest_of_leg(path, right, length) : log_rest_of_loop(path, length);
      if (rest < budget) break;
      length = 1.1 * length + 0.1 * path.corner;
    }
    return length;
  }

  // log of a bound of what an arch leaves out beyond `length` from its corner. There x lies within
  // corner e^(-length/corner) of the vertical line and -y = length - height at least, so that the
  // integrand is at most
  //     sqrt(2) e^(-sigma x - q |y|) (A + B |y|)^d,
  // whose logarithm falls at least at the rate q - d B/(A + B |y|). The same holds for the sum.
  double log_rest_of_leg(const Path& path, bool right, double length) const {
    const double slack = path.corner * std::exp(-length / path.corner);
    const double x = right ? path.left + path.width : path.left;
    const LineBound line = bound_.on_line(right ? x - slack : x, slack);
    const double depth = length - path.height;
    const double size = line.constant + line.growth * std::fabs(depth);
    const double rate = frequency_ - width_ * line.growth / size;
    if (!(depth > 0.0 && rate > 0.0 && std::isfinite(size))) return HUGE_VAL;
    return 0.5 * kLog2 - sigma_ * x + std::fabs(sigma_) * slack - frequency_ * depth +
           width_ * std::log(size) + std::log(1.0 + 1.0 / rate);
  }

  // The same for a loop, where Re t >= 0 and so |L(t)| <= L(0).
  double log_rest_of_loop(const Path& path, double length) const {
    return 0.5 * kLog2 - sigma_ * (path.left + length) + frequency_ * path.height +
           width_ * std::log(bound_.mass()) + std::log(1.0 + 1.0 / sigma_);
  }

  static constexpr double kMostNodes = 2e6;
  static constexpr double kMostSamples = 2e4;
  static constexpr double kLeastGap = 1e-6;
  static constexpr double kLongest = 1e7;

  double sigma_, frequency_, width_, digits_;
  unsigned variant_;
  std::vector<Path> paths_;
  ContinuedTransform<Complex64, double> unit_;
  TransformBound bound_;
  std::vector<double> columns_;
  double mean_ = 1.0;
  bool found_ = false;
  std::vector<Path> found_paths_;
  std::vector<PlannedPath> planned_;
  double log_terms_ = -HUGE_VAL, log_sum_ = 0.0;
};

}  // namespace fracmoment::digits
