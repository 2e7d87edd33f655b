// Triangular factors of a product of random matrices: with Q_0 = I, D_k W_k Q_(k-1) = Q_k R_k, so
// that the product is Q_k R_k ... R_1. A replica a lane.
//
// The units of a layer are numbered with the steeper side first, which changes no law and no
// singular value: rows of different size then stay apart in the QR factorization, and the rows of
// dead units are at the end. The rank is known without looking at the numbers: it is the smallest
// number of live units so far, almost surely, and what rounding leaves beyond it is never used.
#pragma once

#include "fracmoment/products/layer_masks.hpp"
#include "fracmoment/products/reflections.hpp"
#include "fracmoment/products/spectrum.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

FRACMOMENT_INLINE int largest(Vec x) {
  double most = x[0];
  for (int i = 1; i < kLanes; ++i) most = std::max(most, x[i]);
  return int(most);
}
FRACMOMENT_INLINE VecInt below(int i, Vec bound) { return (VecInt)(splat<Vec>(double(i)) < bound); }

class FactorChain {
 public:
  FactorChain(const Product& product, const Stream& stream, std::uint64_t first)
      : product_(product),
        replicas_(stream, first),
        masks_(replicas_, product.keep_prob),
        steep_(product.lower == product.upper && abs(product.lower) > 1.0),
        columns_(int(product.widths[0])),
        rank_(splat<Vec>(double(product.widths[0]))) {
    if (product.factors == Factors::forward) draw_input();
  }

  // Makes the factor of the next layer.
  void step() {
    const int width = int(product_.widths[layer_ + 1]);
    columns_ = layer_ == 0 ? int(product_.widths[0]) : rows_;
    masks_.draw(layer_, width);
    if (product_.factors == Factors::bartlett)
      bartlett();
    else
      multiply(width);
    ++layer_;
  }

  int rows() const { return rows_; }        // the largest rank of a lane
  int columns() const { return columns_; }  // the rows of the factor before
  // Row i of the factor is 0 in the lanes that are not alive there: their rank is at most i.
  VecInt alive(int i) const { return below(i, rank_); }
  Vec at(int i, int j) const { return factor_.at(i, j); }

 private:
  // ---- the rows of a layer

  Vec first_slope() const { return splat<Vec>(steep_ ? product_.lower : 1.0); }
  double last_slope() const { return steep_ ? 1.0 : product_.lower; }
  bool has_dead() const { return product_.lower == 0.0 && product_.upper == 0.0; }

  // The slope of unit i where it is not one of the first.
  Vec later_slope(int i) const {
    if (product_.lower == product_.upper) return splat<Vec>(last_slope());
    Block random[1];
    replicas_.draw(layer_, kSlopeBlocks + std::uint32_t(i), 0, random);
    const Vec u = open_uniform(random[0].first);
    return fma(u, splat<Vec>(product_.upper - product_.lower), product_.lower);
  }

  // The first `inputs` normals of rows row, ..., row + 3, as a strip; no address depends on how
  // many are wanted.
  FRACMOMENT_INLINE void draw(int row, int inputs) {
    const std::int64_t fan_in = product_.widths[layer_ % product_.depth];
    const auto row_pairs = std::uint32_t((fan_in + 1) / 2);
    const int pairs = (inputs + 1) / 2;
    strip_.resize(std::size_t(2 * pairs) * kStrip);
    for (int p = 0; p < pairs; ++p) {
      Block random[kStrip];
      replicas_.draw(layer_, std::uint32_t(row) * row_pairs + std::uint32_t(p), row_pairs, random);
      Vec* to = strip_.data() + 2 * p * kStrip;
      LanePair<Vec> z[kStrip];
      normal_pairs(random, z);
      for (int c = 0; c < kStrip; ++c) {
        to[c] = z[c].first;
        to[kStrip + c] = z[c].second;
      }
    }
  }

