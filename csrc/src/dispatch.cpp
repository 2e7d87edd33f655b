// Which instruction set the kernels use.
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "fracmoment/kernels.hpp"

namespace fracmoment {

namespace generic {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif

namespace {

const Kernels* find(const char* name) {
#if defined(__x86_64__)
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool best = std::strcmp(name, "best") == 0;
  if ((best || std::strcmp(name, "avx512") == 0) && has_avx512) return &avx512::kKernels;
  if ((best || std::strcmp(name, "avx2") == 0) && has_avx2) return &avx2::kKernels;
#else
  const bool best = std::strcmp(name, "best") == 0;
#endif
  if (best || std::strcmp(name, "generic") == 0) return &generic::kKernels;
  return nullptr;
}

std::atomic<const Kernels*>& active() {
  static std::atomic<const Kernels*> table{find("best")};
  return table;
}

}  // namespace

const Kernels& kernels() { return *active().load(std::memory_order_relaxed); }
const char* active_isa() { return kernels().name; }
void force_isa(const char* name) {
  const Kernels* table = find(name);
  if (table == nullptr)
    throw std::invalid_argument(std::string("instruction set ") + name + " is not available here");
  active().store(table, std::memory_order_relaxed);
}

}  // namespace fracmoment
