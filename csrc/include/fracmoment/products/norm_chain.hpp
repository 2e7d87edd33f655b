// The norm of a signal through a random network as a random walk: one gain a layer, whatever the
// width. One block of random bits serves two layers.
#pragma once

#include "fracmoment/random/philox.hpp"
#include "fracmoment/random/quantile.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// n groups of replicas: sums of log R - E log R over the layers, from one block of each layer.
template <int n>
FRACMOMENT_INLINE void norm_sums(const QuantileTable* const* layers, std::size_t depth,
                                 const ReplicaLanes<n>& replicas, Vec (&sum)[n],
                                 std::uint32_t block = 0) {
  for (int i = 0; i < n; ++i) sum[i] = Vec{};
  Block random[n];
  for (std::size_t k = 0; k < depth; k += 2) {
    replicas.draw(std::uint32_t(k / 2), block, random);
    const TableLanes table(*layers[k]);
    for (int i = 0; i < n; ++i) sum[i] += variates(*layers[k], table, random[i].first);
    if (k + 1 == depth) break;
    const TableLanes next(*layers[k + 1]);
    for (int i = 0; i < n; ++i) sum[i] += variates(*layers[k + 1], next, random[i].second);
  }
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
