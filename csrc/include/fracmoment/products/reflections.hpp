// Householder reflections and QR factors of small matrices, a replica a lane.
//
// Vectors are worked on in strips of four: element i of all four is adjacent, so that one load of a
// reflection serves four vectors. Reflections are applied four at a time: all products with a
// vector are taken before it changes, and corrected by the products of the reflections with one
// another.
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
  // Only what fills up the last strip is cleared.
  void reset(int rows, int columns) {
    rows_ = rows;
    entries_.resize(std::size_t(rows) * std::size_t(strips(columns) * kStrip));
    for (int j = columns; j < strips(columns) * kStrip; ++j)
      for (int i = 0; i < rows; ++i) at(i, j) = Vec{};
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
    quads_.resize(std::size_t(strips(count)));
    vectors_.resize(quads_.size() * kStrip * std::size_t(length));
    if (count % kStrip == 0) return;
    quads_.back() = {};  // completed by identities
    std::fill(vectors_.end() - kStrip * length, vectors_.end(), Vec{});
  }
  void swap(Reflections& other) {
    std::swap(length_, other.length_);
    quads_.swap(other.quads_);
    vectors_.swap(other.vectors_);
  }

  // Reflections 0, ..., 4 quads - 1, in this order, of the four vectors of a strip.
  void apply(int quads, Vec* strip) const {
    for (int p = 0; p < quads; ++p) apply_quad(p, strip);
  }

  // Reflection j of the vector `column` of a strip onto the j-th axis, and of the vectors after it;
  // the identity in the lanes that are not alive, with a 0 left on the axis.
  void make(int j, VecInt alive, int column, Vec* strip) {
    const int first = j / kStrip * kStrip, own = j % kStrip;
    Quad& quad = quads_[std::size_t(j / kStrip)];
    Vec* v = vectors(j / kStrip);
    Vec square{};
    for (int i = j; i < length_; ++i)
      square = fma(at(strip, i, column), at(strip, i, column), square);
    alive &= (VecInt)(square > 0.0);
    const Vec norm = sqrt(square), pivot = at(strip, j, column);
    const Vec signed_norm = select((VecInt)(pivot < 0.0), -norm, norm);
    for (int i = first; i < j; ++i) at(v, i, own) = Vec{};
    for (int i = j; i < length_; ++i) at(v, i, own) = select(alive, at(strip, i, column), Vec{});
    at(v, j, own) = select(alive, pivot + signed_norm, Vec{});
    const Vec scale = norm * (norm + abs(pivot));
    const Vec tau = select(alive, 1.0 / select(alive, scale, splat<Vec>(1.0)), Vec{});
    quad.tau[own] = tau;
    for (int l = 0; l < own; ++l) {
      Vec sum{};
      for (int i = j; i < length_; ++i) sum = fma(at(v, i, l), at(v, i, own), sum);
      quad.product[own][l] = sum;
    }
    at(strip, j, column) = select(alive, -signed_norm, Vec{});
    for (int c = column + 1; c < kStrip; ++c) {
      Vec sum{};
      for (int i = j; i < length_; ++i) sum = fma(at(v, i, own), at(strip, i, c), sum);
      sum = -tau * sum;
      for (int i = j; i < length_; ++i) at(strip, i, c) = fma(sum, at(v, i, own), at(strip, i, c));
    }
  }

 private:
  struct Quad {
    Vec tau[kStrip]{}, product[kStrip][kStrip]{};  // product[j][l] = v_j v_l, l < j
  };
  template <class V>
  static FRACMOMENT_INLINE V& at(V* strip, int i, int column) {
    return strip[i * kStrip + column];
  }
  Vec* vectors(int quad) {
    return vectors_.data() + std::size_t(quad) * kStrip * std::size_t(length_);
  }
  const Vec* vectors(int quad) const {
    return vectors_.data() + std::size_t(quad) * kStrip * std::size_t(length_);
  }
  FRACMOMENT_INLINE void apply_quad(int p, Vec* strip) const {
    const Quad& quad = quads_[std::size_t(p)];
    const Vec* v = vectors(p);
    Vec s[kStrip][kStrip]{};
    for (int i = kStrip * p; i < length_; ++i)
      for (int c = 0; c < kStrip; ++c)
        for (int j = 0; j < kStrip; ++j) s[j][c] = fma(at(v, i, j), at(strip, i, c), s[j][c]);
    for (int j = 0; j < kStrip; ++j)
      for (int c = 0; c < kStrip; ++c) {
        for (int l = 0; l < j; ++l) s[j][c] = fma(s[l][c], quad.product[j][l], s[j][c]);
        s[j][c] = -quad.tau[j] * s[j][c];
      }
    for (int i = kStrip * p; i < length_; ++i)
      for (int c = 0; c < kStrip; ++c) {
        Vec x = at(strip, i, c);
        for (int j = 0; j < kStrip; ++j) x = fma(s[j][c], at(v, i, j), x);
        at(strip, i, c) = x;
      }
  }

  int length_ = 0;
  std::vector<Quad> quads_;
  std::vector<Vec> vectors_;
};

// The triangular factor of a matrix of `columns` columns in place (what is below it is not
// cleared), of rank rank[lane]: reflections from the rank on are the identity, their rows 0.
inline void factor(StripMatrix& a, int columns, Vec rank, Reflections& q) {
  const int count = std::min(a.rows(), columns);
  q.reset(a.rows(), count);
  for (int s = 0; s < strips(columns); ++s) {
    Vec* strip = a.strip(s);
    q.apply(std::min(s, strips(count)), strip);
    for (int c = 0; c < kStrip && s * kStrip + c < count; ++c) {
      const int j = s * kStrip + c;
      q.make(j, (VecInt)(splat<Vec>(double(j)) < rank), c, strip);
    }
  }
}

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
