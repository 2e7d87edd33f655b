// One layer of one replica as a long row of numbers, two vectors a block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "fracmoment/random/philox.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// Groups of eight blocks: eight first numbers, eight second numbers. convert(random, numbers) turns
// several blocks into pairs of vectors; a last group that is not full is computed whole and cut.
template <class V, class T, class Convert>
void fill_groups(BlockLanes& blocks, T* out, std::size_t n, Convert&& convert) {
  static_assert(sizeof(V) == sizeof(Vec), "two vectors a block");
  constexpr int W = kLanes, vectors = std::max(kInterleave, 8 / W);  // drawn together: whole groups
  constexpr std::size_t per_vector = sizeof(V) / sizeof(T);
  constexpr std::size_t group = 16 * per_vector / W, batch = 2 * per_vector * vectors;
  T values[batch];
  for (std::size_t start = 0; start < n; start += batch) {
    Block random[vectors];
    blocks.draw(random);
    LanePair<V> numbers[vectors];
    convert(random, numbers);
    T* to = n - start >= batch ? out + start : values;
    for (int i = 0; i < vectors; ++i) {
      const std::size_t at =
          std::size_t(i) * W / 8 * group + std::size_t(i) * W % 8 * per_vector / W;
      std::memcpy(to + at, &numbers[i].first, sizeof(V));
      std::memcpy(to + at + group / 2, &numbers[i].second, sizeof(V));
    }
    if (to == values) std::copy(values, values + (n - start), out + start);
  }
}
template <class V, class T, class Convert>
void fill_groups(const Stream& stream, std::uint64_t replica, T* out, std::size_t n,
                 Convert&& convert) {
  BlockLanes blocks(stream, replica, 0, 0);
  fill_groups<V>(blocks, out, n, convert);
}
// The same, every number by itself.
template <class V, class T, class Convert>
void fill_numbers(const Stream& stream, std::uint64_t replica, T* out, std::size_t n,
                  Convert&& convert) {
  fill_groups<V>(stream, replica, out, n, [&](const auto& random, auto& numbers) {
    for (std::size_t i = 0; i < std::size(random); ++i)
      numbers[i] = {convert(random[i].first), convert(random[i].second)};
  });
}
// The next bits of a row; but for the last ones of it, whole groups.
FRACMOMENT_INLINE void fill_bits(BlockLanes& blocks, std::uint64_t* out, std::size_t n) {
  fill_groups<VecBits>(blocks, out, n, [](const auto& random, auto& numbers) {
    for (std::size_t i = 0; i < std::size(random); ++i)
      numbers[i] = {random[i].first, random[i].second};
  });
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
