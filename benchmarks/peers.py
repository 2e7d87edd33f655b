"""The other ways to the same numbers: what a user would write without this package.

Each is written as well as its method allows: sums in log space, integrands without cancellation,
node values computed once for all orders.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import flint
import mpmath
import numpy as np
from scipy import integrate, optimize, special

if TYPE_CHECKING:
    from collections.abc import Callable

Array = Any


# ---------------------------------------------------------------- chi


def chi_poch(width: Array, order: Array) -> Array:
    """SciPy's Pochhammer symbol."""
    return 2.0 ** (order / 2) * special.poch(width / 2, order / 2)


def chi_gammaln(width: Array, order: Array) -> Array:
    """Exponential of a difference of gammaln."""
    logarithm = special.gammaln((width + order) / 2) - special.gammaln(width / 2)
    return np.exp(logarithm + order / 2 * math.log(2))


def chi_mpmath(width: Array, order: Array) -> Array:
    """Each value by mpmath's gamma function at 30 digits."""
    with mpmath.workdps(30):
        return np.array(
            [float(_chi(mpmath.mpf(d), mpmath.mpf(s))) for d, s in zip(width, order, strict=True)]
        )


def _chi(d: Any, s: Any) -> Any:
    return mpmath.mpf(2) ** (s / 2) * mpmath.gammaprod([(d + s) / 2], [d / 2])


# ---------------------------------------------------------------- ReLU by its sum


def relu_gammaln_sum(width: int, order: Array) -> Array:
    """The binomial mixture of chi moments in log space, with SciPy."""
    n = np.arange(1, width + 1)
    weight = special.gammaln(width + 1) - special.gammaln(n + 1) - special.gammaln(width - n + 1)
    weight = weight - width * math.log(2)
    values = []
    for s in np.atleast_1d(order):
        terms = weight + special.gammaln((n + s) / 2) - special.gammaln(n / 2)
        values.append(np.exp(special.logsumexp(terms) + s / 2 * math.log(2)))
    return np.array(values)


def relu_flint(width: int, order: str, digits: int) -> Any:
    """The sum with gamma functions carried along by their recurrence, in python-flint's balls."""
    with flint.ctx.workprec(int(3.33 * digits) + 40):
        p = flint.arb(order) / 2
        half = flint.arb(1) / 2
        chi = [(half + p).gamma() / half.gamma(), (1 + p).gamma()]
        total, binomial = flint.arb(0), flint.arb(1)
        for n in range(1, width + 1):
            binomial = binomial * (width - n + 1) / n
            total += binomial * chi[0]
            chi = [chi[1], chi[0] * (n + 2 * p) / n]
        return total * flint.arb(2) ** p / flint.arb(2) ** width


def relu_mpmath(width: int, order: str, digits: int) -> Any:
    """The same sum in mpmath."""
    with mpmath.workdps(digits + 10):
        p = mpmath.mpf(order) / 2
        half = mpmath.mpf(1) / 2
        chi = [mpmath.gamma(half + p) / mpmath.gamma(half), mpmath.gamma(1 + p)]
        total, binomial = mpmath.mpf(0), mpmath.mpf(1)
        for n in range(1, width + 1):
            binomial = binomial * (width - n + 1) / n
            total += binomial * chi[0]
            chi = [chi[1], chi[0] * (n + 2 * p) / n]
        return total * mpmath.mpf(2) ** (p - width)


def leaky_mpmath(width: int, slope: str, order: str, digits: int) -> Any:
    """The mixture of 2F1 values in mpmath."""
    with mpmath.workdps(digits + 10):
        p, half = mpmath.mpf(order) / 2, mpmath.mpf(width) / 2
        gap = 1 - mpmath.mpf(slope) ** 2
        total = mpmath.mpf(0)
        for n in range(width + 1):
            total += mpmath.binomial(width, n) * mpmath.hyp2f1(
                -p, mpmath.mpf(width - n) / 2, half, gap
            )
        chi = mpmath.mpf(2) ** p * mpmath.gammaprod([half + p], [half])
        return total * chi / mpmath.mpf(2) ** width


def leaky_flint(width: int, slope: str, order: str, digits: int) -> Any:
    """The mixture of 2F1 values in python-flint's balls."""
    with flint.ctx.workprec(int(3.33 * digits) + 60):
        p, half = flint.arb(order) / 2, flint.arb(width) / 2
        gap = 1 - flint.arb(slope) ** 2
        total = flint.arb(0)
        for n in range(width + 1):
            b = flint.arb(width - n) / 2
            total += flint.arb.bin_uiui(width, n) * gap.hypgeom_2f1(-p, b, half)
        return total * flint.arb(2) ** (p - width) * (half + p).gamma() / half.gamma()


