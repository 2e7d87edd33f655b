// Several blocks of one group of replicas together, a replica a lane.
#pragma once

#include "fracmoment/random/philox.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

class ReplicaBlocks {
 public:
  ReplicaBlocks(const Stream& stream, std::uint64_t first)
      : keys_(stream.seed), group_(stream, consecutive_replicas(first)) {}
  // Blocks block, block + step, ...
  template <int n>
  FRACMOMENT_INLINE void draw(std::uint32_t layer, std::uint32_t block, std::uint32_t step,
                              Block (&out)[n]) const {
    Counter counter[n];
    for (int i = 0; i < n; ++i)
      counter[i] = group_.first_round(layer, block + std::uint32_t(i) * step, keys_);
    philox_rounds<1>(counter, keys_, out);
  }

 private:
  PhiloxKeys keys_;
  ReplicaGroup group_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
