// A law on consecutive integers as an alias table (Walker 1977): one 64-bit uniform number in, one
// variate out.
//
// The probabilities are rounded to multiples of 2^-64 that add up to 1 exactly; from there on the
// table is integer arithmetic, and the law of its variates is those multiples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fracmoment {

class AliasTable {
 public:
  // The binomial law of n trials, where it fits into 2^12 columns.
  AliasTable(std::int64_t n, double p);
  static bool fits(std::int64_t n, double p);

  // A column is chosen by the highest `column_bits` bits of U; a word holds the threshold for the
  // others above the `column_bits` bits of the other column.
  const std::uint64_t* words() const { return words_.data(); }
  int column_bits() const { return column_bits_; }
  std::int64_t first() const { return first_; }  // the value of column 0
  std::vector<double> probabilities() const;     // of the columns

 private:
  static constexpr int kMostColumnBits = 12;
  void fill(std::vector<std::uint64_t> units, std::size_t likeliest);

  std::vector<std::uint64_t> words_;
  std::int64_t first_ = 0;
  int column_bits_ = 1;
};

}  // namespace fracmoment