def leaky_hyp2f1_sum(width: int, slope: float, order: Array) -> Array:
    """The mixture of 2F1 values in SciPy (not a number from width 200 on)."""
    n = np.arange(width + 1)
    weight = special.gammaln(width + 1) - special.gammaln(n + 1) - special.gammaln(width - n + 1)
    weight = np.exp(weight - width * math.log(2))
    values = []
    for s in np.atleast_1d(order):
        factors = special.hyp2f1(-s / 2, (width - n) / 2, width / 2, 1 - slope**2)
        values.append(chi_gammaln(width, s) * (weight @ factors))
    return np.array(values)


# ---------------------------------------------------------------- any law by the Laplace integral


def _roots(slope: float, t: Array) -> tuple[Array, Array, Array]:
    """(1 + 2 a^2 t)^(-1/2) - 1 without cancellation, and minus its first, its second derivative."""
    square = slope * slope
    log_root = -0.5 * np.log1p(2 * square * t)
    root = np.exp(log_root)
    return np.expm1(log_root), square * root**3, 3 * square**2 * root**5


def unit_transform(lower: float, upper: float, t: Array) -> tuple[Array, Array, Array]:
    """L - 1, -L' and L'' of one unit."""
    first = _roots(1.0, t)
    if lower == upper:
        second = _roots(lower, t)
    else:
        # Slopes uniform on [lower, upper], by 40 Gauss-Legendre nodes.
        nodes, weights = np.polynomial.legendre.leggauss(40)
        grid = 0.5 * (upper + lower) + 0.5 * (upper - lower) * nodes
        parts = [_roots(a, t) for a in grid]
        second = tuple(
            0.5 * sum(w * part[k] for w, part in zip(weights, parts, strict=True)) for k in range(3)
        )
    return tuple(0.5 * (one + two) for one, two in zip(first, second, strict=True))


def laplace_trapezoid(width: int, lower: float, upper: float, step: float = 1 / 16) -> Callable:
    """A hand-written NumPy trapezoid in log t for second derivatives; orders below 4."""
    v = step * np.arange(round(-45 / step), round(45 / step)) - math.log(width)
    t = np.exp(v)
    minus, first, second = unit_transform(lower, upper, t)
    log_unit = np.log1p(minus)
    values = width * np.exp((width - 1) * log_unit) * second
    values += width * (width - 1.0) * np.exp((width - 2) * log_unit) * first**2
    values *= step * t * t

    def moments(order: Array) -> Array:
        p = np.atleast_1d(order) / 2
        return np.array([values @ np.exp(-q * v) for q in p]) / special.gamma(2 - p)

    return moments


def laplace_quad(width: int, lower: float, upper: float, order: Array) -> Array:
    """scipy.integrate.quad on the Laplace integral of 1 - L^d; orders between 0 and 2."""

    def bracket(v: float) -> float:
        minus = unit_transform(lower, upper, math.exp(v) / width)[0]
        return -math.expm1(width * np.log1p(minus))

    def integrand(v: float, p: float) -> float:
        return bracket(v) * math.exp(-p * v)

    values = []
    for s in np.atleast_1d(order):
        p = s / 2
        low, high = -40 / (1 - p), min(40 / p, 600.0)
        # Above the upper end the bracket is constant.
        value = bracket(high) * math.exp(-p * high) / p
        for ends in ((low, 0.0), (0.0, high)):
            options = {"epsabs": 0, "epsrel": 1e-13, "limit": 200}
            value += integrate.quad(integrand, *ends, args=(p,), **options)[0]
        values.append(p / math.gamma(1 - p) * width**p * value)
    return np.array(values)


def relu_quad_flint(width: int, order: str, digits: int) -> Any:
    """The Laplace integral of 1 - L^d by python-flint's rigorous integrator; orders in (0, 2)."""
    with flint.ctx.workprec(int(3.33 * digits) + 60):
        p = flint.acb(order) / 2

        def integrand(v: Any, _: bool) -> Any:
            # L - 1 = -t/(1 + 2t + sqrt(1 + 2t)), without cancellation.
            t = v.exp()
            square = 1 + 2 * t
            return -(width * (-t / (square + square.sqrt())).log1p()).expm1() * (-p * v).exp()

        share = float(order) / 2
        low = flint.acb(int(-2.5 * (digits + 5) / (1 - share)))
        high = flint.acb(int(2.5 * (digits + 5) / (share + 0.5)))
        tail = flint.acb(2) ** -(int(3.3 * digits))
        value = flint.acb.integral(integrand, low, high, abs_tol=tail.real, eval_limit=10**7)
        # Beyond the upper end 1 - L^d is 1 - 2^-d up to exp(-high/2).
        value += (1 - flint.acb(2) ** -width) * (-p * high).exp() / p
        return (p * value / (1 - p).gamma()).real


