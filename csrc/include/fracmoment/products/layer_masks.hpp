// Which units of a layer dropout keeps, and how many of these are on their positive side where fair
// coins decide. A replica a lane; bit i mod 64 of word i/64 belongs to unit i.
#pragma once

#include <vector>

#include "fracmoment/random/normal.hpp"
#include "fracmoment/random/replica_blocks.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

class LayerMasks {
 public:
  LayerMasks(const ReplicaBlocks& replicas, double keep_prob)
      : replicas_(replicas), keep_prob_(keep_prob) {}

  // Draws the units that layer number `layer`, of `width` units, keeps.
  void draw(std::uint32_t layer, int width) {
    layer_ = layer;
    kept_.clear();
    for (int left = width; left > 0; left -= 64)
      kept_.push_back(VecBits{} + (~std::uint64_t(0) >> (left < 64 ? 64 - left : 0)));
    if (dropout()) drop(width);
  }

  bool dropout() const { return keep_prob_ < 1.0; }
  VecInt kept(int i) const {
    const VecBits bit = kept_[std::size_t(i / 64)] >> (i % 64) & std::uint64_t(1);
    return (VecInt)(bit != std::uint64_t(0));
  }
  Vec kept_count() const {
    Vec count{};
    for (const VecBits& word : kept_) count += bit_count(word);
    return count;
  }
  Vec positive_count() const {
    Vec count{};
    for (std::size_t k = 0; k < kept_.size(); k += 2) {
      Block random[1];
      replicas_.draw(layer_, kMaskBlocks + std::uint32_t(k / 2), 0, random);
      count += bit_count(random[0].first & kept_[k]);
      if (k + 1 < kept_.size()) count += bit_count(random[0].second & kept_[k + 1]);
    }
    return count;
  }

 private:
  void drop(int width) {
    for (int i = 0; i < width; i += 2) {
      Block random[1];
      replicas_.draw(layer_, kDropoutBlocks + std::uint32_t(i / 2), 0, random);
      const VecBits words[2] = {random[0].first, random[0].second};
      for (int j = i; j < std::min(i + 2, width); ++j) {
        const VecBits dropped = (VecBits)(open_uniform(words[j - i]) >= keep_prob_);
        kept_[std::size_t(j / 64)] &= ~(dropped & (std::uint64_t(1) << (j % 64)));
      }
    }
  }
  static Vec bit_count(VecBits word) {
    Vec count;
    for (int i = 0; i < kLanes; ++i) count[i] = double(__builtin_popcountll(word[i]));
    return count;
  }

  const ReplicaBlocks& replicas_;
  double keep_prob_;
  std::uint32_t layer_ = 0;
  std::vector<VecBits> kept_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
