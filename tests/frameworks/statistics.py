"""Standard scores of what is drawn; a score beyond 5 has a probability of 6e-7."""

from __future__ import annotations

import math

import numpy as np

#: Significant bits of the floating types.
BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


def scores_of_normal(values, std, dtype):
    """Return scores of mean, mean square and tail masses of normal entries, rounded to a type."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    n = flat.size
    scores = [
        flat.mean() / std * math.sqrt(n),
        (np.mean(np.square(flat)) / std**2 - 1.0) * math.sqrt(n / 2.0),
    ]
    for cut in (2.0, 3.0, 4.0):
        level = between(cut * std, BITS[dtype])
        mass = math.erfc(level / std / math.sqrt(2.0))
        count = np.count_nonzero(np.abs(flat) > level)
        scores.append((count - n * mass) / math.sqrt(n * mass * (1.0 - mass)))
    return np.abs(scores)


def between(value, bits):
    """Return a number midway between two of a type, so that rounding moves nothing across it."""
    ulp = 2.0 ** (math.floor(math.log2(value)) - bits + 1)
    return (math.floor(value / ulp) + 0.5) * ulp


def score_of_moment(outputs, inputs, order, preserve="rms"):
    """Return the score of E(|x'|^s) / |x|^s = 1, of E log for order 0.

    Parameters
    ----------
    outputs : array_like, shape (draws, units)
        One output for each draw of the weights.
    inputs : array_like, shape (inputs,)
        What the layer was given.
    """
    out = np.asarray(outputs, dtype=np.float64)
    start = np.asarray(inputs, dtype=np.float64)
    size = np.linalg.norm(out, axis=1) / np.linalg.norm(start)
    if preserve == "rms":
        size *= math.sqrt(start.size / out.shape[1])
    terms = np.log(size[size > 0.0]) if order == 0.0 else size**order - 1.0
    return float(terms.mean() / (terms.std(ddof=1) / math.sqrt(terms.size)))
