// Gain laws: the class GainLaw and the functions on arrays of laws.
#include <pybind11/complex.h>

#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "arrays.hpp"
#include "fracmoment/gains/init_scale.hpp"
#include "fracmoment/gains/law.hpp"

namespace {

namespace py = pybind11;
using fracmoment::GainLaw;
using fracmoment::LawSpec;
using fracmoment::LayerSpec;
using fracmoment::bindings::Array;
using fracmoment::bindings::common_length;
using fracmoment::bindings::map_array;
using Complex = std::complex<double>;

// ------------------------------------------------------------ arrays of laws

// The parameters of n laws, column by column, as the Python layer passes them.
struct Columns {
  Array<std::int64_t> width;
  Array<double> lower, upper, keep_prob;
  Array<bool> inverted, orthogonal;

  std::size_t size() const {
    return common_length(width, lower, upper, keep_prob, inverted, orthogonal);
  }
  LawSpec operator[](std::size_t i) const {
    return {width.data()[i],     lower.data()[i],    upper.data()[i],
            keep_prob.data()[i], inverted.data()[i], orthogonal.data()[i]};
  }
  std::vector<LawSpec> specs() const {
    const std::size_t n = size();
    std::vector<LawSpec> result;
    result.reserve(n);
    for (std::size_t i = 0; i < n; ++i) result.push_back((*this)[i]);
    return result;
  }
};

using OrderFunction = void (*)(const double*, const LawSpec*, double*, std::size_t, bool);
using LawFunction = void (*)(const LawSpec*, double*, std::size_t);

template <OrderFunction function>
Array<double> on_orders(const Array<double>& order, bool given_alive,
                        const Array<std::int64_t>& width, const Array<double>& lower,
                        const Array<double>& upper, const Array<double>& keep_prob,
                        const Array<bool>& inverted, const Array<bool>& orthogonal) {
  const auto specs = Columns{width, lower, upper, keep_prob, inverted, orthogonal}.specs();
  common_length(order, specs);
  return map_array(order, [&](const double* in, double* out, std::size_t n) {
    function(in, specs.data(), out, n, given_alive);
  });
}

template <LawFunction function>
Array<double> on_laws(const Array<std::int64_t>& width, const Array<double>& lower,
                      const Array<double>& upper, const Array<double>& keep_prob,
                      const Array<bool>& inverted, const Array<bool>& orthogonal) {
  const auto specs = Columns{width, lower, upper, keep_prob, inverted, orthogonal}.specs();
  return map_array(
      lower, [&](const double*, double* out, std::size_t n) { function(specs.data(), out, n); });
}

Array<double> init_scales(const Array<double>& order, bool given_alive,
                          const Array<std::int64_t>& fan_in, const Array<bool>& root_mean_square,
                          const Array<std::int64_t>& width, const Array<double>& lower,
                          const Array<double>& upper, const Array<double>& keep_prob,
                          const Array<bool>& inverted, const Array<bool>& orthogonal) {
  const Columns columns{width, lower, upper, keep_prob, inverted, orthogonal};
  const std::size_t count = common_length(order, fan_in, root_mean_square, columns);
  std::vector<LayerSpec> layers;
  layers.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    layers.push_back({columns[i], fan_in.data()[i], root_mean_square.data()[i]});
  return map_array(order, [&](const double* in, double* out, std::size_t n) {
    fracmoment::init_scales(in, layers.data(), out, n, given_alive);
  });
}

double init_scale(double order, bool given_alive, std::int64_t fan_in, bool root_mean_square,
                  std::int64_t width, double lower, double upper, double keep_prob, bool inverted,
                  bool orthogonal) {
  const LayerSpec layer{
      {width, lower, upper, keep_prob, inverted, orthogonal}, fan_in, root_mean_square};
  double result = 0.0;
  fracmoment::init_scales(&order, &layer, &result, 1, given_alive);
  return result;
}

// ------------------------------------------------------------ one law

using Map = void (GainLaw::*)(const double*, double*, std::size_t) const;

template <Map method>
Array<double> at(const GainLaw& law, const Array<double>& x) {
  return map_array(
      x, [&](const double* in, double* out, std::size_t n) { (law.*method)(in, out, n); });
}

void bind_law(py::module_& module) {
  // The scalar methods keep the interpreter lock: giving it up costs more than they do. They wait
  // for nothing that needs it.
  py::class_<GainLaw>(module, "GainLaw", fracmoment::bindings::ordinary_metaclass(),
                      "Law of the gain of one layer.")
      .def(py::init([](std::int64_t width, double lower, double upper, double keep_prob,
                       bool inverted, bool orthogonal) {
             return GainLaw(LawSpec{width, lower, upper, keep_prob, inverted, orthogonal});
           }),
           py::arg("width"), py::arg("lower"), py::arg("upper"), py::arg("keep_prob"),
           py::arg("inverted"), py::arg("orthogonal"))
      .def(
          "moment_scalar",
          [](const GainLaw& law, double order, bool given_alive) {
            double result = 0.0;
            law.moments(&order, &result, 1, given_alive);
            return result;
          },
          py::arg("order"), py::arg("given_alive"))
      .def(
          "moment_complex",
          [](const GainLaw& law, Complex order, bool given_alive) {
            Complex result;
            law.moments(&order, &result, 1, given_alive);
            return result;
          },
          py::arg("order"), py::arg("given_alive"))
      .def(
          "moments",
          [](const GainLaw& law, const Array<double>& order, bool given_alive) {
            return map_array(order, [&](const double* in, double* out, std::size_t n) {
              law.moments(in, out, n, given_alive);
            });
          },
          py::arg("order"), py::arg("given_alive"))
      .def(
          "moments_complex",
          [](const GainLaw& law, const Array<Complex>& order, bool given_alive) {
            return map_array(order, [&](const Complex* in, Complex* out, std::size_t n) {
              law.moments(in, out, n, given_alive);
            });
          },
          py::arg("order"), py::arg("given_alive"))
      .def(
          "scale_scalar",
          [](const GainLaw& law, double order, bool given_alive) {
            double result = 0.0;
            law.scales(&order, &result, 1, given_alive);
            return result;
          },
          py::arg("order"), py::arg("given_alive"))
      .def(
          "scales",
          [](const GainLaw& law, const Array<double>& order, bool given_alive) {
            return map_array(order, [&](const double* in, double* out, std::size_t n) {
              law.scales(in, out, n, given_alive);
            });
          },
          py::arg("order"), py::arg("given_alive"))
      .def("log_mean", &GainLaw::log_mean)
      .def("log_var", &GainLaw::log_var)
      .def("log_cumulant", &GainLaw::log_cumulant, py::arg("n"))
      .def("log_abs_third", &GainLaw::log_abs_third)
      .def("prob_zero", &GainLaw::prob_zero)
      .def("prob_alive", &GainLaw::prob_alive)
      .def("pdf", at<&GainLaw::pdf>, py::arg("r"))
      .def("cdf", at<&GainLaw::cdf>, py::arg("r"))
      .def("sf", at<&GainLaw::sf>, py::arg("r"))
      .def("ppf", at<&GainLaw::ppf>, py::arg("q"))
      .def("isf", at<&GainLaw::isf>, py::arg("q"))
      .def("tail_indices", at<&GainLaw::tail_indices>, py::arg("sigma"));
}

// ------------------------------------------------------------ closed forms

using Function2 = void (*)(const double*, const double*, double*, std::size_t);
using Function3 = void (*)(const double*, const double*, const double*, double*, std::size_t);

template <Function2 function>
Array<double> elementwise(const Array<double>& a, const Array<double>& order) {
  common_length(a, order);
  return map_array(
      order, [&](const double* s, double* out, std::size_t n) { function(a.data(), s, out, n); });
}

template <Function3 function>
Array<double> elementwise(const Array<double>& a, const Array<double>& b,
                          const Array<double>& order) {
  common_length(a, b, order);
  return map_array(order, [&](const double* s, double* out, std::size_t n) {
    function(a.data(), b.data(), s, out, n);
  });
}

void bind_closed_forms(py::module_& module) {
  using py::arg;
  module.def("chi_moments", &elementwise<fracmoment::chi_moments>, arg("width"), arg("order"));
  module.def("chi_ratio_moments", &elementwise<fracmoment::chi_ratio_moments>, arg("m"), arg("n"),
             arg("order"));
  module.def("beta_moments", &elementwise<fracmoment::beta_moments>, arg("a"), arg("b"),
             arg("order"));
  module.def("f_moments", &elementwise<fracmoment::f_moments>, arg("m"), arg("n"), arg("order"));
}

void bind_law_arrays(py::module_& module) {
  using py::arg;
  const auto def = [&](const char* name, auto function, auto... first) {
    module.def(name, function, first..., arg("width"), arg("lower"), arg("upper"), arg("keep_prob"),
               arg("inverted"), arg("orthogonal"));
  };
  def("law_moments", &on_orders<fracmoment::law_moments>, arg("order"), arg("given_alive"));
  def("law_scales", &on_orders<fracmoment::law_scales>, arg("order"), arg("given_alive"));
  def("law_log_means", &on_laws<fracmoment::law_log_means>);
  def("law_log_vars", &on_laws<fracmoment::law_log_vars>);
  def("init_scale", &init_scale, arg("order"), arg("given_alive"), arg("fan_in"),
      arg("root_mean_square"));
  def("init_scales", &init_scales, arg("order"), arg("given_alive"), arg("fan_in"),
      arg("root_mean_square"));
}

}  // namespace

void bind_gains(py::module_& module) {
  bind_law(module);
  bind_law_arrays(module);
  bind_closed_forms(module);
}
