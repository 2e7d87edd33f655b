#include "fracmoment/random/alias_table.hpp"

#include <algorithm>
#include <cmath>

namespace fracmoment {
namespace {

// Beyond this many standard deviations and values, the law has less than 2^-65 on either side.
constexpr double kDeviations = 9.6, kExtra = 45.0;

struct Window {
  std::int64_t first, last;
};

Window window(std::int64_t n, double p) {
  const double mean = double(n) * p, deviation = std::sqrt(mean * (1.0 - p));
  const double reach = kDeviations * deviation + kExtra;
  return {std::max(std::int64_t(0), std::int64_t(mean - reach)),
          std::min(n, std::int64_t(mean + reach) + 1)};
}

// Binomial probabilities, up to a factor: the ratio of neighbours from the mode outwards.
std::vector<double> binomial_weights(std::int64_t n, double p, Window range) {
  const auto mode = std::min(n, std::int64_t((double(n) + 1.0) * p));
  const double q = 1.0 - p;
  std::vector<double> weight(std::size_t(range.last - range.first + 1), 0.0);
  const auto at = [&](std::int64_t k) -> double& { return weight[std::size_t(k - range.first)]; };
  at(mode) = 1.0;
  for (std::int64_t k = mode; k < range.last; ++k)
    at(k + 1) = at(k) * (double(n - k) * p) / (double(k + 1) * q);
  for (std::int64_t k = mode; k > range.first; --k)
    at(k - 1) = at(k) * (double(k) * q) / (double(n - k + 1) * p);
  return weight;
}

// Weights as multiples of 2^-64 that add up to 1: the rounding errors go to the largest. A single
// value would have 2^64 and has 0, as all others.
std::vector<std::uint64_t> multiples(const std::vector<double>& weight, std::size_t largest) {
  double sum = 0.0;
  for (const double w : weight) sum += w;
  std::vector<std::uint64_t> units;
  std::uint64_t total = 0;
  for (const double w : weight) {
    const double scaled = std::ldexp(w / sum, 64);
    units.push_back(scaled < 0x1p64 ? std::uint64_t(std::nearbyint(scaled)) : 0);
    total += units.back();
  }
  units[largest] -= total;  // modulo 2^64, which is the sum wanted
  return units;
}

}  // namespace

bool AliasTable::fits(std::int64_t n, double p) {
  const Window range = window(n, p);
  return range.last - range.first < std::int64_t(1) << kMostColumnBits;
}

AliasTable::AliasTable(std::int64_t n, double p) {
  const Window range = window(n, p);
  first_ = range.first;
  const std::vector<double> weight = binomial_weights(n, p, range);
  const auto likeliest =
      std::size_t(std::max_element(weight.begin(), weight.end()) - weight.begin());
  fill(multiples(weight, likeliest), likeliest);
}

// Columns that hold too little are filled up from those that hold too much.
void AliasTable::fill(std::vector<std::uint64_t> units, std::size_t likeliest) {
  while (std::size_t(1) << column_bits_ < units.size()) ++column_bits_;
  const std::size_t columns = std::size_t(1) << column_bits_;
  const std::uint64_t full = std::uint64_t(1) << (64 - column_bits_);
  units.resize(columns, 0);
  if (units[likeliest] == 0) {  // a single value
    words_.assign(columns, likeliest);
    return;
  }
  std::vector<std::size_t> small, large;
  for (std::size_t i = 0; i < columns; ++i) (units[i] < full ? small : large).push_back(i);
  words_.resize(columns);
  for (std::size_t i = 0; i < columns; ++i) words_[i] = i;  // a full column: never below 0
  while (!small.empty()) {
    const std::size_t here = small.back(), from = large.back();
    small.pop_back();
    words_[here] = (units[here] << column_bits_) | from;
    units[from] -= full - units[here];
    if (units[from] < full) {
      large.pop_back();
      small.push_back(from);
    }
  }
}

std::vector<double> AliasTable::probabilities() const {
  const std::uint64_t other = words_.size() - 1;
  const double full = std::ldexp(1.0, 64 - column_bits_);
  std::vector<double> p(words_.size(), 0.0);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const double own = double(words_[i] >> column_bits_);
    p[i] += own * 0x1p-64;
    p[std::size_t(words_[i] & other)] += (full - own) * 0x1p-64;
  }
  return p;
}

}  // namespace fracmoment
