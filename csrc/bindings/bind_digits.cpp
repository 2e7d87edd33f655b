// Any-precision route: Python functions of fracmoment._core.
//
// Rationals are strings "num" or "num/den" and are taken exactly. A result is a pair (mantissa,
// exponent): a signed hexadecimal integer string ("-0x1a", "0x0" for zero) and a binary exponent,
// value = mantissa * 2**exponent. It carries a few bits more than asked for, and every digit asked
// for is correct.
//
//   digits_evaluate(quantity: str, width: int, lower: str, upper: str, keep_prob: str, inverted:
//   bool,
//                   orthogonal: bool, given_alive: bool, order: str, digits: int) -> tuple[str,
//                   int]
//       quantity is "moment", "scale" or "log_cumulant", whose number 1 to 12 is the order.
//
//   digits_complex_moment(width, lower, upper, keep_prob, inverted, orthogonal, given_alive, order:
//   str, imaginary: str, digits: int) -> tuple[tuple[str, int], tuple[str, int]]
//       the moment of a complex order, to a relative error of the modulus.
//
//   digits_gamma_ratio(numerators: list[str], denominators: list[str], base: str, exponent: str,
//   digits: int)
//       -> tuple[str, int]
//       base**exponent * prod Gamma(numerators) / prod Gamma(denominators), base > 0, all arguments
//       > 0. chi_d moment: ([(d+s)/2], [d/2], "2", s/2). (chi_m/chi_n)^s: ([(m+s)/2, (n-s)/2],
//       [m/2, n/2], "1", "0"). Beta(a, b)^s: ([a+s, a+b], [a, a+b+s], "1", "0"). F(m, n)^s:
//       ([m/2+s, n/2-s], [m/2, n/2], n/m, s).
//
// Errors: fracmoment::ConvergenceError (translated by module.cpp), std::invalid_argument ->
// ValueError.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "fracmoment/digits/evaluate.hpp"

namespace py = pybind11;

namespace {

using fracmoment::digits::Rational;
using fracmoment::digits::Real;
using MantissaExponent = std::pair<std::string, long>;

constexpr long kMostDigits = 1100;  // users' 1,000 and guard digits for products of results

void check_digits(long digits) {
  if (digits < 1 || digits > kMostDigits) throw std::invalid_argument("digits outside 1..1100");
}

MantissaExponent to_python(const Real& value) {
  if (value.is_zero()) return {"0x0", 0};
  mpz_t mantissa;
  mpz_init(mantissa);
  const long exponent = mpfr_get_z_2exp(mantissa, value.get());
  std::vector<char> text(mpz_sizeinbase(mantissa, 16) + 2);
  mpz_get_str(text.data(), 16, mantissa);
  const bool negative = mpz_sgn(mantissa) < 0;
  mpz_clear(mantissa);
  const std::string hex(text.data() + (negative ? 1 : 0));
  return {(negative ? "-0x" : "0x") + hex, exponent};
}

std::vector<Rational> to_rationals(const std::vector<std::string>& texts) {
  std::vector<Rational> out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

MantissaExponent evaluate(const std::string& quantity, unsigned long width,
                          const std::string& lower, const std::string& upper,
                          const std::string& keep_prob, bool inverted, bool orthogonal,
                          bool given_alive, const std::string& order, long digits) {
  namespace dg = fracmoment::digits;
  check_digits(digits);
  const dg::Law law = dg::make_law(width, Rational(lower), Rational(upper), Rational(keep_prob),
                                   inverted, orthogonal);
  return to_python(
      dg::evaluate(dg::parse_quantity(quantity), law, Rational(order), given_alive, digits));
}

std::pair<MantissaExponent, MantissaExponent> complex_moment(
    unsigned long width, const std::string& lower, const std::string& upper,
    const std::string& keep_prob, bool inverted, bool orthogonal, bool given_alive,
    const std::string& order, const std::string& imaginary, long digits) {
  namespace dg = fracmoment::digits;
  check_digits(digits);
  const dg::Law law = dg::make_law(width, Rational(lower), Rational(upper), Rational(keep_prob),
                                   inverted, orthogonal);
  const dg::Complex value =
      dg::evaluate_complex(law, {Rational(order), Rational(imaginary)}, given_alive, digits);
  return {to_python(value.re), to_python(value.im)};
}

MantissaExponent gamma_ratio(const std::vector<std::string>& numerators,
                             const std::vector<std::string>& denominators, const std::string& base,
                             const std::string& exponent, long digits) {
  check_digits(digits);
  return to_python(fracmoment::digits::gamma_ratio(to_rationals(numerators),
                                                   to_rationals(denominators), Rational(base),
                                                   Rational(exponent), digits));
}

}  // namespace

void bind_digits(py::module_& m) {
  m.def("digits_evaluate", &evaluate, py::arg("quantity"), py::arg("width"), py::arg("lower"),
        py::arg("upper"), py::arg("keep_prob"), py::arg("inverted"), py::arg("orthogonal"),
        py::arg("given_alive"), py::arg("order"), py::arg("digits"),
        py::call_guard<py::gil_scoped_release>(),
        "A quantity of a gain law to any number of digits: (hexadecimal mantissa, exponent).");
  m.def("digits_complex_moment", &complex_moment, py::arg("width"), py::arg("lower"),
        py::arg("upper"), py::arg("keep_prob"), py::arg("inverted"), py::arg("orthogonal"),
        py::arg("given_alive"), py::arg("order"), py::arg("imaginary"), py::arg("digits"),
        py::call_guard<py::gil_scoped_release>(),
        "The moment of a complex order to any number of digits: real and imaginary part.");
  m.def("digits_gamma_ratio", &gamma_ratio, py::arg("numerators"), py::arg("denominators"),
        py::arg("base"), py::arg("exponent"), py::arg("digits"),
        py::call_guard<py::gil_scoped_release>(),
        "base**exponent times gammas over gammas: (hexadecimal mantissa, exponent).");
}
