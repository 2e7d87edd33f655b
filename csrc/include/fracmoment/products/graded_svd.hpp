// Singular values of a product of triangular factors, each to high relative accuracy whatever the
// range they span. A replica a lane.
//
// The product is kept as rows 2^e_i b_i with b_i of moderate size: a row whose exponent is a
// thousand below that of the first keeps all its digits. QR with pivoting by the lengths of the
// rows, then one-sided Jacobi on the triangular factor (Drmac and Veselic, SIAM J. Matrix Anal.
// Appl. 29, 2008), find singular values with an error of the size of the condition number of the
// b_i, not of the 2^e_i.
#pragma once

#include "fracmoment/products/qr_chain.hpp"
#include "fracmoment/products/vector_chain.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

constexpr double kNoExponent = -0x1p60;  // of a row of zeros

// x 2^k for integral k, cut to -1022 <= k <= 1000: beyond, x is 0 or the result does not matter.
FRACMOMENT_INLINE Vec scaled(Vec x, Vec k) {
  const Vec least = splat<Vec>(-1022.0), most = splat<Vec>(1000.0);
  const Vec low = select((VecInt)(k > least), k, least);
  const Vec cut = select((VecInt)(low < most), low, most);
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return (Vec)_mm512_maskz_scalef_pd(0xff, (__m512d)x, (__m512d)cut);
#else
  return x * pow2(to_int(cut));
#endif
}

// floor(log2 |x|) of a normal number, kNoExponent otherwise.
FRACMOMENT_INLINE Vec binary_exponent(Vec x) {
  const Vec size = abs(x);
  const VecInt normal = (VecInt)(size >= 0x1p-1022);
  return select(normal, exponent_of(select(normal, size, splat<Vec>(1.0))),
                splat<Vec>(kNoExponent));
}
FRACMOMENT_INLINE Vec larger(Vec a, Vec b) { return select((VecInt)(a > b), a, b); }

class GradedRows {
 public:
  explicit GradedRows(int columns)
      : rows_(columns),
        columns_(columns),
        entries_(std::size_t(columns) * std::size_t(columns)),
        exponents_(std::size_t(columns)),
        coefficients_(std::size_t(columns) * kStrip) {
    for (int i = 0; i < columns; ++i) at(i, i) = splat<Vec>(1.0);
  }
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  Vec& at(int i, int j) {
    return entries_[std::size_t(i) * std::size_t(columns_) + std::size_t(j)];
  }
  Vec& exponent(int i) { return exponents_[std::size_t(i)]; }

  // Replaces the matrix by R times it.
  void multiply(const FactorChain& factor) {
    find_sizes();
    const int inner = rows_;
    rows_ = factor.rows();
    for (int row = 0; row < rows_; row += kStrip) {
      set_coefficients(factor, row, inner);
      for (int j = row; j < columns_; j += kStrip) multiply_tile(row, j, inner);
    }
  }

 private:
  // sizes_[i]: the exponent of the longest of rows i, i + 1, ...
  void find_sizes() {
    sizes_.resize(std::size_t(rows_ + 1));
    sizes_[std::size_t(rows_)] = splat<Vec>(kNoExponent);
    for (int i = rows_ - 1; i >= 0; --i) {
      Vec most{};
      for (int j = i; j < columns_; ++j) most = larger(most, abs(at(i, j)));
      exponent(i) = select((VecInt)(most > 0.0), exponent(i), splat<Vec>(kNoExponent));
      sizes_[std::size_t(i)] =
          larger(sizes_[std::size_t(i) + 1], exponent(i) + binary_exponent(most));
    }
  }
  // Coefficients of rows row, ..., inner - 1 for the four rows from `row` on.
  void set_coefficients(const FactorChain& factor, int row, int inner) {
    const int count = std::min(kStrip, rows_ - row);
    std::fill(coefficients_.begin(), coefficients_.end(), Vec{});
    for (int c = 0; c < count; ++c) {
      const Vec size = sizes_[std::size_t(row + c)];
      const VecInt alive = factor.alive(row + c);
      for (int l = row + c; l < inner; ++l)
        coefficients_[std::size_t((l - row) * kStrip + c)] =
            select(alive, scaled(factor.at(row + c, l), exponent(l) - size), Vec{});
    }
    for (int c = 0; c < count; ++c) exponent(row + c) = sizes_[std::size_t(row + c)];
  }
  // Four rows and kStrip columns from (row, j) on, fewer at the ends.
  void multiply_tile(int row, int j, int inner) {
    const int rows = std::min(kStrip, rows_ - row), width = std::min(kStrip, columns_ - j);
    Vec sum[kStrip][kStrip]{};
    if (width == kStrip) {
      for (int l = row; l < std::min(inner, j + kStrip); ++l) add_products(l, row, &at(l, j), sum);
    } else {
      for (int l = row; l < inner; ++l) {
        Vec x[kStrip]{};
        for (int b = 0; b < width; ++b) x[b] = at(l, j + b);
        add_products(l, row, x, sum);
      }
    }
    for (int c = 0; c < rows; ++c)
      for (int b = 0; b < width; ++b) at(row + c, j + b) = sum[c][b];
  }
  FRACMOMENT_INLINE void add_products(int l, int row, const Vec* x, Vec (&sum)[kStrip][kStrip]) {
    const Vec* coefficient = coefficients_.data() + (l - row) * kStrip;
    for (int c = 0; c < kStrip; ++c)
      for (int b = 0; b < kStrip; ++b) sum[c][b] = fma(coefficient[c], x[b], sum[c][b]);
  }

