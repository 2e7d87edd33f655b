// The any-precision route as the double route's last resort: orders and laws that have no cheap
// formula in double-double are computed to 34 digits and rounded.
#pragma once

#include <complex>

#include "fracmoment/gains/law.hpp"

namespace fracmoment {

double any_precision_moment(const LawSpec& spec, double order, bool given_alive);
Real any_precision_log_scale(const LawSpec& spec, double order, bool given_alive);
Real any_precision_log_cumulant(const LawSpec& spec, int n);
std::complex<double> any_precision_complex_moment(const LawSpec& spec, std::complex<double> order,
                                                  bool given_alive);

}  // namespace fracmoment
