// Stationary laws with biases.
#include <memory>

#include "arrays.hpp"
#include "fracmoment/random/perpetuity.hpp"

namespace {

namespace py = pybind11;
using fracmoment::QuantileTable;
using fracmoment::Stream;
using fracmoment::TiltedGain;
using fracmoment::bindings::Array;

std::unique_ptr<QuantileTable> factor_table(const TiltedGain& law, double dead) {
  const py::gil_scoped_release unlocked;
  return std::make_unique<QuantileTable>(fracmoment::factor_table(law, dead));
}

Array<double> log_perpetuities(const QuantileTable& table, double log_factor, double log_bound,
                               std::uint64_t seed, std::uint32_t purpose, std::uint64_t first,
                               std::size_t n) {
  Array<double> out(static_cast<py::ssize_t>(n));
  double* target = out.mutable_data();
  const py::gil_scoped_release unlocked;
  fracmoment::log_perpetuities({&table, log_factor}, log_bound, {seed, purpose}, first, target, n);
  return out;
}

Array<double> log_tail_weights(const QuantileTable& tilted, double tilted_log_factor,
                               const QuantileTable& plain, double plain_log_factor, double power,
                               double log_mass, double log_level, double log_reach,
                               double log_bound, std::uint64_t seed, std::uint32_t purpose,
                               std::uint64_t first, std::size_t n) {
  Array<double> out(static_cast<py::ssize_t>(n));
  double* target = out.mutable_data();
  const py::gil_scoped_release unlocked;
  fracmoment::log_tail_weights(
      {{&tilted, tilted_log_factor}, {&plain, plain_log_factor}, power, log_mass}, log_level,
      log_reach, log_bound, {seed, purpose}, first, target, n);
  return out;
}

}  // namespace

void bind_perpetuity(py::module_& module) {
  using py::arg;
  module.def("factor_table", &factor_table, arg("law"), arg("dead"));
  module.def("log_perpetuities", &log_perpetuities, arg("table"), arg("log_factor"),
             arg("log_bound"), arg("seed"), arg("purpose"), arg("first"), arg("n"));
  module.def("log_tail_weights", &log_tail_weights, arg("tilted"), arg("tilted_log_factor"),
             arg("plain"), arg("plain_log_factor"), arg("power"), arg("log_mass"), arg("log_level"),
             arg("log_reach"), arg("log_bound"), arg("seed"), arg("purpose"), arg("first"),
             arg("n"));
}
