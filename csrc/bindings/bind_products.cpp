// Signals through random networks.
#include <pybind11/stl.h>

#include <tuple>
#include <vector>

#include "arrays.hpp"
#include "fracmoment/products/signal_kernels.hpp"

namespace {

namespace py = pybind11;
using fracmoment::Layer;
using fracmoment::SignalResults;
using fracmoment::SignalTask;
using fracmoment::Stream;
using fracmoment::WeightLaw;
using fracmoment::bindings::Array;
using fracmoment::bindings::length;

// fan_in, fan_out, lower, upper, keep_prob, inverted, sigma, bias
using LayerTuple =
    std::tuple<std::int64_t, std::int64_t, double, double, double, bool, double, double>;

Layer layer_of(const LayerTuple& t) {
  return {std::get<0>(t), std::get<1>(t), std::get<2>(t), std::get<3>(t), std::get<4>(t),
          std::get<5>(t), false,          std::get<6>(t), std::get<7>(t)};
}

// A network and its inputs, which it keeps.
class Signals {
 public:
  Signals(const std::vector<LayerTuple>& layers, const Array<std::int64_t>& index,
          const Array<double>& inputs, const Array<double>& exponents, bool every_layer,
          bool cosines)
      : index_(index.data(), index.data() + length(index)),
        inputs_(inputs.data(), inputs.data() + length(inputs)),
        exponents_(exponents.data(), exponents.data() + length(exponents)),
        every_layer_(every_layer),
        cosines_(cosines) {
    for (const LayerTuple& layer : layers) layers_.push_back(layer_of(layer));
  }

  py::tuple matrix(int law, double parameter, bool single, std::uint64_t seed,
                   std::uint32_t purpose, std::uint64_t first, std::size_t n) const {
    const fracmoment::Weights weights{WeightLaw(law), parameter, single};
    return run(n, [&](const SignalTask& task, const SignalResults& results) {
      fracmoment::signal_kernels().matrix_chain(task, weights, {seed, purpose}, first, n, results);
    });
  }

  py::tuple gram(std::uint64_t seed, std::uint32_t purpose, std::uint64_t first,
                 std::size_t n) const {
    return run(n, [&](const SignalTask& task, const SignalResults& results) {
      fracmoment::signal_kernels().gram_chain(task, {seed, purpose}, first, n, results);
    });
  }

 private:
  template <class Kernel>
  py::tuple run(std::size_t n, Kernel&& kernel) const {
    const SignalTask task{layers_.data(),    index_.data(),     index_.size(), inputs_.data(),
                          exponents_.data(), exponents_.size(), every_layer_};
    const auto samples = py::ssize_t(n), steps = py::ssize_t(task.steps()),
               signals = py::ssize_t(task.count);
    Array<double> log_norms({samples, steps, signals});
    Array<double> cosines({cosines_ ? samples : 0, steps, signals, signals});
    const SignalResults results{log_norms.mutable_data(),
                                cosines_ ? cosines.mutable_data() : nullptr};
    {
      const py::gil_scoped_release unlocked;
      kernel(task, results);
    }
    return py::make_tuple(log_norms, cosines);
  }

  std::vector<Layer> layers_;
  std::vector<std::int64_t> index_;
  std::vector<double> inputs_, exponents_;
  bool every_layer_, cosines_;
};

}  // namespace

void bind_products(py::module_& module) {
  using py::arg;
  py::class_<Signals>(module, "Signals", fracmoment::bindings::ordinary_metaclass(),
                      "Inputs of a random network, and the engines that take them through it.")
      .def(py::init<const std::vector<LayerTuple>&, const Array<std::int64_t>&,
                    const Array<double>&, const Array<double>&, bool, bool>(),
           arg("layers"), arg("index"), arg("inputs"), arg("exponents"), arg("every_layer"),
           arg("cosines"))
      .def("matrix", &Signals::matrix, arg("law"), arg("parameter"), arg("single"), arg("seed"),
           arg("purpose"), arg("first"), arg("n"))
      .def("gram", &Signals::gram, arg("seed"), arg("purpose"), arg("first"), arg("n"));
}
