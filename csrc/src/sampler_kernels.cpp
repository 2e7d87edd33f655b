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

template <class V>
struct Two {
  V first, second;
};

void uniforms(const Stream& stream, std::uint64_t replica, double* out, std::size_t n) {
  const auto uniform = [](VecBits u) { return to_nearest(u >> 11) * 0x1p-53; };
  fill_groups(stream, replica, out, n, [&](const Block& b) {
    return Two<Vec>{uniform(first_bits(b)), uniform(second_bits(b))};
  });
}

void float_uniforms(const Stream& stream, std::uint64_t replica, float* out, std::size_t n) {
  const auto uniform = [](VecBits u) { return to_nearest((VecFBits)u >> 8) * 0x1p-24f; };
  fill_groups(stream, replica, out, n, [&](const Block& b) {
    return Two<VecF>{uniform(first_bits(b)), uniform(second_bits(b))};
  });
}

void gains(const QuantileTable& table, double log_mean, const Stream& stream, std::uint64_t replica,
           double* out, std::size_t n) {
  const TableLanes lanes(table);
  const Vec scale = scaled_exp(splat<Vec>(1.0), splat<Vec>(log_mean));
  const auto gain = [&](VecBits u) {
    const Vec x = variates(table, lanes, u);
    return select((VecInt)(x == -__builtin_inf()), Vec{}, scaled_exp(scale, x));
  };
  fill_groups(stream, replica, out, n,
              [&](const Block& b) { return Two<Vec>{gain(first_bits(b)), gain(second_bits(b))}; });
}

void alias_variates(const AliasTable& table, const Stream& stream, std::uint64_t replica,
                    std::int64_t* out, std::size_t n) {
  const std::uint64_t* words = table.words();
  const int column_bits = table.column_bits();
  const std::uint64_t other = (std::uint64_t(1) << column_bits) - 1;
  const std::uint64_t within = ~std::uint64_t(0) >> column_bits;
  const auto variate = [&](VecBits u) {
    const VecBits column = u >> (64 - column_bits);
    const VecBits word = gather_words(words, column);
    const VecInt own = (VecInt)(u & within) < (VecInt)(word >> column_bits);
    return select(own, (VecInt)column, (VecInt)(word & other)) + table.first();
  };
  fill_groups(stream, replica, out, n, [&](const Block& b) {
    return Two<VecInt>{variate(first_bits(b)), variate(second_bits(b))};
  });
}

constexpr std::size_t kBatch = 1024;  // elements whose rejected attempts are collected

// Elements of a batch, in order; what follows them are old entries, good for unused lanes.
struct Pending {
  std::uint64_t index[kBatch + W] = {};
  std::size_t count = 0;
  FRACMOMENT_INLINE void push_where(VecInt mask, VecInt elements) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    const __mmask8 chosen = _mm512_movepi64_mask((__m512i)mask);
    _mm512_mask_compressstoreu_epi64(index + count, chosen, (__m512i)elements);
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
  VecInt r;
  for (int j = 0; j < W; ++j) r[j] = std::int64_t(first) + j;
  return r;
}
// Lanes that a list of `count` elements fills from `start` on.
FRACMOMENT_INLINE VecInt used_lanes(std::size_t start, std::size_t count) {
  return consecutive(start) < VecInt{} + std::int64_t(count);
}

template <bool one_shape>
class GammaBatch {
 public:
  GammaBatch(const Stream& stream, std::uint64_t first, const double* shape, std::size_t n)
      : stream_(stream), first_(first), n_(n), common_(splat<Vec>(*shape)) {
    if (one_shape) {
      std::fill(shape_, shape_ + kBatch, *shape);
    } else {
      std::fill(std::copy(shape, shape + n, shape_), shape_ + kBatch, 1.0);
    }
  }
  const double* draw() {
    for (std::size_t at = 0; at < n_; at += 2 * W * kVectors) first_attempts(at);
    for (std::uint32_t attempt = 1; pending_.count > 0; ++attempt) attempt_again(attempt);
    if (!one_shape || shape_[0] < 1.0)
      for (std::size_t at = 0; at < n_; at += 2 * W * kVectors) powers(at);
    return value_;
  }

