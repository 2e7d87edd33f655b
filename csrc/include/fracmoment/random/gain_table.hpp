// Gains of a layer, by numerical inversion: tables of log R - E[log R | R > 0].
#pragma once

#include "fracmoment/gains/law.hpp"
#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {

QuantileTable gain_table(const GainLaw& law);

// The table of log chi - E[log chi] with `width` degrees of freedom, much faster: the gain of a
// linear layer. It agrees with gain_table to its accuracy, not to the bit.
QuantileTable chi_table(std::int64_t width);

}  // namespace fracmoment
