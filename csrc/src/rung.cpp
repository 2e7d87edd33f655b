// Inversion along one line: see rung.hpp.
#include "fracmoment/depth/rung.hpp"

#include <algorithm>

#include "fracmoment/error.hpp"
#include "fracmoment/special/log_gamma.hpp"

namespace fracmoment {
namespace {

constexpr double kInversePi = 0.3183098861837907;
constexpr double kNothing = 1e-18;       // of a characteristic function
constexpr double kPartRounding = 2e-15;  // of the parts of one layer
constexpr double kTurnPerPanel = 6.0;    // of the integrand, between 16 Gaussian nodes
constexpr double kPanel = 1.2;           // of log(1 + rho/|start|) on a turned path
constexpr double kFirstTurn = 5.0;       // of the exponential on the first panel
constexpr double kDecay = 60.0;          // over which exp(z (break - y)) is followed
constexpr double kNearestBreak = 1e-30;
constexpr std::size_t kChunk = 64;
constexpr std::size_t kMaxNodes = 1u << 18;
constexpr std::size_t kMostBranches = 20000;
constexpr double kLogNothing = -43.5;
constexpr double kSamePoint = 1e-26;
constexpr int kMostTerms = 512;         // of the series of a product
constexpr double kSettledTail = 5e-14;  // of its last terms, over the number of layers

// Re sum_k a_k exp(-i t_k x), t_k = first + k step.
double fourier_sum(const std::vector<Point>& a, double first, double step, double x) {
  const Complex<double> turn = unit_circle(-two_prod(step, x));
  const Point w(turn.re.hi, turn.im.hi);
  Point sum = 0.0;
  for (std::size_t k = a.size(); k-- > 0;) sum = times(sum, w) + a[k];
  if (first == 0.0) return sum.real();
  const Complex<double> at = unit_circle(-two_prod(first, x));
  return sum.real() * at.re.hi - sum.imag() * at.im.hi;
}

double log_factorial(double n) { return log_gamma(Real(n + 1.0)).hi; }

}  // namespace

Rung::Rung(const StepSum& sum, Tilt tilt) : order_(tilt.order) {
  if (tilt.branched) sum.take_apart(tilt);
  log_mass_ = tilt.log_mass;
  mean_ = tilt.mean;
  height_ = tilt.reach;
  log_neglected_ = sum.neglected(tilt);
  if (tilt.branched)
    for (const StepSum::Factor& factor : sum.factors()) rounding_ += kPartRounding * factor.count;
  std::tie(low_, high_) = sum.range(tilt);
  for (const bool left : {false, true})
    if (tilt.branched) make_branches(sum, tilt, left);
  make_line(sum, tilt);
}

// ------------------------------------------------------------------ the line

void Rung::make_nodes(double last) {
  const double range = high_ - low_;
  if (branches_[0].empty()) {
    step_ = 6.283185307179586 / range;
    columns_.push_back({order_ == 0.0 ? 0.5 * step_ : 0.0, {}, {}});
    return;
  }
  const double panels = std::ceil(last * range / kTurnPerPanel);
  step_ = last / panels;
  for (int k = 0; k < 16; ++k) columns_.push_back({step_ * tables::kLegendreNodeHi[k], {}, {}});
}

void Rung::make_line(const StepSum& sum, const Tilt& tilt) {
  make_nodes(tilt.reach);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    Column& column = columns_[c];
    const double weight = columns_.size() > 1 ? step_ * tables::kLegendreWeightHi[c] : step_;
    for (bool decayed = false; !decayed;) {
      const std::size_t begin = column.value.size();
      if (begin >= kMaxNodes)
        throw ConvergenceError(
            "the law of the log-norm needs too many nodes: its tail is too heavy, or its "
            "characteristic function decays too slowly");
      std::vector<double> t;
      for (std::size_t k = begin; k < begin + kChunk; ++k) {
        const double at = column.first + double(k) * step_;
        if (at <= tilt.reach) t.push_back(at);
      }
      column.value.resize(begin + t.size());
      sum.characteristic(tilt, t.data(), column.value.data() + begin, t.size());
      double largest = 0.0;
      for (std::size_t i = t.size() / 2; i < t.size(); ++i)
        largest = std::max(largest, std::abs(column.value[begin + i]));
      decayed = t.size() < kChunk || largest < kNothing;
    }
    while (column.value.size() > 1 && std::abs(column.value.back()) < kNothing)
      column.value.pop_back();
    for (std::size_t k = 0; k < column.value.size(); ++k) {
      const double at = column.first + double(k) * step_;
      // the trapezoidal rule counts its first node half
      column.value[k] *= at == 0.0 ? 0.5 * weight : weight;
      column.divided.push_back(column.value[k] / Point(order_, at));
      size_[0] += std::abs(column.value[k]) * kInversePi;
      size_[1] += std::abs(column.divided[k]) * kInversePi;
    }
  }
}

