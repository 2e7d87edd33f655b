// Householder reflections and QR factors of small matrices, a replica a lane.
//
// Vectors are worked on in strips of four: element i of all four is adjacent, so that one load of a
// reflection serves four vectors. Reflections are applied two at a time: both products with a
// vector are taken before it changes, the second corrected by the product of the two reflections.
#pragma once

#include <algorithm>
#include <vector>

#include "fracmoment/random/lanes.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr int kStrip = 4;
constexpr int strips(int n) { return (n + kStrip - 1) / kStrip; }

// A matrix as strips of columns; the last strip is filled up with zero columns.
class StripMatrix {
 public:
  void reset(int rows, int columns) {
    rows_ = rows;
    entries_.assign(std::size_t(rows) * std::size_t(strips(columns) * kStrip), Vec{});
  }
  int rows() const { return rows_; }
  Vec* strip(int s) { return entries_.data() + std::size_t(s) * std::size_t(rows_ * kStrip); }
  Vec& at(int i, int j) { return entries_[index(i, j)]; }
  const Vec& at(int i, int j) const { return entries_[index(i, j)]; }

 private:
  std::size_t index(int i, int j) const {
    return (std::size_t(j / kStrip) * std::size_t(rows_) + std::size_t(i)) * kStrip +
           std::size_t(j % kStrip);
  }
  int rows_ = 0;
  std::vector<Vec> entries_;
};

// Reflections I - tau v v^T of vectors of one length; the entries of v_j before the j-th are 0.
class Reflections {
 public:
  void reset(int length, int count) {
    length_ = length;
    pairs_.assign(std::size_t((count + 1) / 2), Pair{});
    vectors_.assign(pairs_.size() * 2 * std::size_t(length), Vec{});
  }
  void swap(Reflections& other) {
    std::swap(length_, other.length_);
    pairs_.swap(other.pairs_);
    vectors_.swap(other.vectors_);
  }

  // Reflections 0, ..., 2 pairs - 1, in this order, of the four vectors of a strip.
  void apply(int pairs, Vec* strip) const {
    for (int p = 0; p < pairs; ++p) apply_pair(p, strip);
  }

  // Reflection j of the vector `column` of a strip onto the j-th axis, and of the vectors after it;
  // the identity in the lanes that are not alive, with a 0 left on the axis.
  void make(int j, VecInt alive, int column, Vec* strip) {
    Pair& pair = pairs_[std::size_t(j / 2)];
    Vec* v = vectors(j / 2) + j % 2;
    Vec square{};
    for (int i = j; i < length_; ++i)
      square = fma(at(strip, i, column), at(strip, i, column), square);
    alive &= (VecInt)(square > 0.0);
    const Vec norm = sqrt(square), first = at(strip, j, column);
    const Vec signed_norm = select((VecInt)(first < 0.0), -norm, norm);
    for (int i = j; i < length_; ++i) v[2 * i] = select(alive, at(strip, i, column), Vec{});
    v[2 * j] = select(alive, first + signed_norm, Vec{});
    const Vec scale = norm * (norm + abs(first));
    const Vec tau = select(alive, 1.0 / select(alive, scale, splat<Vec>(1.0)), Vec{});
    pair.tau[j % 2] = tau;
    if (j % 2 == 1) pair.product = dot(v - 1, v, 2, j);
    at(strip, j, column) = select(alive, -signed_norm, Vec{});
    for (int c = column + 1; c < kStrip; ++c) {
      Vec s{};
      for (int i = j; i < length_; ++i) s = fma(v[2 * i], at(strip, i, c), s);
      s = -tau * s;
      for (int i = j; i < length_; ++i) at(strip, i, c) = fma(s, v[2 * i], at(strip, i, c));
    }
  }

 private:
  struct Pair {
    Vec tau[2]{}, product{};
  };
  static FRACMOMENT_INLINE Vec& at(Vec* strip, int i, int column) {
    return strip[i * kStrip + column];
  }
  Vec* vectors(int pair) { return vectors_.data() + std::size_t(pair) * 2 * std::size_t(length_); }
  const Vec* vectors(int pair) const {
    return vectors_.data() + std::size_t(pair) * 2 * std::size_t(length_);
  }
  Vec dot(const Vec* a, const Vec* b, int stride, int from) const {
    Vec sum{};
    for (int i = from; i < length_; ++i) sum = fma(a[stride * i], b[stride * i], sum);
    return sum;
  }
  FRACMOMENT_INLINE void apply_pair(int p, Vec* strip) const {
    const Pair& pair = pairs_[std::size_t(p)];
    const Vec* v = vectors(p);
    Vec s[kStrip]{}, t[kStrip]{};
    for (int i = 2 * p; i < length_; ++i) {
      const Vec v0 = v[2 * i], v1 = v[2 * i + 1];
      for (int c = 0; c < kStrip; ++c) {
        const Vec x = at(strip, i, c);
        s[c] = fma(v0, x, s[c]);
        t[c] = fma(v1, x, t[c]);
      }
    }
    for (int c = 0; c < kStrip; ++c) {
      s[c] = -pair.tau[0] * s[c];
      t[c] = -pair.tau[1] * fma(s[c], pair.product, t[c]);
    }
    for (int i = 2 * p; i < length_; ++i) {
      const Vec v0 = v[2 * i], v1 = v[2 * i + 1];
      for (int c = 0; c < kStrip; ++c)
        at(strip, i, c) = fma(t[c], v1, fma(s[c], v0, at(strip, i, c)));
    }
  }

  int length_ = 0;
  std::vector<Pair> pairs_;
  std::vector<Vec> vectors_;
};

// The triangular factor of a matrix of `columns` columns in place (what is below it is not
// cleared), of rank rank[lane]: reflections from the rank on are the identity, their rows 0.
inline void factor(StripMatrix& a, int columns, Vec rank, Reflections& q) {
  const int count = std::min(a.rows(), columns);
  q.reset(a.rows(), strips(count) * kStrip);
  for (int s = 0; s < strips(columns); ++s) {
    Vec* strip = a.strip(s);
    // half a pair at the end is completed by an identity
    q.apply((std::min(s * kStrip, count) + 1) / 2, strip);
    for (int c = 0; c < kStrip && s * kStrip + c < count; ++c) {
      const int j = s * kStrip + c;
      q.make(j, (VecInt)(splat<Vec>(double(j)) < rank), c, strip);
    }
  }
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
