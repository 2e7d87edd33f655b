// Moments that are products of four gamma functions.
#include <algorithm>
#include <array>

#include "fracmoment/gains/law.hpp"
#include "fracmoment/kernels.hpp"

namespace fracmoment {
namespace {

constexpr std::size_t kBlock = 256;

// out = exp(extra) Gamma(z_0) Gamma(z_1)/(Gamma(z_2) Gamma(z_3)), z and extra given by `arguments`.
template <class Arguments>
void gamma_quotients(double* out, std::size_t count, Arguments&& arguments) {
  std::array<Real, 4 * kBlock> z, value;
  std::array<Real, kBlock> extra;
  for (std::size_t start = 0; start < count; start += kBlock) {
    const std::size_t block = std::min(kBlock, count - start);
    for (std::size_t i = 0; i < block; ++i) extra[i] = arguments(start + i, &z[4 * i]);
    kernels().log_gammas(z.data(), value.data(), 4 * block);
    for (std::size_t i = 0; i < block; ++i) {
      const Real* g = &value[4 * i];
      out[start + i] = exp_rounded((g[0] - g[2]) + (g[1] - g[3]) + extra[i]);
    }
  }
}

Real half(const Real& x) { return scale_by(x, 0.5); }

}  // namespace

void chi_ratio_moments(const double* m, const double* n, const double* order, double* out,
                       std::size_t count) {
  gamma_quotients(out, count, [&](std::size_t i, Real* z) {
    z[0] = half(two_sum(m[i], order[i]));
    z[1] = half(two_sum(n[i], -order[i]));
    z[2] = Real(0.5 * m[i]);
    z[3] = Real(0.5 * n[i]);
    return Real(0.0);
  });
}

void beta_moments(const double* a, const double* b, const double* order, double* out,
                  std::size_t count) {
  gamma_quotients(out, count, [&](std::size_t i, Real* z) {
    z[0] = two_sum(a[i], order[i]);
    z[1] = two_sum(a[i], b[i]);
    z[2] = Real(a[i]);
    z[3] = z[0] + b[i];
    return Real(0.0);
  });
}

void f_moments(const double* m, const double* n, const double* order, double* out,
               std::size_t count) {
  gamma_quotients(out, count, [&](std::size_t i, Real* z) {
    z[2] = Real(0.5 * m[i]);
    z[3] = Real(0.5 * n[i]);
    z[0] = z[2] + order[i];
    z[1] = z[3] + (-order[i]);
    return log(Real(n[i]) / Real(m[i])) * order[i];
  });
}

}  // namespace fracmoment
