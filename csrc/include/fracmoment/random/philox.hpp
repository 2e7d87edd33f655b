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
// Fewer where the next ones are on their way meanwhile: they need registers too.
#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int kInterleave = 4, kInterleaveUnderway = 3;
#else
constexpr int kInterleave = 2, kInterleaveUnderway = 2;
#endif

// One counter a lane: word i in the low half of lane j of words[i]. The high halves hold nothing of
// value.
struct Counter {
  VecBits words[4];
};
// Its random block: words 0 and 1, and words 2 and 3, as one number each.
struct Block {
  VecBits first, second;
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

// One word after a round and its neighbour as one number: product = (its high half ^ word ^ key,
// its low half).
FRACMOMENT_INLINE VecBits last_number(VecBits product, VecBits word, std::uint64_t key) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const __m512i swapped = _mm512_maskz_shuffle_epi32(0xffff, (__m512i)product, _MM_PERM_CDAB);
  return (VecBits)_mm512_mask_ternarylogic_epi32(swapped, 0x5555, (__m512i)word,
                                                 (__m512i)(VecBits{} + key), 0x96);
#else
  const VecBits low = (word ^ key) & std::uint64_t(0xffffffff);
#if defined(__AVX2__) && defined(__FMA__)
  return (VecBits)_mm256_shuffle_epi32((__m256i)product, 0xb1) ^ low;
#else
  return ((product << 32) | (product >> 32)) ^ low;
#endif
#endif
}

// One round but the last.
template <int n>
FRACMOMENT_INLINE void philox_round(Counter (&counter)[n], const PhiloxKeys& keys, int round) {
  const VecBits m0 = VecBits{} + kPhiloxMultiplier[0], m1 = VecBits{} + kPhiloxMultiplier[1];
  for (int i = 0; i < n; ++i) {
    VecBits(&c)[4] = counter[i].words;
    const VecBits p0 = multiply_low_words(c[0], m0), p1 = multiply_low_words(c[2], m1);
    c[0] = (p1 >> 32) ^ c[1] ^ (VecBits{} + keys.first[round]);
    c[1] = p1;
    c[2] = (p0 >> 32) ^ c[3] ^ (VecBits{} + keys.second[round]);
    c[3] = p0;
  }
}
template <int n>
FRACMOMENT_INLINE void philox_last_round(const Counter (&counter)[n], const PhiloxKeys& keys,
                                         Block (&out)[n]) {
  constexpr int last = kPhiloxRounds - 1;
  const VecBits m0 = VecBits{} + kPhiloxMultiplier[0], m1 = VecBits{} + kPhiloxMultiplier[1];
  for (int i = 0; i < n; ++i) {
    const VecBits(&c)[4] = counter[i].words;
    out[i] = {last_number(multiply_low_words(c[2], m1), c[1], keys.first[last]),
              last_number(multiply_low_words(c[0], m0), c[3], keys.second[last])};
  }
}
// The blocks of counters that have gone through the rounds before `from`.
template <int from, int n>
FRACMOMENT_INLINE void philox_rounds(Counter (&counter)[n], const PhiloxKeys& keys,
                                     Block (&out)[n]) {
#pragma GCC unroll 10
  for (int round = from; round < kPhiloxRounds - 1; ++round) philox_round(counter, keys, round);
  philox_last_round(counter, keys, out);
}

// Blocks after two rounds, of which the others are made between the steps of other work: the
// machine is busy with the one while it waits for the other.
template <int n>
struct BlocksUnderway {
  static constexpr int kParts = kPhiloxRounds - 3;
  Counter counter[n];
  const PhiloxKeys& keys;
  template <int part>
  FRACMOMENT_INLINE void advance() {
    philox_round(counter, keys, 2 + part);
  }
  FRACMOMENT_INLINE void finish(Block (&out)[n]) const { philox_last_round(counter, keys, out); }
};

// A group of replicas, one a lane. In the first round the product with the replica is known, and
// that with the block is the same in every lane.
class ReplicaGroup {
 public:
  ReplicaGroup() = default;
  ReplicaGroup(const Stream& stream, VecBits replica)
      : product_(multiply_low_words(replica, VecBits{} + kPhiloxMultiplier[1])),
        high_((replica >> 32) | (std::uint64_t(stream.purpose) << 24)) {}

  FRACMOMENT_INLINE Counter first_round(std::uint32_t layer, std::uint32_t block,
                                        const PhiloxKeys& keys) const {
    const std::uint64_t product = std::uint64_t(block) * kPhiloxMultiplier[0];
    return {{(product_ >> 32) ^ (layer ^ keys.first[0]), product_,
             high_ ^ ((product >> 32) ^ keys.second[0]), VecBits{} + product}};
  }

  // The same two rounds on; what no block changes is a part of the layer.
  struct OfLayer {
    VecBits high, first, third, fourth;
    FRACMOMENT_INLINE Counter second_round(std::uint32_t block, const PhiloxKeys& keys) const {
      const std::uint64_t product = std::uint64_t(block) * kPhiloxMultiplier[0];
      const VecBits p1 = multiply_low_words(high ^ ((product >> 32) ^ keys.second[0]),
                                            VecBits{} + kPhiloxMultiplier[1]);
      return {{(p1 >> 32) ^ first, p1, third ^ product, fourth}};
    }
  };
  OfLayer of_layer(std::uint32_t layer, const PhiloxKeys& keys) const {
    const VecBits p0 =
        multiply_low_words(first_round(layer, 0, keys).words[0], VecBits{} + kPhiloxMultiplier[0]);
    return {high_, product_ ^ keys.first[1], (p0 >> 32) ^ keys.second[1], p0};
  }

