"""The gain of one layer: the law of ``R = |phi(g)|``, by which a layer multiplies the norm.

With i.i.d. normal weights of standard deviation ``sigma`` and a positively homogeneous activation
``phi``, a layer of width ``d`` maps ``x`` to ``x'`` with ``|x'| = sigma R |x|``. Here
``R = |phi(g)|`` is independent of ``x`` and ``g`` is a standard normal vector of ``d`` entries.
With orthogonal (Haar) weights times ``sigma`` the gain is ``R = |phi(g)| / |g|``.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _digits, _validation
from fracmoment._laws import Laws, check_order
from fracmoment._results import plain
from fracmoment.activations import Activation, as_activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fracmoment._typing import FloatArray, Result

__all__ = ["Gain"]

WEIGHTS = ("gaussian", "orthogonal")

# How many normal variates `Gain.rvs` holds at a time for a randomized activation.
_CHUNK = 1 << 20


class Gain:
    """Law of the gain R of one layer.

    Parameters
    ----------
    activation : Activation or str
        `Linear`, `ReLU`, `LeakyReLU`, `RandomizedLeakyReLU`, or one of the names ``"linear"``,
        ``"relu"``, ``"leaky_relu"``, ``"rrelu"`` for their defaults.
    width : int or array_like of int
        Number of units of the layer, at least 1.
    keep_prob : float, str, Fraction, mpmath.mpf or array_like, optional
        Probability in (0, 1] that dropout keeps a unit; 1 is no dropout.
    inverted_dropout : bool, optional
        Whether the units that are kept are divided by ``keep_prob``.
    weights : {"gaussian", "orthogonal"}, optional
        Law of the weight matrix.

    Notes
    -----
    Widths, slopes and keep probabilities may be arrays; they broadcast with each other and with the
    orders. Scalar arguments give Python floats, array arguments give arrays. A gain of scalar
    parameters can be compared, hashed and pickled, and its repr evaluates to it.

    ReLU (each unit) and dropout make R = 0 with positive probability: the layer is dead. What is
    conditional on R > 0 says so.

    A layer that divides its pre-activations by their root mean square, ``x' = phi(h sqrt(d)/|h|)``
    with ``h = W x`` and d units, has ``|x'| = sqrt(d) R`` with the R of ``weights="orthogonal"``:
    normal weights of any scale give h a uniform direction. Its moments are ``d**(s/2) E R^s``, its
    law is that of ``DepthLaw(gain, sqrt(d), 1)``, and ``Network(..., normalization="rms")`` is a
    network of such layers.

    Examples
    --------
    >>> g = Gain("relu", 64)
    >>> g
    Gain(ReLU(), 64)
    >>> round(g.moment(2.0), 12)
    32.0
    >>> g.scale([1.0, 2.0]).round(6)
    array([0.178528, 0.176777])

    An RMS-normalized layer, E|x'| and E|x'|^2:

    >>> normalized = Gain("relu", 64, weights="orthogonal")
    >>> (64 ** np.array([0.5, 1.0]) * normalized.moment([1.0, 2.0])).round(6)
    array([ 5.623284, 32.      ])
    """

    __slots__ = (
        "__weakref__",
        "_activation",
        "_edge",
        "_inverted",
        "_keep_prob",
        "_law",
        "_laws",
        "_orthogonal",
        "_shape",
        "_width",
    )

    def __init__(
        self,
        activation: Activation | str,
        width: Any,
        *,
        keep_prob: Any = 1.0,
        inverted_dropout: bool = True,
        weights: str = "gaussian",
    ) -> None:
        self._activation = as_activation(activation)
        self._width = _validation.width(width)
        self._keep_prob = _validation.keep_prob(keep_prob)
        self._inverted = _validation.flag("inverted_dropout", inverted_dropout)
        self._orthogonal = _validation.choice("weights", weights, WEIGHTS) == "orthogonal"
        lower, upper = self._activation.slopes
        keep = _validation.floats("keep_prob", self._keep_prob)
        self._laws = Laws(self._width, lower, upper, keep, self._inverted, self._orthogonal)
        self._shape = self._laws.shape
        # A scalar law keeps a handle of the core, which remembers what it computed.
        self._law = None if self._shape else _core.GainLaw(*self._laws)
        edge = self._laws.order_edge(given_alive=False)
        self._edge = edge if self._shape else max(edge, -_validation.MAX_ORDER)

    # ------------------------------------------------------------ parameters

    @property
    def activation(self) -> Activation:
        """The activation."""
        return self._activation

    @property
    def width(self) -> Result:
        """The width: an int, or a read-only array of them."""
        return self._width

    @property
    def keep_prob(self) -> Result:
        """The probability that dropout keeps a unit."""
        return self._keep_prob

    @property
    def inverted_dropout(self) -> bool:
        """Whether kept units are divided by the keep probability."""
        return self._inverted

    @property
    def weights(self) -> str:
        """The law of the weight matrix."""
        return WEIGHTS[self._orthogonal]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameters broadcast together, () for a single law."""
        return self._shape

    def __getitem__(self, index: Any) -> Gain:
        """Return the gain of some of the elements of a gain with array parameters."""
        if self.shape == ():
            raise TypeError("a gain of scalar parameters has no elements")

        def pick(value: Any) -> Any:
            return np.broadcast_to(value, self.shape)[index]

        old = self._activation
        parts = {field.name: pick(getattr(old, field.name)) for field in dataclasses.fields(old)}
        return Gain(
            dataclasses.replace(old, **parts),
            pick(self._width),
            keep_prob=pick(self._keep_prob),
            inverted_dropout=self._inverted,
            weights=self.weights,
        )

    def __iter__(self) -> Iterator[Gain]:
        """Yield the gains along the first axis of the parameters."""
        if self.shape == ():
            raise TypeError("a gain of scalar parameters has no elements")
        return (self[index] for index in range(self.shape[0]))

    def _key(self) -> tuple[Any, ...]:
        return (self._activation, self._width, self._keep_prob, self._inverted, self._orthogonal)

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` is the same law written with the same parameters."""
        if not isinstance(other, Gain):
            return NotImplemented
        mine, theirs = self._key(), other._key()
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))

    def __hash__(self) -> int:
        """Return a hash; a gain with array parameters has none."""
        return hash(self._key())

    def __repr__(self) -> str:
        """Return an expression that evaluates to this gain."""
        parts = [repr(self._activation), repr(self._width)]
        if isinstance(self._keep_prob, np.ndarray) or self._keep_prob != 1:
            parts.append(f"keep_prob={self._keep_prob!r}")
        if not self._inverted:
            parts.append("inverted_dropout=False")
        if self._orthogonal:
            parts.append("weights='orthogonal'")
        return f"Gain({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle and copy rebuild the gain from."""
        arguments = (self._activation, self._width, self._keep_prob, self._inverted, self.weights)
        return (_rebuild, arguments)

    # ------------------------------------------------------------ moments

    def moment(self, order: Any, *, digits: int | None = None, given_alive: bool = False) -> Result:
        """Return the moment E R^order.

        Parameters
        ----------
        order : float, complex, str, Fraction, mpmath.mpf or array_like
            Order of the moment. Its real part must be greater than ``-width`` where R > 0 almost
            surely (any order for orthogonal weights without a slope 0), greater than 0 where R = 0
            has positive probability, and greater than -1 there with ``given_alive=True``.
        digits : int, optional
            Return an `mpmath.mpf` correct to so many decimal digits instead of a float, or an
            `mpmath.mpc` for a complex order (complex or `mpmath.mpc`), whose modulus has a relative
            error below 10^-digits. Text, fractions, mpf and mpc are taken exactly.
        given_alive : bool, optional
            Return E[R^order | R > 0].

        Returns
        -------
        float, complex, mpmath.mpf, mpmath.mpc or ndarray
            Of the shape of the order broadcast with the parameters of the law.

        Raises
        ------
        ValueError
            For an order outside the domain.
        ConvergenceError
            If the core cannot vouch for a result: imaginary parts beyond 4,096 in absolute
            value, and orders above 1,024 without ``digits``.

        Notes
        -----
        The error of a float is at most 1 ulp wherever the result is a normal number. The time does
        not depend on the width.

        Examples
        --------
        >>> Gain("linear", 3).moment(2.0)
        3.0
        >>> Gain("relu", [2, 4]).moment(4.0)
        array([3.5, 9. ])
        >>> import mpmath
        >>> mpmath.nstr(Gain("linear", 2).moment(1, digits=30), 30)
        '1.25331413731550025120788264241'
        """
        law = self._law
        if law is not None and digits is None and self._is_plain(order, given_alive):
            return law.moment_scalar(order, False)
        alive = _validation.flag("given_alive", given_alive)
        if digits is not None:
            parts = _validation.complex_parts("order", order)
            if parts is not None:
                check_order(self._laws, parts[0], alive)
                return self._exact_complex(*parts, alive, digits)
            exact = _validation.canonical("order", order)
            check_order(self._laws, exact, alive)
            return self._exact("moment", exact, alive, digits)
        orders = _validation.complex_or_floats("order", order)
        check_order(self._laws, orders, alive)
        if law is None:
            return self._laws.moments(orders, alive)
        if isinstance(orders, float):
            return law.moment_scalar(orders, alive)
        if isinstance(orders, complex):
            return law.moment_complex(orders, alive)
        if np.iscomplexobj(orders):
            return law.moments_complex(orders, alive)
        return law.moments(orders, alive)

    def _is_plain(self, order: Any, given_alive: Any) -> bool:
        """Return whether a call is the most frequent one, valid as it stands, for a scalar law."""
        # NaN and infinities fail the comparison.
        largest = _validation.MAX_ORDER
        return type(order) is float and given_alive is False and bool(self._edge < order < largest)

    def scale(self, order: Any, *, digits: int | None = None, given_alive: bool = False) -> Result:
        """Return the scale sigma for which E (sigma R)^order = 1.

        Weights of standard deviation ``sigma`` (orthogonal weights times ``sigma``) then preserve
        the moment of that order of the norm exactly: ``sigma = (E R^order)^(-1/order)``. Order 0 is
        the limit given R > 0, the Lyapunov scale ``exp(-E[log R | R > 0])`` of zero drift.

        Parameters
        ----------
        order : float, str, Fraction, mpmath.mpf or array_like
            Real order, 0 or in the domain of `moment`.
        digits : int, optional
            Return an `mpmath.mpf` correct to so many decimal digits.
        given_alive : bool, optional
            Preserve the moment given R > 0. Without it the scale of a law with an atom at 0 grows
            without bound as the order tends to 0; order 0 itself always means R > 0.

        Returns
        -------
        float, mpmath.mpf or ndarray
            Error at most 1 ulp for floats.

        Examples
        --------
        He's scale for ReLU and LeCun's for linear layers have order 2:

        >>> Gain("relu", 32).scale(2.0) == (2 / 32) ** 0.5
        True
        >>> Gain("linear", 25).scale(2.0)
        0.2
        >>> round(Gain("relu", 32).scale(0), 6)
        0.260533
        """
        law = self._law
        if law is not None and digits is None and self._is_plain(order, given_alive):
            return law.scale_scalar(order, False)
        alive = _validation.flag("given_alive", given_alive)
        if digits is not None:
            exact = _validation.canonical("order", order)
            check_order(self._laws, exact, alive, allow_zero=True)
            return self._exact("scale", exact, alive, digits)
        orders = _validation.floats("order", order)
        check_order(self._laws, orders, alive, allow_zero=True)
        if law is None:
            return self._laws.scales(orders, alive)
        if isinstance(orders, float):
            return law.scale_scalar(orders, alive)
        return law.scales(orders, alive)

    def _exact_law(
        self, width: Any, lower: Any, upper: Any, keep_prob: Any, given_alive: bool
    ) -> _digits.ExactLaw:
        kind = (self._inverted, self._orthogonal)
        return _digits.ExactLaw(width, lower, upper, keep_prob, *kind, given_alive)

    def _exact(self, quantity: str, order: Any, given_alive: bool, digits: int) -> Result:
        lower, upper = self._activation.exact_slopes
        n_digits = _validation.digits(digits)

        def one(width: Any, low: Any, high: Any, keep: Any, s: Any) -> Any:
            law = self._exact_law(width, low, high, keep, given_alive)
            return law.evaluate(quantity, s, n_digits)

        return _digits.broadcast(one, self._width, lower, upper, self._keep_prob, order)

    def _exact_complex(self, order: Any, imaginary: Any, given_alive: bool, digits: int) -> Result:
        lower, upper = self._activation.exact_slopes
        n_digits = _validation.digits(digits)

        def one(width: Any, low: Any, high: Any, keep: Any, re: Any, im: Any) -> Any:
            law = self._exact_law(width, low, high, keep, given_alive)
            return law.complex_moment(re, im, n_digits)

        return _digits.broadcast(one, self._width, lower, upper, self._keep_prob, order, imaginary)

    def mean(self) -> Result:
        """Return E R, the atom at 0 included.

        Examples
        --------
        >>> round(Gain("linear", 1).mean() ** 2, 12) == round(2 / math.pi, 12)
        True
        """
        return self.moment(1.0)

    def var(self) -> Result:
        """Return Var R, the atom at 0 included.

        Notes
        -----
        E R^2 - (E R)^2 cancels about log10(width) digits, so the two moments are taken with that
        many digits more.

        Examples
        --------
        >>> round(Gain("linear", 10**6).var(), 9)
        0.499999875
        """
        lower, upper = self._activation.exact_slopes

        def one(width: Any, low: Any, high: Any, keep: Any) -> float:
            digits = 25 + len(str(width))
            law = self._exact_law(width, low, high, keep, False)
            first, second = (law.evaluate("moment", float(s), digits) for s in (1, 2))
            return float(_digits.variance(first, second, digits))

        result = _digits.broadcast(one, self._width, lower, upper, self._keep_prob)
        return result.astype(np.float64) if isinstance(result, np.ndarray) else result

    def std(self) -> Result:
        """Return the standard deviation of R, the atom at 0 included.

        Examples
        --------
        >>> round(Gain("linear", 10**6).std() ** 2, 9)
        0.499999875
        """
        variance = self.var()
        return np.sqrt(variance) if isinstance(variance, np.ndarray) else math.sqrt(variance)

    # ------------------------------------------------------------ logarithms

    def log_mean(self, *, digits: int | None = None) -> Result:
        """Return E[log R | R > 0], natural logarithm.

        Parameters
        ----------
        digits : int, optional
            Return an `mpmath.mpf` correct to so many decimal digits.

        Returns
        -------
        float, mpmath.mpf or ndarray
            The error of a float is at most 1 ulp of the larger of the result and its natural unit.

        Examples
        --------
        >>> round(Gain("linear", 2).log_mean(), 12)
        0.057965757829
        """
        if digits is not None:
            return self._exact("log_cumulant", 1, True, digits)
        return self._laws.log_means() if self._law is None else self._law.log_mean()

    def log_var(self, *, digits: int | None = None) -> Result:
        """Return Var[log R | R > 0], natural logarithm.

        Parameters
        ----------
        digits : int, optional
            Return an `mpmath.mpf` correct to so many decimal digits.

        Examples
        --------
        >>> round(Gain("linear", 2).log_var() * 24 / math.pi**2, 12)
        1.0
        """
        if digits is not None:
            return self._exact("log_cumulant", 2, True, digits)
        return self._laws.log_vars() if self._law is None else self._law.log_var()

    def log_cumulant(self, n: int, *, digits: int | None = None) -> Result:
        """Return the n-th cumulant of log R given R > 0, for n from 1 to 12.

        Parameters
        ----------
        n : int
            1 is the mean, 2 the variance, 3 the third central moment.
        digits : int, optional
            Return an `mpmath.mpf` correct to so many decimal digits.

        Returns
        -------
        float, mpmath.mpf or ndarray
            The error of a float is at most 1 ulp of the larger of the cumulant and the n-th power
            of the standard deviation of log R.

        Examples
        --------
        >>> g = Gain("leaky_relu", 16)
        >>> g.log_cumulant(1) == g.log_mean(), g.log_cumulant(2) == g.log_var()
        (True, True)
        >>> Gain("linear", 2).log_cumulant(12) > 0  # psi^(11)(1)/2^12
        True
        """
        n = _validation.integer("n", n, 1, 12)
        if digits is not None:
            return self._exact("log_cumulant", n, True, digits)
        return self._each(lambda law: law.log_cumulant(n))

    def log_abs_third(self) -> Result:
        """Return E[|log R - E log R|^3] given R > 0, which bounds the error of the normal limit.

        Examples
        --------
        >>> g = Gain("relu", 64)
        >>> 1.5 < g.log_abs_third() / g.log_var() ** 1.5 < 1.7
        True
        """
        return self._each(lambda law: law.log_abs_third())

    def _each(self, function: Any) -> Result:
        """Return a number of every law."""
        return self._laws.each(function) if self._law is None else function(self._law)

    # ------------------------------------------------------------ distribution

    def prob_zero(self) -> Result:
        """Return P(R = 0), the probability that the layer is dead.

        Examples
        --------
        >>> Gain("relu", 3).prob_zero()
        0.125
        """
        return self._each(lambda law: law.prob_zero())

    def _prob_alive(self) -> Result:
        return self._each(lambda law: law.prob_alive())

    def support(self) -> tuple[Result, Result]:
        """Return the ends of the smallest interval that holds R almost surely.

        Examples
        --------
        >>> Gain("linear", 8).support()
        (0.0, inf)
        >>> from fracmoment import LeakyReLU
        >>> Gain(LeakyReLU(0.25), 8, weights="orthogonal").support()
        (0.25, 1.0)
        """
        lower, upper = np.asarray(self._laws.lower), np.asarray(self._laws.upper)
        steepest = np.maximum(1.0, np.maximum(abs(lower), abs(upper)))
        flattest = np.where(lower * upper > 0, np.minimum(abs(lower), abs(upper)), 0.0)
        flattest = np.where(self._laws.has_atom(), 0.0, np.minimum(1.0, flattest))
        if not self._orthogonal:
            flattest, steepest = np.zeros_like(steepest), np.full_like(steepest, math.inf)
        elif self._inverted:
            steepest = steepest / self._laws.keep_prob
        ends = np.broadcast_to(flattest, self.shape), np.broadcast_to(steepest, self.shape)
        if self.shape == ():
            return float(ends[0]), float(ends[1])
        return ends[0].copy(), ends[1].copy()

    def _on_values(self, name: str, values: FloatArray) -> FloatArray:
        """Return a function of the law given R > 0 at an array of values."""
        if self._law is None:
            return self._laws.each(lambda one, x: getattr(one, name)(x), values)
        result: FloatArray = getattr(self._law, name)(values)
        return result

    def pdf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return the density of R at ``r``.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            The density given R > 0. Without it the density integrates to P(R > 0): the atom at 0
            has none.

        Returns
        -------
        float or ndarray
            Relative error about 1e-13. At atoms the density is that of the continuous part: 0 at
            the ends of the support, and infinite inside, as on both sides of an atom it grows like
            the distance to the power -1/2 (orthogonal weights with dropout or with slopes beyond
            1; where the atom is too light to show in doubles, the value next to it).

        Examples
        --------
        >>> round(Gain("linear", 2).pdf(1.0), 12) == round(math.exp(-0.5), 12)
        True
        >>> Gain("relu", 4).pdf(-1.0)
        0.0
        """
        points, inside = self._points(r)
        density = self._on_values("pdf", np.where(inside, points, 0.0))
        if not _validation.flag("given_alive", given_alive):
            density = density * self._prob_alive()
        return plain(np.where(inside, density, 0.0))

    def cdf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return the distribution function P(R <= r), with the atom at 0.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            Return P(R <= r | R > 0).

        Examples
        --------
        >>> round(Gain("linear", 2).cdf(1.0), 12) == round(-math.expm1(-0.5), 12)
        True
        >>> Gain("relu", 3).cdf([-1.0, 0.0])
        array([0.   , 0.125])
        """
        points, inside = self._points(r)
        below = np.where(inside, self._on_values("cdf", np.where(inside, points, 0.0)), 0.0)
        if not _validation.flag("given_alive", given_alive):
            mixed = self.prob_zero() + self._prob_alive() * below
            below = np.where(points >= 0, mixed, 0.0)
        return plain(below)

    def sf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return the survival function P(R > r), accurate where it is small.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            Return P(R > r | R > 0).

        Examples
        --------
        >>> round(Gain("linear", 2).sf(12.0) * math.exp(72), 12)
        1.0
        """
        points, inside = self._points(r)
        above = np.where(inside, self._on_values("sf", np.where(inside, points, 0.0)), 1.0)
        if not _validation.flag("given_alive", given_alive):
            above = np.where(points >= 0, self._prob_alive() * above, 1.0)
        return plain(above)

    def ppf(self, q: Any, *, given_alive: bool = False) -> Result:
        """Return the quantile: the smallest r >= 0 with P(R <= r) >= q.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1].
        given_alive : bool, optional
            Quantiles given R > 0.

        Examples
        --------
        >>> Gain("relu", 3).ppf([0.1, 0.125])
        array([0., 0.])
        >>> g = Gain("leaky_relu", 64)
        >>> round(g.cdf(g.ppf(0.3)), 12)
        0.3
        """
        points = np.asarray(_validation.probability("q", q))
        self._laws.require_shape(points.shape, names="q")
        if _validation.flag("given_alive", given_alive):
            return plain(self._on_values("ppf", points))
        dead, alive = self.prob_zero(), self._prob_alive()
        # 1 - q is exact for q >= 1/2: quantiles of the upper half come from the tail's probability.
        inner = np.clip((points - dead) / alive, 0.0, 1.0)
        tail = np.clip((1.0 - points) / alive, 0.0, 1.0)
        upper = points >= 0.5
        quantiles = np.where(
            upper,
            self._on_values("isf", np.where(upper, tail, 0.5)),
            self._on_values("ppf", np.where(upper, 0.5, inner)),
        )
        return plain(np.where(points > dead, quantiles, 0.0))

    def _points(self, r: Any) -> tuple[FloatArray, Any]:
        points = np.asarray(_validation.floats("r", r))
        self._laws.require_shape(points.shape, names="r")
        return points, points > 0

    def rvs(self, size: Any = None, rng: Any = None) -> Result:
        """Draw variates of R.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the sample; it must broadcast with the parameters. The shape of the parameters
            by default.
        rng : None, int or numpy.random.Generator, optional
            Generator, or a seed for a new one.

        Returns
        -------
        float or ndarray

        Notes
        -----
        Exact in law: binomial numbers of units on either side of the activation, and one chi-square
        variate for each side. A randomized activation needs a normal variate for every unit on its
        random side, so there the cost grows with the width.

        Examples
        --------
        >>> Gain("relu", 64).rvs(3, rng=7).shape
        (3,)
        """
        generator = _validation.generator(rng)
        shape = self.shape if size is None else _validation.sample_shape(size)
        if self._laws.require_shape(shape, names="size") != shape:
            given = _validation.shown(size)
            message = (
                f"size must be a shape that the gain's {self.shape} broadcasts to, got {given}"
            )
            raise ValueError(message)
        return plain(_draw(self._laws, shape, generator))

    # ------------------------------------------------------------ tail index

    def tail_index(self, sigma: Any) -> Result:
        """Return the tail index of a scale: the alpha > 0 with E (sigma R)^alpha = 1.

        Parameters
        ----------
        sigma : array_like of float
            Scale of the weights, > 0.

        Returns
        -------
        float or ndarray
            The inverse of `scale`. 0.0 where there is none because the drift is not negative, inf
            where sigma R <= 1 almost surely. With an atom at 0 the layer may die, the
            unconditional drift is -inf and there is a root for every sigma; where it lies below
            1e-9 (large sigma, wide layers) the answer is 0.0.

        Examples
        --------
        >>> g = Gain("relu", 64)
        >>> round(g.tail_index(g.scale(1.3)), 12)
        1.3
        >>> g.tail_index(1.0)
        0.0
        """
        values = _validation.positive("sigma", sigma)
        law = self._law
        if law is None:
            self._laws.require_shape(np.shape(values), names="sigma")
            return self._laws.each(lambda one, x: one.tail_indices(x), values)
        if isinstance(values, float):
            return float(law.tail_indices(np.array([values]))[0])
        return law.tail_indices(values)


def _rebuild(
    activation: Activation, width: Any, keep_prob: Any, inverted_dropout: bool, weights: str
) -> Gain:
    return Gain(
        activation,
        width,
        keep_prob=keep_prob,
        inverted_dropout=inverted_dropout,
        weights=weights,
    )


def _draw(laws: Laws, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Draw gains by counting the live units of either side."""
    lower, upper = np.asarray(laws.lower), np.asarray(laws.upper)
    keep = np.asarray(laws.keep_prob)
    width = np.asarray(laws.width)
    positive = np.asarray(rng.binomial(width, keep / 2, size=shape))
    # Of the units that are not live on the positive side, those live on the negative one.
    other = np.minimum((keep / 2) / (1 - keep / 2), 1.0)
    negative = np.asarray(rng.binomial(width - positive, other))
    # A chi-square variate is twice a gamma variate; shape 0 gives 0.
    of_positive = 2 * rng.standard_gamma(positive / 2)
    if np.array_equal(lower, upper):
        of_negative = 2 * rng.standard_gamma(negative / 2)
        square = of_positive + lower * lower * of_negative
    else:
        randomized, of_negative = _draw_randomized(
            negative, np.broadcast_to(lower, shape), np.broadcast_to(upper, shape), rng
        )
        square = of_positive + randomized
    if laws.orthogonal:
        dropped = 2 * rng.standard_gamma((width - positive - negative) / 2)
        square = square / (of_positive + of_negative + dropped)
    radius: FloatArray = np.sqrt(square)
    return radius / keep if laws.inverted else radius


def _draw_randomized(
    counts: Any, lower: Any, upper: Any, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Sum (a z)^2 and z^2 over each element's count of units, a uniform and z normal."""
    weighted, plain = np.zeros(counts.shape), np.zeros(counts.shape)
    flat_weighted, flat_plain = weighted.reshape(-1), plain.reshape(-1)
    remaining = np.array(counts).reshape(-1)
    low, span = lower.reshape(-1), (upper - lower).reshape(-1)
    while remaining.any():
        # As many units as fit, in the order of the elements; a wide element takes several rounds.
        before = np.cumsum(remaining) - remaining
        taken = np.clip(_CHUNK - before, 0, remaining)
        owner = np.repeat(np.arange(taken.size), taken)
        squares = np.square(rng.standard_normal(owner.size))
        slopes = low[owner] + span[owner] * rng.random(owner.size)
        flat_weighted += np.bincount(owner, slopes * slopes * squares, minlength=taken.size)
        flat_plain += np.bincount(owner, squares, minlength=taken.size)
        remaining -= taken
    return weighted, plain
