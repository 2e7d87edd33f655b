// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/products/signal_kernels.hpp"

#include "fracmoment/products/gram_chain.hpp"
#include "fracmoment/products/matrix_chain.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

template <class Law>
void run_matrix(const Law& law, const SignalTask& task, const Stream& stream, std::uint64_t first,
                std::size_t n, const SignalResults& results) {
  const auto work = [&](const auto& replicas, std::size_t at, std::size_t count) {
    constexpr int groups = std::decay_t<decltype(replicas)>::groups;
    MatrixChain<Law, groups>(law, task, replicas)
        .run(SignalWriter<groups>(task, results, at, count));
  };
  each_group<kInterleaveUnderway>(stream, first, n, work);
}

template <class V, class... Rest>
void run_simple(WeightLaw law, Rest&&... rest) {
  switch (law) {
    case WeightLaw::uniform:
      return run_matrix(UniformWeights<V>{}, rest...);
    case WeightLaw::truncated:
      return run_matrix(TruncatedWeights<V>{}, rest...);
    case WeightLaw::rademacher:
      return run_matrix(RademacherWeights<V>{}, rest...);
    default:
      return run_matrix(GaussianWeights<V>{}, rest...);
  }
}

void matrix_chain(const SignalTask& task, const Weights& weights, const Stream& stream,
                  std::uint64_t first, std::size_t n, const SignalResults& results) {
  if (weights.law == WeightLaw::student_t)
    return run_matrix(StudentWeights{weights.parameter}, task, stream, first, n, results);
  if (weights.law == WeightLaw::stable)
    return run_matrix(StableWeights{weights.parameter}, task, stream, first, n, results);
  if (weights.single) return run_simple<VecF>(weights.law, task, stream, first, n, results);
  run_simple<Vec>(weights.law, task, stream, first, n, results);
}

void gram_chain(const SignalTask& task, const Stream& stream, std::uint64_t first, std::size_t n,
                const SignalResults& results) {
  each_group(stream, first, n, [&](const auto& replicas, std::size_t at, std::size_t count) {
    constexpr int groups = std::decay_t<decltype(replicas)>::groups;
    GramChain<groups>(task, replicas).run(SignalWriter<groups>(task, results, at, count));
  });
}

}  // namespace

extern const SignalKernels kSignalKernels;
const SignalKernels kSignalKernels = {matrix_chain, gram_chain};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