 private:
  VecBits product_, high_;  // product_: of the low half of the replica
};

FRACMOMENT_INLINE VecBits consecutive_replicas(std::uint64_t first) {
  VecBits replica{};
  for (int j = 0; j < kLanes; ++j) replica[j] = std::uint64_t(j);
  return replica + first;
}

// n groups of replicas at any block of any layer.
template <int n>
class ReplicaLanes {
 public:
  static constexpr int groups = n;
  ReplicaLanes(const Stream& stream, std::uint64_t first) : keys_(stream.seed) {
    move(stream, first);
  }
  explicit ReplicaLanes(const Stream& stream) : keys_(stream.seed) {}
  // To the replicas first, first + 1, ..., or to any.
  FRACMOMENT_INLINE void move(const Stream& stream, std::uint64_t first) {
    for (int i = 0; i < n; ++i)
      group_[i] = ReplicaGroup(stream, consecutive_replicas(first + std::uint64_t(i * kLanes)));
  }
  FRACMOMENT_INLINE void move(const Stream& stream, const VecBits (&replica)[n]) {
    for (int i = 0; i < n; ++i) group_[i] = ReplicaGroup(stream, replica[i]);
  }
  FRACMOMENT_INLINE void draw(std::uint32_t layer, std::uint32_t block, Block (&out)[n]) const {
    Counter counter[n];
    for (int i = 0; i < n; ++i) counter[i] = group_[i].first_round(layer, block, keys_);
    philox_rounds<1>(counter, keys_, out);
  }
  const PhiloxKeys& keys() const { return keys_; }
  const ReplicaGroup& group(int i) const { return group_[i]; }

 private:
  PhiloxKeys keys_;
  ReplicaGroup group_[n];
};

// The same at any block of one layer.
template <int n>
class LayerLanes {
 public:
  LayerLanes(const ReplicaLanes<n>& replicas, std::uint32_t layer) : keys_(replicas.keys()) {
    for (int i = 0; i < n; ++i) group_[i] = replicas.group(i).of_layer(layer, keys_);
  }
  FRACMOMENT_INLINE BlocksUnderway<n> begin(std::uint32_t block) const {
    BlocksUnderway<n> blocks{{}, keys_};
    for (int i = 0; i < n; ++i) blocks.counter[i] = group_[i].second_round(block, keys_);
    return blocks;
  }
  FRACMOMENT_INLINE void draw(std::uint32_t block, Block (&out)[n]) const {
    Counter counter[n];
    for (int i = 0; i < n; ++i) counter[i] = group_[i].second_round(block, keys_);
    philox_rounds<2>(counter, keys_, out);
  }

 private:
  PhiloxKeys keys_;
  ReplicaGroup::OfLayer group_[n];
};

// n replicas in groups of lanes, several groups together while there are enough:
// work(replicas, at, count) for the replicas first + at, ..., of which `count` lanes are wanted.
template <int together = kInterleave, class Work>
void each_group(const Stream& stream, std::uint64_t first, std::size_t n, Work&& work) {
  std::size_t done = 0;
  const auto run = [&](auto constant) {
    constexpr int groups = decltype(constant)::value;
    const std::size_t count = std::min(n - done, std::size_t(groups * kLanes));
    work(ReplicaLanes<groups>(stream, first + done), done, count);
    done += count;
  };
  while (n - done > std::size_t(kLanes * (together - 1)))
    run(std::integral_constant<int, together>{});
  while (done < n) run(std::integral_constant<int, 1>{});
}

// Consecutive blocks of one layer of one replica, one block a lane. Only the first word differs
// between blocks, and its product with the multiplier grows by the same from one to the next: half
// of the first round is known, and a product of the second.
class BlockLanes {
 public:
  BlockLanes(const Stream& stream, std::uint64_t replica, std::uint32_t layer, std::uint32_t first)
      : keys_(stream.seed) {
    for (int j = 0; j < kLanes; ++j)
      next_[j] = (std::uint64_t(first) + std::uint64_t(j)) * kPhiloxMultiplier[0];
    const std::uint64_t low = replica & 0xffffffffu, high = replica >> 32,
                        product = low * kPhiloxMultiplier[1];
    first_word_ = std::uint32_t((product >> 32) ^ layer ^ keys_.first[0]);
    second_word_ = product;
    high_ = (high | (std::uint64_t(stream.purpose) << 24)) ^ keys_.second[0];
  }
  template <int n>
  FRACMOMENT_INLINE void draw(Block (&out)[n]) {
    const VecBits m1 = VecBits{} + kPhiloxMultiplier[1];
    const std::uint64_t product = first_word_ * kPhiloxMultiplier[0];
    Counter counter[n];
    for (int i = 0; i < n; ++i) {
      const VecBits p0 = next_, p1 = multiply_low_words((p0 >> 32) ^ high_, m1);
      counter[i] = {{(p1 >> 32) ^ (second_word_ ^ keys_.first[1]), p1,
                     p0 ^ ((product >> 32) ^ keys_.second[1]), VecBits{} + product}};
      next_ += std::uint64_t(kLanes) * kPhiloxMultiplier[0];
    }
    philox_rounds<2>(counter, keys_, out);
  }

 private:
  PhiloxKeys keys_;
  VecBits next_;  // products of the blocks with the multiplier
  std::uint64_t first_word_, second_word_, high_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
