// Several blocks of one group of replicas together, a replica a lane.
#pragma once

#include "fracmoment/random/philox.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

class ReplicaBlocks {
 public:
  ReplicaBlocks(const Stream& stream, std::uint64_t first) : seed_(stream.seed) {
    VecBits replica;
    for (int j = 0; j < kLanes; ++j) replica[j] = first + std::uint64_t(j);
    low_ = replica & std::uint64_t(0xffffffff);
    high_ = (replica >> 32) | (std::uint64_t(stream.purpose) << 24);
  }
  // Blocks block, block + step, ...
  template <int n>
  FRACMOMENT_INLINE void draw(std::uint32_t layer, std::uint32_t block, std::uint32_t step,
                              Block (&out)[n]) const {
    for (int i = 0; i < n; ++i)
      out[i] = {{VecBits{} + (block + std::uint32_t(i) * step), VecBits{} + layer, low_, high_}};
    philox(out, seed_);
  }

 private:
  std::uint64_t seed_;
  VecBits low_, high_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
