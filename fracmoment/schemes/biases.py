"""Conventions for biases: zero, a small positive constant, 1 for a forget gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._typing import FloatArray, Result

__all__ = ["constant_bias", "lstm_bias", "prob_inactive"]

#: The gates of an LSTM in the order of torch's and Keras' parameters.
GATES = ("input", "forget", "cell", "output")


def constant_bias(fan_out: int, value: float = 0.0) -> FloatArray:
    """Return biases that are all equal.

    Zero is the common choice, and the only one for which gains are independent of the input. A
    small positive constant, 0.01 or 0.1, is an old remedy against ReLU units that never fire; see
    `prob_inactive` for how much it helps.

    Parameters
    ----------
    fan_out : int
        Number of units.
    value : float, optional
        The bias.

    Examples
    --------
    >>> constant_bias(3, 0.01)
    array([0.01, 0.01, 0.01])
    """
    count = _validation.integer("fan_out", fan_out, 1, _validation.MAX_WIDTH)
    return np.full(count, _validation.as_float("value", value))


def prob_inactive(bias: Any, scale: Any, input_norm: Any) -> Result:
    """Return the probability that a ReLU unit is not active, ``Phi(-b/(sigma |x|))``.

    Exact for normal weights: a pre-activation is normal of mean b and standard deviation
    ``sigma |x|``. A layer of d units is dead with the d-th power of it.

    Parameters
    ----------
    bias : array_like of float
        The bias b.
    scale : array_like of float
        Standard deviation sigma of the weights, > 0.
    input_norm : array_like of float
        Norm of the input, > 0.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> prob_inactive(0.0, 0.1, 1.0)
    0.5
    >>> round(prob_inactive(0.01, (2 / 64) ** 0.5, 8.0), 4)  # He's scale, unit inputs
    0.4972
    """
    from scipy import special

    b = _validation.floats("bias", bias)
    sigma = _validation.positive("scale", scale)
    norm = _validation.positive("input_norm", input_norm)
    return plain(special.ndtr(-np.asarray(b) / (np.asarray(sigma) * np.asarray(norm))))


def lstm_bias(hidden: int, *, forget: float = 1.0, gates: Sequence[str] = GATES) -> FloatArray:
    """Return the bias of an LSTM: `forget` for the forget gate, zero for the others [JZS15].

    A forget gate of bias 1 passes ``1/(1 + exp(-1))``, 73 % of the cell at the start instead of
    half.

    Parameters
    ----------
    hidden : int
        Number of units.
    forget : float, optional
        Bias of the forget gate.
    gates : sequence of str, optional
        Order of the four gates in the vector, by default torch's and Keras'. Where a framework
        adds two biases, as torch does, one of them is to be zero.

    Returns
    -------
    ndarray, shape (4 * hidden,)

    Examples
    --------
    >>> lstm_bias(2)
    array([0., 0., 1., 1., 0., 0., 0., 0.])
    """
    count = _validation.integer("hidden", hidden, 1, _validation.MAX_WIDTH)
    value = _validation.as_float("forget", forget)
    order = tuple(gates)
    if sorted(order) != sorted(GATES):
        message = f"gates must be {', '.join(map(repr, GATES))} in some order, got {order!r}"
        raise ValueError(message)
    bias = np.zeros((len(order), count))
    bias[order.index("forget")] = value
    return bias.reshape(-1)
