// Conversion between NumPy arrays and the flat ranges that the core reads and writes.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace fracmoment::bindings {

namespace py = pybind11;

// C-contiguous; anything else is copied into this form.
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
std::size_t length(const Array<T>& array) {
  return static_cast<std::size_t>(array.size());
}

// A new array of the shape of another.
template <class T>
Array<T> empty_like(const py::array& other) {
  return Array<T>(std::vector<py::ssize_t>(other.shape(), other.shape() + other.ndim()));
}

// out[i] = kernel(in[i]) for a kernel (const T*, T*, n), which runs without the interpreter lock.
template <class T, class Kernel>
Array<T> map_array(const Array<T>& in, Kernel&& kernel) {
  Array<T> out = empty_like<T>(in);
  const T* source = in.data();
  T* target = out.mutable_data();
  const std::size_t n = length(in);
  {
    const py::gil_scoped_release unlocked;
    kernel(source, target, n);
  }
  return out;
}

// An array to write to; none makes a new one.
template <class T>
using Target = std::optional<Array<T>>;

// An array of n numbers, a new one if none is given, written by fill(T*, n) without the interpreter
// lock.
template <class T, class Fill>
Array<T> filled(std::size_t n, Fill&& fill, Target<T> given = {}) {
  Array<T> out = given ? std::move(*given) : Array<T>(static_cast<py::ssize_t>(n));
  if (length(out) != n) throw std::invalid_argument("out must have the length of the sample");
  T* target = out.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    fill(target, n);
  }
  return out;
}

// The common length of columns that belong together; the Python layer broadcasts them.
template <class First, class... Rest>
std::size_t common_length(const First& first, const Rest&... rest) {
  const std::size_t n = static_cast<std::size_t>(first.size());
  if (!((static_cast<std::size_t>(rest.size()) == n) && ...))
    throw std::invalid_argument("the arrays must have one length");
  return n;
}

// An ordinary metaclass instead of pybind11's own, so that the stubs describe the classes as they
// are.
inline py::metaclass ordinary_metaclass() {
  return py::metaclass(
      py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyType_Type)));
}

}  // namespace fracmoment::bindings
