// Gains of a layer, by numerical inversion: tables of log R - E[log R | R > 0].
#pragma once

#include "fracmoment/gains/law.hpp"
#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {

QuantileTable gain_table(const GainLaw& law);

}  // namespace fracmoment
