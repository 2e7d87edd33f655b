// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/random/kernels.hpp"

#include <algorithm>

#include "fracmoment/products/norm_chain.hpp"
#include "fracmoment/products/vector_chain.hpp"
#include "fracmoment/random/rows.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

constexpr int W = kLanes;

void bits(const Stream& stream, std::uint64_t replica, std::uint64_t* out, std::size_t n) {
  BlockLanes blocks(stream, replica, 0, 0);
  fill_bits(blocks, out, n);
}

void normals(const Stream& stream, std::uint64_t replica, double* out, std::size_t n) {
  fill_groups<Vec>(stream, replica, out, n,
                   [](const auto& random, auto& z) { normal_pairs(random, z); });
}

void float_normals(const Stream& stream, std::uint64_t replica, float* out, std::size_t n) {
  fill_groups<VecF>(stream, replica, out, n,
                    [](const auto& random, auto& z) { normal_pairs(random, z); });
}

void variates(const QuantileTable& table, const Stream& stream, std::uint64_t replica, double* out,
              std::size_t n) {
  const TableLanes lanes(table);
  fill_numbers<Vec>(stream, replica, out, n, [&](VecBits u) { return variates(table, lanes, u); });
}

// One number a replica: sums(replicas, sum) writes them for all groups.
template <int together, class Sums>
void each_sum(const Stream& stream, std::uint64_t first, double* out, std::size_t n, Sums&& sums) {
  const auto work = [&](const auto& replicas, std::size_t at, std::size_t count) {
    Vec sum[std::decay_t<decltype(replicas)>::groups];
    sums(replicas, sum);
    for (std::size_t j = 0; j < count; ++j) out[at + j] = sum[j / W][j % W];
  };
  each_group<together>(stream, first, n, work);
}

void norm_chain(const QuantileTable* const* layers, std::size_t depth, const Stream& stream,
                std::uint64_t first, double* out, std::size_t n) {
  each_sum<kInterleave>(stream, first, out, n, [&](const auto& replicas, auto& sum) {
    norm_sums(layers, depth, replicas, sum);
  });
}

void vector_chain(const Layer* layers, std::size_t depth, const Stream& stream, std::uint64_t first,
                  double* out, std::size_t n) {
  each_sum<kInterleaveUnderway>(stream, first, out, n, [&](const auto& replicas, auto& sum) {
    vector_sums(layers, depth, replicas, sum);
  });
}

}  // namespace

extern const RandomKernels kRandomKernels;
const RandomKernels kRandomKernels = {bits,     normals,    float_normals,
                                      variates, norm_chain, vector_chain};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