  int rows_, columns_;
  std::vector<Vec> entries_, exponents_, coefficients_, sizes_;
};

// The lower triangular factor of A = L Q, rows taken by decreasing length, in place.
class PivotedRows {
 public:
  explicit PivotedRows(GradedRows& a) : a_(a), squares_(std::size_t(a.rows())) {
    for (int i = 0; i < a.rows(); ++i)
      for (int j = 0; j < a.columns(); ++j) square(i) = fma(a.at(i, j), a.at(i, j), square(i));
    for (int i = 0; i < a.rows(); ++i) {
      bring_longest(i);
      reflect(i);
    }
  }

 private:
  Vec& square(int i) { return squares_[std::size_t(i)]; }

  // Swaps row i with the longest of those from i on, lane by lane.
  void bring_longest(int i) {
    Vec best = splat<Vec>(-__builtin_inf()), place = splat<Vec>(double(i));
    for (int k = i; k < a_.rows(); ++k) {
      // increases with 2^(2 e) times the square
      const Vec whole = binary_exponent(square(k));
      const Vec length = 2.0 * a_.exponent(k) + (whole + scaled(square(k), -whole));
      const VecInt more = (VecInt)(length > best);
      best = select(more, length, best);
      place = select(more, splat<Vec>(double(k)), place);
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      const int k = int(place[lane]);
      if (k != i) swap_rows(i, k, lane);
    }
  }
  void swap_rows(int i, int k, int lane) {
    const auto exchange = [lane](Vec& x, Vec& y) {
      const double old = x[lane];
      x[lane] = y[lane];
      y[lane] = old;
    };
    for (int j = 0; j < a_.columns(); ++j) exchange(a_.at(i, j), a_.at(k, j));
    exchange(a_.exponent(i), a_.exponent(k));
    exchange(square(i), square(k));
  }

  // Turns row i onto the i-th axis, and the later rows with it.
  void reflect(int i) {
    const int n = a_.columns();
    Vec* v = &a_.at(i, 0);
    Vec sum{};
    for (int j = i; j < n; ++j) sum = fma(v[j], v[j], sum);
    const VecInt alive = (VecInt)(sum > 0.0);
    const Vec norm = sqrt(sum), first = v[i];
    const Vec signed_norm = select((VecInt)(first < 0.0), -norm, norm);
    v[i] = first + signed_norm;
    const Vec scale = norm * (norm + abs(first));
    const Vec tau = select(alive, 1.0 / select(alive, scale, splat<Vec>(1.0)), Vec{});
    for (int k = i + 1; k < a_.rows(); k += kStrip) reflect_rows(i, k, v, tau);
    v[i] = -signed_norm;
  }
  FRACMOMENT_INLINE void reflect_rows(int i, int k, const Vec* v, Vec tau) {
    const int n = a_.columns(), last = a_.rows() - 1;
    Vec* row[kStrip];
    for (int c = 0; c < kStrip; ++c) row[c] = &a_.at(std::min(k + c, last), 0);
    Vec s[kStrip]{}, left[kStrip]{};
    for (int j = i; j < n; ++j)
      for (int c = 0; c < kStrip; ++c) s[c] = fma(v[j], row[c][j], s[c]);
    const int count = std::min(kStrip, last + 1 - k);
    for (int c = 0; c < count; ++c) {
      s[c] = -tau * s[c];
      row[c][i] = fma(s[c], v[i], row[c][i]);
      for (int j = i + 1; j < n; ++j) {
        row[c][j] = fma(s[c], v[j], row[c][j]);
        left[c] = fma(row[c][j], row[c][j], left[c]);
      }
      square(k + c) = left[c];
    }
  }

  GradedRows& a_;
  std::vector<Vec> squares_;
};

// One-sided Jacobi on the columns 2^f_j c_j of a lower triangular matrix.
class JacobiColumns {
 public:
  // A sweep rotates the pairs with |cos| > kSmall. After a sweep that met none above kLarge the
  // cosines are about kLarge^2, and the lane is done.
  static constexpr double kSmall = 0x1p-40, kLarge = 0x1p-26;
  static constexpr int kSweeps = 60;

  explicit JacobiColumns(GradedRows& l)
      : n_(l.rows()),
        entries_(std::size_t(n_) * std::size_t(n_)),
        exponents_(std::size_t(n_)),
        squares_(std::size_t(n_)),
        start_(std::size_t(n_)) {
    for (int j = 0; j < n_; ++j) {
      exponent(j) = l.exponent(j) + binary_exponent(l.at(j, j));
      start(j) = j / kStrip * kStrip;
      for (int m = j; m < n_; ++m) {
        const Vec x = scaled(l.at(m, j), l.exponent(m) - exponent(j));
        column(j)[m] = x;
        square(j) = fma(x, x, square(j));
      }
    }
  }

