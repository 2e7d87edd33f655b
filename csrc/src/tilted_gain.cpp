#include "fracmoment/random/tilted_gain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fracmoment/error.hpp"
#include "fracmoment/random/chebyshev.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestDensity = 1e-280;  // farther out nothing is tabulated
constexpr double kFarthest = 150.0;          // nor below exp(-150), where R^2 leaves the doubles
constexpr double kTolerance = 2e-13;         // of log f, absolute
constexpr double kUnseen = 60.0;             // the same, for what must not be cut off
constexpr double kRise = 0.1;                // of the exponent, beyond the error of the series
constexpr double kVariation = 0.5;           // of the exponent on one piece

double natural_log(double x) { return log(Real(x)).hi; }
double exponential(double x) { return x < -740.0 ? 0.0 : exp_rounded(Real(x)); }

// Nodes and weights of the Gauss-Legendre rule of 8 points on [-1, 1], the positive half.
constexpr int kHalf = 4;
constexpr double kNode[kHalf] = {0.18343464249564980, 0.52553240991632899, 0.79666647741362674,
                                 0.96028985649753623};
constexpr double kWeight[kHalf] = {0.36268378337836198, 0.31370664587788729, 0.22238103445337447,
                                   0.10122853629037626};

struct Moments {
  double mass, first, second;
};
Moments operator+(const Moments& a, const Moments& b) {
  return {a.mass + b.mass, a.first + b.first, a.second + b.second};
}
Moments operator*(double c, const Moments& a) { return {c * a.mass, c * a.first, c * a.second}; }

// The integral of f over [left, right], for an f that one polynomial of degree 15 describes.
template <class F>
auto integral(double left, double right, F&& f) {
  const double middle = 0.5 * (left + right), radius = 0.5 * (right - left);
  decltype(f(middle)) sum{};
  for (int i = 0; i < kHalf; ++i)
    sum = sum + kWeight[i] * (f(middle - radius * kNode[i]) + f(middle + radius * kNode[i]));
  return radius * sum;
}

}  // namespace

class LogDensity::Builder {
 public:
  Builder(const GainLaw& law, double spread)
      : law_(law), log_mean_(law.log_mean()), spread_(spread) {}

  // The farthest point in a direction up to which the density can be tabulated.
  double end(double direction) const {
    double reached = 0.0, step = spread_;
    bool grows = true;
    while (step > 0.02 * spread_) {
      const double next = reached + step;
      if (next < kFarthest && usable(direction * next)) {
        reached = next;
        if (grows) step *= 1.5;
      } else {
        grows = false;
        step *= 0.5;
      }
    }
    return direction * reached;
  }

  void panels(double left, double right, std::vector<Panel>& out) const {
    const auto& node = chebyshev_nodes<kTerms>();
    const double middle = 0.5 * (left + right), radius = 0.5 * (right - left);
    double y[kTerms], value[kTerms];
    for (std::size_t k = 0; k < std::size_t(kTerms); ++k) y[k] = middle + radius * node[k];
    log_densities(y, value, kTerms);
    Panel panel{left, right, {}};
    chebyshev_series<kTerms>(value, panel.series);
    if (settled(panel) || right - left < 1e-3 * spread_) {
      out.push_back(panel);
      return;
    }
    panels(left, middle, out);
    panels(middle, right, out);
  }

 private:
  void log_densities(const double* y, double* out, int n) const {
    std::vector<double> r;
    for (int i = 0; i < n; ++i) r.push_back(exp_rounded(Real(log_mean_) + Real(y[i])));
    law_.pdf(r.data(), out, r.size());
    for (int i = 0; i < n; ++i)
      out[i] = out[i] > 0.0 ? natural_log(out[i]) + log_mean_ + y[i] : -kInfinity;
  }

  bool usable(double y) const {
    double value = -kInfinity;
    try {
      log_densities(&y, &value, 1);
    } catch (const ConvergenceError&) {
      return false;
    }
    return value > natural_log(kSmallestDensity) && value < kInfinity;
  }

