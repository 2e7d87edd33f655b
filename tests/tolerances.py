"""Allowed errors, one table. They may be tightened freely; loosening needs a reason beside it.

``ULP`` counts units in the last place of the reference value, or of its natural unit if that is
larger: 1 for the mean of log R, the n-th power of the standard deviation of log R for its n-th
cumulant (of log |g| where the weights are orthogonal: there log R itself can be constant).
``RELATIVE`` is a relative error.
"""

from __future__ import annotations

ULP = {
    "moment": 1.0,
    "complex moment": 1.0,  # of the modulus
    "scale": 1.0,
    "init_scale_rms": 1.0,
    "log_mean": 1.0,
    "log_var": 1.0,
    "log_cumulant": 1.0,
    "prob_zero": 1.0,
    "prob_alive": 1.0,
    "chi": 1.0,
    "chi_ratio": 1.0,
    "beta": 1.0,
    "f": 1.0,
}

RELATIVE = {
    "log_abs_third": 1e-13,
    "pdf": 1e-13,
    "cdf": 1e-13,
    "sf": 1e-13,
    "ppf": 1e-13,
    # The index is a root: its error is that of log M(s)/s, about 1e-20, divided by the slope of
    # that function, Var(log R)/2, which is 2.5e-10 for a linear layer of width 10^9.
    "tail_index": 5e-12,
    # An order s multiplies the rounding of one unit's mean by s/2; none beyond 3 is in the table.
    "nonlinear moment": 2e-15,
    # digits=40 against tables of 42 digits.
    "digits=40": 1e-38,
}
