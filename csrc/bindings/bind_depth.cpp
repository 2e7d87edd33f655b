// The law of the log-norm of a network.
#include <memory>

#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "fracmoment/depth/depth_law.hpp"
#include "fracmoment/special/elementary.hpp"

namespace {

namespace py = pybind11;
using fracmoment::DepthFactor;
using fracmoment::DepthLaw;
using fracmoment::GainLaw;
using fracmoment::bindings::Array;
using fracmoment::bindings::map_array;

// Laws with their numbers of layers; widths and numbers of inputs of projections with theirs;
// scales with theirs.
std::unique_ptr<DepthLaw> depth_law(
    const std::vector<std::pair<const GainLaw*, double>>& gains,
    const std::vector<std::tuple<std::int64_t, std::int64_t, double>>& projections,
    const std::vector<std::pair<double, double>>& scales) {
  const py::gil_scoped_release unlocked;
  std::vector<DepthFactor> factors;
  for (const auto& [law, count] : gains) factors.push_back({law->spec(), 0, count});
  for (const auto& [width, fan_in, count] : projections) {
    fracmoment::LawSpec spec;
    spec.width = width;
    factors.push_back({spec, fan_in, count});
  }
  fracmoment::Real log_scale{0.0};
  for (const auto& [sigma, count] : scales)
    log_scale = log_scale + fracmoment::log(fracmoment::Real(sigma)) * fracmoment::Real(count);
  return std::make_unique<DepthLaw>(factors, log_scale);
}

using Evaluate = void (DepthLaw::*)(const double*, double*, std::size_t, bool) const;

Array<double> evaluate(const DepthLaw& law, Evaluate f, const Array<double>& y, bool upper) {
  return map_array(
      y, [&](const double* in, double* out, std::size_t n) { (law.*f)(in, out, n, upper); });
}

}  // namespace

void bind_depth(py::module_& module) {
  using py::arg;
  py::class_<DepthLaw>(module, "DepthLaw", fracmoment::bindings::ordinary_metaclass(),
                       "The law of a sum of log gains, given that all layers are alive.")
      .def(py::init(&depth_law), arg("gains"), arg("projections"), arg("scales"))
      .def("mean", &DepthLaw::mean)
      .def(
          "pdf",
          [](const DepthLaw& law, const Array<double>& y) {
            return map_array(
                y, [&](const double* in, double* out, std::size_t n) { law.pdf(in, out, n); });
          },
          arg("y"))
      .def(
          "tail",
          [](const DepthLaw& law, const Array<double>& y, bool upper) {
            return evaluate(law, &DepthLaw::tail, y, upper);
          },
          arg("y"), arg("upper"))
      .def(
          "log_tail",
          [](const DepthLaw& law, const Array<double>& y, bool upper) {
            return evaluate(law, &DepthLaw::log_tail, y, upper);
          },
          arg("y"), arg("upper"))
      .def(
          "quantile",
          [](const DepthLaw& law, const Array<double>& q, bool upper) {
            return evaluate(law, &DepthLaw::quantile, q, upper);
          },
          arg("q"), arg("upper"))
      .def(
          "characteristic",
          [](const DepthLaw& law, const Array<double>& t) {
            auto out = fracmoment::bindings::empty_like<std::complex<double>>(t);
            const double* source = t.data();
            std::complex<double>* target = out.mutable_data();
            const auto n = static_cast<std::size_t>(t.size());
            {
              const py::gil_scoped_release unlocked;
              law.characteristic(source, target, n);
            }
            return out;
          },
          arg("t"))
      .def(
          "cumulant_function",
          [](const DepthLaw& law, const Array<double>& s) {
            using fracmoment::bindings::empty_like;
            auto value = empty_like<double>(s), slope = empty_like<double>(s),
                 curvature = empty_like<double>(s);
            const double* source = s.data();
            double *a = value.mutable_data(), *b = slope.mutable_data(),
                   *c = curvature.mutable_data();
            const auto n = static_cast<std::size_t>(s.size());
            {
              const py::gil_scoped_release unlocked;
              law.cumulant_function(source, a, b, c, n);
            }
            return py::make_tuple(value, slope, curvature);
          },
          arg("s"));
}