double Rung::line_integral(double x, bool divided) const {
  double sum = 0.0;
  for (const Column& column : columns_)
    sum += fourier_sum(divided ? column.divided : column.value, column.first, step_, x - mean_);
  return sum;
}

// ------------------------------------------------------------------ beyond it

namespace {

// A sum of breaks, one for each layer so far, with the product of their parts at some nodes.
struct Product {
  Real at;
  std::vector<Point> node;
};

// The ways in which the layers of one factor can be distributed over its breaks.
class Distributions {
 public:
  Distributions(const StepSum::Factor& factor, const std::vector<RaySeries>& parts, double order,
                double log_mass, int nodes)
      : breaks_(factor.law().breaks()),
        layers_(factor.count),
        count_(parts.size(), 0.0),
        logs_(parts.size()),
        largest_(parts.size(), -kInfinity) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      for (int k = 0; k < nodes; ++k) {
        const Point part = parts[i].at(Ray::node(k, nodes));
        const double log_tilt = order * breaks_[i].at.hi - log_mass;
        logs_[i].push_back(log(Complex<double>{Real(part.real()), Real(part.imag())}) +
                           Real(log_tilt));
        largest_[i] = std::max(largest_[i], logs_[i].back().re.hi);
      }
    place(0, layers_, log_factorial(layers_));
  }

  const std::vector<Product>& all() const { return all_; }

 private:
  void place(std::size_t i, double rest, double log_size) {
    if (i + 1 < count_.size()) {
      for (count_[i] = 0.0; count_[i] <= rest; count_[i] += 1.0)
        place(i + 1, rest - count_[i],
              log_size - log_factorial(count_[i]) + count_[i] * largest_[i]);
      return;
    }
    count_[i] = rest;
    if (log_size - log_factorial(rest) + rest * largest_[i] > kLogNothing) add();
  }

  void add() {
    double log_ways = log_factorial(layers_);
    Product product{Real(0.0), {}};
    for (std::size_t j = 0; j < count_.size(); ++j) {
      log_ways -= log_factorial(count_[j]);
      product.at = product.at + breaks_[j].at * Real(count_[j]);
    }
    for (std::size_t k = 0; k < logs_[0].size(); ++k) {
      Complex<double> value{Real(log_ways), Real(0.0)};
      for (std::size_t j = 0; j < count_.size(); ++j)
        if (count_[j] > 0.0) value = value + logs_[j][k] * Real(count_[j]);
      const Complex<double> grown = exp(value);
      product.node.emplace_back(grown.re.hi, grown.im.hi);
    }
    all_.push_back(std::move(product));
  }

  const std::vector<StepLaw::Break>& breaks_;
  double layers_;
  std::vector<double> count_;
  std::vector<std::vector<Complex<double>>> logs_;
  std::vector<double> largest_;
  std::vector<Product> all_;
};

// All sums of one of each, those at the same point together.
std::vector<Product> combined(const std::vector<Product>& first,
                              const std::vector<Product>& second) {
  std::vector<Product> all;
  for (const Product& a : first)
    for (const Product& b : second) {
      Product c{a.at + b.at, {}};
      double size = 0.0;
      for (std::size_t k = 0; k < a.node.size(); ++k) {
        c.node.push_back(times(a.node[k], b.node[k]));
        size = std::max(size, std::abs(c.node.back()));
      }
      if (size > kNothing) all.push_back(std::move(c));
    }
  std::sort(all.begin(), all.end(),
            [](const Product& a, const Product& b) { return (a.at - b.at).hi < 0.0; });
  std::vector<Product> merged;
  for (Product& product : all) {
    const double gap = merged.empty() ? kInfinity : (product.at - merged.back().at).hi;
    if (gap > kSamePoint * (1.0 + std::abs(product.at.hi))) {
      merged.push_back(std::move(product));
      continue;
    }
    for (std::size_t k = 0; k < product.node.size(); ++k) merged.back().node[k] += product.node[k];
  }
  return merged;
}

}  // namespace

