// Samplers of uniform, gamma and binomial numbers and of gains.
#include "arrays.hpp"
#include "fracmoment/random/normal_table.hpp"
#include "fracmoment/random/sampler_kernels.hpp"

namespace {

namespace py = pybind11;
using fracmoment::AliasTable;
using fracmoment::Purpose;
using fracmoment::QuantileTable;
using fracmoment::sampler_kernels;
using fracmoment::Stream;
using fracmoment::bindings::Array;
using fracmoment::bindings::filled;
using fracmoment::bindings::length;
using fracmoment::bindings::Target;

Stream stream_of(std::uint64_t seed, Purpose purpose) { return {seed, std::uint32_t(purpose)}; }

template <class T, auto kernel>
Array<T> uniforms(std::uint64_t seed, std::uint64_t replica, std::size_t n, Target<T> to) {
  const auto fill = [&](T* out, std::size_t count) {
    (sampler_kernels().*kernel)(stream_of(seed, Purpose::uniform), replica, out, count);
  };
  return filled<T>(n, fill, std::move(to));
}

Array<double> gains(const QuantileTable& table, double log_mean, std::uint64_t seed,
                    std::uint64_t replica, std::size_t n, Target<double> to) {
  const auto fill = [&](double* out, std::size_t count) {
    sampler_kernels().gains(table, log_mean, stream_of(seed, Purpose::gain), replica, out, count);
  };
  return filled<double>(n, fill, std::move(to));
}

Array<std::int64_t> alias_variates(const AliasTable& table, std::uint64_t seed,
                                   std::uint64_t replica, std::size_t n, Target<std::int64_t> to) {
  const Stream stream = stream_of(seed, Purpose::binomial);
  const auto fill = [&](std::int64_t* out, std::size_t count) {
    sampler_kernels().alias_variates(table, stream, replica, out, count);
  };
  return filled<std::int64_t>(n, fill, std::move(to));
}

Array<double> probabilities(const AliasTable& table) {
  const std::vector<double> p = table.probabilities();
  return Array<double>(static_cast<py::ssize_t>(p.size()), p.data());
}

// Whether one number serves for all n; otherwise there are n of them.
template <class T>
bool is_single(const Array<T>& column, std::size_t n) {
  const bool single = length(column) == 1;
  if (!single && length(column) != n) throw std::invalid_argument("one parameter, or n of them");
  return single;
}

Array<double> gammas(const Array<double>& shape, std::uint64_t seed, std::uint64_t first,
                     std::size_t n, Target<double> to) {
  const bool one_shape = is_single(shape, n);
  const double* shapes = shape.data();
  const auto fill = [&](double* out, std::size_t count) {
    sampler_kernels().gammas(shapes, one_shape, stream_of(seed, Purpose::gamma), first, out, count);
  };
  return filled<double>(n, fill, std::move(to));
}

fracmoment::BinomialColumns binomial_columns(const Array<std::int64_t>& trials,
                                             const Array<double>& p, std::size_t n) {
  return {trials.data(), p.data(), is_single(trials, n), is_single(p, n)};
}

Array<std::int64_t> binomials(const Array<std::int64_t>& trials, const Array<double>& p,
                              std::uint64_t seed, std::uint64_t replica, std::size_t n,
                              Target<std::int64_t> to) {
  const fracmoment::BinomialColumns columns = binomial_columns(trials, p, n);
  const auto fill = [&](std::int64_t* out, std::size_t count) {
    sampler_kernels().binomials(fracmoment::normal_table(), columns,
                                stream_of(seed, Purpose::binomial), replica, out, count);
  };
  return filled<std::int64_t>(n, fill, std::move(to));
}

Array<std::int64_t> binomial_quantiles(const Array<std::int64_t>& trials, const Array<double>& p,
                                       const Array<std::uint64_t>& bits) {
  const fracmoment::BinomialColumns columns = binomial_columns(trials, p, length(bits));
  const std::uint64_t* words = bits.data();
  return filled<std::int64_t>(length(bits), [&](std::int64_t* out, std::size_t count) {
    sampler_kernels().binomial_quantiles(fracmoment::normal_table(), columns, words, out, count);
  });
}

}  // namespace

void bind_samplers(py::module_& module) {
  using fracmoment::SamplerKernels;
  using py::arg;
  const auto out = arg("out").noconvert() = py::none();
  module.def("random_uniforms", &uniforms<double, &SamplerKernels::uniforms>, arg("seed"),
             arg("replica"), arg("n"), out);
  module.def("random_float_uniforms", &uniforms<float, &SamplerKernels::float_uniforms>,
             arg("seed"), arg("replica"), arg("n"), out);
  module.def("random_gains", &gains, arg("table"), arg("log_mean"), arg("seed"), arg("replica"),
             arg("n"), out);
  module.def("random_gammas", &gammas, arg("shape"), arg("seed"), arg("first"), arg("n"), out);
  module.def("random_binomials", &binomials, arg("trials"), arg("p"), arg("seed"), arg("replica"),
             arg("n"), out);
  module.def("binomial_quantiles", &binomial_quantiles, arg("trials"), arg("p"), arg("bits"));
  py::class_<AliasTable>(module, "AliasTable", fracmoment::bindings::ordinary_metaclass(),
                         "A binomial law as an alias table.")
      .def(py::init<std::int64_t, double>(), arg("n"), arg("p"))
      .def_static("fits", &AliasTable::fits, arg("n"), arg("p"))
      .def("first", &AliasTable::first)
      .def("probabilities", &probabilities)
      .def("variates", &alias_variates, arg("seed"), arg("replica"), arg("n"), out);
}
