// Lyapunov exponents and singular values of products of random matrices.
#include <algorithm>

#include "arrays.hpp"
#include "fracmoment/products/spectrum.hpp"

namespace {

namespace py = pybind11;
using fracmoment::Factors;
using fracmoment::Product;
using fracmoment::QuantileTable;
using fracmoment::spectrum_kernels;
using fracmoment::SpectrumKernels;
using fracmoment::bindings::Array;
using fracmoment::bindings::length;

Array<double> variate_sums(const QuantileTable& table, std::size_t depth, std::uint32_t block,
                           std::uint64_t seed, std::uint32_t purpose, std::uint64_t first,
                           std::size_t n) {
  Array<double> out(static_cast<py::ssize_t>(n));
  double* target = out.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    spectrum_kernels().variate_sums(table, depth, block, {seed, purpose}, first, target, n);
  }
  return out;
}

// A row for each of n replicas, by one of the kernels that take a product.
template <auto kernel>
Array<double> rows(const Array<std::int64_t>& widths, double lower, double upper,
                   std::int64_t factors, double keep_prob, bool orthogonal, std::uint64_t seed,
                   std::uint32_t purpose, std::uint64_t first, std::size_t n) {
  const std::size_t depth = length(widths) - 1;
  const std::int64_t* w = widths.data();
  const std::int64_t columns =
      kernel == &SpectrumKernels::lyapunov ? w[0] : std::min(w[0], w[depth]);
  Array<double> out({static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(columns)});
  double* target = out.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    const Product product{w, depth, lower, upper, Factors(factors), keep_prob, orthogonal};
    (spectrum_kernels().*kernel)(product, {seed, purpose}, first, target, n);
  }
  return out;
}

}  // namespace

void bind_spectra(py::module_& module) {
  using py::arg;
  module.def("variate_sums", &variate_sums, arg("table"), arg("depth"), arg("block"), arg("seed"),
             arg("purpose"), arg("first"), arg("n"));
  const auto def_rows = [&](const char* name, auto function) {
    module.def(name, function, arg("widths"), arg("lower"), arg("upper"), arg("factors"),
               arg("keep_prob"), arg("orthogonal"), arg("seed"), arg("purpose"), arg("first"),
               arg("n"));
  };
  def_rows("product_exponents", &rows<&SpectrumKernels::lyapunov>);
  def_rows("product_singular_values", &rows<&SpectrumKernels::singular>);
}
