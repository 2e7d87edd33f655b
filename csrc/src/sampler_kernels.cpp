// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/random/sampler_kernels.hpp"

#include <algorithm>
#include <cstring>

#include "fracmoment/random/binomial.hpp"
#include "fracmoment/random/gamma.hpp"
#include "fracmoment/random/quantile.hpp"
#include "fracmoment/random/rows.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

constexpr int W = kLanes;
constexpr int kVectors =
    std::max(kInterleave, 8 / W);  // drawn together: whole groups of 8 replicas

void uniforms(const Stream& stream, std::uint64_t replica, double* out, std::size_t n) {
  fill_numbers<Vec>(stream, replica, out, n,
                    [](VecBits u) { return to_nearest(u >> 11) * 0x1p-53; });
}

void float_uniforms(const Stream& stream, std::uint64_t replica, float* out, std::size_t n) {
  fill_numbers<VecF>(stream, replica, out, n,
                     [](VecBits u) { return to_nearest((VecFBits)u >> 8) * 0x1p-24f; });
}

void gains(const QuantileTable& table, double log_mean, const Stream& stream, std::uint64_t replica,
           double* out, std::size_t n) {
  const TableLanes lanes(table);
  const Vec scale = scaled_exp(splat<Vec>(1.0), splat<Vec>(log_mean));
  fill_numbers<Vec>(stream, replica, out, n, [&](VecBits u) {
    const Vec x = variates(table, lanes, u);
    return select((VecInt)(x == -__builtin_inf()), Vec{}, scaled_exp(scale, x));
  });
}

void alias_variates(const AliasTable& table, const Stream& stream, std::uint64_t replica,
                    std::int64_t* out, std::size_t n) {
  const std::uint64_t* words = table.words();
  const int column_bits = table.column_bits();
  const std::uint64_t other = (std::uint64_t(1) << column_bits) - 1;
  const std::uint64_t within = ~std::uint64_t(0) >> column_bits;
  fill_numbers<VecInt>(stream, replica, out, n, [&](VecBits u) {
    const VecBits column = u >> (64 - column_bits);
    const VecBits word = gather_words(words, column);
    const VecInt own = (VecInt)(u & within) < (VecInt)(word >> column_bits);
    return select(own, (VecInt)column, (VecInt)(word & other)) + table.first();
  });
}

constexpr std::size_t kBatch = 1024;  // elements whose exceptions are collected

// Elements of a batch, in order; what follows them are old entries, good for unused lanes.
struct Pending {
  std::uint64_t index[kBatch + W * kVectors] = {};
  std::size_t count = 0;
  FRACMOMENT_INLINE void push_where(VecInt mask, VecInt elements) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    const __mmask8 chosen = _mm512_movepi64_mask((__m512i)mask);
    const __m512i front = _mm512_maskz_compress_epi64(chosen, (__m512i)elements);
    std::memcpy(index + count, &front, sizeof front);
    count += std::size_t(__builtin_popcount(chosen));
#else
    for (int j = 0; j < W; ++j) {
      index[count] = std::uint64_t(elements[j]);
      count += std::size_t(mask[j] & 1);
    }
#endif
  }
  FRACMOMENT_INLINE VecInt elements(std::size_t start) const {
    VecInt r;
    std::memcpy(&r, index + start, sizeof r);
    return r;
  }
  // work(elements) for all, m vectors at a time; the last are filled up with the last element.
  template <int m, class Work>
  void drain(Work&& work) {
    if (count == 0) return;
    std::fill_n(index + count, W * m - 1, index[count - 1]);
    for (std::size_t start = 0; start < count; start += W * m) {
      VecInt group[m];
      for (int i = 0; i < m; ++i) group[i] = elements(start + std::size_t(i * W));
      work(group);
    }
    count = 0;
  }
};

FRACMOMENT_INLINE VecInt consecutive(std::size_t first) {
  VecInt r{};
  for (int j = 0; j < W; ++j) r[j] = j;
  return r + std::int64_t(first);
}
// Lanes that a list of `count` elements fills from `start` on.
FRACMOMENT_INLINE VecInt used_lanes(std::size_t start, std::size_t count) {
  return consecutive(start) < VecInt{} + std::int64_t(count);
}

