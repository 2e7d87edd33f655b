// Addresses of random numbers. Stream format 2, promised in docs/algorithms/random_numbers.md: the
// four 32-bit words of the counter are the block within the layer; the layer; the low 32 bits of
// the replica; the purpose (8 bits) above the high 24 bits of the replica. The key is the seed.
#pragma once

#include <cstdint>

namespace fracmoment {

constexpr int kStreamFormat = 2;

// What numbers are for: engines with one seed never share a number.
enum class Purpose : std::uint32_t {
  bits = 0,
  normal = 1,
  gain = 2,
  norm_chain = 3,
  vector_chain = 4,
  matrix_chain = 5,
  uniform = 8,
  gamma = 9,
  binomial = 10,
  gram_chain = 16,
  matrix_signals = 17,
  lyapunov_spectrum = 18,
  jacobian = 19,
  rare_event = 20,
  rare_jump = 21,
  stationary = 22,
  stationary_tail = 23,
};

struct Stream {
  std::uint64_t seed = 0;
  std::uint32_t purpose = 0;
};

// Kinds of numbers that one unit or weight needs beside its normal: parts of the blocks of a layer.
constexpr std::uint32_t kSlopeBlocks = 1u << 30;                    // random slopes
constexpr std::uint32_t kMaskBlocks = 1u << 31;                     // dropout, signs
constexpr std::uint32_t kDropoutBlocks = kMaskBlocks + (1u << 20);  // dropout beside signs
constexpr std::uint32_t kBiasBlocks = 3u << 30;                     // biases

}  // namespace fracmoment