  // The last terms against the error of log f, that of rounding R to a double included.
  static bool settled(const Panel& panel) {
    double last = 0.0, size = 0.0;
    for (int j = 0; j < kTerms; ++j) size = std::max(size, std::abs(panel.series[j]));
    for (int j = kTerms - 3; j < kTerms; ++j) last = std::max(last, std::abs(panel.series[j]));
    const double slope = std::abs(panel.series[1]) / (0.5 * (panel.right - panel.left));
    return last <= kTolerance + 4e-16 * (size + slope);
  }

  const GainLaw& law_;
  double log_mean_, spread_;
};

LogDensity::LogDensity(const GainLaw& law) : spread_(std::sqrt(law.log_var())) {
  const Builder builder(law, spread_);
  const double low = builder.end(-1.0), high = builder.end(1.0);
  builder.panels(low, 0.0, panels_);
  builder.panels(0.0, high, panels_);
  breaks_.push_back(low);
  for (const Panel& panel : panels_) breaks_.push_back(panel.right);
  const double step = -0.05 * low;
  lower_slope_ = ((*this)(low + step) - (*this)(low)) / step;
  power_below_ = is_power(law.spec());
}

// Whether f is a power of the gain below the lowest point: its slope does not change any more, and
// no unit has a slope so small that its own scale lies farther out.
bool LogDensity::is_power(const LawSpec& spec) const {
  for (const double slope : {spec.lower, spec.upper})
    if (slope != 0.0 && natural_log(std::abs(slope)) < lowest() + 20.0) return false;
  const double span = -0.1 * lowest();
  const double farther_up = ((*this)(lowest() + 2.0 * span) - (*this)(lowest() + span)) / span;
  return std::abs(farther_up - lower_slope_) < 1e-9 * std::abs(lower_slope_);
}

double LogDensity::operator()(double y) const {
  const auto panel = std::lower_bound(panels_.begin(), panels_.end() - 1, y,
                                      [](const Panel& a, double value) { return a.right < value; });
  const double t = (2.0 * y - panel->left - panel->right) / (panel->right - panel->left);
  return clenshaw(panel->series, kTerms, t);
}

double LogDensity::valley(double order) const {
  double best = -kInfinity, least = kInfinity, at = highest();
  for (std::size_t i = panels_.size(); i-- > 0;)
    for (int j = 16; j > 0; --j) {
      const double y = panels_[i].left + (panels_[i].right - panels_[i].left) * j / 16.0;
      const double value = order * y + (*this)(y);
      if (value >= best && best - least < kRise) {  // still on the way to the maximum
        best = least = value;
      } else if (value < least) {
        least = value;
        at = y;
      } else if (value > least + kRise && best > least + kRise) {
        return at;
      }
    }
  return power_below_ && order + lower_slope_ < 0.0 && best > least + kRise ? lowest() : -kInfinity;
}

TiltedGain::TiltedGain(std::shared_ptr<const LogDensity> density, double order, double cut,
                       double reach)
    : density_(std::move(density)), order_(order), cut_(cut), reach_(reach) {
  if (cut_ >= density_->highest()) throw std::domain_error("nothing is left above the cut");
  find_peak();
  if (exponent(density_->highest()) > -kUnseen)
    throw std::domain_error("the tilted law lies above what can be tabulated");
  if (cut_ < density_->lowest()) continue_below(exponent(density_->lowest()));
  const std::vector<double>& breaks = density_->breaks();
  for (std::size_t i = 0; i + 1 < breaks.size(); ++i) {
    const double left = std::max(breaks[i], cut_);
    if (left < breaks[i + 1]) cut_pieces(left, breaks[i + 1]);
  }
  sum_pieces();
}

// The power of the gain below the lowest point, with the exponent there.
void TiltedGain::continue_below(double lowest) {
  lower_rate_ = order_ + density_->lower_slope();
  if (density_->power_below() && lower_rate_ > 0.0)
    lower_mass_ = exponential(lowest) / lower_rate_;
  else if (lowest > -kUnseen)
    throw std::domain_error("the tilted law lies below what can be tabulated");
}

double TiltedGain::exponent(double y) const { return order_ * y + (*density_)(y)-peak_; }

