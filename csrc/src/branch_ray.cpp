// Parts of transforms along lines: see branch_ray.hpp.
#include "fracmoment/depth/branch_ray.hpp"

#include <algorithm>

#include "fracmoment/random/chebyshev.hpp"

namespace fracmoment {

double Ray::node(int k, int n) { return 0.5 * (1.0 + chebyshev_node(k, n)); }

RaySeries::RaySeries(const std::vector<Point>& value) : re_(value.size()), im_(value.size()) {
  const auto n = int(value.size());
  for (int k = 0; k < n; ++k) {
    const double x = chebyshev_node(k, n);
    const Point& f = value[std::size_t(k)];
    double before = 1.0, here = x;
    re_[0] += f.real();
    im_[0] += f.imag();
    for (std::size_t j = 1; j < value.size(); ++j) {
      re_[j] += f.real() * here;
      im_[j] += f.imag() * here;
      const double next = 2.0 * x * here - before;
      before = here;
      here = next;
    }
  }
  for (std::size_t j = 0; j < value.size(); ++j) {
    re_[j] *= (j == 0 ? 1.0 : 2.0) / n;
    im_[j] *= (j == 0 ? 1.0 : 2.0) / n;
    if (j + 3 >= value.size()) tail_ = std::max({tail_, std::abs(re_[j]), std::abs(im_[j])});
  }
}

Point RaySeries::at(double u) const {
  const double t = 2.0 * u - 1.0;
  const auto n = int(re_.size());
  return {clenshaw(re_.data(), n, t), clenshaw(im_.data(), n, t)};
}

std::vector<RaySeries> branch_parts(const StepLaw& law, const Ray& ray) {
  std::vector<RaySeries> parts;
  for (std::size_t i = 0; i < law.breaks().size(); ++i) {
    std::vector<Point> value;
    for (int k = 0; k < RaySeries::kTerms; ++k)
      value.push_back(law.part(i, ray.at_u(Ray::node(k, RaySeries::kTerms))));
    parts.emplace_back(value);
  }
  return parts;
}

double branch_frequency(const StepLaw& law, double order) {
  const double size = law.threshold(), rest = size * size - order * order;
  return std::max({14.0, std::abs(order), rest > 0.0 ? std::sqrt(rest) : 0.0});
}

BranchLine::BranchLine(const StepLaw& law, double order, double first)
    : law_(law), ray_(Point(order, first), Point(0.0, 1.0)), part_(branch_parts(law, ray_)) {}

double BranchLine::tail(double log_mass) const {
  double largest = 0.0;
  for (std::size_t i = 0; i < part_.size(); ++i) {
    const double log_size = ray_.start.real() * law_.breaks()[i].at.hi - log_mass;
    largest = std::max(largest, part_[i].tail() * exp_of(log_size));
  }
  return largest;
}

Point BranchLine::at(double t, double mean, double log_mass) const {
  const double u = ray_.u_of(t - ray_.start.imag()), order = ray_.start.real();
  Point sum = 0.0;
  for (std::size_t i = 0; i < part_.size(); ++i) {
    const double y = law_.breaks()[i].at.hi;
    const double size = exp_of(order * y - log_mass);
    const Complex<double> turn = unit_circle(two_prod(t, y - mean));
    sum += times(part_[i].at(u), size * Point(turn.re.hi, turn.im.hi));
  }
  return sum;
}

}  // namespace fracmoment
