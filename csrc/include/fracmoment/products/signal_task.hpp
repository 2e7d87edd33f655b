// What the engines of signals work on, and where the results go.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/products/layer.hpp"

namespace fracmoment {

struct SignalTask {
  const Layer* layers;        // distinct layers
  const std::int64_t* index;  // which of them each layer of the network is
  std::size_t depth;
  // Inputs, one a row of as many numbers as the first layer has inputs: input q is the row times
  // 2^exponents[q].
  const double* inputs;
  const double* exponents;
  std::size_t count;
  bool every_layer;  // results after every layer instead of the last

  const Layer& layer(std::size_t k) const { return layers[index[k]]; }
  std::size_t steps() const { return every_layer ? depth : 1; }
  bool is_result(std::size_t k) const { return every_layer || k + 1 == depth; }
};

// For each replica and step: `count` logarithms of norms, and count^2 cosines if asked for.
struct SignalResults {
  double* log_norms;
  double* cosines;
};

}  // namespace fracmoment
