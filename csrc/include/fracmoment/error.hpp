// Errors that the core reports instead of returning a number it cannot vouch for.
#pragma once

#include <stdexcept>

namespace fracmoment {

// An iteration, quadrature or precision search did not reach its target; the message says what to
// do.
class ConvergenceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace fracmoment