void Rung::make_branches(const StepSum& sum, const Tilt& tilt, bool left) {
  const std::vector<std::vector<RaySeries>>& parts = tilt.parts[left ? 1 : 0];
  double layers = 0.0;
  for (const StepSum::Factor& factor : sum.factors()) layers += factor.count;
  for (int nodes = RaySeries::kTerms; nodes <= kMostTerms; nodes *= 2) {
    std::vector<Product> products{{Real(0.0), std::vector<Point>(std::size_t(nodes), 1.0)}};
    for (std::size_t g = 0; g < sum.factors().size(); ++g) {
      const Distributions distributions(sum.factors()[g], parts[g], order_, tilt.layers[g].log_mass,
                                        nodes);
      products = combined(products, distributions.all());
      if (products.size() > kMostBranches)
        throw ConvergenceError(
            "the law of narrow orthogonal layers of many kinds has too many atoms");
    }
    branches_[left ? 1 : 0].clear();
    double tail = 0.0;
    for (const Product& product : products) {
      branches_[left ? 1 : 0].push_back({product.at, RaySeries(product.node)});
      tail = std::max(tail, branches_[left ? 1 : 0].back().part.tail());
    }
    if (tail < kSettledTail * layers) return;
  }
  throw ConvergenceError("the breaks of the laws of orthogonal layers cannot be taken apart");
}

// 1/pi times the imaginary part of the integral over the turned path.
double Rung::branch_integral(const Branch& branch, const Real& x, bool left, bool divided) const {
  const Ray ray = turned_ray(order_, height_, left);
  const double gap = (branch.at - x).hi;
  const double distance = std::max(std::abs(gap), kNearestBreak);
  const double signed_gap = left ? distance : -distance;
  // panels over which neither |z| nor the exponential change too much
  double begin = 0.0, passed = 0.0;  // w, and distance rho there
  Point sum = 0.0;
  while (passed < kDecay) {
    const double next = log1p(Real((1.3 * passed + kFirstTurn) / (distance * ray.size))).hi;
    const double length = std::min(kPanel, next - begin);
    for (int k = 0; k < 16; ++k) {
      const double w = begin + length * tables::kLegendreNodeHi[k];
      const double grown = expm1(Real(w)).hi, rho = ray.size * grown;
      const Point z = ray.start + ray.direction * rho;
      Point value =
          times(branch.part.at(exp_of(-0.5 * w)), exp_of(ray.direction * (rho * signed_gap)));
      if (divided) value /= z;
      sum += value * (tables::kLegendreWeightHi[k] * length * ray.size * (grown + 1.0));
    }
    begin += length;
    passed = distance * ray.size * expm1(Real(begin)).hi;
  }
  const Complex<double> turn = unit_circle(two_prod(ray.start.imag(), gap));
  return times(times(sum, ray.direction), Point(turn.re.hi, turn.im.hi)).imag();
}

double Rung::integral(const Real& x, bool divided) const {
  double sum = line_integral(x.hi, divided);
  for (const bool left : {false, true})
    for (const Branch& branch : branches_[left ? 1 : 0])
      if (((branch.at - x).hi > 0.0) == left) sum += branch_integral(branch, x, left, divided);
  return sum * kInversePi;
}

// ------------------------------------------------------------------ values

Rung::Value Rung::tail(const Real& x) const {
  const double front = log_front(x.hi);
  const double rounding = front + log_of(rounding_ * (0.5 + size_[1]));
  const double log_error = std::max(rounding, log_neglected_.first);
  if (!(x.hi > low_ && x.hi < high_)) return {-kInfinity, log_error};
  const double sum = integral(x, true);
  const double small = order_ > 0.0   ? sum
                       : order_ < 0.0 ? -sum
                       : x.hi > mean_ ? 0.5 + sum
                                      : 0.5 - sum;
  return {front + log_of(small), log_error};
}

Rung::Value Rung::density(const Real& x) const {
  const double front = log_front(x.hi);
  const double log_error = std::max(front + log_of(rounding_ * size_[0]), log_neglected_.second);
  if (!(x.hi > low_ && x.hi < high_)) return {-kInfinity, log_error};
  return {front + log_of(integral(x, false)), log_error};
}

}  // namespace fracmoment
