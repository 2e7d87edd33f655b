// The standard deviation of the weights of a layer, rounded once.
//
//   M(s)^(-1/s)                      preserves E|x|^s, M the moment of the gain at width fan_out,
//   sqrt(fan_out/fan_in) M(s)^(-1/s) preserves E(|x|/sqrt(n))^s.
//
// Orthogonal weights with fan_in > fan_out are the first rows of a Haar matrix of size fan_in.
// There R = |phi(g)|/|g'| with g the first fan_out entries of the normal vector g' of fan_in
// entries, and R is independent of |g'|: the moment is that of |phi(g)| over that of chi(fan_in).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fracmoment/gains/law.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {

// A layer: its gain at width fan_out, its inputs, and what to preserve.
struct LayerSpec {
  LawSpec gain;
  std::int64_t fan_in = 1;
  bool root_mean_square = true;
};

inline bool operator==(const LayerSpec& a, const LayerSpec& b) {
  return a.gain == b.gain && a.fan_in == b.fan_in && a.root_mean_square == b.root_mean_square;
}

// log sigma for the orders of one layer.
inline void log_init_scales(const LayerSpec& layer, const double* order, Real* out, std::size_t n,
                            bool given_alive) {
  LawSpec spec = layer.gain;
  const bool wide = spec.orthogonal && layer.fan_in > spec.width;
  if (wide) spec.orthogonal = false;
  GainLaw(spec).log_scales(order, out, n, given_alive);
  if (wide) {
    std::vector<Real> inputs(n);
    const LawSpec chi{layer.fan_in, 1.0, 1.0, 1.0, false, false};
    GainLaw(chi).log_scales(order, inputs.data(), n, false);
    for (std::size_t i = 0; i < n; ++i) out[i] = out[i] - inputs[i];
  }
  if (layer.root_mean_square && layer.fan_in != spec.width) {
    const Real half_log = scale_by(log(Real(double(spec.width)) / Real(double(layer.fan_in))), 0.5);
    for (std::size_t i = 0; i < n; ++i) out[i] = out[i] + half_log;
  }
}

inline void init_scales(const double* order, const LayerSpec* layers, double* out, std::size_t n,
                        bool given_alive) {
  std::vector<Real> logs(n);
  each_run(layers, n, [&](std::size_t i, std::size_t count) {
    log_init_scales(layers[i], order + i, logs.data() + i, count, given_alive);
  });
  for (std::size_t i = 0; i < n; ++i) out[i] = exp_rounded(logs[i]);
}

}  // namespace fracmoment
