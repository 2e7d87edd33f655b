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
#include <optional>

#include "fracmoment/gains/law.hpp"
#include "fracmoment/special/elementary.hpp"

namespace fracmoment {

// A layer: its gain at width fan_out, its inputs, and what to preserve.
struct LayerSpec {
  LawSpec gain;
  std::int64_t fan_in = 1;
  bool root_mean_square = true;
};

namespace detail {

// Keeps the last law, so that equal neighbours share its work.
class LastLaw {
 public:
  const GainLaw& get(const LawSpec& spec) {
    if (!law_ || !(law_->spec() == spec)) law_.emplace(spec);
    return *law_;
  }

 private:
  std::optional<GainLaw> law_;
};

}  // namespace detail

inline void init_scales(const double* order, const LayerSpec* layers, double* out, std::size_t n,
                        bool given_alive) {
  detail::LastLaw gains, inputs;
  for (std::size_t i = 0; i < n; ++i) {
    LawSpec spec = layers[i].gain;
    const std::int64_t fan_in = layers[i].fan_in, fan_out = spec.width;
    const bool wide = spec.orthogonal && fan_in > fan_out;
    if (wide) spec.orthogonal = false;
    const bool factor = layers[i].root_mean_square && fan_in != fan_out;
    const GainLaw& gain = gains.get(spec);
    if (!wide && !factor) {
      gain.scales(&order[i], &out[i], 1, given_alive);
      continue;
    }
    Real log_scale = gain.log_scale(order[i], given_alive);
    if (wide) {
      const LawSpec chi{fan_in, 1.0, 1.0, 1.0, false, false};
      log_scale = log_scale - inputs.get(chi).log_scale(order[i], false);
    }
    if (factor) {
      const Real ratio = Real(double(fan_out)) / Real(double(fan_in));
      log_scale = log_scale + scale_by(log(ratio), 0.5);
    }
    out[i] = exp_rounded(log_scale);
  }
}

}  // namespace fracmoment
