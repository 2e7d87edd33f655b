"""Nonlinear activations as ball functions, a half-line at a time.

The line is cut at 0, and ``r = |x|`` is the variable on either side. The sine is folded to
``[0, pi/2]``. What the proofs use of an activation, beside its values on balls, is stated here:
bounds from above and below, and limits far out. docs/algorithms/nonlinear.md, "Certified".
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import acb, arb, ctx

from fracmoment import _validation
from fracmoment import nonlinear as nl
from fracmoment.certified.laws.law import ball
from fracmoment.certified.nonlinear.selu import selu_balls

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Side", "Unit", "folded_density", "unit_of"]


@dataclass(frozen=True)
class Side:
    """An activation on one half-line, ``r = |x| > 0``.

    Parameters
    ----------
    real : callable
        A ball of ``|phi|`` for a ball r > 0 of reals.
    complex : callable
        A ball of an analytic continuation of ``|phi|``, not finite unless it is analytic there.
    longest : callable
        Largest length of a panel that begins at r: a choice.
    limit : str
        ``"vanishes"``, or what ``|phi|`` tends to: ``"constant"`` times ``level``, or ``"linear"``,
        r itself. ``|phi|`` over its limit tends to 1 monotonely.
    level : arb
        The constant limit.
    """

    real: Callable[[arb], arb]
    complex: Callable[[acb], acb]
    longest: Callable[[float], float]
    limit: str
    level: Any = 1

    def far(self, r: Any) -> Any:
        """Return the limit as a function, for a ball of reals or complex numbers."""
        return r if self.limit == "linear" else 0 * r + self.level

    def deviation(self, r: arb) -> arb:
        """Return a bound of ``|log(phi^2/limit^2)|`` from r on."""
        bound: arb = abs(2 * (self.real(r) / self.far(r)).log()).upper()
        return bound


@dataclass(frozen=True)
class Unit:
    """One unit, ``outer phi(inner x)``, with phi the base that the other fields describe.

    Parameters
    ----------
    left, right : Side
        The two half-lines; the same object for odd functions.
    growth : arb
        A number K with ``|phi(x)| <= K |x| + offset``.
    offset : arb
        ``|phi(0)|``, exact for functions that vanish at 0.
    largest : arb or None
        A bound of ``|phi|``, where there is one.
    inverse : callable or None
        ``inverse(theta, q)`` bounds ``E |phi(x)|^(-2 theta)`` for ``0 < theta < edge(q)``; None
        where no such moment is finite.
    edge : callable
        The open upper end of theta.
    outer : arb
    inner : Fraction
    folded : bool
        Whether the line is folded to ``[0, pi/2]``.
    """

    left: Side
    right: Side
    growth: Any
    offset: Any
    largest: Any
    inverse: Callable[[arb, arb], arb] | None
    edge: Callable[[arb], arb]
    outer: Any = 1
    inner: Fraction = Fraction(1)
    folded: bool = False

    @property
    def odd(self) -> bool:
        """Whether both half-lines are alike."""
        return self.left is self.right


def unit_of(activation: nl.NonlinearActivation) -> Unit:
    """Return the ball functions of an activation, constants at the current precision."""
    maker = _MAKERS[type(activation)]
    return maker(activation)


# ---------------------------------------------------------------- parts


def _short(r: float) -> float:
    """Return lengths that keep ellipses within ``|Im| < pi/2``."""
    return 1.0 if r < 4.0 else 2.0


def _falling(_: float) -> float:
    """Return lengths over which ``exp(-2 r)`` turns by less than a right angle on ellipses."""
    return 0.75


def _flat(theta: arb, q: arb) -> arb:
    """Return ``E |x|^(-2 theta) = (2 q)^-theta Gamma(1/2 - theta)/sqrt(pi)``."""
    return (2 * q) ** -theta * (arb(0.5) - theta).gamma() / arb.pi().sqrt()


def _half(_: arb) -> arb:
    return arb(0.5)


def _endless(_: arb) -> arb:
    return arb.pos_inf()


def _at_least(level: Callable[[], arb]) -> Callable[[arb, arb], arb]:
    """Return the bound for ``|phi(x)| >= level min(|x|, 1)``."""
    return lambda theta, q: level() ** (-2 * theta) * (1 + _flat(theta, q))


def _exponential(level: arb, theta: arb, q: arb, linear: bool) -> arb:
    """Return the bound for ``|phi(x)| >= level exp(-|x|)``, times |x| where ``linear``.

    There ``(|x| exp(-|x|))^(-2 theta)`` is at most ``e^(2 theta) |x|^(-2 theta)`` for ``|x| < 1``
    and ``exp(2 theta |x|)`` beyond; ``E exp(c |x|) <= 2 exp(c^2 q/2)``.
    """
    total = 2 * (2 * theta**2 * q).exp()
    if linear:
        total += (2 * theta).exp() * _flat(theta, q)
    return level ** (-2 * theta) * total


def _logistic(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


def _log1p(x: acb) -> acb:
    """Return ``log(1 + x)`` off the cut."""
    return (1 + x).log() if (1 + x).real > 0 else acb("nan")


def folded_density(u: arb, q: arb) -> arb:
    """Return the density on [0, pi/2] of a normal variable of variance q folded by sin^2.

    ``sum_k 2 n(u + k pi)`` with the normal density n, or its Fourier series
    ``(2/pi) (1 + 2 sum_n exp(-2 n^2 q) cos(2 n u))``; both remainders are below geometric series.
    """
    goal = arb(2) ** (-ctx.prec - 8)
    if q > 0.5:
        total, n = arb(1), 1
        while not (-2 * n * n * q).exp() < goal:
            total += 2 * (-2 * n * n * q).exp() * (2 * n * u).cos()
            n += 1
        rest = 4 * (-2 * n * n * q).exp()  # the terms fall by exp(-1) or faster
        return 2 / arb.pi() * (total + arb(0, rest.upper()))
    total, k, pi = (-u * u / (2 * q)).exp(), 1, arb.pi()
    while True:
        near, far = ((-((k * pi + sign * u) ** 2) / (2 * q)).exp() for sign in (-1, 1))
        total += near + far
        if near < goal * total:  # the sums of two images fall by exp(-pi^2) or faster
            rest = arb(0, (near + far).upper())
            return 2 * (total + rest) / (2 * arb.pi() * q).sqrt()
        k += 1


# ---------------------------------------------------------------- activations


def _tanh(_: Any) -> Unit:
    def continued(r: acb) -> acb:
        e = (-2 * r).exp()
        return (1 - e) / (1 + e)

    side = Side(lambda r: r.tanh(), continued, _short, "constant")
    inverse = _at_least(lambda: arb(1).tanh())
    return Unit(side, side, arb(1), arb(0), arb(1), inverse, _half)


def _lecun_tanh(_: Any) -> Unit:
    base = _tanh(None)
    parts = (base.left, base.right, base.growth, base.offset, base.largest, base.inverse, base.edge)
    return Unit(*parts, outer=ball(Fraction(17159, 10000)), inner=Fraction(2, 3))


def _erf(_: Any) -> Unit:
    side = Side(lambda r: r.erf(), lambda r: r.erf(), lambda _: 1.0, "constant")
    growth = 2 / arb.pi().sqrt()
    return Unit(side, side, growth, arb(0), arb(1), _at_least(lambda: arb(1).erf()), _half)


def _sin(_: Any) -> Unit:
    # On [0, pi/2] sin(u) >= 2 u/pi, and the folded density is largest at 0.
    def inverse(theta: arb, q: arb) -> arb:
        end = arb.pi() / 2
        return (
            end ** (2 * theta)
            * folded_density(arb(0), q)
            * end ** (1 - 2 * theta)
            / (1 - 2 * theta)
        )

    side = Side(lambda r: r.sin(), lambda r: r.sin(), lambda _: 1.0, "none")
    return Unit(side, side, arb(1), arb(0), arb(1), inverse, _half, folded=True)


def _sigmoid(_: Any) -> Unit:
    left = Side(lambda r: 1 / (1 + r.exp()), lambda r: 1 / (1 + r.exp()), _falling, "vanishes")
    right = Side(_logistic, _logistic, _short, "constant")

    def inverse(theta: arb, q: arb) -> arb:
        return _exponential(arb(0.5), theta, q, linear=False)

    return Unit(left, right, arb(0.25), arb(0.5), arb(1), inverse, _endless)


def _softplus(activation: nl.Softplus) -> Unit:
    beta = _validation.rational("beta", activation.beta)
    left = Side(lambda r: (-r).exp().log1p(), lambda r: _log1p((-r).exp()), _falling, "vanishes")
    right = Side(
        lambda r: r + (-r).exp().log1p(), lambda r: r + _log1p((-r).exp()), _short, "linear"
    )

    def inverse(theta: arb, q: arb) -> arb:
        # log(1 + u) >= u log 2 on [0, 1]
        return _exponential(arb.const_log2(), theta, q, linear=False)

    offset, outer = arb.const_log2(), 1 / ball(beta)
    return Unit(left, right, arb(1), offset, None, inverse, _endless, outer=outer, inner=beta)


def _elu_sides(alpha: arb) -> tuple[Side, Side]:
    left = Side(
        lambda r: -alpha * (-r).expm1(),
        lambda r: alpha * (1 - (-r).exp()),
        _short,
        "constant",
        alpha,
    )
    right = Side(lambda r: r, lambda r: r, lambda r: r + 1.0, "linear")
    return left, right


def _elu_unit(alpha: arb, outer: Any, inner: Fraction) -> Unit:
    left, right = _elu_sides(alpha)
    level = arb.min(arb(1), alpha * (1 - arb(-1).exp()))
    growth = arb.max(arb(1), alpha)
    inverse = _at_least(lambda: level)
    return Unit(left, right, growth, arb(0), None, inverse, _half, outer=outer, inner=inner)


def _elu(activation: nl.ELU) -> Unit:
    return _elu_unit(ball(_validation.rational("alpha", activation.alpha)), arb(1), Fraction(1))


def _celu(activation: nl.CELU) -> Unit:
    alpha = _validation.rational("alpha", activation.alpha)
    return _elu_unit(arb(1), ball(alpha), 1 / alpha)


def _selu(_: Any) -> Unit:
    scale, alpha = selu_balls()
    return _elu_unit(alpha, scale, Fraction(1))


def _silu(_: Any) -> Unit:
    left = Side(lambda r: r / (1 + r.exp()), lambda r: r / (1 + r.exp()), _falling, "vanishes")
    right = Side(lambda r: r * _logistic(r), lambda r: r * _logistic(r), _short, "linear")

    def inverse(theta: arb, q: arb) -> arb:
        return _exponential(arb(0.5), theta, q, linear=True)

    return Unit(left, right, arb(1), arb(0), None, inverse, _half)


def _mish(_: Any) -> Unit:
    def factor(x: Any) -> Any:
        """Return ``tanh(log(1 + e^x))`` in a form without cancellation for either sign of x."""
        e = x.exp()
        n = e * (e + 2)
        return n / (n + 2)

    def above(r: Any) -> Any:
        e = (-r).exp()
        return (1 + 2 * e) / (1 + 2 * e + 2 * e * e)

    left = Side(lambda r: r * factor(-r), lambda r: r * factor(-r), _falling, "vanishes")
    right = Side(lambda r: r * above(r), lambda r: r * above(r), lambda r: 0.25 * (1 + r), "linear")

    def inverse(theta: arb, q: arb) -> arb:
        # n/(n + 2) >= 2 e/5 for e <= 1, and >= 3/5 to the right
        return _exponential(arb(2) / 5, theta, q, linear=True)

    return Unit(left, right, arb(1), arb(0), None, inverse, _half)


def _gelu(activation: nl.GELU) -> Unit:
    return _gelu_normal() if activation.exact else _gelu_tanh()


def _gelu_normal() -> Unit:
    def below(r: Any) -> Any:
        return r * (r / arb(2).sqrt()).erfc() / 2

    def above(r: Any) -> Any:
        return r * (-r / arb(2).sqrt()).erfc() / 2

    left = Side(below, below, lambda r: min(0.375, 0.75 / r), "vanishes")
    right = Side(above, above, lambda _: 1.0, "linear")

    def inverse(theta: arb, q: arb) -> arb:
        # |phi| >= |x| Phi(-1) for x >= -1; x Phi(-x) >= density(x)/2 for x >= 1 (Mills' ratio)
        near = ((1 / arb(2).sqrt()).erfc() / 2) ** (-2 * theta) * _flat(theta, q)
        far = (8 * arb.pi()) ** theta * (1 - 2 * theta * q).rsqrt()
        return near + far

    def edge(q: arb) -> arb:
        return arb.min(arb(0.5), 1 / (2 * q))

    return Unit(left, right, arb(1), arb(0), None, inverse, edge)


def _gelu_tanh() -> Unit:
    cubic = ball(Fraction(44715, 10**6))

    def inner(r: Any) -> Any:
        return 2 * (2 / arb.pi()).sqrt() * (r + cubic * r * r * r)

    def below(r: Any) -> Any:
        return r / (1 + inner(r).exp())

    def above(r: Any) -> Any:
        return r * _logistic(inner(r))

    def length(r: float) -> float:
        return 1.0 / (1.0 + 0.14 * r * r)

    left = Side(below, below, lambda r: 0.75 * length(r) / 1.6, "vanishes")
    right = Side(above, above, lambda r: 0.8 * length(r), "linear")
    return Unit(left, right, arb(1), arb(0), None, None, _half)


_MAKERS: dict[type, Callable[[Any], Unit]] = {
    nl.Tanh: _tanh,
    nl.LeCunTanh: _lecun_tanh,
    nl.Erf: _erf,
    nl.Sin: _sin,
    nl.Sigmoid: _sigmoid,
    nl.Softplus: _softplus,
    nl.ELU: _elu,
    nl.CELU: _celu,
    nl.SELU: _selu,
    nl.SiLU: _silu,
    nl.Mish: _mish,
    nl.GELU: _gelu,
}
