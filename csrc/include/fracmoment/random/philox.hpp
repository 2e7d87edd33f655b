// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011): a block of 128 random bits is a function of a 128-bit
// counter and a 64-bit key, so that any block can be computed alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "fracmoment/random/lanes.hpp"
#include "fracmoment/random/stream.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr std::uint32_t kPhiloxMultiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
constexpr std::uint32_t kPhiloxWeyl[2] = {0x9E3779B9u, 0xBB67AE85u};
constexpr int kPhiloxRounds = 10;

// Blocks computed together: enough to hide the latency of one chain of operations.
#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int kInterleave = 4;
#else
constexpr int kInterleave = 2;
#endif

// One counter (or its random block) a lane: word i in the low half of lane j of words[i]. The high
// halves hold nothing of value.
struct Block {
  VecBits words[4];
};

template <int n>
FRACMOMENT_INLINE void philox(Block (&block)[n], std::uint64_t key) {
  const VecBits m0 = VecBits{} + kPhiloxMultiplier[0], m1 = VecBits{} + kPhiloxMultiplier[1];
  std::uint32_t k0 = std::uint32_t(key), k1 = std::uint32_t(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int i = 0; i < n; ++i) {
      VecBits(&c)[4] = block[i].words;
      const VecBits p0 = multiply_low_words(c[0], m0), p1 = multiply_low_words(c[2], m1);
      c[0] = (p1 >> 32) ^ c[1] ^ (VecBits{} + k0);
      c[1] = p1;
      c[2] = (p0 >> 32) ^ c[3] ^ (VecBits{} + k1);
      c[3] = p0;
    }
    k0 += kPhiloxWeyl[0];
    k1 += kPhiloxWeyl[1];
  }
}

// The two 64-bit numbers of a block.
FRACMOMENT_INLINE VecBits first_bits(const Block& b) {
  return (b.words[0] & std::uint64_t(0xffffffff)) | (b.words[1] << 32);
}
FRACMOMENT_INLINE VecBits second_bits(const Block& b) {
  return (b.words[2] & std::uint64_t(0xffffffff)) | (b.words[3] << 32);
}

// n consecutive groups of replicas, one replica a lane, at any block of any layer.
template <int n>
class ReplicaLanes {
 public:
  static constexpr int groups = n;
  ReplicaLanes(const Stream& stream, std::uint64_t first) : seed_(stream.seed) {
    for (int i = 0; i < n; ++i) {
      VecBits replica;
      for (int j = 0; j < kLanes; ++j) replica[j] = first + std::uint64_t(i * kLanes + j);
      place(i, stream, replica);
    }
  }
  // n groups of any replicas
  ReplicaLanes(const Stream& stream, const VecBits (&replica)[n]) : seed_(stream.seed) {
    for (int i = 0; i < n; ++i) place(i, stream, replica[i]);
  }
  FRACMOMENT_INLINE void draw(std::uint32_t layer, std::uint32_t block, Block (&out)[n]) const {
    for (int i = 0; i < n; ++i)
      out[i] = {{VecBits{} + block, VecBits{} + layer, low_[i], high_[i]}};
    philox(out, seed_);
  }

 private:
  FRACMOMENT_INLINE void place(int i, const Stream& stream, VecBits replica) {
    low_[i] = replica & std::uint64_t(0xffffffff);
    high_[i] = (replica >> 32) | (std::uint64_t(stream.purpose) << 24);
  }

  std::uint64_t seed_;
  VecBits low_[n], high_[n];
};

// n replicas in groups of lanes, several groups together while there are enough:
// work(replicas, at, count) for the replicas first + at, ..., of which `count` lanes are wanted.
template <class Work>
void each_group(const Stream& stream, std::uint64_t first, std::size_t n, Work&& work) {
  std::size_t done = 0;
  const auto run = [&](auto constant) {
    constexpr int groups = decltype(constant)::value;
    const std::size_t count = std::min(n - done, std::size_t(groups * kLanes));
    work(ReplicaLanes<groups>(stream, first + done), done, count);
    done += count;
  };
  while (n - done > std::size_t(kLanes * (kInterleave - 1)))
    run(std::integral_constant<int, kInterleave>{});
  while (done < n) run(std::integral_constant<int, 1>{});
}

// Consecutive blocks of one layer of one replica, one block a lane.
class BlockLanes {
 public:
  BlockLanes(const Stream& stream, std::uint64_t replica, std::uint32_t layer, std::uint64_t first)
      : seed_(stream.seed) {
    for (int j = 0; j < kLanes; ++j) next_[j] = first + std::uint64_t(j);
    rest_[0] = VecBits{} + layer;
    rest_[1] = VecBits{} + (replica & 0xffffffffu);
    rest_[2] = VecBits{} + ((replica >> 32) | (std::uint64_t(stream.purpose) << 24));
  }
  template <int n>
  FRACMOMENT_INLINE void draw(Block (&out)[n]) {
    for (int i = 0; i < n; ++i) {
      out[i] = {{next_, rest_[0], rest_[1], rest_[2]}};
      next_ += std::uint64_t(kLanes);
    }
    philox(out, seed_);
  }

 private:
  std::uint64_t seed_;
  VecBits next_, rest_[3];
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