  // Makes the columns orthogonal; false if that did not come about.
  bool run() {
    VecInt active = (VecInt)(Vec{} == 0.0);
    for (int sweep = 0; sweep < kSweeps && any(active); ++sweep) {
      Vec most{};
      for (int i = 0; i < n_; ++i)
        for (int j = i + 1; j < n_; ++j) most = larger(most, rotate(i, j, active));
      active &= (VecInt)(most > kLarge * kLarge);
      normalize();
    }
    return !any(active);
  }

  int count() const { return n_; }
  Vec log_length(int j) {
    LogProduct length;
    length.multiply(square(j));
    return fma(exponent(j), splat<Vec>(tables::kLogTwo), length.half_log());
  }

 private:
  Vec* column(int j) { return entries_.data() + std::size_t(j) * std::size_t(n_); }
  Vec& exponent(int j) { return exponents_[std::size_t(j)]; }
  Vec& square(int j) { return squares_[std::size_t(j)]; }
  int& start(int j) { return start_[std::size_t(j)]; }

  // Four partial sums, in an order that depends on neither end, and so not on the other lanes.
  static FRACMOMENT_INLINE Vec dot(const Vec* x, const Vec* y, int from, int to) {
    Vec sum[kStrip]{};
    int m = from;
    for (; m + kStrip <= to; m += kStrip)
      for (int b = 0; b < kStrip; ++b) sum[b] = fma(x[m + b], y[m + b], sum[b]);
    for (int b = 0; m + b < to; ++b) sum[b] = fma(x[m + b], y[m + b], sum[b]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  // Makes columns i and j orthogonal where they are not; the squared cosine there, 0 elsewhere.
  FRACMOMENT_INLINE Vec rotate(int i, int j, VecInt active) {
    Vec *x = column(i), *y = column(j);
    const Vec product = dot(x, y, std::max(start(i), start(j)), n_);
    const Vec lengths = square(i) * square(j), squared = product * product;
    const VecInt turn = active & (VecInt)(squared > kSmall * kSmall * lengths);
    if (!any(turn)) return Vec{};
    // in units of column i, y is smaller by the factor delta; tangent = delta times `slope`
    const Vec delta = scaled(splat<Vec>(1.0), exponent(j) - exponent(i));
    const Vec gap = fma(-(delta * delta), square(j), square(i)), twice = 2.0 * product;
    const Vec root = sqrt(fma(gap, gap, (delta * twice) * (delta * twice)));
    const Vec denominator = abs(gap) + root;
    const Vec size = twice / select(turn, denominator, splat<Vec>(1.0));
    const Vec slope = select(turn, select((VecInt)(gap < 0.0), -size, size), Vec{});
    const Vec tangent = delta * slope;
    const Vec cosine = 1.0 / sqrt(fma(tangent, tangent, splat<Vec>(1.0)));
    turn_columns(i, j, cosine, cosine * (delta * tangent), -(cosine * slope));
    square(i) = fma(delta * tangent, product, square(i));
    const Vec left = fma(-slope, product, square(j));
    const VecInt lost = (VecInt)(left < 0.5 * square(j));  // by cancellation
    square(j) = any(lost) ? select(lost, dot(y, y, start(j), n_), left) : left;
    return select(turn, squared / select(turn, lengths, splat<Vec>(1.0)), Vec{});
  }
  FRACMOMENT_INLINE void turn_columns(int i, int j, Vec cosine, Vec y_to_x, Vec x_to_y) {
    Vec *x = column(i), *y = column(j);
    const int from = std::min(start(i), start(j));
    start(i) = start(j) = from;
    for (int m = from; m < n_; ++m) {
      const Vec old = x[m];
      x[m] = fma(y_to_x, y[m], cosine * old);
      y[m] = fma(x_to_y, old, cosine * y[m]);
    }
  }

  // Exact lengths, and columns of a length near 1 again, by powers of two.
  void normalize() {
    for (int j = 0; j < n_; ++j) {
      square(j) = dot(column(j), column(j), start(j), n_);
      const Vec whole = binary_exponent(square(j));
      const Vec half = round_to_integer(0.5 * whole - 0.25);
      const Vec shift = select((VecInt)(whole == kNoExponent), Vec{}, half);
      if (!any((VecInt)(shift != 0.0))) continue;
      const Vec scale = scaled(splat<Vec>(1.0), -shift);
      for (int m = start(j); m < n_; ++m) column(j)[m] *= scale;
      square(j) *= scale * scale;
      exponent(j) += shift;
    }
  }

  int n_;
  std::vector<Vec> entries_, exponents_, squares_;
  std::vector<int> start_;  // of every column: zeros before it; a multiple of kStrip
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
