// The extension module fracmoment._core: one bind function per folder of the core.
#include <pybind11/pybind11.h>

#include "fracmoment/error.hpp"
#include "fracmoment/kernels.hpp"

namespace py = pybind11;

void bind_gains(py::module_& module);
void bind_digits(py::module_& module);
void bind_random(py::module_& module);
void bind_spectra(py::module_& module);
void bind_samplers(py::module_& module);
void bind_rare_events(py::module_& module);
void bind_perpetuity(py::module_& module);
void bind_products(py::module_& module);
void bind_tails(py::module_& module);
void bind_depth(py::module_& module);

namespace {

void bind_errors(py::module_& module) {
  auto& error = py::register_exception<fracmoment::ConvergenceError>(module, "ConvergenceError",
                                                                     PyExc_RuntimeError);
  error.attr("__module__") = "fracmoment";  // where users find it
  error.doc() =
      "A result could not be computed to the promised accuracy; the message says what to do.";
}

void bind_dispatch(py::module_& module) {
  module.def("active_isa", &fracmoment::active_isa, "The instruction set of the kernels.");
  module.def("force_isa", &fracmoment::force_isa, py::arg("name"), "Choose it, for tests.");
}

}  // namespace

// What the kernels share is immutable or atomic, so an interpreter without a global lock may keep
// it off.
PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Compiled core of fracmoment. Arguments are checked by the Python layer.";
  module.attr("__version__") = FRACMOMENT_VERSION;
  bind_errors(module);
  bind_dispatch(module);
  bind_gains(module);
  bind_digits(module);
  bind_random(module);
  bind_spectra(module);
  bind_samplers(module);
  bind_rare_events(module);
  bind_perpetuity(module);
  bind_products(module);
  bind_tails(module);
  bind_depth(module);
}
