// The samplers and engines that exist once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/products/layer.hpp"
#include "fracmoment/random/quantile_table.hpp"
#include "fracmoment/random/stream.hpp"

namespace fracmoment {

struct RandomKernels {
  // One layer of one replica as a long row of numbers: random bits, two a block, in groups of
  // eight blocks (first numbers, then second numbers); normals likewise; four floats a block.
  void (*bits)(const Stream& stream, std::uint64_t replica, std::uint64_t* out, std::size_t n);
  void (*normals)(const Stream& stream, std::uint64_t replica, double* out, std::size_t n);
  void (*float_normals)(const Stream& stream, std::uint64_t replica, float* out, std::size_t n);
  // Variates of a table, of bits in that order.
  void (*variates)(const QuantileTable& table, const Stream& stream, std::uint64_t replica,
                   double* out, std::size_t n);
  // Engines: for n replicas from the first on, the sum over the layers of log R (norm: of
  // log R - E log R), -infinity where the signal died.
  void (*norm_chain)(const QuantileTable* const* layers, std::size_t depth, const Stream& stream,
                     std::uint64_t first, double* out, std::size_t n);
  void (*vector_chain)(const Layer* layers, std::size_t depth, const Stream& stream,
                       std::uint64_t first, double* out, std::size_t n);
};

const RandomKernels& random_kernels();  // of the active instruction set

}  // namespace fracmoment
