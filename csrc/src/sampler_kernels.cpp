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

constexpr std::size_t kBatch = 1024;  // elements whose rejected attempts are collected
constexpr int kTogether = std::max(kInterleave, 4);  // vectors of binomial elements

// Elements of a batch, in order; what follows them are old entries, good for unused lanes.
struct Pending {
  std::uint64_t index[kBatch + W * kTogether] = {};
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

class BinomialBatch {
 public:
  explicit BinomialBatch(const Stream& stream) : stream_(stream), replicas_(stream) {}
  // Elements at, ..., at + n - 1 of the columns, the first of them replica `first`.
  void draw(std::uint64_t first, const BinomialColumns& columns, std::size_t at, std::int64_t* out,
            std::size_t n) {
    first_ = first;
    trials_ = column(columns.trials, columns.one_n, at, n, own_trials_);
    p_ = column(columns.p, columns.one_p, at, n, own_p_);
    for (std::size_t i = 0; i < n; i += W * kTogether) first_attempts(i);
    for (std::uint32_t attempt = 1; judge(); ++attempt)
      for (std::size_t start = 0; start < rejected_.count; start += W * kTogether)
        attempt_again(attempt, start);
    for (std::size_t i = 0; i < n; ++i) {
      const auto k = std::int64_t(value_[i]);
      out[i] = p_[i] > 0.5 ? trials_[i] - k : k;
    }
  }

 private:
  using Vecs = Vec[kTogether];

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
  FRACMOMENT_INLINE static Vec folded(Vec p) { return select((VecInt)(p > 0.5), 1.0 - p, p); }
  FRACMOMENT_INLINE void load_parameters(std::size_t at, Vecs& n, Vecs& q) const {
    for (int i = 0; i < kTogether; ++i) {
      VecInt trials;
      std::memcpy(&trials, trials_ + at + std::size_t(i * W), sizeof trials);
      n[i] = to_double(trials);
      q[i] = folded(load<Vec>(p_ + at + std::size_t(i * W)));
    }
  }
  template <int m>
  FRACMOMENT_INLINE void gather_parameters(const VecInt (&index)[m], Vec (&n)[m],
                                           Vec (&q)[m]) const {
    for (int i = 0; i < m; ++i) {
      n[i] = to_double((VecInt)gather_words((const std::uint64_t*)trials_, (VecBits)index[i]));
      q[i] = folded(gather(p_, index[i]));
    }
  }

  void first_attempts(std::size_t at) {
    Vecs n, q, few, value;
    VecInt inverted[kTogether];
    bool some_inverted = false, some_proposed = false;
    load_parameters(at, n, q);
    for (int i = 0; i < kTogether; ++i) {
      inverted[i] = (VecInt)(n[i] * q[i] < kLeastForHat);
      some_inverted |= any(inverted[i]);
      some_proposed |= !all(inverted[i]);
    }
    Block random[kTogether];
    replicas_.move(stream_, first_ + at);
    replicas_.draw(0, 0, random);
    if (some_inverted) {
      for (int i = 0; i < kTogether; ++i) few[i] = select(inverted[i], n[i], Vec{});
      binomial_inversion(few, q, random, value);
      for (int i = 0; i < kTogether; ++i) store(value_ + at + std::size_t(i * W), value[i]);
    }
    if (!some_proposed) return;
    const BinomialTrial<kTogether> trial(n, q, random);
    for (int i = 0; i < kTogether; ++i) {
      const std::size_t here = at + std::size_t(i * W);
      const Vec drawn = trial.value[i];
      store(value_ + here, some_inverted ? select(inverted[i], value[i], drawn) : drawn);
      store(distance_ + here, trial.distance[i]);
      store(uniform_ + here, trial.uniform[i]);
      contested_.push_where(~(trial.at_once[i] | inverted[i]), consecutive(here));
    }
  }

  void attempt_again(std::uint32_t attempt, std::size_t start) {
    Vecs n, q;
    VecInt index[kTogether];
    VecBits replica[kTogether];
    for (int i = 0; i < kTogether; ++i) {
      index[i] = rejected_.elements(start + std::size_t(i * W));
      replica[i] = (VecBits)index[i] + first_;
    }
    gather_parameters(index, n, q);
    Block random[kTogether];
    replicas_.move(stream_, replica);
    replicas_.draw(attempt, 0, random);
    const BinomialTrial<kTogether> trial(n, q, random);
    for (int i = 0; i < kTogether; ++i) {
      const VecInt used = used_lanes(start + std::size_t(i * W), rejected_.count);
      for (int j = 0; j < W; ++j) {
        if (!used[j]) continue;
        value_[index[i][j]] = trial.value[i][j];
        distance_[index[i][j]] = trial.distance[i][j];
        uniform_[index[i][j]] = trial.uniform[i][j];
      }
      contested_.push_where(~trial.at_once[i] & used, index[i]);
    }
  }

  // Of what was not accepted at once; whether anything is rejected.
  bool judge() {
    rejected_.count = 0;
    for (std::size_t start = 0; start < contested_.count; start += W * kTogether) {
      Vecs n, q, value, distance, uniform;
      VecInt index[kTogether];
      for (int i = 0; i < kTogether; ++i) {
        index[i] = contested_.elements(start + std::size_t(i * W));
        value[i] = gather(value_, index[i]);
        distance[i] = gather(distance_, index[i]);
        uniform[i] = gather(uniform_, index[i]);
      }
      gather_parameters(index, n, q);
      const BinomialVerdict<kTogether> verdict = binomial_verdict(n, q, value, distance, uniform);
      for (int i = 0; i < kTogether; ++i) {
        const VecInt used = used_lanes(start + std::size_t(i * W), contested_.count);
        rejected_.push_where(verdict.rejected[i] & used, index[i]);
        if (any(verdict.open[i] & used)) open_.push_where(verdict.open[i] & used, index[i]);
      }
    }
    contested_.count = 0;
    judge_exactly();
    return rejected_.count > 0;
  }
  void judge_exactly() {
    for (std::size_t start = 0; start < open_.count; start += W) {
      const VecInt index[1] = {open_.elements(start)};
      Vec n[1], q[1];
      gather_parameters(index, n, q);
      const VecInt accepted =
          binomial_accepted(n[0], q[0], gather(value_, index[0]), gather(distance_, index[0]),
                            gather(uniform_, index[0]));
      rejected_.push_where(~accepted & used_lanes(start, open_.count), index[0]);
    }
    open_.count = 0;
  }

  Stream stream_;
  ReplicaLanes<kTogether> replicas_;
  std::uint64_t first_ = 0;
  const std::int64_t* trials_ = nullptr;
  const double* p_ = nullptr;
  std::int64_t own_trials_[kBatch];
  double own_p_[kBatch], value_[kBatch], distance_[kBatch] = {}, uniform_[kBatch] = {};
  Pending contested_, open_, rejected_;
};

void binomials(const BinomialColumns& columns, const Stream& stream, std::uint64_t first,
               std::int64_t* out, std::size_t n) {
  BinomialBatch batch(stream);
  for (std::size_t done = 0; done < n; done += kBatch)
    batch.draw(first + done, columns, done, out + done, std::min(kBatch, n - done));
}

}  // namespace

extern const SamplerKernels kSamplerKernels;
const SamplerKernels kSamplerKernels = {uniforms,       float_uniforms, gains,
                                        alias_variates, gammas,         binomials};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
