// The kernels that exist once per instruction set; dispatch picks a table when the module loads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fracmoment/gains/complex_form.hpp"
#include "fracmoment/gains/inversion.hpp"

namespace fracmoment {

struct Kernels {
  const char* name;
  // chi moments, each element its own width
  void (*chi_moments)(const double* width, const double* order, double* out, std::size_t n);
  // moments of one law over orders, and their logarithms in full precision
  void (*moments)(const LawState& law, const double* order, double* out, std::size_t n);
  void (*log_moments)(const LawState& law, const double* order, Real* out, std::size_t n);
  // moments of complex order: real and imaginary parts interleaved
  void (*complex_moments)(const LawState& law, const double* order, double* out, std::size_t n);
  // nodes of a Mellin rule, to 2^-60 or (full) to 2^-92; see mellin_weights
  std::int64_t (*mellin_weights)(const UnitLaw& law, const MellinPlan& plan, double* hi, double* lo,
                                 std::int64_t capacity, MellinEnds& ends);
  std::int64_t (*full_mellin_weights)(const UnitLaw& law, const MellinPlan& plan, double* hi,
                                      double* lo, std::int64_t capacity, MellinEnds& ends);
  // the polynomial for centre <= p <= centre + 1, if one converges; see moment_interpolation
  bool (*moment_interpolation)(const UnitLaw& law, int centre, MomentInterpolation& r);
  // distribution and density of X or the ratio; returns how many points did not converge
  std::size_t (*invert)(const UnitLaw& unit, Inverse what, bool ratio, const InversionPoint* points,
                        Real* out, std::size_t n);
  void (*exponentials)(const Real* x, double* out, std::size_t n);  // rounded once
  // log Gamma, and (-1)^(m+1) psi^(m), at double-double arguments
  void (*log_gammas)(const Real* z, Real* out, std::size_t n);
  void (*polygammas)(int m, const Real* z, Real* out, std::size_t n);
};

const Kernels& kernels();          // of the active instruction set
const char* active_isa();          // "generic", "avx2" or "avx512"
void force_isa(const char* name);  // for tests: the bits are the same on each

}  // namespace fracmoment