# ---------------------------------------------------------------- laws of whole networks


class Steps:
    """The sum of ``depth`` steps log(sigma R), given that all are finite, by a contour integral.

    A tail is the integral of E[exp(z Y)] exp(-z y) / z along the vertical line through its saddle
    point, by the trapezoidal rule, whose error falls exponentially with the number of nodes.
    """

    def __init__(self, activation: str, width: int, sigma: float, depth: int) -> None:
        # R is a chi variate of n degrees of freedom with these probabilities.
        self.degrees = np.array([width]) if activation == "linear" else np.arange(1, width + 1)
        weights = [1] if activation == "linear" else [math.comb(width, n) for n in self.degrees]
        self.weights = [Fraction(w, sum(weights)) for w in weights]
        self.sigma, self.depth = sigma, depth

    def log_moments(self, z: Array) -> Array:
        """Logarithm of E[(sigma R)^z] in doubles."""
        half = self.degrees[:, None] / 2
        terms = np.exp(special.loggamma(half + z / 2) - special.loggamma(half))
        mixed = np.log(np.array([float(w) for w in self.weights]) @ terms)
        return mixed + z * (0.5 * math.log(2) + math.log(self.sigma))

    def line(self, y: float, upper: bool, digits: int) -> tuple[float, float]:
        """Return the abscissa, on the tail's side of the pole at 0, and the step."""

        def exponent(c: float) -> float:
            return float(self.depth * self.log_moments(np.array([complex(c)]))[0].real - c * y)

        ends = (-0.999 * float(self.degrees[0]), 200.0)
        saddle = optimize.minimize_scalar(exponent, bounds=ends, method="bounded").x
        # At least 1 over the standard deviation, which is the width of the integrand.
        variance = (exponent(0.01) + exponent(-0.01)) / 1e-4
        away = min(0.5, variance**-0.5)
        c = max(saddle, away) if upper else min(saddle, -away)
        # Nothing of the law's images at distances 2 pi/step shall be seen: c is that far from the
        # pole at 0, and from the next one on its left.
        gap = min(abs(c), c + float(self.degrees[0]))
        return c, 2 * math.pi * gap / (digits * math.log(10) + max(0.0, -exponent(c)))

    def by_numpy(self, y: float, upper: bool) -> float:
        """P(Y > y) or P(Y <= y) in doubles."""
        c, step = self.line(y, upper, 16)
        total = 0.0
        for first in range(0, 1 << 20, 64):
            z = c + 1j * step * np.arange(first, first + 64)
            terms = (np.exp(self.depth * self.log_moments(z) - z * y) / z).real
            total += terms.sum() - (0.0 if first else terms[0] / 2)
            if np.abs(terms).max() < 1e-17 * abs(total):
                break
        return float(step / math.pi * abs(total))

    def by_mpmath(self, y: float, upper: bool, digits: int = 20) -> float:
        """The same to so many digits."""
        c, step = self.line(y, upper, digits)
        with mpmath.workdps(digits + 10):
            halves = [mpmath.mpf(int(n)) / 2 for n in self.degrees]
            logs = [mpmath.loggamma(half) for half in halves]
            weights = [mpmath.mpf(w.numerator) / w.denominator for w in self.weights]
            scale = mpmath.log(2) / 2 + mpmath.log(mpmath.mpf(self.sigma))

            def term(k: int) -> Any:
                z = mpmath.mpc(c, k * step)
                moment = mpmath.fsum(
                    w * mpmath.exp(mpmath.loggamma(half + z / 2) - log)
                    for w, half, log in zip(weights, halves, logs, strict=True)
                )
                return moment**self.depth * mpmath.exp(z * (self.depth * scale - y)) / z

            total, k, last = term(0).real / 2, 1, mpmath.mpf(1)
            while abs(last) > abs(total) * mpmath.mpf(10) ** -(digits + 2):
                last = term(k)
                total, k = total + last.real, k + 1
            return float(step * abs(total) / mpmath.pi)


# ---------------------------------------------------------------- exactness


def as_fraction(value: Any) -> Fraction:
    """The binary number that an mpf, a double or the midpoint of a ball is."""
    if isinstance(value, flint.arb):
        mantissa, exponent = value.mid().man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    if isinstance(value, mpmath.mpf):
        sign, mantissa, exponent, _ = value._mpf_
        return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return Fraction(value)
