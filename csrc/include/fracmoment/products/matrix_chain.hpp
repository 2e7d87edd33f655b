// Signals through networks of explicit weights. Lanes are replicas: a block of random bits gives
// each replica its own next entries of a row of W, which meet the entries of its own signal.
#pragma once

#include "fracmoment/products/gram.hpp"
#include "fracmoment/random/weights.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <class V, int n>
struct VectorGroups {
  V of[n];
};

// Signals in the order in which weights are drawn: a double a lane, or in single precision the
// entries 2c and 2c+1 in neighbouring lanes.
FRACMOMENT_INLINE constexpr int columns_of(Vec*) { return 1; }
FRACMOMENT_INLINE constexpr int columns_of(VecF*) { return 2; }
template <class V>
constexpr int kColumns = columns_of((V*)nullptr);

FRACMOMENT_INLINE void pack(Vec& to, Vec value, int) { to = value; }
FRACMOMENT_INLINE void pack(VecF& to, Vec value, int column) {
  for (int j = 0; j < kLanes; ++j) to[2 * j + column] = float(value[j]);
}
FRACMOMENT_INLINE Vec row_sum(Vec sum) { return sum; }
FRACMOMENT_INLINE Vec row_sum(VecF sum) {
  Vec r;
  for (int j = 0; j < kLanes; ++j) r[j] = double(sum[2 * j]) + double(sum[2 * j + 1]);
  return r;
}

template <class Weights, int n>
class MatrixChain {
  using V = typename Weights::Vector;
  static constexpr std::size_t kPerBlock = 2 * kColumns<V>;  // columns of W

 public:
  MatrixChain(const Weights& weights, const SignalTask& task, const ReplicaLanes<n>& replicas)
      : weights_(weights),
        task_(task),
        replicas_(replicas),
        signals_(task.count),
        units_(task.count),
        sums_(task.count),
        squares_(task.count) {
    const std::size_t inputs = std::size_t(task.layer(0).fan_in);
    for (std::size_t q = 0; q < task.count; ++q) {
      frames_.emplace_back(task.exponents[q]);
      units_[q].resize(inputs);
      for (std::size_t j = 0; j < inputs; ++j)
        for (int i = 0; i < n; ++i) units_[q][j].of[i] = splat<Vec>(task.inputs[q * inputs + j]);
      LaneGroups<n> one;
      for (int i = 0; i < n; ++i) one.of[i] = splat<Vec>(1.0);
      take_signal(q, one);
    }
  }

  void run(const SignalWriter<n>& writer) {
    Triangle<n> gram(task_.count);
    for (std::size_t k = 0; k < task_.depth; ++k) {
      const Layer& layer = task_.layer(k);
      for (Frame<n>& frame : frames_) frame.enter(layer);
      multiply(layer, std::uint32_t(k));
      activate(layer, std::uint32_t(k));
      for (std::size_t q = 0; q < task_.count; ++q) {
        LaneGroups<n> factor;
        frames_[q].leave(layer, squares_[q], factor);
        take_signal(q, factor);
      }
      if (!task_.is_result(k)) continue;
      products(gram);
      writer.write(k, frames_, gram);
    }
  }

 private:
  // units = gain * W signal
  void multiply(const Layer& layer, std::uint32_t k) {
    const std::size_t rows = std::size_t(layer.fan_out);
    const std::size_t blocks = (std::size_t(layer.fan_in) + kPerBlock - 1) / kPerBlock;
    for (auto& units : units_) units.resize(rows + rows % 2);
    WeightBlocks<Weights, n> weights(weights_, LayerLanes<n>(replicas_, k));
    for (std::size_t row = 0; row < rows; ++row) {
      if (task_.count == 1)
        multiply_row(weights, blocks);
      else
        multiply_rows(weights, blocks);
      for (std::size_t q = 0; q < task_.count; ++q)
        for (int i = 0; i < n; ++i)
          units_[q][row].of[i] = row_sum(sums_[q].of[i]) * frames_[q].gain[i];
    }
  }

