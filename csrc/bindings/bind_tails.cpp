// Tails: the contraction of SGD on least squares.
#include "arrays.hpp"
#include "fracmoment/tails/sgd.hpp"

namespace {

namespace py = pybind11;
using fracmoment::bindings::Array;
using fracmoment::bindings::common_length;
using fracmoment::bindings::filled;

// rate, slope and variance, one row each
Array<double> sgd_growth(const Array<double>& step, const Array<double>& batch,
                         const Array<double>& dimension, const Array<double>& order) {
  const std::size_t n = common_length(step, batch, dimension, order);
  const double *t = step.data(), *b = batch.data(), *d = dimension.data(), *s = order.data();
  return filled<double>(3 * n, [=](double* out, std::size_t) {
    for (std::size_t i = 0; i < n; ++i) {
      const fracmoment::SgdGrowth growth = fracmoment::sgd_growth({t[i], b[i], d[i]}, s[i]);
      out[i] = growth.rate;
      out[n + i] = growth.slope;
      out[2 * n + i] = growth.variance;
    }
  });
}

Array<double> sgd_tail_indices(const Array<double>& step, const Array<double>& batch,
                               const Array<double>& dimension) {
  const std::size_t n = common_length(step, batch, dimension);
  const double *t = step.data(), *b = batch.data(), *d = dimension.data();
  return filled<double>(n, [=](double* out, std::size_t) {
    for (std::size_t i = 0; i < n; ++i) out[i] = fracmoment::sgd_tail_index({t[i], b[i], d[i]});
  });
}

Array<double> sgd_tail_index_row(const Array<double>& step, double batch, double dimension,
                                 double boundary) {
  const double* t = step.data();
  return filled<double>(common_length(step), [=](double* out, std::size_t n) {
    fracmoment::sgd_tail_index_row(t, n, batch, dimension, boundary, out);
  });
}

Array<double> sgd_critical_steps(const Array<double>& batch, const Array<double>& dimension,
                                 const Array<double>& order) {
  const std::size_t n = common_length(batch, dimension, order);
  const double *b = batch.data(), *d = dimension.data(), *s = order.data();
  return filled<double>(n, [=](double* out, std::size_t) {
    for (std::size_t i = 0; i < n; ++i) out[i] = fracmoment::sgd_critical_step(b[i], d[i], s[i]);
  });
}

}  // namespace

void bind_tails(py::module_& module) {
  using py::arg;
  module.def("sgd_growth", &sgd_growth, arg("step"), arg("batch"), arg("dimension"), arg("order"));
  module.def("sgd_tail_indices", &sgd_tail_indices, arg("step"), arg("batch"), arg("dimension"));
  module.def("sgd_tail_index_row", &sgd_tail_index_row, arg("step"), arg("batch"), arg("dimension"),
             arg("boundary"));
  module.def("sgd_critical_steps", &sgd_critical_steps, arg("batch"), arg("dimension"),
             arg("order"));
}