  // W of orthonormal columns, as the reflections of the QR factorization of a matrix of normals;
  // with a positive diagonal of R it is uniform. Where W is wider than tall it is the upper part.
  void draw_orthogonal(int width, int inputs) {
    const int rows = std::max(width, inputs);
    normals_.reset(rows, inputs);
    for (int row = 0; row < rows; row += kStrip) {
      draw(row, inputs);
      for (int c = 0; c < kStrip && row + c < rows; ++c)
        for (int j = 0; j < inputs; ++j)
          normals_.at(row + c, j) = strip_[std::size_t(j * kStrip + c)];
    }
    factor(normals_, inputs, splat<Vec>(double(inputs)), orthogonal_);
  }

  // The same of W; `inputs` are all there are.
  void draw_weights(int row, int inputs) {
    if (!product_.orthogonal) return draw(row, inputs);
    const int rows = normals_.rows();
    strip_.assign(std::size_t(rows) * kStrip, Vec{});
    for (int c = 0; c < kStrip && row + c < rows; ++c)
      strip_[std::size_t((row + c) * kStrip + c)] = splat<Vec>(1.0);
    orthogonal_.apply(strips(inputs), strip_.data());
    for (int j = 0; j < inputs; ++j) {
      const VecInt negative = (VecInt)(normals_.at(j, j) < 0.0);
      for (int c = 0; c < kStrip; ++c) {
        Vec& x = strip_[std::size_t(j * kStrip + c)];
        x = select(negative, -x, x);
      }
    }
  }

  void set_rank(Vec live) {
    const Vec bound = has_dead() ? live : masks_.kept_count();
    rank_ = select((VecInt)(bound < rank_), bound, rank_);
    rows_ = largest(rank_);
  }

  // How many units are kept and, but for linear ones, on the steeper side by fair coins.
  Vec live_count() const {
    return product_.linear() ? masks_.kept_count() : masks_.positive_count();
  }

  // ---- by law: above the diagonal normals, on it the lengths of columns of normals

  void bartlett() {
    const Vec live = live_count();
    set_rank(live);
    factor_.reset(std::max(rows_, 1), columns_);
    square_.assign(std::size_t(columns_), Vec{});
    const int most = largest(live);
    for (int row = 0; row < most; row += kStrip) {
      draw(row, columns_);
      for (int c = 0; c < kStrip && row + c < most; ++c) bartlett_row(row + c, c, live);
    }
    for (int j = 0; j < std::min(rows_, columns_); ++j)
      factor_.at(j, j) = sqrt(square_[std::size_t(j)]);
  }
  FRACMOMENT_INLINE void bartlett_row(int i, int c, Vec live) {
    const VecInt is_live = below(i, live);
    const Vec* z = strip_.data() + c;
    for (int j = 0; j <= std::min(i, columns_ - 1); ++j) {
      Vec& sum = square_[std::size_t(j)];
      const Vec x = select(is_live, z[j * kStrip], Vec{});
      sum = fma(x, x, sum);
    }
    if (i < rows_)
      for (int j = i + 1; j < columns_; ++j) factor_.at(i, j) = z[j * kStrip];
  }

  // ---- by multiplication and QR factorization

  void multiply(int width) {
    const int inputs = int(product_.widths[layer_]);
    if (product_.orthogonal) draw_orthogonal(width, inputs);
    if (product_.factors == Factors::forward) {
      factor_.reset(width, columns_);
      forward_rows(width, inputs);
    } else {
      first_ = live_count();
      const int most = largest(has_dead() ? first_ : masks_.kept_count());
      factor_.reset(std::max(most, 1), columns_);
      independent_rows(most, inputs);
    }
    set_rank(first_);
    factor(factor_, columns_, rank_, next_);
    before_.swap(next_);
  }

  // Rows row, ... of W Q from the strip of those of W.
  void rotate() {
    if (layer_ > 0) before_.apply(strips(columns_), strip_.data());
  }

  void independent_rows(int most, int inputs) {
    const Vec kept = masks_.kept_count();
    for (int row = 0; row < most; row += kStrip) {
      draw_weights(row, inputs);
      rotate();
      for (int c = 0; c < kStrip && row + c < most; ++c) {
        const int i = row + c;
        const Vec steep = product_.linear()
                              ? splat<Vec>(1.0)
                              : select(below(i, first_), first_slope(), later_slope(i));
        const Vec slope = select(below(i, kept), steep, Vec{});
        for (int j = 0; j < columns_; ++j)
          factor_.at(i, j) = slope * strip_[std::size_t(j * kStrip + c)];
      }
    }
  }

