// Gram matrices of several signals, a lane each, and the results read from them.
#pragma once

#include <vector>

#include "fracmoment/products/frame.hpp"
#include "fracmoment/products/signal_task.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

// Lower triangle of a symmetric matrix.
template <int n>
class Triangle {
 public:
  explicit Triangle(std::size_t size) : entries_(size * (size + 1) / 2) {}
  LaneGroups<n>& operator()(std::size_t row, std::size_t column) {
    return entries_[row * (row + 1) / 2 + column];
  }
  void clear() { std::fill(entries_.begin(), entries_.end(), LaneGroups<n>{}); }

 private:
  std::vector<LaneGroups<n>> entries_;
};

// Writes the results of one step for the replicas at, ..., at + lanes - 1.
template <int n>
class SignalWriter {
 public:
  SignalWriter(const SignalTask& task, const SignalResults& results, std::size_t at,
               std::size_t lanes)
      : task_(task), results_(results), at_(at), lanes_(lanes) {}

  void write(std::size_t layer, const std::vector<Frame<n>>& frames, Triangle<n>& gram) const {
    const std::size_t m = task_.count, step = task_.every_layer ? layer : 0;
    for (std::size_t q = 0; q < m; ++q) {
      for (int i = 0; i < n; ++i)
        put(results_.log_norms + step * m + q, task_.steps() * m, i,
            frames[q].log_norm(i, gram(q, q).of[i]));
      if (results_.cosines == nullptr) continue;
      for (std::size_t p = 0; p <= q; ++p)
        for (int i = 0; i < n; ++i) {
          const Vec c = cosine(gram(q, q).of[i], gram(p, p).of[i], gram(q, p).of[i]);
          double* to = results_.cosines + step * m * m;
          put(to + q * m + p, task_.steps() * m * m, i, c);
          put(to + p * m + q, task_.steps() * m * m, i, c);
        }
    }
  }

 private:
  // 0 where one of the signals is dead; exactly 1 or -1 for equal and opposite ones, since the root
  // of a rounded square is exact.
  FRACMOMENT_INLINE static Vec cosine(Vec a, Vec b, Vec product) {
    const VecInt dead = (VecInt)(a == 0.0) | (VecInt)(b == 0.0);
    const Vec one = splat<Vec>(1.0);
    Vec c = product / sqrt(a * b);
    c = select((VecInt)(c > 1.0), one, select((VecInt)(c < -1.0), -one, c));
    return select(dead, Vec{}, c);
  }
  void put(double* to, std::size_t stride, int group, Vec value) const {
    for (int j = 0; j < kLanes; ++j) {
      const std::size_t lane = std::size_t(group * kLanes + j);
      if (lane < lanes_) to[(at_ + lane) * stride] = value[j];
    }
  }

  const SignalTask& task_;
  const SignalResults& results_;
  std::size_t at_, lanes_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
