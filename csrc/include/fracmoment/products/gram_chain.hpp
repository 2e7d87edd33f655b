// Signals through Gaussian networks by their Gram matrices: the pre-activations of a unit for m
// inputs are normal with covariance sigma^2 G + sigma_b^2, G the Gram matrix of the layer's inputs,
// and independent between units. The cost of a layer is its width times m^2.
#pragma once

#include "fracmoment/products/gram.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {

template <int n>
class GramChain {
 public:
  GramChain(const SignalTask& task, const ReplicaLanes<n>& replicas)
      : task_(task),
        replicas_(replicas),
        gram_(task.count),
        factor_(task.count),
        variances_(task.count),
        pivots_(task.count),
        roots_(task.count),
        product_(task.count),
        scales_(task.count),
        normals_(task.count),
        units_(task.count) {
    const std::size_t inputs = std::size_t(task.layer(0).fan_in);
    for (std::size_t q = 0; q < task.count; ++q) {
      frames_.emplace_back(task.exponents[q]);
      for (std::size_t p = 0; p <= q; ++p) {
        double sum = 0.0;
        for (std::size_t j = 0; j < inputs; ++j)
          sum += task.inputs[q * inputs + j] * task.inputs[p * inputs + j];
        for (int i = 0; i < n; ++i) gram_(q, p).of[i] = splat<Vec>(sum);
      }
    }
  }

  void run(const SignalWriter<n>& writer) {
    for (std::size_t k = 0; k < task_.depth; ++k) {
      const Layer& layer = task_.layer(k);
      for (Frame<n>& frame : frames_) frame.enter(layer);
      factorize();
      draw_units(layer, std::uint32_t(k));
      rescale(layer);
      if (task_.is_result(k)) writer.write(k, frames_, gram_);
    }
  }

 private:
  // Covariance = L D L^T, L of ones on the diagonal (factor_), D the squares of roots_. A pivot
  // below the rounding errors of its row is zero: the signal depends linearly on those before it.
  // So is an entry of L D; its half as high bar never meets an entry that equals a pivot. Equal or
  // opposite signals then have rows of L that are equal or opposite to the bit, and stay so.
  void factorize() {
    const double least = 0x1p-51 * double(task_.count);
    for (std::size_t q = 0; q < task_.count; ++q)
      for (int i = 0; i < n; ++i) {
        const Vec variance = covariance(q, q, i);
        variances_[q].of[i] = variance;
        for (std::size_t p = 0; p < q; ++p) {
          Vec rest = covariance(q, p, i);
          for (std::size_t r = 0; r < p; ++r)
            rest = fma(-product_[r].of[i], factor_(p, r).of[i], rest);
          const Vec noise = variance * variances_[p].of[i] * (0.25 * least * least);
          rest = select((VecInt)(rest * rest > noise), rest, Vec{});
          const Vec pivot = pivots_[p].of[i];
          product_[p].of[i] = rest;
          factor_(q, p).of[i] = select((VecInt)(pivot == 0.0), Vec{}, rest / pivot);
        }
        Vec rest = variance;
        for (std::size_t p = 0; p < q; ++p)
          rest = fma(-product_[p].of[i], factor_(q, p).of[i], rest);
        rest = select((VecInt)(rest > variance * least), rest, Vec{});
        pivots_[q].of[i] = rest;
        roots_[q].of[i] = sqrt(rest);
      }
  }
  FRACMOMENT_INLINE Vec covariance(std::size_t q, std::size_t p, int i) {
    const Frame<n>&a = frames_[q], &b = frames_[p];
    return fma(a.gain[i] * b.gain[i], gram_(q, p).of[i], a.shift[i] * b.shift[i]);
  }

  // The Gram matrix of phi(h), h of the covariance of factor_ and roots_, unit by unit.
  void draw_units(const Layer& layer, std::uint32_t k) {
    const LayerLanes<n> lanes(replicas_, k);
    const Units<n> units(layer, lanes);
    const std::uint32_t m = std::uint32_t(task_.count);
    const std::uint32_t pairs = std::uint32_t((layer.fan_out + 1) / 2);
    gram_.clear();
    NormalBlocks<Vec, n> normals(lanes, 0);
    for (std::uint32_t j = 0; j < pairs; ++j) {
      const UnitPair<n> pair = units.draw(j);
      const double second = 2 * std::int64_t(j) + 1 < layer.fan_out ? 1.0 : 0.0;
      for (std::uint32_t q = 0; q < m; ++q) {
        LanePair<Vec> z[n];
        normals.next(z);
        for (int i = 0; i < n; ++i) {
          const Vec root = roots_[q].of[i];
          const LanePair<Vec> own = {root * z[i].first, root * z[i].second};
          normals_[q].of[i] = own;
          LanePair<Vec> h{};  // in an order in which equal signals round equally
          for (std::uint32_t p = 0; p < q; ++p) {
            const Vec factor = factor_(q, p).of[i];
            h.first = fma(factor, normals_[p].of[i].first, h.first);
            h.second = fma(factor, normals_[p].of[i].second, h.second);
          }
          units_[q].of[i] = pair.apply(i, {h.first + own.first, h.second + own.second});
          units_[q].of[i].second *= second;
          for (std::uint32_t p = 0; p <= q; ++p) {
            const LanePair<Vec>&a = units_[q].of[i], &b = units_[p].of[i];
            gram_(q, p).of[i] = fma(a.second, b.second, fma(a.first, b.first, gram_(q, p).of[i]));
          }
        }
      }
    }
  }

  void rescale(const Layer& layer) {
    for (std::size_t q = 0; q < task_.count; ++q) frames_[q].leave(layer, gram_(q, q), scales_[q]);
    for (std::size_t q = 0; q < task_.count; ++q)
      for (std::size_t p = 0; p <= q; ++p)
        for (int i = 0; i < n; ++i) gram_(q, p).of[i] *= scales_[q].of[i] * scales_[p].of[i];
  }

  struct PairGroups {
    LanePair<Vec> of[n];
  };

  const SignalTask& task_;
  const ReplicaLanes<n>& replicas_;
  std::vector<Frame<n>> frames_;
  Triangle<n> gram_, factor_;
  std::vector<LaneGroups<n>> variances_, pivots_, roots_, product_, scales_;
  std::vector<PairGroups> normals_, units_;
};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
