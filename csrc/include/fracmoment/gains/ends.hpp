// What the nodes beyond the two ends of a Mellin rule add up to.
//
// Outwards from an end the weights of a rule are w_i = sum_j C_j ratio_j^i, i = 0, 1, ..., with
// known ratios: on the left because exp(-tX) has a Taylor series, on the right where the transform
// of a unit is a series in 1/t. Then with A(x) = prod_j (1 - ratio_j x)
//   sum_i w_i x^i = Q(x)/A(x),   Q(x) = A(x) sum_i w_i x^i up to the degree below that of A,
// and Q comes from as many weights as there are ratios. Applied to a term mu^i with another ratio
// the quotient errs by prod_j (mu - ratio_j)/(1 - ratio_j) times its sum.
// Derivation, ranges and bounds: docs/algorithms/mellin.md.
#pragma once

#include "fracmoment/pair.hpp"

namespace fracmoment {

constexpr int kMaxEnd = 10;  // ratios of an end

struct EndSum {
  int count = 0;
  Real ratio[kMaxEnd], numerator[kMaxEnd];  // of A, and the coefficients of Q
};

inline namespace FRACMOMENT_ISA {

// The coefficients of A, of alternating signs.
struct EndFilter {
  int count = 0;
  Pair<double> coefficient[kMaxEnd + 1];

  FRACMOMENT_INLINE explicit EndFilter(const EndSum& end) : count(end.count) {
    coefficient[0] = {1.0, 0.0};
    for (int j = 0; j < count; ++j) {
      const Pair<double> ratio(end.ratio[j]);
      coefficient[j + 1] = {0.0, 0.0};
      for (int k = j + 1; k >= 1; --k) coefficient[k] = coefficient[k] - ratio * coefficient[k - 1];
    }
  }
  // The numerator from the weights outwards: the i-th is hi[i * step] + lo[i * step].
  FRACMOMENT_INLINE void set_numerator(const double* hi, const double* lo, int step,
                                       EndSum& end) const {
    for (int k = 0; k < count; ++k) {
      Pair<double> sum{0.0, 0.0};
      for (int l = 0; l <= k; ++l)
        sum = sum + coefficient[l] * Pair<double>(hi[(k - l) * step], lo[(k - l) * step]);
      end.numerator[k] = normalized(sum);
    }
  }
};

// Q(x)/A(x).
template <class V>
FRACMOMENT_INLINE Pair<V> end_sum(const EndSum& end, const Pair<V>& x) {
  Pair<V> top{V{}, V{}}, bottom{splat<V>(1.0), V{}};
  for (int j = end.count - 1; j >= 0; --j) {
    top = top * x + splat_pair<V>(end.numerator[j]);
    bottom = bottom * (-(splat_pair<V>(end.ratio[j]) * x) + splat<V>(1.0));
  }
  return top * reciprocal(bottom);
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