 private:
  using Replicas = ReplicaLanes<kVectors>;
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
    const Replicas replicas(stream_, pair_of(at));
    Block normals[kVectors], accepts[kVectors];
    replicas.draw(0, kGammaNormals, normals);
    replicas.draw(0, kGammaAccepts, accepts);
    for (int i = 0; i < kVectors; ++i) {
      const NormalPair<Vec> z = normal_pair(first_bits(normals[i]), second_bits(normals[i]));
      attempt(at + place(i), z.first, first_bits(accepts[i]));
      attempt(at + place(i) + 8, z.second, second_bits(accepts[i]));
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
      const ReplicaLanes<1> replicas(stream_, replica);
      Block normals[1], accepts[1];
      replicas.draw(attempt, kGammaNormals, normals);
      replicas.draw(attempt, kGammaAccepts, accepts);
      const NormalPair<Vec> z = normal_pair(first_bits(normals[0]), second_bits(normals[0]));
      const VecBits bits = second ? second_bits(accepts[0]) : first_bits(accepts[0]);
      const GammaTrial trial =
          gamma_trial(GammaShape(gather(shape_, index)), select(second, z.second, z.first), bits);
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
    const Replicas replicas(stream_, pair_of(at));
    Block random[kVectors];
    replicas.draw(0, kGammaPowers, random);
    for (int i = 0; i < kVectors; ++i) {
      raise(at + place(i), first_bits(random[i]));
      raise(at + place(i) + 8, second_bits(random[i]));
    }
  }
  FRACMOMENT_INLINE void raise(std::size_t at, VecBits bits) {
    store(value_ + at, gamma_power(load<Vec>(value_ + at), load<Vec>(shape_ + at), bits));
  }

  Stream stream_;
  std::uint64_t first_;
  std::size_t n_;
  GammaShape common_;
  double shape_[kBatch], value_[kBatch];
  Pending pending_;
};

template <bool one_shape>
void gamma_batches(const double* shape, const Stream& stream, std::uint64_t first, double* out,
                   std::size_t n) {
  for (std::size_t done = 0; done < n; done += kBatch) {
    const std::size_t count = std::min(kBatch, n - done);
    GammaBatch<one_shape> batch(stream, first + done, one_shape ? shape : shape + done, count);
    std::copy_n(batch.draw(), count, out + done);
  }
}

void gammas(const double* shape, bool one_shape, const Stream& stream, std::uint64_t first,
            double* out, std::size_t n) {
  (one_shape ? gamma_batches<true> : gamma_batches<false>)(shape, stream, first, out, n);
}

class BinomialBatch {
 public:
  BinomialBatch(const Stream& stream, std::uint64_t first, const std::int64_t* trials,
                const double* p, std::size_t n)
      : stream_(stream), first_(first), n_(n) {
    for (std::size_t i = 0; i < n; ++i) {
      trials_[i] = double(trials[i]);
      q_[i] = p[i] > 0.5 ? 1.0 - p[i] : p[i];
    }
    std::fill(trials_ + n, trials_ + kBatch, 0.0);
    std::fill(q_ + n, q_ + kBatch, 0.0);
  }
  const double* draw() {
    for (std::size_t at = 0; at < n_; at += W * kInterleave) first_attempts(at);
    settle_contested();
    for (std::uint32_t attempt = 1; pending_.count > 0; ++attempt) attempt_again(attempt);
    return value_;
  }

