// The exponentially tilted law of a gain: of y = log R - E[log R | R > 0], with density
//
//   exp(s y) f(y)/E[exp(s y); y >= cut],  y >= cut.
//
// It exists for every real order s if there is a cut, and otherwise above the edge of the domain of
// the moments. See docs/algorithms/rare_events.md.
#pragma once

#include <memory>
#include <vector>

#include "fracmoment/gains/law.hpp"
#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {

// log f(y) as a Chebyshev series on each of a few panels, as far as f is a normal double and R^2
// too; below them f is a power of the gain, for most laws.
class LogDensity {
 public:
  explicit LogDensity(const GainLaw& law);

  double operator()(double y) const;
  double lowest() const { return panels_.front().left; }
  double highest() const { return panels_.back().right; }
  double lower_slope() const { return lower_slope_; }  // of log f, at the lowest point
  bool power_below() const { return power_below_; }    // the slope stays the same farther down
  double spread() const { return spread_; }
  // Where exp(s y) f(y) is least between its uppermost maximum and a rise farther down; -infinity
  // if there is no such rise.
  double valley(double order) const;
  const std::vector<double>& breaks() const { return breaks_; }  // ends of the panels

 private:
  static constexpr int kTerms = 18;
  struct Panel {
    double left, right;
    double series[kTerms];
  };
  class Builder;
  bool is_power(const LawSpec& spec) const;

  std::vector<Panel> panels_;
  std::vector<double> breaks_;
  double lower_slope_ = 0.0, spread_ = 0.0;
  bool power_below_ = false;
};

class TiltedGain : public TailLaw {
 public:
  // cut = -infinity for none; what has a density below exp(-reach) of the largest is left out.
  // std::domain_error where the law cannot be tabulated or has infinite mass.
  TiltedGain(std::shared_ptr<const LogDensity> density, double order, double cut, double reach);

  double log_mass() const { return log_mass_; }  // log E[exp(s y); y >= cut]
  double mean() const { return mean_; }
  double variance() const { return variance_; }

  // Of y - mean(), as a table needs them.
  void tails(const double* x, std::size_t n, bool upper, double* log_p,
             double* density) const override;
  double spread() const override;

  // log P(y <= x) or log P(y > x) with the law's own y.
  void log_tails(const double* y, double* log_p, std::size_t n, bool upper) const;

 private:
  struct Piece {  // the density varies little on it
    double left, right;
    double mass, below, above;  // of the piece, and of all below and all above it
  };

  double exponent(double y) const;  // log of the density over its maximum, up to the series' error
  void find_peak();
  void continue_below(double lowest);
  void cut_pieces(double left, double right);
  void sum_pieces();
  double mass(double y, bool upper) const;  // of one tail, over exp(peak_)

  std::shared_ptr<const LogDensity> density_;
  double order_, cut_, reach_;
  double peak_ = 0.0, mode_ = 0.0;
  double lower_rate_ = 0.0, lower_mass_ = 0.0;  // of the power below the lowest point
  std::vector<Piece> pieces_;
  double total_ = 0.0, log_mass_ = 0.0, mean_ = 0.0, variance_ = 0.0;
};

}  // namespace fracmoment
