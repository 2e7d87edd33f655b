"""Ball arithmetic for gain laws: enclosures as `flint.arb` at the current precision `flint.ctx`.

Everything here returns a ball that contains the exact value, or one that is not finite. Arguments
are exact (`Fraction`, `int`) or balls, and a ball stands for every number in it. The precision is
that of ``flint.ctx.prec`` when the function is called; nothing here raises it.

The law: ``Law.of(gain)`` or ``Law.make(width, lower, upper, keep_prob, inverted=, orthogonal=)``;
``law.with_slope(slope)`` replaces the slope of the negative side by a Fraction or a ball,
``law.edge(given_alive)`` is the open lower end of the orders, ``law.prob_zero()`` is P(R = 0).

====================================================  =============================================
`moment(law, order, given_alive=False)`               E R^order
`moment_series(law, order, n, given_alive)`           n Taylor coefficients of s -> E R^s at order
`log_moment(law, order, given_alive)`                 log E R^order
`log_moment_series(law, order, n, given_alive)`       n Taylor coefficients of s -> log E R^s
`log_mean(law)`, `log_var(law)`                       mean and variance of log R given R > 0
`log_cumulants(law, n)`                               the first n cumulants of log R given R > 0
`scale(law, order, given_alive)`                      sigma_s; order 0 is exp(-E[log R | R > 0])
`log_scale(law, order, given_alive)`                  its logarithm
`log_scale_derivative(law, order, given_alive)`       its derivative in the order, order != 0
`growth(law, sigma, order)`                           Lambda(order) = log E (sigma R)^order
`drift(law, sigma)`                                   log sigma + E[log R | R > 0]
`cdf(law, r)`, `sf(law, r)`                           P(R <= r), P(R > r), for a Fraction r
====================================================  =============================================
"""

from fracmoment.certified.laws.distribution import cdf, sf
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.moments import (
    log_cumulants,
    log_mean,
    log_moment,
    log_moment_series,
    log_scale,
    log_scale_derivative,
    log_var,
    moment,
    moment_series,
    scale,
)
from fracmoment.certified.laws.root import drift, growth

__all__ = [
    "Law",
    "ball",
    "cdf",
    "drift",
    "growth",
    "log_cumulants",
    "log_mean",
    "log_moment",
    "log_moment_series",
    "log_scale",
    "log_scale_derivative",
    "log_var",
    "moment",
    "moment_series",
    "scale",
    "sf",
]
