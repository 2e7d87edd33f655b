// Loops over the points of lattices, once per instruction set.
#pragma once

#include <cstddef>

namespace fracmoment {

// Rotations on the unit circle, one an argument: where to begin, and by what to advance.
struct Rotations {
  const double *cosine, *sine, *step_cosine, *step_sine;
};

struct LatticeKernels {
  // out[k] = sum_i a[i] b[k - i], na + nb - 1 numbers.
  void (*convolve)(const double* a, std::size_t na, const double* b, std::size_t nb, double* out);
  // For n arguments, over the points i: sum w_i sin^2 and sum w_i sin cos of the angles that begin
  // at the point `start` and advance to both sides.
  void (*angle_sums)(const double* weight, std::size_t size, std::size_t start,
                     const Rotations& rotations, double* squares, double* products, std::size_t n);
};

const LatticeKernels& lattice_kernels();  // of the active instruction set

}  // namespace fracmoment
