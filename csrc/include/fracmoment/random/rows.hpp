// One layer of one replica as a long row of numbers, two vectors a block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "fracmoment/random/philox.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// Groups of eight blocks: eight first numbers, eight second numbers. `lanes_of` turns a block into
// the pair of vectors; a last group that is not full is computed whole and cut.
template <class T, class Pair>
void fill_groups(const Stream& stream, std::uint64_t replica, T* out, std::size_t n, Pair&& pair) {
  constexpr int W = kLanes, vectors = std::max(kInterleave, 8 / W);  // drawn together: whole groups
  constexpr std::size_t per_vector = sizeof(Vec) / sizeof(T);
  constexpr std::size_t group = 16 * per_vector / W, batch = 2 * per_vector * vectors;
  BlockLanes blocks(stream, replica, 0, 0);
  T values[batch];
  for (std::size_t start = 0; start < n; start += batch) {
    Block random[vectors];
    blocks.draw(random);
    T* to = n - start >= batch ? out + start : values;
    for (int i = 0; i < vectors; ++i) {
      const auto numbers = pair(random[i]);
      const std::size_t at =
          std::size_t(i) * W / 8 * group + std::size_t(i) * W % 8 * per_vector / W;
      std::memcpy(to + at, &numbers.first, sizeof(Vec));
      std::memcpy(to + at + group / 2, &numbers.second, sizeof(Vec));
    }
    if (to == values) std::copy(values, values + (n - start), out + start);
  }
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
