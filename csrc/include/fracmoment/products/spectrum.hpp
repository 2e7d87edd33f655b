// Singular values and Lyapunov exponents of products of random matrices D_k W_k ... D_1 W_1: W_i
// of independent standard normal entries, or orthogonal; D_i the slopes of the units of layer i, 0
// where dropout drops them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/random/quantile_table.hpp"
#include "fracmoment/random/stream.hpp"

namespace fracmoment {

enum class Factors : std::int64_t {
  bartlett,     // triangular factors of D W Q by their law; normal W, slopes 0 and 1 or 1 only
  independent,  // D W Q itself, half of the units drawn to be negative
  forward,      // the same with the signs of the pre-activations of a random input
};

struct Product {
  const std::int64_t* widths = nullptr;  // of the input and of every layer
  std::size_t depth = 0;
  double lower = 1.0, upper = 1.0;  // slope of a negative unit, uniform between the two
  Factors factors = Factors::bartlett;
  double keep_prob = 1.0;   // of a unit; its slope is not divided by it
  bool orthogonal = false;  // W uniform among the matrices of orthonormal columns, or rows if wider

  bool linear() const { return lower == 1.0 && upper == 1.0; }
};

struct SpectrumKernels {
  // For n replicas from the first on, the sum of `depth` variates of a table, from one block of
  // each layer.
  void (*variate_sums)(const QuantileTable& table, std::size_t depth, std::uint32_t block,
                       const Stream& stream, std::uint64_t first, double* out, std::size_t n);
  // For n replicas from the first on, a row each: the sum over the layers of log R_ii, i below the
  // width of the input, -infinity from the rank of the product on.
  void (*lyapunov)(const Product& product, const Stream& stream, std::uint64_t first, double* out,
                   std::size_t n);
  // The logarithms of the singular values, as many as the narrower end has units, in no order,
  // -infinity where they are 0.
  void (*singular)(const Product& product, const Stream& stream, std::uint64_t first, double* out,
                   std::size_t n);
};

const SpectrumKernels& spectrum_kernels();  // of the active instruction set

}  // namespace fracmoment
