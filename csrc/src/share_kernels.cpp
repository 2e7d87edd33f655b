// Compiled once per instruction set, with FRACMOMENT_ISA naming it.
#include "fracmoment/tails/share_kernels.hpp"

#include <cstdint>

#include "fracmoment/simd.hpp"

namespace fracmoment {
inline namespace FRACMOMENT_ISA {
namespace {

constexpr std::size_t kBlock = ShareNodes::kBlock, kWidth = std::size_t(kLanes),
                      kVectors = kBlock / kWidth;
constexpr double kLogTwoHi = 6.93147180369123816490e-01, kLogTwoLo = 1.90821492927058770002e-10;
constexpr double kNegligible = 1e-19;  // of terms whose largest is about 1
constexpr int kExpTerms = 12, kLogTerms = 9;

struct Coefficients {
  double exp[kExpTerms] = {}, log[kLogTerms] = {};  // 1/2!, 1/3!, ... and 2/3, 2/5, ...
  constexpr Coefficients() {
    double factorial = 1.0;
    for (int i = 0; i < kExpTerms; ++i) exp[i] = 1.0 / (factorial *= i + 2);
    for (int i = 0; i < kLogTerms; ++i) log[i] = 2.0 / (2 * i + 3);
  }
};
constexpr Coefficients kSeries;

// c[0] + c[1] x + ..., in two chains: the processor waits less.
template <int count>
FRACMOMENT_INLINE Vec polynomial(const double (&c)[count], Vec x) {
  const Vec square = x * x;
  Vec even = splat<Vec>(c[(count - 1) / 2 * 2]), odd = splat<Vec>(c[count / 2 * 2 - 1]);
  for (int i = (count - 1) / 2 * 2 - 2; i >= 0; i -= 2) even = even * square + c[i];
  for (int i = count / 2 * 2 - 3; i >= 1; i -= 2) odd = odd * square + c[i];
  return even + odd * x;
}

// log(1 + below) of a normal q = 1 + below, to about two units in the last place.
FRACMOMENT_INLINE Vec log_of(Vec below, Vec q) {
  const VecInt shifted = bits(q) - std::int64_t(0x3FE6A09E667F3BCD);  // sqrt(1/2)
  const VecInt exponent = shifted >> 52;
  const Vec mantissa = from_bits(bits(q) - (exponent << 52));
  const Vec r = select(exponent == std::int64_t(0), below, mantissa - 1.0), s = r / (2.0 + r);
  const Vec square = s * s;
  const Vec sum = polynomial(kSeries.log, square);
  // log(1 + r) = r - s (r - s^2 (2/3 + ...)): r itself is exact
  const Vec k = to_double(exponent);
  return k * kLogTwoHi + (r - (s * (r - square * sum) - k * kLogTwoLo));
}

// e^x - 1 = (scale - 1) + scale rest for |x| < 700.
struct Exponential {
  Vec scale, rest;
};
FRACMOMENT_INLINE Exponential exponential(Vec x) {
  const Vec k = round_to_integer(x * 1.4426950408889634);
  const Vec r = (x - k * kLogTwoHi) - k * kLogTwoLo;
  return {pow2(to_int(k)), r + r * r * polynomial(kSeries.exp, r)};
}

// Blocks of terms from the middle to the right, then to the left. The lanes of a block are summed
// in the same order on every instruction set.
template <class Term>
FRACMOMENT_INLINE void both_ways(const ShareNodes& nodes, std::size_t from, Term&& term) {
  const std::size_t first = from / kBlock * kBlock;
  for (std::size_t k = first; k < nodes.size; k += kBlock)
    if (!term(k)) break;
  for (std::size_t k = first; k >= kBlock;)
    if (!term(k -= kBlock)) break;
}

struct Lanes {
  Vec part[kVectors] = {};
  FRACMOMENT_INLINE void classes(std::array<double, ShareSums::kClasses>& out) const {
    double all[kBlock];
    std::memcpy(all, part, sizeof all);
    for (std::size_t i = 0; i < ShareSums::kClasses; ++i)
      out[i] = (all[i] + all[i + 8]) + (all[i + 4] + all[i + 12]);
  }
  FRACMOMENT_INLINE double total() const {
    std::array<double, ShareSums::kClasses> out;
    classes(out);
    return (out[0] + out[2]) + (out[1] + out[3]);
  }
};

void plain(const ShareNodes& nodes, std::size_t from, double gap, double square, double p,
           ShareSums& sums) {
  Lanes power, quotient, magnitude, first, second;
  const double inverse = p == 0.0 ? 0.0 : 1.0 / p;
  const VecInt at_zero = VecInt{} - std::int64_t(p == 0.0);
  both_ways(nodes, from, [&](std::size_t start) {
    bool more = false;
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t k = start + v * kWidth;
      const Vec share = load<Vec>(nodes.share + k), weight = load<Vec>(nodes.weight + k);
      const Vec below = -(share * gap),
                log = log_of(below, load<Vec>(nodes.rest + k) + share * square);
      const Vec x = p * log;
      const Exponential e = exponential(select(x < -700.0, splat<Vec>(-700.0), x));
      const Vec above_one = (e.scale - 1.0) + e.scale * e.rest;
      const Vec part = weight * select(at_zero, log, above_one * inverse);
      const Vec raised = weight * (above_one + 1.0), moment = raised * log;
      power.part[v] += raised;
      quotient.part[v] += part;
      magnitude.part[v] += abs(part);
      first.part[v] += moment;
      second.part[v] += moment * log;
      more |= any(weight + raised > kNegligible);
    }
    return more;
  });
  power.classes(sums.power);
  quotient.classes(sums.quotient);
  sums.magnitude = magnitude.total();
  sums.first = first.total();
  sums.second = second.total();
}

void tilted(const ShareNodes& nodes, std::size_t from, double gap, double square, double p,
            double offset, ShareSums& sums) {
  Lanes power, first, second;
  both_ways(nodes, from, [&](std::size_t start) {
    bool more = false;
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t k = start + v * kWidth;
      const Vec share = load<Vec>(nodes.share + k);
      const Vec log = log_of(-(share * gap), load<Vec>(nodes.rest + k) + share * square);
      const Vec x = (load<Vec>(nodes.log_weight + k) - offset) + p * log;
      const VecInt there = x > -700.0;
      const Exponential e = exponential(select(there, x, Vec{}));
      const Vec raised = select(there, e.scale + e.scale * e.rest, Vec{}), moment = raised * log;
      power.part[v] += raised;
      first.part[v] += moment;
      second.part[v] += moment * log;
      more |= any(raised > kNegligible);
    }
    return more;
  });
  power.classes(sums.power);
  sums.quotient = {};
  sums.magnitude = 0.0;
  sums.first = first.total();
  sums.second = second.total();
}

}  // namespace

extern const ShareKernels kShareKernels;
const ShareKernels kShareKernels = {plain, tilted};

}  // namespace FRACMOMENT_ISA
}  // namespace fracmoment
