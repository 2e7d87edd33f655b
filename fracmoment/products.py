"""Products of independent Gaussian matrices: their Lyapunov spectrum in closed form.

The k-th power of a layer's randomness is a product W_k ... W_1 of d x d matrices of independent
N(0, sigma^2) entries. Its singular values grow like exp(k lambda_i) with the Lyapunov exponents
lambda_1 > ... > lambda_d [New86].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _digits, _validation
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from fractions import Fraction

    from fracmoment._typing import Result

__all__ = ["lyapunov_spectrum", "lyapunov_variances"]

_WIDEST = 2**24  # the spectrum is an array of so many numbers


def lyapunov_spectrum(width: int, sigma: Any, *, digits: int | None = None) -> Result:
    """Return the Lyapunov exponents of products of Gaussian matrices.

    Parameters
    ----------
    width : int
        Number d of rows and columns, at least 1.
    sigma : float, str, Fraction, mpmath.mpf or array_like
        Standard deviation of the entries, > 0.
    digits : int, optional
        Return `mpmath.mpf` numbers correct to so many decimal digits.

    Returns
    -------
    ndarray, shape (..., width)
        ``lambda_i = log sigma + (psi((d - i + 1)/2) + log 2)/2`` for i = 1, ..., d, decreasing
        [New86]; the leading axes are those of ``sigma``. Objects of type mpf with ``digits``.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    In the QR factorization ``W Q = Q' R`` of a Gaussian matrix times an orthogonal one the diagonal
    of R holds independent ``sigma chi_(d-i+1)``, so exponent i is the mean of ``log(sigma R)`` for
    a linear layer of width d - i + 1. A float has the errors of that mean and of log sigma, at most
    1 ulp each (see `Gain.log_mean`), and of one addition.

    Examples
    --------
    >>> lyapunov_spectrum(3, 1.0).round(6)
    array([ 0.364819,  0.057966, -0.635181])
    >>> import mpmath
    >>> mpmath.nstr(lyapunov_spectrum(1, 1, digits=30)[0], 30)
    '-0.63518142273073908501187210577'
    """
    widths = _widths(width)
    if digits is None:
        log_sigma = np.log(np.asarray(_validation.positive("sigma", sigma)))
        return log_sigma[..., np.newaxis] + Gain("linear", widths).log_mean()
    exact = _validation.canonical("sigma", sigma)
    _validation.positive("sigma", sigma)
    n_digits = _validation.digits(digits)
    columns = np.asarray(exact, dtype=object)[..., np.newaxis]
    return _digits.broadcast(lambda s, d: _exponent(s, d, n_digits), columns, widths)


def lyapunov_variances(width: int, *, digits: int | None = None) -> Result:
    """Return the variances of one step of the exponents of `lyapunov_spectrum`.

    Parameters
    ----------
    width : int
        Number d of rows and columns, at least 1.
    digits : int, optional
        Return `mpmath.mpf` numbers correct to so many decimal digits.

    Returns
    -------
    ndarray, shape (width,)
        ``psi'((d - i + 1)/2)/4`` for i = 1, ..., d, whatever the scale: the QR estimate of exponent
        i at depth k is unbiased with this variance over k, and the estimates are independent.

    Examples
    --------
    >>> lyapunov_variances(2).round(6)
    array([0.411234, 1.233701])
    """
    return Gain("linear", _widths(width)).log_var(digits=digits)


def _widths(width: Any) -> Any:
    """Return d, d - 1, ..., 1."""
    return np.arange(_validation.integer("width", width, 1, _WIDEST), 0, -1)


def _exponent(sigma: float | Fraction, width: int, digits: int) -> Any:
    """Return log sigma + E log chi_width to so many digits, however much the two cancel."""
    import mpmath

    numerator, denominator = sigma.as_integer_ratio()
    extra = 10
    linear = _digits.ExactLaw(width, 1.0, 1.0, 1.0, True, False)
    while True:
        mean = linear.evaluate("log_cumulant", 1, digits + extra)
        with mpmath.workdps(digits + extra):
            log_sigma = mpmath.log(mpmath.mpf(numerator) / denominator)
            total = log_sigma + mean
            largest = max(abs(log_sigma), abs(mean))
            if abs(total) >= largest * mpmath.mpf(10) ** (3 - extra):
                return total
        extra *= 2
