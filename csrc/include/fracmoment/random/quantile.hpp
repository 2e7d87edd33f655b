// Variates from quantile tables, a lane each.
#pragma once

#include "fracmoment/random/lanes.hpp"
#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

FRACMOMENT_INLINE Vec gather_column(const double* rows, VecBits row, int column) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_mask_i64gather_pd(_mm512_setzero_pd(), 0xff, (__m512i)(row << 2),
                                       rows + column, 8);
#else
  Vec r;
  for (int i = 0; i < kLanes; ++i)
    r[i] = rows[row[i] * std::uint64_t(QuantileTable::kRow) + std::uint64_t(column)];
  return r;
#endif
}

FRACMOMENT_INLINE Vec smaller(Vec a, double b) {
  const Vec most = splat<Vec>(b);
  return select((VecInt)(a < most), a, most);
}

struct Variates {
  Vec value;    // NaN in the cells without a polynomial
  VecInt dead;  // no variate there; the value means nothing
};

// What a table needs to hold in registers.
class TableLanes {
 public:
  explicit TableLanes(const QuantileTable& table)
      : rows_(table.rows()),
        dead_below_(VecBits{} + table.dead_below()),
        middle_(VecBits{} + table.middle()),
        unit_(splat<Vec>(table.unit())),
        half_unit_(splat<Vec>(0.5 * table.unit())) {}

  FRACMOMENT_INLINE Variates operator()(VecBits u) const {
    constexpr int cell_bits = 52 - QuantileTable::kCellsLog2;
    constexpr std::uint64_t within = (std::uint64_t(1) << cell_bits) - 1;
    const VecBits alive = u - dead_below_;
    const VecBits upper = (VecBits)(alive >= middle_);
    const VecBits steps = (upper & ~u) | (~upper & alive);
    const Vec p = smaller(fma(to_nearest(steps), unit_, half_unit_), 0.5 - 0x1p-54);
    const VecBits b = (VecBits)p;
    const VecBits row = ((b - std::uint64_t(QuantileTable::kFirst)) >> cell_bits) +
                        (upper & std::uint64_t(QuantileTable::kSide));
    const Vec t = (Vec)((b & within) | std::uint64_t(0x3FF0000000000000)) - (1.0 + 0x1p-7);
    const VecBits last = (VecBits)gather_column(rows_, row, 3);
    const Vec third = (Vec)(last & std::uint64_t(0xFFFFFFFF00000000)), fourth = (Vec)(last << 32);
    Vec sum = fma(fourth, t, third);
    for (int column = 2; column >= 0; --column)
      sum = fma(sum, t, gather_column(rows_, row, column));
    return {sum, (VecInt)(u < dead_below_)};
  }

 private:
  const double* rows_;
  VecBits dead_below_, middle_;
  Vec unit_, half_unit_;
};

// The lanes where the polynomial does not serve, one by one.
inline __attribute__((noinline)) Vec from_panels(const QuantileTable& table, VecBits u, Vec value) {
  for (int i = 0; i < kLanes; ++i)
    if (value[i] != value[i]) value[i] = table.at(u[i]);
  return value;
}

// One variate a lane; -infinity where there is none.
FRACMOMENT_INLINE Vec variates(const QuantileTable& table, const TableLanes& lanes, VecBits u) {
  Variates x = lanes(u);
  if (__builtin_expect(any((VecInt)(x.value != x.value)), 0))
    x.value = from_panels(table, u, x.value);
  return select(x.dead, splat<Vec>(-__builtin_inf()), x.value);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