 private:
  void first_attempts(std::size_t at) {
    Vec n[kInterleave], q[kInterleave], value[kInterleave];
    VecInt inverted[kInterleave];
    bool some_inverted = false, some_proposed = false;
    for (int i = 0; i < kInterleave; ++i) {
      n[i] = load<Vec>(trials_ + at + std::size_t(i * W));
      q[i] = load<Vec>(q_ + at + std::size_t(i * W));
      inverted[i] = (VecInt)(n[i] * q[i] < kLeastForHat);
      some_inverted |= any(inverted[i]);
      some_proposed |= !all(inverted[i]);
    }
    Block random[kInterleave];
    ReplicaLanes<kInterleave>(stream_, first_ + at).draw(0, 0, random);
    if (some_inverted) {
      Vec few[kInterleave];
      for (int i = 0; i < kInterleave; ++i) few[i] = select(inverted[i], n[i], Vec{});
      binomial_inversion(few, q, random, value);
      for (int i = 0; i < kInterleave; ++i) store(value_ + at + std::size_t(i * W), value[i]);
    }
    if (!some_proposed) return;
    for (int i = 0; i < kInterleave; ++i) {
      const std::size_t here = at + std::size_t(i * W);
      const BinomialTrial trial = binomial_trial(BinomialHat(n[i], q[i]), n[i], random[i]);
      store(value_ + here,
            some_inverted ? select(inverted[i], value[i], trial.value) : trial.value);
      store(distance_ + here, trial.distance);
      store(uniform_ + here, trial.uniform);
      contested_.push_where(~(trial.accepted | inverted[i]), consecutive(here));
    }
  }

  void attempt_again(std::uint32_t attempt) {
    for (std::size_t start = 0; start < pending_.count; start += W) {
      const VecInt index = pending_.elements(start);
      const VecInt used = used_lanes(start, pending_.count);
      const Vec n = gather(trials_, index), q = gather(q_, index);
      const VecBits replica[1] = {(VecBits)index + first_};
      Block random[1];
      ReplicaLanes<1>(stream_, replica).draw(attempt, 0, random);
      const BinomialTrial trial = binomial_trial(BinomialHat(n, q), n, random[0]);
      for (int j = 0; j < W; ++j) {
        if (!used[j]) continue;
        value_[index[j]] = trial.value[j];
        distance_[index[j]] = trial.distance[j];
        uniform_[index[j]] = trial.uniform[j];
      }
      contested_.push_where(~trial.accepted & used, index);
    }
    settle_contested();
  }

  // The exact test of what was not accepted at once; what fails is pending.
  void settle_contested() {
    pending_.count = 0;
    for (std::size_t start = 0; start < contested_.count; start += W) {
      const VecInt index = contested_.elements(start);
      const Vec n = gather(trials_, index), q = gather(q_, index);
      const VecInt accepted = binomial_accepted(BinomialHat(n, q), n, q, gather(value_, index),
                                                gather(distance_, index), gather(uniform_, index));
      pending_.push_where(~accepted & used_lanes(start, contested_.count), index);
    }
    contested_.count = 0;
  }

  Stream stream_;
  std::uint64_t first_;
  std::size_t n_;
  double trials_[kBatch], q_[kBatch], value_[kBatch], distance_[kBatch] = {}, uniform_[kBatch] = {};
  Pending pending_, contested_;
};

void binomials(const std::int64_t* trials, const double* p, const Stream& stream,
               std::uint64_t first, std::int64_t* out, std::size_t n) {
  for (std::size_t done = 0; done < n; done += kBatch) {
    const std::size_t count = std::min(kBatch, n - done);
    BinomialBatch batch(stream, first + done, trials + done, p + done, count);
    const double* value = batch.draw();
    for (std::size_t i = done; i < done + count; ++i) {
      const auto k = std::int64_t(value[i - done]);
      out[i] = p[i] > 0.5 ? trials[i] - k : k;
    }
  }
}

}  // namespace

extern const SamplerKernels kSamplerKernels;
const SamplerKernels kSamplerKernels = {uniforms,       float_uniforms, gains,
                                        alias_variates, gammas,         binomials};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
