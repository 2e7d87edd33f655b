// Tilted laws of gains.
#include <memory>

#include "arrays.hpp"
#include "fracmoment/random/tilted_gain.hpp"

namespace {

namespace py = pybind11;
using fracmoment::GainLaw;
using fracmoment::LogDensity;
using fracmoment::QuantileTable;
using fracmoment::TiltedGain;
using fracmoment::bindings::Array;
using fracmoment::bindings::map_array;

std::shared_ptr<LogDensity> log_density(const GainLaw& law) {
  const py::gil_scoped_release unlocked;
  return std::make_shared<LogDensity>(law);
}

std::unique_ptr<TiltedGain> tilted_gain(std::shared_ptr<LogDensity> density, double order,
                                        double cut, double reach) {
  const py::gil_scoped_release unlocked;
  return std::make_unique<TiltedGain>(std::move(density), order, cut, reach);
}

std::unique_ptr<QuantileTable> table(const TiltedGain& law) {
  const py::gil_scoped_release unlocked;
  return std::make_unique<QuantileTable>(law);
}

Array<double> log_tails(const TiltedGain& law, const Array<double>& y, bool upper) {
  return map_array(
      y, [&](const double* in, double* out, std::size_t n) { law.log_tails(in, out, n, upper); });
}

}  // namespace

void bind_rare_events(py::module_& module) {
  using py::arg;
  py::class_<LogDensity, std::shared_ptr<LogDensity>>(
      module, "LogDensity", fracmoment::bindings::ordinary_metaclass(),
      "Log of the density of log R - E log R, tabulated.")
      .def(py::init(&log_density), arg("law"))
      .def(
          "__call__", [](const LogDensity& density, double y) { return density(y); }, arg("y"))
      .def("valley", &LogDensity::valley, arg("order"))
      .def("lowest", &LogDensity::lowest)
      .def("highest", &LogDensity::highest)
      .def("lower_slope", &LogDensity::lower_slope)
      .def("power_below", &LogDensity::power_below);
  py::class_<TiltedGain>(module, "TiltedGain", fracmoment::bindings::ordinary_metaclass(),
                         "The law of log R - E log R, tilted and cut.")
      .def(py::init(&tilted_gain), arg("density"), arg("order"), arg("cut"), arg("reach"))
      .def("log_mass", &TiltedGain::log_mass)
      .def("mean", &TiltedGain::mean)
      .def("variance", &TiltedGain::variance)
      .def("log_tails", &log_tails, arg("y"), arg("upper"))
      .def("table", &table);
}
