// The law of one slope: see slope_law.hpp.
#include "fracmoment/gains/slope_law.hpp"

namespace fracmoment {
namespace {

bool less(const Real& a, const Real& b) { return (a - b).hi < 0.0; }
Real smaller(const Real& a, const Real& b) { return less(a, b) ? a : b; }
Real larger(const Real& a, const Real& b) { return less(a, b) ? b : a; }

Real total(const UnitLaw& unit) {
  Real sum = unit.uniform ? unit.uniform_weight : Real(0.0);
  for (int i = 0; i < unit.points; ++i) sum = sum + unit.weight[i];
  return sum;
}

}  // namespace

Real SlopeLaw::probability(const Real& r, bool upper) const {
  Real sum{0.0};
  for (int i = 0; i < unit_.points; ++i)
    if ((to_double(r) < to_double(square_root(unit_.point[i]))) == upper)
      sum = sum + unit_.weight[i];
  if (unit_.uniform) {
    const Real zero{0.0}, &low = unit_.lower, &high = unit_.upper;
    // the lengths of [low, high] inside [-r, r], or outside on either side
    const Real length = upper ? larger(zero, high - larger(r, low)) + larger(zero, -r - low)
                              : larger(zero, smaller(high, r) - larger(low, -r));
    sum = sum + unit_.uniform_weight * length / (high - low);
  }
  return sum / total(unit_);
}

double SlopeLaw::density(const Real& r) const {
  if (!unit_.uniform) return 0.0;
  const auto inside = [&](const Real& a) {
    return !less(a, unit_.lower) && !less(unit_.upper, a) ? 1.0 : 0.0;
  };
  const Real each = unit_.uniform_weight / (unit_.upper - unit_.lower) / total(unit_);
  return to_double(each * (inside(r) + inside(-r)));
}

// Bisection over the doubles of [0, 1], which are ordered as their bits.
double SlopeLaw::quantile(double q, bool upper) const {
  std::int64_t lo = -1, hi = bits(1.0);
  while (hi - lo > 1) {
    const std::int64_t middle = lo + (hi - lo) / 2;
    const double p = to_double(probability(Real(from_bits(middle)), upper));
    ((upper ? p <= q : p >= q) ? hi : lo) = middle;
  }
  return from_bits(hi);
}

}  // namespace fracmoment