template <bool one_shape>
class GammaBatch {
 public:
  explicit GammaBatch(const Stream& stream, const double* shape)
      : stream_(stream), replicas_(stream), one_(stream), common_(splat<Vec>(*shape)) {
    if (one_shape) std::fill(shape_, shape_ + kBatch, *shape);
  }
  // Elements first, ..., first + n - 1.
  const double* draw(std::uint64_t first, const double* shape, std::size_t n) {
    first_ = first;
    n_ = n;
    if (!one_shape) std::fill(std::copy(shape, shape + n, shape_), shape_ + kBatch, 1.0);
    for (std::size_t at = 0; at < n_; at += 2 * W * kVectors) first_attempts(at);
    for (std::uint32_t attempt = 1; pending_.count > 0; ++attempt) attempt_again(attempt);
    if (!one_shape || shape_[0] < 1.0)
      for (std::size_t at = 0; at < n_; at += 2 * W * kVectors) powers(at);
    return value_;
  }

 private:
  // The first of the elements that are the first numbers of vector i.
  static constexpr std::size_t place(int i) { return std::size_t(i * W / 8 * 16 + i * W % 8); }
  std::uint64_t pair_of(std::size_t index) const {
    const std::uint64_t element = first_ + index;
    return element / 16 * 8 + element % 8;
  }
  FRACMOMENT_INLINE GammaShape shape_at(std::size_t at) const {
    if constexpr (one_shape) return common_;
    return GammaShape(load<Vec>(shape_ + at));
  }

  void first_attempts(std::size_t at) {
    replicas_.move(stream_, pair_of(at));
    Block normals[kVectors], accepts[kVectors];
    replicas_.draw(0, kGammaNormals, normals);
    replicas_.draw(0, kGammaAccepts, accepts);
    LanePair<Vec> z[kVectors];
    normal_pairs(normals, z);
    for (int i = 0; i < kVectors; ++i) {
      attempt(at + place(i), z[i].first, accepts[i].first);
      attempt(at + place(i) + 8, z[i].second, accepts[i].second);
    }
  }
  FRACMOMENT_INLINE void attempt(std::size_t at, Vec normal, VecBits bits) {
    const GammaTrial trial = gamma_trial(shape_at(at), normal, bits);
    store(value_ + at, trial.value);
    if (__builtin_expect(!all(trial.accepted), 0))
      pending_.push_where(~trial.accepted, consecutive(at));
  }

  void attempt_again(std::uint32_t attempt) {
    const std::size_t count = pending_.count;
    pending_.count = 0;
    for (std::size_t start = 0; start < count; start += W) {
      const VecInt index = pending_.elements(start);
      const VecBits element = (VecBits)index + first_;
      const VecBits replica[1] = {(element >> 4 << 3) + (element & std::uint64_t(7))};
      const VecInt second = (VecInt)((element & std::uint64_t(8)) != std::uint64_t(0));
      one_.move(stream_, replica);
      Block normals[1], accepts[1];
      one_.draw(attempt, kGammaNormals, normals);
      one_.draw(attempt, kGammaAccepts, accepts);
      LanePair<Vec> z[1];
      normal_pairs(normals, z);
      const VecBits bits = second ? accepts[0].second : accepts[0].first;
      const GammaTrial trial = gamma_trial(GammaShape(gather(shape_, index)),
                                           select(second, z[0].second, z[0].first), bits);
      const VecInt used = used_lanes(start, count);
      for (int j = 0; j < W; ++j)
        if (used[j]) value_[index[j]] = trial.value[j];
      pending_.push_where(~trial.accepted & used, index);
    }
  }

