// The density and the distribution function of a sum of independent log gains by repeated
// convolution of lattice laws: sums of positive terms, hence accurate relative to the result
// wherever that is a normal double, however the logarithm of the density bends. (Next to breaks of
// the laws of orthogonal layers some masses are negative; they do not cancel the others.)
//
// A contour loses what the best exponential bound exceeds the probability by. Below, laws with dead
// units or small slopes are far from log-concave, and that is everything; here it is nothing. The
// cost grows with the square of the range over the spread. See docs/algorithms/depth_law.md.
#pragma once

#include <cstdint>
#include <vector>

namespace fracmoment {

// Masses of a lattice law: mass[i] at (first + i) step.
struct LatticeMasses {
  double step = 0.0;
  std::int64_t first = 0;
  std::vector<double> mass;
};

// Cuts off masses of a size below `least` at both ends.
void trim(LatticeMasses& law, double least);
LatticeMasses convolution(const LatticeMasses& a, const LatticeMasses& b, double least);
// The sum with a law on a finer lattice, by interpolation on the coarser one: of values over
// exponentials, but for the far tail of the finer law, which is brought on the coarser lattice.
LatticeMasses smeared(const LatticeMasses& broad, LatticeMasses narrow, double least);
LatticeMasses every_second(const LatticeMasses& a);  // of a law that does not need the others
bool needs_every_point(const LatticeMasses& a);      // whether it does, to 1e-12 of each
// A law on a coarser lattice, for the integrals of functions that Lagrange's formula serves there.
LatticeMasses coarsened(const LatticeMasses& fine, double step);

class SumLattice {
 public:
  // An interpolant of the law of the masses, whose density must have a Fourier transform that is
  // nothing from half the Nyquist frequency on.
  explicit SumLattice(LatticeMasses law);

  double step() const { return law_.step; }
  double log_density(double x) const;
  double log_tail(double x) const;  // log P(<= x)

 private:
  LatticeMasses law_;
  std::vector<double> density_, tail_;
};

}  // namespace fracmoment
