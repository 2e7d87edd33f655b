// Sums over the share B at one place of T, once per instruction set.
#pragma once

#include <array>
#include <cstddef>

namespace fracmoment {

// Nodes of the law of B, a multiple of kBlock of them: B, 1 - B, the weight and its logarithm.
struct ShareNodes {
  static constexpr std::size_t kBlock = 16;
  const double *share, *rest, *weight, *log_weight;
  std::size_t size;
};

// Sums of Q^p, (Q^p - 1)/p and its magnitude, Q^p log Q and Q^p log^2 Q for Q = 1 - B gap. The
// first two are kept apart for nodes 0, 1, 2 and 3 modulo 4, for estimates of the error.
struct ShareSums {
  static constexpr std::size_t kClasses = 4;
  std::array<double, kClasses> power, quotient;
  double magnitude, first, second;
};

struct ShareKernels {
  // From the node `from` to both sides until the terms are negligible. gap = 1 - square,
  // Q = rest + share square. Tilted: all times exp(-offset), and without (Q^p - 1)/p.
  void (*plain)(const ShareNodes& nodes, std::size_t from, double gap, double square, double p,
                ShareSums& sums);
  void (*tilted)(const ShareNodes& nodes, std::size_t from, double gap, double square, double p,
                 double offset, ShareSums& sums);
};

const ShareKernels& share_kernels();  // of the active instruction set

}  // namespace fracmoment