  void powers(std::size_t at) {
    VecInt below{};
    for (std::size_t j = 0; j < 2 * kVectors; ++j)
      below |= (VecInt)(load<Vec>(shape_ + at + j * W) < 1.0);
    if (!any(below)) return;
    replicas_.move(stream_, pair_of(at));
    Block random[kVectors];
    replicas_.draw(0, kGammaPowers, random);
    for (int i = 0; i < kVectors; ++i) {
      raise(at + place(i), random[i].first);
      raise(at + place(i) + 8, random[i].second);
    }
  }
  FRACMOMENT_INLINE void raise(std::size_t at, VecBits bits) {
    store(value_ + at, gamma_power(load<Vec>(value_ + at), load<Vec>(shape_ + at), bits));
  }

  Stream stream_;
  ReplicaLanes<kVectors> replicas_;
  ReplicaLanes<1> one_;
  std::uint64_t first_ = 0;
  std::size_t n_ = 0;
  GammaShape common_;
  double shape_[kBatch], value_[kBatch];
  Pending pending_;
};

template <bool one_shape>
void gamma_batches(const double* shape, const Stream& stream, std::uint64_t first, double* out,
                   std::size_t n) {
  GammaBatch<one_shape> batch(stream, shape);
  for (std::size_t done = 0; done < n; done += kBatch) {
    const std::size_t count = std::min(kBatch, n - done);
    std::copy_n(batch.draw(first + done, shape + (one_shape ? 0 : done), count), count, out + done);
  }
}

void gammas(const double* shape, bool one_shape, const Stream& stream, std::uint64_t first,
            double* out, std::size_t n) {
  (one_shape ? gamma_batches<true> : gamma_batches<false>)(shape, stream, first, out, n);
}

// Quantiles of given bits, a batch at a time: the expansion for all, then lists of the few elements
// that need sums of probabilities.
class BinomialBatch {
 public:
  explicit BinomialBatch(const QuantileTable& normal) : lanes_(normal) {}
  // Elements at, ..., at + n - 1 of the columns.
  void quantiles(const BinomialColumns& columns, std::size_t at, const std::uint64_t* bits,
                 std::int64_t* out, std::size_t n) {
    trials_ = column(columns.trials, columns.one_n, at, n, own_trials_);
    p_ = column(columns.p, columns.one_p, at, n, own_p_);
    bits_ = column(bits, false, 0, n, own_bits_);
    for (std::size_t i = 0; i < n; i += W * kVectors) expand(i);
    few_.drain<kVectors>([&](const auto& index) { invert(index); });
    open_.drain<1>([&](const auto& index) { search(index[0]); });
    std::copy_n(value_, n, out);
  }

 private:
  // A whole batch of a column is read where it is, another one from a copy that is filled up.
  template <class T>
  static const T* column(const T* values, bool single, std::size_t at, std::size_t n, T* own) {
    if (single) {
      std::fill(own, own + kBatch, *values);
      return own;
    }
    if (n == kBatch) return values + at;
    std::fill(std::copy_n(values + at, n, own), own + kBatch, T(0));
    return own;
  }

  // n and q = min(p, 1 - p); where p is larger, the variate is n minus that of ~bits.
  struct Element {
    Vec n, q;
    VecBits uniform;
    VecInt mirrored;
    FRACMOMENT_INLINE Element(VecBits trials, Vec p, VecBits bits) : n(to_double((VecInt)trials)) {
      mirrored = (VecInt)(p > 0.5);
      q = select(mirrored, 1.0 - p, p);
      uniform = bits ^ (VecBits)mirrored;
    }
    FRACMOMENT_INLINE VecInt variate(Vec value) const {
      return to_int(select(mirrored, n - value, value));
    }
  };
  template <int m>
  struct Elements {
    Vec n[m], q[m];
    VecBits uniform[m];
    FRACMOMENT_INLINE void set(int i, const Element& element) {
      n[i] = element.n;
      q[i] = element.q;
      uniform[i] = element.uniform;
    }
  };
  FRACMOMENT_INLINE Element next(std::size_t at) const {
    VecBits trials, bits;
    std::memcpy(&trials, trials_ + at, sizeof trials);
    std::memcpy(&bits, bits_ + at, sizeof bits);
    return {trials, load<Vec>(p_ + at), bits};
  }
  FRACMOMENT_INLINE Element of(VecInt index) const {
    const auto* trials = reinterpret_cast<const std::uint64_t*>(trials_);
    return {gather_words(trials, (VecBits)index), gather(p_, index),
            gather_words(bits_, (VecBits)index)};
  }
  FRACMOMENT_INLINE void set(VecInt index, VecInt variate) {
    for (int j = 0; j < W; ++j) value_[index[j]] = variate[j];
  }

