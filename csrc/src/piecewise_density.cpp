// Densities as Chebyshev series: see piecewise_density.hpp.
#include "fracmoment/depth/piecewise_density.hpp"

#include <algorithm>

#include "fracmoment/error.hpp"
#include "fracmoment/random/chebyshev.hpp"

namespace fracmoment {
namespace {

constexpr double kNearest = 1e-8;  // sqrt of a distance below which the limit form will do
constexpr int kQuickHalvings = 3, kMostHalvings = 40;  // of pieces next to a break
constexpr double kShortest = 1e-3;  // piece, over the spread: less is where the density underflows
constexpr std::size_t kMostPieces = 4000;

}  // namespace

PiecewiseDensity::PiecewiseDensity(const StepLaw& law, double spread)
    : law_(law), length_{spread, spread} {}

// y of a value of y or x
Real PiecewiseDensity::point(const Piece& piece, double at) const {
  if (piece.anchor < 0) return Real(at);
  const Real distance = two_prod(at, at);
  const Real& from = law_.breaks()[std::size_t(piece.anchor)].at;
  return piece.above ? from + distance : from - distance;
}

double PiecewiseDensity::value_at(const Piece& piece, double at) const {
  if (piece.empty) return -kInfinity;
  if (piece.power) return piece.series[0] + piece.slope * (at - piece.high);
  const double first = piece.logarithmic ? log_of(piece.first) : piece.first;
  const double last = piece.logarithmic ? log_of(piece.last) : piece.last;
  const double variable = piece.logarithmic ? log_of(at) : at;
  const double t = (variable - 0.5 * (first + last)) / (0.5 * (last - first));
  const double value = clenshaw(piece.series, kTerms, t);
  return piece.slope == 0.0 ? value : value + piece.slope * log_of(at);
}

// By a Chebyshev series, if its last terms and two further values say that it has settled.
bool PiecewiseDensity::fit(Piece& piece) const {
  const double first = piece.logarithmic ? log_of(piece.first) : piece.first;
  const double last = piece.logarithmic ? log_of(piece.last) : piece.last;
  const double middle = 0.5 * (first + last), radius = 0.5 * (last - first);
  double at[kTerms + 2], value[kTerms + 2];
  Real y[kTerms + 2];
  const auto& node = chebyshev_nodes<kTerms>();
  for (int k = 0; k < kTerms + 2; ++k) {
    const double t = k < kTerms ? node[std::size_t(k)] : k == kTerms ? -0.13 : 0.94;
    at[k] = piece.logarithmic ? exp_of(middle + radius * t) : middle + radius * t;
    y[k] = point(piece, at[k]);
  }
  law_.log_densities(y, value, kTerms + 2);
  const auto nothing = std::count(value, value + kTerms + 2, -kInfinity);
  piece.empty = nothing == kTerms + 2;
  if (nothing > 0) return piece.empty;
  double largest = 0.0;
  for (int k = 0; k < kTerms + 2; ++k) {
    largest = std::max(largest, std::abs(value[k]));  // with its rounding, which a slope leaves
    if (piece.slope != 0.0) value[k] -= piece.slope * log_of(at[k]);
    largest = std::max(largest, std::abs(value[k]));
  }
  chebyshev_series<kTerms>(value, piece.series);
  const double tolerance = 2e-14 + 2e-16 * largest;
  for (int k = kTerms - 3; k < kTerms; ++k)
    if (std::abs(piece.series[k]) > tolerance) return false;
  for (int k = kTerms; k < kTerms + 2; ++k) {
    const double found = clenshaw(piece.series, kTerms, k == kTerms ? -0.13 : 0.94);
    if (std::abs(found - value[k]) > 4.0 * tolerance) return false;
  }
  return true;
}

void PiecewiseDensity::push(const Piece& piece, bool up) {
  if (pieces_.size() >= kMostPieces)
    throw ConvergenceError("the density of a layer's log gain needs too many pieces");
  if (up)
    pieces_.push_back(piece);
  else
    pieces_.push_front(piece);
}

// Halves the piece until it fits. False where the density has come to its end.
bool PiecewiseDensity::add_plain(bool up, double from, double length) {
  for (double part = length;; part *= 0.5) {
    Piece piece;
    piece.low = piece.first = up ? from : from - part;
    piece.high = piece.last = up ? from + part : from;
    if (part < kShortest * law_.spread()) return false;
    if (!fit(piece)) continue;
    if (piece.empty && law_.one_hill()) return false;
    push(piece, up);
    length_[up ? 1 : 0] = part < length ? part : 2.0 * part;
    return true;
  }
}

// log f = 2a log x + ... for small x: 2a to the nearest integer.
double PiecewiseDensity::root_slope(std::size_t break_index, bool above, double distance) const {
  const Real& at = law_.breaks()[break_index].at;
  const double near = 1e-22 * distance, far = 1e-20 * distance;
  const Real y[] = {above ? at + Real(near) : at - Real(near),
                    above ? at + Real(far) : at - Real(far)};
  double value[2];
  law_.log_densities(y, value, 2);
  if (value[0] == -kInfinity) return 0.0;
  return std::nearbyint(2.0 * (value[1] - value[0]) / 4.605170185988092);
}

// A piece next to a break, or in two where it does not fit: next to the break, and further out.
void PiecewiseDensity::add_rooted(Piece whole, bool up, int depth) {
  if (fit(whole) || whole.last < kNearest || depth > kMostHalvings) {
    push(whole, up);
    return;
  }
  const double at = law_.breaks()[std::size_t(whole.anchor)].at.hi;
  const bool slowly = depth >= kQuickHalvings;  // as next to a logarithm
  const double middle = whole.logarithmic              ? std::sqrt(whole.first * whole.last)
                        : whole.first == 0.0 && slowly ? 0.25 * whole.last
                                                       : 0.5 * (whole.first + whole.last);
  Piece inner = whole, outer = whole;
  outer.logarithmic = whole.logarithmic || (whole.first == 0.0 && slowly);
  inner.last = outer.first = middle;
  if (whole.above)
    inner.high = outer.low = at + middle * middle;
  else
    inner.low = outer.high = at - middle * middle;
  const bool inner_first = whole.above == up;
  add_rooted(inner_first ? inner : outer, up, depth + 1);
  add_rooted(inner_first ? outer : inner, up, depth + 1);
}

void PiecewiseDensity::add_beside(std::size_t break_index, bool above, double distance, bool up) {
  const double at = law_.breaks()[break_index].at.hi;
  Piece piece;
  piece.anchor = int(break_index);
  piece.above = above;
  piece.low = above ? at : at - distance;
  piece.high = above ? at + distance : at;
  piece.last = std::sqrt(distance);
  piece.slope = root_slope(break_index, above, distance);
  add_rooted(piece, up, 0);
}

void PiecewiseDensity::extend(bool up) {
  const double from = pieces_.empty() ? law_.mean().hi
                      : up            ? pieces_.back().high
                                      : pieces_.front().low;
  const std::vector<StepLaw::Break>& breaks = law_.breaks();
  int here = -1, next = -1;  // the break at the end of what is there, and the one beyond
  for (int i = 0; i < int(breaks.size()); ++i) {
    const double at = breaks[std::size_t(i)].at.hi;
    if (at == from) here = i;
    if (up ? (next < 0 && at > from) : at < from) next = i;
  }
  double& length = length_[up ? 1 : 0];
  bool& ended = ended_[up ? 1 : 0];
  if (up ? from >= law_.high() : from <= law_.low()) {
    ended = true;
    return;
  }
  const double gap = next < 0 ? kInfinity : std::abs(breaks[std::size_t(next)].at.hi - from);
  if (here >= 0) {
    add_beside(std::size_t(here), up, std::min(0.5 * gap, length), up);
  } else if (gap <= 2.0 * length) {
    add_beside(std::size_t(next), !up, gap, up);
  } else if (!up && from <= law_.power_limit()) {
    Piece piece;
    piece.low = -kInfinity;
    piece.high = from;
    piece.power = true;
    piece.slope = -law_.edge();
    piece.series[0] = value_at(pieces_.front(), from);
    push(piece, up);
    ended = true;
  } else if (!add_plain(up, from, length)) {
    ended = true;
  }
}

const PiecewiseDensity::Piece& PiecewiseDensity::piece_at(double y) {
  static const Piece nothing = [] {
    Piece piece{};
    piece.empty = true;
    return piece;
  }();
  while ((pieces_.empty() || y > pieces_.back().high) && !ended_[1]) extend(true);
  while ((pieces_.empty() || y < pieces_.front().low) && !ended_[0]) extend(false);
  if (pieces_.empty() || y > pieces_.back().high || y < pieces_.front().low) return nothing;
  const auto found =
      std::lower_bound(pieces_.begin(), pieces_.end(), y,
                       [](const Piece& piece, double at) { return piece.high < at; });
  return *found;
}

double PiecewiseDensity::log_density(double y) {
  const Piece& piece = piece_at(y);
  if (piece.anchor < 0) return value_at(piece, y);
  const double distance = std::abs((Real(y) - law_.breaks()[std::size_t(piece.anchor)].at).hi);
  return value_at(piece, std::sqrt(distance));
}

double PiecewiseDensity::beside(std::size_t break_index, bool above, double distance) {
  const Real& at = law_.breaks()[break_index].at;
  if (above ? at.hi >= law_.high() : at.hi <= law_.low()) return -kInfinity;
  const Real y = above ? at + Real(distance) : at - Real(distance);
  const double variable = std::sqrt(distance);
  piece_at(at.hi + (above ? 1.0 : -1.0) * std::max(distance, 1e-13 * (1.0 + std::abs(at.hi))));
  for (const Piece& piece : pieces_)
    if (piece.anchor == int(break_index) && piece.above == above && variable >= piece.first &&
        variable <= piece.last)
      return value_at(piece, variable);
  return log_density(y.hi);
}

}  // namespace fracmoment
