// A layer of a random network, as the engines need it.
#pragma once

#include <cstdint>

namespace fracmoment {

struct Layer {
  std::int64_t fan_in = 1, fan_out = 1;
  double lower = 0.0, upper = 0.0;  // slope of the negative side, uniform per unit between the two
  double keep_prob = 1.0;
  bool inverted = true;     // dropout divides by keep_prob
  bool orthogonal = false;  // gains of orthogonal weights
  double sigma = 1.0;       // scale of the weights, where an engine needs it
  double bias = 0.0;        // standard deviation of the biases
};

}  // namespace fracmoment
