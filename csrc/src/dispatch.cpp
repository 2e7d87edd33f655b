// Which instruction set the kernels use.
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "fracmoment/depth/lattice_kernels.hpp"
#include "fracmoment/kernels.hpp"
#include "fracmoment/products/signal_kernels.hpp"
#include "fracmoment/products/spectrum.hpp"
#include "fracmoment/random/kernels.hpp"
#include "fracmoment/random/sampler_kernels.hpp"
#include "fracmoment/tails/share_kernels.hpp"

#if defined(__x86_64__) && !defined(FRACMOMENT_GENERIC_ONLY)
#define FRACMOMENT_HAS_AVX
#endif

namespace fracmoment {

namespace generic {
extern const Kernels kKernels;
extern const RandomKernels kRandomKernels;
extern const SpectrumKernels kSpectrumKernels;
extern const SamplerKernels kSamplerKernels;
extern const SignalKernels kSignalKernels;
extern const LatticeKernels kLatticeKernels;
extern const ShareKernels kShareKernels;
}  // namespace generic
#if defined(FRACMOMENT_HAS_AVX)
namespace avx2 {
extern const Kernels kKernels;
extern const RandomKernels kRandomKernels;
extern const SpectrumKernels kSpectrumKernels;
extern const SamplerKernels kSamplerKernels;
extern const SignalKernels kSignalKernels;
extern const LatticeKernels kLatticeKernels;
extern const ShareKernels kShareKernels;
}  // namespace avx2
namespace avx512 {
extern const Kernels kKernels;
extern const RandomKernels kRandomKernels;
extern const SpectrumKernels kSpectrumKernels;
extern const SamplerKernels kSamplerKernels;
extern const SignalKernels kSignalKernels;
extern const LatticeKernels kLatticeKernels;
extern const ShareKernels kShareKernels;
}  // namespace avx512
#endif

namespace {

struct InstructionSet {
  const Kernels* kernels;
  const RandomKernels* random;
  const SpectrumKernels* spectrum;
  const SamplerKernels* samplers;
  const SignalKernels* signals;
  const LatticeKernels* lattices;
  const ShareKernels* shares;
};
#if defined(FRACMOMENT_HAS_AVX)
constexpr InstructionSet kAvx2{
    &avx2::kKernels,       &avx2::kRandomKernels,  &avx2::kSpectrumKernels, &avx2::kSamplerKernels,
    &avx2::kSignalKernels, &avx2::kLatticeKernels, &avx2::kShareKernels};
constexpr InstructionSet kAvx512{&avx512::kKernels,         &avx512::kRandomKernels,
                                 &avx512::kSpectrumKernels, &avx512::kSamplerKernels,
                                 &avx512::kSignalKernels,   &avx512::kLatticeKernels,
                                 &avx512::kShareKernels};
#endif
constexpr InstructionSet kGeneric{&generic::kKernels,         &generic::kRandomKernels,
                                  &generic::kSpectrumKernels, &generic::kSamplerKernels,
                                  &generic::kSignalKernels,   &generic::kLatticeKernels,
                                  &generic::kShareKernels};

const InstructionSet* find(const char* name) {
#if defined(FRACMOMENT_HAS_AVX)
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool best = std::strcmp(name, "best") == 0;
  if ((best || std::strcmp(name, "avx512") == 0) && has_avx512) return &kAvx512;
  if ((best || std::strcmp(name, "avx2") == 0) && has_avx2) return &kAvx2;
#else
  const bool best = std::strcmp(name, "best") == 0;
#endif
  if (best || std::strcmp(name, "generic") == 0) return &kGeneric;
  return nullptr;
}

std::atomic<const InstructionSet*>& active() {
  static std::atomic<const InstructionSet*> table{find("best")};
  return table;
}

}  // namespace

const Kernels& kernels() { return *active().load(std::memory_order_relaxed)->kernels; }
const RandomKernels& random_kernels() { return *active().load(std::memory_order_relaxed)->random; }
const SpectrumKernels& spectrum_kernels() {
  return *active().load(std::memory_order_relaxed)->spectrum;
}
const SamplerKernels& sampler_kernels() {
  return *active().load(std::memory_order_relaxed)->samplers;
}
const SignalKernels& signal_kernels() { return *active().load(std::memory_order_relaxed)->signals; }
const LatticeKernels& lattice_kernels() {
  return *active().load(std::memory_order_relaxed)->lattices;
}
const ShareKernels& share_kernels() { return *active().load(std::memory_order_relaxed)->shares; }
const char* active_isa() { return kernels().name; }
void force_isa(const char* name) {
  const InstructionSet* table = find(name);
  if (table == nullptr)
    throw std::invalid_argument(std::string("instruction set ") + name + " is not available here");
  active().store(table, std::memory_order_relaxed);
}

}  // namespace fracmoment
