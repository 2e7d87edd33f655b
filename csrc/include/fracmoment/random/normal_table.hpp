// The quantile function of the standard normal law, as a table.
#pragma once

#include "fracmoment/random/quantile_table.hpp"

namespace fracmoment {

const QuantileTable& normal_table();  // made by the first call

}  // namespace fracmoment
