// The quantile function of a continuous law as a table: one 64-bit uniform number in, one variate
// out, in a few operations on lanes.
//
// A uniform integer U stands for the probability (U + 1/2) 2^-64. The two halves of the law are
// tabulated by the tail probability p (below the value on the lower half, above it on the upper),
// so that both tails keep their relative accuracy down to the last of the 2^64 values. Each octave
// of p is cut into 64 cells with one polynomial of degree 4 each. Cells where no such polynomial
// serves (next to an atom of the law, or between two scales of a mixture) hold NaN: there the
// panels answer, piecewise Chebyshev series in log p from which the cells are made as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fracmoment {

// A law on the line, given by its tails.
class TailLaw {
 public:
  virtual ~TailLaw() = default;
  // log P(X <= x) (or log P(X > x), if upper) and the density, at n points.
  virtual void tails(const double* x, std::size_t n, bool upper, double* log_p,
                     double* density) const = 0;
  virtual double spread() const = 0;  // a standard deviation, roughly; 0 is the point 0
};

class QuantileTable {
 public:
  // The probability `dead` is set aside: smallest uniform numbers mean no variate at all.
  explicit QuantileTable(const TailLaw& law, double dead = 0.0);

  static constexpr int kCellsLog2 = 6;                                   // cells of an octave
  static constexpr int kOctaves = 64;                                    // p from 2^-65 to 1/2
  static constexpr int kSide = kOctaves << kCellsLog2;                   // cells of one half
  static constexpr int kRow = 4;                                         // doubles of a cell
  static constexpr std::int64_t kFirst = std::int64_t(1023 - 65) << 52;  // the bits of 2^-65

  // Row of cell c: three coefficients, then two that share a double, each cut to 32 bits.
  const double* rows() const { return rows_.data(); }
  std::uint64_t dead_below() const { return dead_below_; }  // U below this: no variate
  std::uint64_t middle() const { return middle_; }          // U - dead_below from here: upper half
  double unit() const { return unit_; }                     // of p, for one step of U

  double from_panels(double p, bool upper) const;  // p in (0, 1/2]
  double at(std::uint64_t u) const;                // NaN where dead; what the lanes compute, slowly
  std::size_t hard_cells() const { return hard_cells_; }

 private:
  static constexpr int kTerms = 18;
  struct Panel {
    double left, right;  // of log p
    double series[kTerms];
  };
  class Builder;
  double cell(double p, bool upper) const;
  double at_log(double y, bool upper) const;
  void fill_cells(bool upper);

  std::vector<double> rows_;
  std::vector<Panel> panels_[2];  // by increasing log p
  std::uint64_t dead_below_ = 0, middle_ = 0;
  double unit_ = 0x1p-64;
  std::size_t hard_cells_ = 0;
};

}  // namespace fracmoment