  void draw_input() {
    layer_ = std::uint32_t(product_.depth);
    const int inputs = int(product_.widths[0]);
    draw(0, inputs);
    for (int j = 0; j < inputs; ++j) input_.push_back(strip_[std::size_t(j * kStrip)]);
    layer_ = 0;
  }

  // The pre-activations decide about the signs; then every row goes to its place, lane by lane: the
  // steeper side from the front, what is dropped from the back, the others between.
  void forward_rows(int width, int inputs) {
    output_.assign(std::size_t(width), Vec{});
    sources_.assign(std::size_t(width), VecInt{});
    first_ = Vec{};
    Vec dropped = splat<Vec>(double(width - 1)), later = masks_.kept_count() - 1.0;
    const Vec one = splat<Vec>(1.0);
    for (int row = 0; row < width; row += kStrip) {
      draw_weights(row, inputs);
      Vec z[kStrip]{};
      for (int j = 0; j < inputs; ++j)
        for (int c = 0; c < kStrip; ++c)
          z[c] = fma(strip_[std::size_t(j * kStrip + c)], input_[std::size_t(j)], z[c]);
      rotate();
      for (int c = 0; c < kStrip && row + c < width; ++c) {
        const VecInt kept = masks_.kept(row + c), positive = (VecInt)(z[c] > 0.0);
        const VecInt is_first = kept & (steep_ ? ~positive : positive);
        const Vec side = select(positive, one, steep_ ? first_slope() : later_slope(row + c));
        const Vec slope = select(kept, side, Vec{});
        set_place(row + c, select(is_first, first_, select(kept, later, dropped)), slope * z[c]);
        first_ += select(is_first, one, Vec{});
        later -= select(kept & ~is_first, one, Vec{});
        dropped -= select(kept, Vec{}, one);
        for (int j = 0; j < columns_; ++j)
          factor_.at(row + c, j) = slope * strip_[std::size_t(j * kStrip + c)];
      }
    }
    for (int s = 0; s < strips(columns_); ++s) reorder(factor_.strip(s), width);
    normalize_output();
  }
  // Unit i gets the number `place` of its lane.
  void set_place(int i, Vec place, Vec signal) {
    for (int lane = 0; lane < kLanes; ++lane) {
      output_[std::size_t(place[lane])][lane] = signal[lane];
      sources_[std::size_t(place[lane])][lane] = std::int64_t(i) * kStrip * kLanes + lane;
    }
  }
  void reorder(Vec* strip, int width) {
    buffer_.resize(std::size_t(width) * kStrip * kLanes);
    std::memcpy(buffer_.data(), strip, buffer_.size() * sizeof(double));
    for (int i = 0; i < width; ++i)
      for (int c = 0; c < kStrip; ++c)
        strip[i * kStrip + c] = gather(buffer_.data() + c * kLanes, sources_[std::size_t(i)]);
  }
  void normalize_output() {
    Vec square{};
    for (const Vec& x : output_) square = fma(x, x, square);
    const VecInt alive = (VecInt)(square > 0.0);
    const Vec scale = select(alive, 1.0 / sqrt(select(alive, square, splat<Vec>(1.0))), Vec{});
    for (Vec& x : output_) x *= scale;
    input_.swap(output_);
  }

  const Product& product_;
  ReplicaBlocks replicas_;
  LayerMasks masks_;
  bool steep_;  // negative units are the steeper ones
  std::uint32_t layer_ = 0;
  int rows_ = 0, columns_;
  Vec rank_, first_{};  // first_: how many units have the steeper slope
  StripMatrix factor_, normals_;
  Reflections before_, next_, orthogonal_;
  std::vector<Vec> strip_, square_, input_, output_;
  std::vector<VecInt> sources_;  // of every place: where its row is in a strip
  std::vector<double> buffer_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
