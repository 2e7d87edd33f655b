// Engines of signals, once per instruction set.
#pragma once

#include <cstdint>

#include "fracmoment/products/signal_task.hpp"
#include "fracmoment/random/stream.hpp"

namespace fracmoment {

enum class WeightLaw { gaussian, uniform, truncated, rademacher, student_t, stable };

struct Weights {
  WeightLaw law = WeightLaw::gaussian;
  double parameter = 0.0;  // degrees of freedom, or the stability index
  bool single = false;     // single precision
};

struct SignalKernels {
  // For n replicas from the first on. In single precision: Gaussian, uniform, truncated and
  // Rademacher weights only.
  void (*matrix_chain)(const SignalTask& task, const Weights& weights, const Stream& stream,
                       std::uint64_t first, std::size_t n, const SignalResults& results);
  void (*gram_chain)(const SignalTask& task, const Stream& stream, std::uint64_t first,
                     std::size_t n, const SignalResults& results);
};

const SignalKernels& signal_kernels();  // of the active instruction set

}  // namespace fracmoment