  FRACMOMENT_INLINE void expand(std::size_t at) {
    constexpr int m = kVectors;
    Elements<m> e;
    VecInt few[m], all_few = ~VecInt{};
    for (int i = 0; i < m; ++i) {
      e.set(i, next(at + std::size_t(i * W)));
      few[i] = (VecInt)(e.n[i] * e.q[i] < kLeastForSeries);
      all_few &= few[i];
    }
    if (__builtin_expect(all(all_few), 0)) {
      for (int i = 0; i < m; ++i) few_.push_where(few[i], consecutive(at + std::size_t(i * W)));
      return;
    }
    Vec z[m];
    for (int i = 0; i < m; ++i) z[i] = lanes_(e.uniform[i]).value;
    const BinomialQuantile<m> quantile(e.n, e.q, z);
    for (int i = 0; i < m; ++i) {
      const std::size_t here = at + std::size_t(i * W);
      const VecInt variate = next(here).variate(quantile.value[i]), open = quantile.open[i];
      std::memcpy(value_ + here, &variate, sizeof variate);
      if (__builtin_expect(!any(few[i] | open), 1)) continue;
      few_.push_where(few[i], consecutive(here));
      open_.push_where(open & ~few[i], consecutive(here));
    }
  }
  template <std::size_t m>
  FRACMOMENT_INLINE void invert(const VecInt (&index)[m]) {
    Elements<m> e;
    Vec value[m];
    for (std::size_t i = 0; i < m; ++i) e.set(int(i), of(index[i]));
    binomial_inversion(e.n, e.q, e.uniform, value);
    for (std::size_t i = 0; i < m; ++i) set(index[i], of(index[i]).variate(value[i]));
  }
  void search(VecInt index) {
    const Element element = of(index);
    const Vec n[1] = {element.n}, q[1] = {element.q}, z[1] = {lanes_(element.uniform).value};
    const Vec start = BinomialQuantile<1>(n, q, z).value[0];
    set(index, element.variate(binomial_search(n[0], q[0], element.uniform, start)));
  }

  TableLanes lanes_;
  const std::int64_t* trials_ = nullptr;
  const double* p_ = nullptr;
  const std::uint64_t* bits_ = nullptr;
  std::int64_t own_trials_[kBatch], value_[kBatch];
  double own_p_[kBatch];
  std::uint64_t own_bits_[kBatch];
  Pending few_, open_;
};

void binomial_quantiles(const QuantileTable& normal, const BinomialColumns& columns,
                        const std::uint64_t* bits, std::int64_t* out, std::size_t n) {
  BinomialBatch batch(normal);
  for (std::size_t done = 0; done < n; done += kBatch)
    batch.quantiles(columns, done, bits + done, out + done, std::min(kBatch, n - done));
}

void binomials(const QuantileTable& normal, const BinomialColumns& columns, const Stream& stream,
               std::uint64_t replica, std::int64_t* out, std::size_t n) {
  BlockLanes row(stream, replica, 0, 0);
  BinomialBatch batch(normal);
  std::uint64_t bits[kBatch];
  for (std::size_t done = 0; done < n; done += kBatch) {
    const std::size_t count = std::min(kBatch, n - done);
    fill_bits(row, bits, count);
    batch.quantiles(columns, done, bits, out + done, count);
  }
}

}  // namespace

extern const SamplerKernels kSamplerKernels;
const SamplerKernels kSamplerKernels = {uniforms,  float_uniforms,    gains, alias_variates, gammas,
                                        binomials, binomial_quantiles};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
