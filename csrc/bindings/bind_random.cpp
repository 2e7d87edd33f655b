// Random numbers and the engines of one number a layer or a unit.
#include <algorithm>
#include <memory>
#include <vector>

#include "arrays.hpp"
#include "fracmoment/products/summary.hpp"
#include "fracmoment/random/gain_table.hpp"
#include "fracmoment/random/kernels.hpp"
#include "fracmoment/random/normal_table.hpp"

namespace {

namespace py = pybind11;
using fracmoment::GainLaw;
using fracmoment::Layer;
using fracmoment::QuantileTable;
using fracmoment::random_kernels;
using fracmoment::Stream;
using fracmoment::bindings::Array;
using fracmoment::bindings::common_length;
using fracmoment::bindings::filled;
using fracmoment::bindings::length;
using fracmoment::bindings::Target;

template <class T, auto kernel>
Array<T> row(std::uint64_t seed, std::uint32_t purpose, std::uint64_t replica, std::size_t n,
             Target<T> to) {
  const auto fill = [&](T* out, std::size_t count) {
    (random_kernels().*kernel)({seed, purpose}, replica, out, count);
  };
  return filled<T>(n, fill, std::move(to));
}

Array<double> variates(const QuantileTable& table, std::uint64_t seed, std::uint32_t purpose,
                       std::uint64_t replica, std::size_t n) {
  return filled<double>(n, [&](double* out, std::size_t count) {
    random_kernels().variates(table, {seed, purpose}, replica, out, count);
  });
}

Array<double> quantiles(const QuantileTable& table, const Array<std::uint64_t>& bits) {
  const std::uint64_t* in = bits.data();
  return filled<double>(length(bits), [&](double* out, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) out[i] = table.at(in[i]);
  });
}

Array<double> norm_chain(const std::vector<const QuantileTable*>& tables,
                         const Array<std::int64_t>& layers, std::uint64_t seed, std::uint64_t first,
                         std::size_t n, std::uint32_t purpose) {
  std::vector<const QuantileTable*> chain;
  for (std::size_t i = 0; i < length(layers); ++i)
    chain.push_back(tables.at(std::size_t(layers.data()[i])));
  const Stream stream{seed, purpose};
  return filled<double>(n, [&](double* out, std::size_t count) {
    random_kernels().norm_chain(chain.data(), chain.size(), stream, first, out, count);
  });
}

// The layers of a chain, column by column.
std::vector<Layer> layers_of(const Array<std::int64_t>& fan_in, const Array<std::int64_t>& fan_out,
                             const Array<double>& lower, const Array<double>& upper,
                             const Array<double>& keep_prob, const Array<bool>& inverted,
                             const Array<bool>& orthogonal) {
  std::vector<Layer> layers;
  const std::size_t n =
      common_length(fan_in, fan_out, lower, upper, keep_prob, inverted, orthogonal);
  for (std::size_t i = 0; i < n; ++i)
    layers.push_back({fan_in.data()[i], fan_out.data()[i], lower.data()[i], upper.data()[i],
                      keep_prob.data()[i], inverted.data()[i], orthogonal.data()[i]});
  return layers;
}

Array<double> vector_chain(const Array<std::int64_t>& fan_in, const Array<std::int64_t>& fan_out,
                           const Array<double>& lower, const Array<double>& upper,
                           const Array<double>& keep_prob, const Array<bool>& inverted,
                           const Array<bool>& orthogonal, std::uint64_t seed, std::uint64_t first,
                           std::size_t n) {
  const std::vector<Layer> layers =
      layers_of(fan_in, fan_out, lower, upper, keep_prob, inverted, orthogonal);
  const Stream stream{seed, std::uint32_t(fracmoment::Purpose::vector_chain)};
  return filled<double>(n, [&](double* out, std::size_t count) {
    random_kernels().vector_chain(layers.data(), layers.size(), stream, first, out, count);
  });
}

std::unique_ptr<QuantileTable> gain_table(const GainLaw& law) {
  const py::gil_scoped_release unlocked;
  return std::make_unique<QuantileTable>(fracmoment::gain_table(law));
}

std::unique_ptr<QuantileTable> chi_table(std::int64_t width) {
  const py::gil_scoped_release unlocked;
  return std::make_unique<QuantileTable>(fracmoment::chi_table(width));
}

// Digits of the exact sums, one row each; counts of the bins; number of dead; least and most.
py::tuple summarize(const Array<double>& y, double center, double scale,
                    const std::vector<double>& orders, const std::vector<double>& log_moments) {
  using fracmoment::ExactSum;
  const fracmoment::SummaryPlan plan{center, scale, orders, log_moments};
  const double* in = y.data();
  const std::size_t n = length(y);
  const fracmoment::Summary summary = [&] {
    const py::gil_scoped_release unlocked;
    return fracmoment::summarize(plan, in, n);
  }();
  Array<std::int64_t> sums(
      {static_cast<py::ssize_t>(summary.sums.size()), py::ssize_t(ExactSum::kDigits)});
  std::int64_t* digits = sums.mutable_data();
  for (const ExactSum& sum : summary.sums)
    digits = std::copy(sum.digits(), sum.digits() + ExactSum::kDigits, digits);
  Array<std::int64_t> counts(static_cast<py::ssize_t>(summary.counts.size()));
  std::copy(summary.counts.begin(), summary.counts.end(), counts.mutable_data());
  return py::make_tuple(sums, counts, summary.dead, summary.least, summary.most);
}

}  // namespace

void bind_random(py::module_& module) {
  using fracmoment::RandomKernels;
  using py::arg;
  module.attr("stream_format") = fracmoment::kStreamFormat;
  const auto def_row = [&](const char* name, auto function) {
    module.def(name, function, arg("seed"), arg("purpose"), arg("replica"), arg("n"),
               arg("out").noconvert() = py::none());
  };
  def_row("random_bits", &row<std::uint64_t, &RandomKernels::bits>);
  def_row("random_normals", &row<double, &RandomKernels::normals>);
  def_row("random_float_normals", &row<float, &RandomKernels::float_normals>);
  py::class_<QuantileTable>(module, "QuantileTable", fracmoment::bindings::ordinary_metaclass(),
                            "The quantile function of log R - E log R as a table.")
      .def(py::init(&gain_table), arg("law"))
      .def_static("chi", &chi_table, arg("width"))
      .def_static("normal", &fracmoment::normal_table, py::return_value_policy::reference)
      .def("variates", &variates, arg("seed"), arg("purpose"), arg("replica"), arg("n"))
      .def("quantiles", &quantiles, arg("bits"))
      .def("hard_cells", &QuantileTable::hard_cells);
  module.def("norm_chain", &norm_chain, arg("tables"), arg("layers"), arg("seed"), arg("first"),
             arg("n"), arg("purpose") = std::uint32_t(fracmoment::Purpose::norm_chain));
  module.def("vector_chain", &vector_chain, arg("fan_in"), arg("fan_out"), arg("lower"),
             arg("upper"), arg("keep_prob"), arg("inverted"), arg("orthogonal"), arg("seed"),
             arg("first"), arg("n"));
  module.def("summarize", &summarize, arg("y"), arg("center"), arg("scale"), arg("orders"),
             arg("log_moments"));
}