  // The sum of the next row of W for the only signal, and for each of several.
  FRACMOMENT_INLINE void multiply_row(WeightBlocks<Weights, n>& weights, std::size_t blocks) {
    VectorGroups<V, n> sum = {};
    const VectorGroups<V, n>* x = signals_[0].data();
    for (std::size_t b = 0; b < blocks; ++b, x += 2) {
      LanePair<V> w[n];
      weights.next(w);
      for (int i = 0; i < n; ++i)
        sum.of[i] = fma(w[i].second, x[1].of[i], fma(w[i].first, x[0].of[i], sum.of[i]));
    }
    sums_[0] = sum;
  }
  FRACMOMENT_INLINE void multiply_rows(WeightBlocks<Weights, n>& weights, std::size_t blocks) {
    for (auto& sum : sums_) sum = {};
    for (std::size_t b = 0; b < blocks; ++b) {
      LanePair<V> w[n];
      weights.next(w);
      for (std::size_t q = 0; q < task_.count; ++q) {
        const VectorGroups<V, n>*x = signals_[q].data() + 2 * b, *y = x + 1;
        for (int i = 0; i < n; ++i)
          sums_[q].of[i] = fma(w[i].second, y->of[i], fma(w[i].first, x->of[i], sums_[q].of[i]));
      }
    }
  }

  // units = phi(units + biases), with their squared norms
  void activate(const Layer& layer, std::uint32_t k) {
    const LayerLanes<n> lanes(replicas_, k);
    const Units<n> units(layer, lanes);
    std::fill(squares_.begin(), squares_.end(), LaneGroups<n>{});
    const std::size_t rows = std::size_t(layer.fan_out);
    for (std::size_t j = 0; 2 * j < rows; ++j) {
      const UnitPair<n> pair = units.draw(std::uint32_t(j));
      LanePair<Vec> bias[n] = {};
      if (layer.bias > 0.0)
        GaussianWeights<Vec>{}.draw(lanes, kBiasBlocks + std::uint32_t(j), bias);
      for (std::size_t q = 0; q < task_.count; ++q)
        for (int i = 0; i < n; ++i) {
          Vec &first = units_[q][2 * j].of[i], &second = units_[q][2 * j + 1].of[i];
          const Vec shift = frames_[q].shift[i];
          const LanePair<Vec> y =
              pair.apply(i, {fma(bias[i].first, shift, first), fma(bias[i].second, shift, second)});
          first = y.first;
          second = 2 * j + 1 < rows ? y.second : Vec{};
          squares_[q].of[i] = fma(second, second, fma(first, first, squares_[q].of[i]));
        }
    }
  }

  // signal = factor * units, padded with zeros to whole blocks
  void take_signal(std::size_t q, const LaneGroups<n>& factor) {
    const std::size_t count = units_[q].size();
    signals_[q].assign((count + kPerBlock - 1) / kPerBlock * 2, {});
    for (std::size_t j = 0; j < count; ++j)
      for (int i = 0; i < n; ++i) {
        units_[q][j].of[i] *= factor.of[i];
        pack(signals_[q][j / kColumns<V>].of[i], units_[q][j].of[i], int(j % kColumns<V>));
      }
  }

  void products(Triangle<n>& gram) const {
    gram.clear();
    for (std::size_t q = 0; q < task_.count; ++q)
      for (std::size_t p = 0; p <= q; ++p)
        for (std::size_t j = 0; j < units_[q].size(); ++j)
          for (int i = 0; i < n; ++i)
            gram(q, p).of[i] = fma(units_[q][j].of[i], units_[p][j].of[i], gram(q, p).of[i]);
  }

  const Weights weights_;
  const SignalTask& task_;
  const ReplicaLanes<n>& replicas_;
  std::vector<Frame<n>> frames_;
  std::vector<std::vector<VectorGroups<V, n>>> signals_;
  std::vector<std::vector<LaneGroups<n>>> units_;
  std::vector<VectorGroups<V, n>> sums_;
  std::vector<LaneGroups<n>> squares_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
