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

// The keys of every round.
struct PhiloxKeys {
  std::uint64_t first[kPhiloxRounds], second[kPhiloxRounds];
  explicit PhiloxKeys(std::uint64_t seed) {
    std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      first[round] = k0;
      second[round] = k1;
      k0 += kPhiloxWeyl[0];
      k1 += kPhiloxWeyl[1];
    }
  }
};

// The rounds from `from` on.
template <int from, int n>
FRACMOMENT_INLINE void philox_rounds(Block (&block)[n], const PhiloxKeys& keys) {
  const VecBits m0 = VecBits{} + kPhiloxMultiplier[0], m1 = VecBits{} + kPhiloxMultiplier[1];
#pragma GCC unroll 10
  for (int round = from; round < kPhiloxRounds; ++round) {
    for (int i = 0; i < n; ++i) {
      VecBits(&c)[4] = block[i].words;
      const VecBits p0 = multiply_low_words(c[0], m0), p1 = multiply_low_words(c[2], m1);
      c[0] = (p1 >> 32) ^ c[1] ^ (VecBits{} + keys.first[round]);
      c[1] = p1;
      c[2] = (p0 >> 32) ^ c[3] ^ (VecBits{} + keys.second[round]);
      c[3] = p0;
    }
  }
}

// The two 64-bit numbers of a block: words a and b side by side.
FRACMOMENT_INLINE VecBits joined(VecBits a, VecBits b) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (VecBits)_mm512_mask_shuffle_epi32((__m512i)a, 0xaaaa, (__m512i)b, _MM_PERM_CCAA);
#else
  return (a & std::uint64_t(0xffffffff)) | (b << 32);
#endif
}
FRACMOMENT_INLINE VecBits first_bits(const Block& b) { return joined(b.words[0], b.words[1]); }
FRACMOMENT_INLINE VecBits second_bits(const Block& b) { return joined(b.words[2], b.words[3]); }

// A group of replicas, one a lane. In the first round the product with the replica is known, and
// that with the block is the same in every lane.
class ReplicaGroup {
 public:
  ReplicaGroup() = default;
  ReplicaGroup(const Stream& stream, VecBits replica)
      : product_(multiply_low_words(replica, VecBits{} + kPhiloxMultiplier[1])),
        high_((replica >> 32) | (std::uint64_t(stream.purpose) << 24)) {}

  FRACMOMENT_INLINE Block first_round(std::uint32_t layer, std::uint32_t block,
                                      const PhiloxKeys& keys) const {
    const std::uint64_t product = std::uint64_t(block) * kPhiloxMultiplier[0];
    return {{(product_ >> 32) ^ (layer ^ keys.first[0]), product_,
             high_ ^ ((product >> 32) ^ keys.second[0]), VecBits{} + product}};
  }

 private:
  VecBits product_, high_;  // product_: of the low half of the replica
};

FRACMOMENT_INLINE VecBits consecutive_replicas(std::uint64_t first) {
  VecBits replica;
  for (int j = 0; j < kLanes; ++j) replica[j] = first + std::uint64_t(j);
  return replica;
}

// n groups of replicas at any block of any layer.
template <int n>
class ReplicaLanes {
 public:
  static constexpr int groups = n;
  ReplicaLanes(const Stream& stream, std::uint64_t first) : keys_(stream.seed) {
    for (int i = 0; i < n; ++i)
      group_[i] = ReplicaGroup(stream, consecutive_replicas(first + std::uint64_t(i * kLanes)));
  }
  ReplicaLanes(const Stream& stream, const VecBits (&replica)[n]) : keys_(stream.seed) {
    for (int i = 0; i < n; ++i) group_[i] = ReplicaGroup(stream, replica[i]);
  }
  FRACMOMENT_INLINE void draw(std::uint32_t layer, std::uint32_t block, Block (&out)[n]) const {
    for (int i = 0; i < n; ++i) out[i] = group_[i].first_round(layer, block, keys_);
    philox_rounds<1>(out, keys_);
  }

 private:
  PhiloxKeys keys_;
  ReplicaGroup group_[n];
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

// Consecutive blocks of one layer of one replica, one block a lane. Only the first word differs
// between blocks: half of the first round is known, and a product of the second.
class BlockLanes {
 public:
  BlockLanes(const Stream& stream, std::uint64_t replica, std::uint32_t layer, std::uint64_t first)
      : keys_(stream.seed) {
    for (int j = 0; j < kLanes; ++j) next_[j] = first + std::uint64_t(j);
    const std::uint64_t low = replica & 0xffffffffu, high = replica >> 32,
                        product = low * kPhiloxMultiplier[1];
    first_word_ = std::uint32_t((product >> 32) ^ layer ^ keys_.first[0]);
    second_word_ = product;
    high_ = (high | (std::uint64_t(stream.purpose) << 24)) ^ keys_.second[0];
  }
  template <int n>
  FRACMOMENT_INLINE void draw(Block (&out)[n]) {
    const VecBits m0 = VecBits{} + kPhiloxMultiplier[0], m1 = VecBits{} + kPhiloxMultiplier[1];
    const std::uint64_t product = first_word_ * kPhiloxMultiplier[0];
    for (int i = 0; i < n; ++i) {
      const VecBits p0 = multiply_low_words(next_, m0);
      const VecBits p1 = multiply_low_words((p0 >> 32) ^ high_, m1);
      out[i] = {{(p1 >> 32) ^ (second_word_ ^ keys_.first[1]), p1,
                 p0 ^ ((product >> 32) ^ keys_.second[1]), VecBits{} + product}};
      next_ += std::uint64_t(kLanes);
    }
    philox_rounds<2>(out, keys_);
  }

 private:
  PhiloxKeys keys_;
  VecBits next_;
  std::uint64_t first_word_, second_word_, high_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
