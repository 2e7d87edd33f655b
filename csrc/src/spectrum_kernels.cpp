// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/error.hpp"
#include "fracmoment/products/graded_svd.hpp"
#include "fracmoment/products/norm_chain.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

// Rows of `columns` numbers for n replicas, a group of lanes at a time: work(first, values) gives
// the numbers of a group.
template <class Work>
void each_group(std::uint64_t first, std::size_t columns, double* out, std::size_t n, Work&& work) {
  std::vector<Vec> values(columns);
  for (std::size_t done = 0; done < n; done += kLanes) {
    work(first + done, values);
    const std::size_t lanes = std::min(n - done, std::size_t(kLanes));
    for (std::size_t lane = 0; lane < lanes; ++lane)
      for (std::size_t j = 0; j < columns; ++j) out[(done + lane) * columns + j] = values[j][lane];
  }
}

void variate_sums(const QuantileTable& table, std::size_t depth, std::uint32_t block,
                  const Stream& stream, std::uint64_t first, double* out, std::size_t n) {
  constexpr std::size_t together = std::size_t(kInterleave) * kLanes;
  const std::vector<const QuantileTable*> layers(depth, &table);
  for (std::size_t done = 0; done < n; done += together) {
    const ReplicaLanes<kInterleave> replicas(stream, first + done);
    Vec sum[kInterleave];
    norm_sums(layers.data(), depth, replicas, sum, block);
    std::memcpy(out + done, sum, std::min(n - done, together) * sizeof(double));
  }
}

void lyapunov(const Product& product, const Stream& stream, std::uint64_t first, double* out,
              std::size_t n) {
  const auto width = std::size_t(product.widths[0]);
  each_group(first, width, out, n, [&](std::uint64_t replica, std::vector<Vec>& values) {
    FactorChain chain(product, stream, replica);
    std::vector<LogProduct> squares(width);
    std::fill(values.begin(), values.end(), splat<Vec>(-__builtin_inf()));
    for (std::size_t layer = 0; layer < product.depth; ++layer) {
      chain.step();
      for (int i = 0; i < chain.rows(); ++i) {
        const Vec diagonal = select(chain.alive(i), chain.at(i, i), Vec{});
        squares[std::size_t(i)].multiply(diagonal * diagonal);
      }
    }
    for (std::size_t i = 0; i < std::size_t(chain.rows()); ++i) values[i] = squares[i].half_log();
  });
}

void singular(const Product& product, const Stream& stream, std::uint64_t first, double* out,
              std::size_t n) {
  const auto columns = std::size_t(std::min(product.widths[0], product.widths[product.depth]));
  each_group(first, columns, out, n, [&](std::uint64_t replica, std::vector<Vec>& values) {
    FactorChain chain(product, stream, replica);
    GradedRows rows(int(product.widths[0]));
    for (std::size_t layer = 0; layer < product.depth; ++layer) {
      chain.step();
      rows.multiply(chain);
    }
    PivotedRows triangle(rows);
    JacobiColumns jacobi(rows);
    if (!jacobi.run()) throw ConvergenceError("the singular values of a replica did not converge");
    std::fill(values.begin(), values.end(), splat<Vec>(-__builtin_inf()));
    for (int j = 0; j < jacobi.count(); ++j) values[std::size_t(j)] = jacobi.log_length(j);
  });
}

}  // namespace

extern const SpectrumKernels kSpectrumKernels;
const SpectrumKernels kSpectrumKernels = {variate_sums, lyapunov, singular};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