void TiltedGain::find_peak() {
  double best = -kInfinity;
  const std::vector<double>& breaks = density_->breaks();
  for (std::size_t i = 0; i + 1 < breaks.size(); ++i)
    for (int j = 0; j <= 16; ++j) {
      const double y = breaks[i] + (breaks[i + 1] - breaks[i]) * j / 16.0;
      if (y >= cut_ && exponent(y) > best) {
        best = exponent(y);
        mode_ = y;
      }
    }
  peak_ = best;
}

// Halves until the exponent varies little, and drops what is negligible.
void TiltedGain::cut_pieces(double left, double right) {
  constexpr int points = 8;
  double least = kInfinity, most = -kInfinity;
  for (int i = 0; i <= points; ++i) {
    const double value = exponent(left + (right - left) * i / points);
    least = std::min(least, value);
    most = std::max(most, value);
  }
  if (most < -reach_) return;
  if (most - least <= kVariation || right - left < 1e-9 * density_->spread()) {
    pieces_.push_back({left, right, 0.0, 0.0, 0.0});
    return;
  }
  const double middle = 0.5 * (left + right);
  cut_pieces(left, middle);
  cut_pieces(middle, right);
}

void TiltedGain::sum_pieces() {
  const double lowest = density_->lowest();
  double first = 0.0, second = 0.0, below = lower_mass_;
  if (lower_mass_ > 0.0) {  // an exponential law below the lowest point
    const double scale = 1.0 / lower_rate_, centre = lowest - scale;
    first = lower_mass_ * centre;
    second = lower_mass_ * (scale * scale + centre * centre);
  }
  for (Piece& piece : pieces_) {
    const Moments moments = integral(piece.left, piece.right, [&](double y) {
      const double value = exponential(exponent(y));
      return Moments{value, value * y, value * y * y};
    });
    piece.mass = moments.mass;
    piece.below = below;
    below += piece.mass;
    first += moments.first;
    second += moments.second;
  }
  double above = 0.0;
  for (std::size_t i = pieces_.size(); i-- > 0;) {
    pieces_[i].above = above;
    above += pieces_[i].mass;
  }
  total_ = below;
  log_mass_ = natural_log(total_) + peak_;
  mean_ = first / total_;
  variance_ = std::max(second / total_ - mean_ * mean_, 0.0);
}

double TiltedGain::mass(double y, bool upper) const {
  if (y < density_->lowest()) {
    if (y < cut_ || lower_mass_ == 0.0) return upper ? total_ : 0.0;
    const double lower = lower_mass_ * exponential(lower_rate_ * (y - density_->lowest()));
    return upper ? total_ - lower : lower;
  }
  const auto piece = std::lower_bound(pieces_.begin(), pieces_.end(), y,
                                      [](const Piece& a, double value) { return a.right < value; });
  if (piece == pieces_.end()) return upper ? 0.0 : total_;
  const auto f = [&](double t) { return exponential(exponent(t)); };
  if (y <= piece->left) return upper ? piece->above + piece->mass : piece->below;
  return upper ? piece->above + integral(y, piece->right, f)
               : piece->below + integral(piece->left, y, f);
}

void TiltedGain::log_tails(const double* y, double* log_p, std::size_t n, bool upper) const {
  for (std::size_t i = 0; i < n; ++i) {
    const double p = mass(y[i], upper);
    log_p[i] = p > 0.0 ? natural_log(p / total_) : -kInfinity;
  }
}

void TiltedGain::tails(const double* x, std::size_t n, bool upper, double* log_p,
                       double* density) const {
  const double lowest = density_->lowest();
  for (std::size_t i = 0; i < n; ++i) {
    const double y = x[i] + mean_;
    log_tails(&y, log_p + i, 1, upper);
    if (y < cut_ || y > density_->highest())
      density[i] = 0.0;
    else if (y < lowest)
      density[i] = mass(y, false) * lower_rate_ / total_;
    else
      density[i] = exponential(exponent(y)) / total_;
  }
}

double TiltedGain::spread() const { return std::sqrt(variance_); }

}  // namespace fracmoment
