// The samplers that exist once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/random/alias_table.hpp"
#include "fracmoment/random/quantile_table.hpp"
#include "fracmoment/random/stream.hpp"

namespace fracmoment {

// Numbers of trials and probabilities, each a column or a single one for all elements.
struct BinomialColumns {
  const std::int64_t* trials;
  const double* p;
  bool one_n, one_p;
};

struct SamplerKernels {
  // Rows, as in RandomKernels: uniform numbers on [0, 1), multiples of 2^-53 or 2^-24; gains of a
  // table of log R - log_mean, 0 where the layer is dead; variates of an alias table.
  void (*uniforms)(const Stream& stream, std::uint64_t replica, double* out, std::size_t n);
  void (*float_uniforms)(const Stream& stream, std::uint64_t replica, float* out, std::size_t n);
  void (*gains)(const QuantileTable& table, double log_mean, const Stream& stream,
                std::uint64_t replica, double* out, std::size_t n);
  void (*alias_variates)(const AliasTable& table, const Stream& stream, std::uint64_t replica,
                         std::int64_t* out, std::size_t n);
  // Elements first, ..., first + n - 1, each with its own parameters; `first` a multiple of 16.
  // A single shape serves all elements if `one_shape`.
  void (*gammas)(const double* shape, bool one_shape, const Stream& stream, std::uint64_t first,
                 double* out, std::size_t n);
  // A row of binomial variates, the quantiles of its bits; `normal` is normal_table().
  void (*binomials)(const QuantileTable& normal, const BinomialColumns& columns,
                    const Stream& stream, std::uint64_t replica, std::int64_t* out, std::size_t n);
  void (*binomial_quantiles)(const QuantileTable& normal, const BinomialColumns& columns,
                             const std::uint64_t* bits, std::int64_t* out, std::size_t n);
};

const SamplerKernels& sampler_kernels();  // of the active instruction set

}  // namespace fracmoment
