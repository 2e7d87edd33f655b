// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/depth/lattice_kernels.hpp"

#include <algorithm>
#include <vector>

#include "fracmoment/simd.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

constexpr std::size_t kWidth = std::size_t(kLanes), kUnrolled = 8, kBlock = kWidth * kUnrolled;

// Every number of the result is summed in the order of i, on every instruction set.
void convolve(const double* a, std::size_t na, const double* b, std::size_t nb, double* out) {
  std::vector<double> padded(kBlock, 0.0);
  padded.insert(padded.end(), b, b + nb);
  padded.insert(padded.end(), kBlock, 0.0);
  const std::size_t n = na + nb - 1;
  for (std::size_t k = 0; k < n; k += kBlock) {
    Vec sum[kUnrolled] = {};
    const std::size_t begin = k >= nb ? k - nb + 1 : 0, end = std::min(na, k + kBlock);
    for (std::size_t i = begin; i < end; ++i) {
      const double* source = padded.data() + (k + kBlock - i);
      for (std::size_t u = 0; u < kUnrolled; ++u) {
        Vec value;
        std::memcpy(&value, source + u * kWidth, sizeof(Vec));
        sum[u] += a[i] * value;
      }
    }
    const double* values = reinterpret_cast<const double*>(sum);
    std::copy(values, values + std::min(kBlock, n - k), out + k);
  }
}

template <int way>
FRACMOMENT_INLINE void march(const double* weight, std::ptrdiff_t from, std::ptrdiff_t to, Vec c,
                             Vec s, Vec cos_step, Vec sin_step, Vec& squares, Vec& products) {
  for (std::ptrdiff_t i = from; i != to; i += way) {
    squares += weight[i] * (s * s);
    products += weight[i] * (s * c);
    const Vec next = c * cos_step - s * sin_step;
    s = s * cos_step + c * sin_step;
    c = next;
  }
}

void angle_sums(const double* weight, std::size_t size, std::size_t start, const Rotations& r,
                double* squares, double* products, std::size_t n) {
  const auto middle = std::ptrdiff_t(start), end = std::ptrdiff_t(size);
  for (std::size_t k = 0; k < n; k += kWidth) {
    const std::size_t count = std::min(kWidth, n - k);
    const auto load = [&](const double* source) {
      Vec value{};
      std::memcpy(&value, source + k, count * sizeof(double));
      return value;
    };
    const Vec c = load(r.cosine), s = load(r.sine), cos_step = load(r.step_cosine),
              sin_step = load(r.step_sine);
    Vec square{}, product{};
    march<1>(weight, middle, end, c, s, cos_step, sin_step, square, product);
    const Vec before = s * cos_step - c * sin_step;
    march<-1>(weight, middle - 1, -1, c * cos_step + s * sin_step, before, cos_step, -sin_step,
              square, product);
    std::memcpy(squares + k, &square, count * sizeof(double));
    std::memcpy(products + k, &product, count * sizeof(double));
  }
}

}  // namespace

extern const LatticeKernels kLatticeKernels;
const LatticeKernels kLatticeKernels = {convolve, angle_sums};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
