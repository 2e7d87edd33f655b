"""Scales of layers with any numbers of inputs and outputs, as enclosures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.activations import as_activation
from fracmoment.certified import laws
from fracmoment.certified.quantities import enclose, scale_order
from fracmoment.gains import WEIGHTS, Gain
from fracmoment.scales import PRESERVE

if TYPE_CHECKING:
    from flint import arb

    from fracmoment.certified.enclosure import Enclosure

__all__ = ["LayerScale", "init_scale"]


def init_scale(
    activation: Any,
    fan_in: int,
    fan_out: int,
    order: Any,
    *,
    preserve: str = "rms",
    keep_prob: Any = 1,
    weights: str = "gaussian",
    inverted_dropout: bool = True,
    given_alive: bool = False,
    digits: int = 30,
) -> Enclosure:
    """Return an enclosure of the scale of `fracmoment.init_scale`.

    Parameters
    ----------
    activation : Activation or str
        An activation of scalar slopes, which are taken exactly.
    fan_in, fan_out : int
        Number of inputs and of outputs of the layer.
    order : float, str, int, Fraction or mpmath.mpf
        Order of the moment, exactly, in the domain of `fracmoment.init_scale`.
    preserve : {"rms", "norm"}, optional
        What keeps its moment: the root mean square of the units, or the norm.
    keep_prob : float, str, int, Fraction or mpmath.mpf, optional
        Probability in (0, 1] that dropout keeps a unit of the output.
    weights : {"gaussian", "orthogonal"}, optional
        Law of the weight matrix.
    inverted_dropout : bool, optional
        Whether the units that are kept are divided by ``keep_prob``.
    given_alive : bool, optional
        Preserve the moment given that the layer is not dead; order 0 always is.
    digits : int, optional
        Number of significant digits to prove, 1 to 1,000.

    Returns
    -------
    Enclosure

    Raises
    ------
    ValueError
        For an argument outside of its range.
    CertificationError
        If the digits could not be proved.

    Notes
    -----
    The scale of the gain's norm, times ``sqrt(fan_out/fan_in)`` for the root mean square. The norm
    of an orthogonal layer that narrows is that of ``fan_out`` normal numbers after the activation
    over that of ``fan_in``, which does not depend on the quotient: moments divide.

    Examples
    --------
    >>> import fracmoment as fm
    >>> print(init_scale("relu", 784, 256, 1))
    0.0506313780929277111144286393792...
    >>> fm.init_scale("relu", 64, 10, 0.5, weights="orthogonal") == float(
    ...     init_scale("relu", 64, 10, 0.5, weights="orthogonal")
    ... )
    True
    """
    layer = LayerScale.of(
        activation,
        fan_in,
        fan_out,
        order,
        preserve=preserve,
        keep_prob=keep_prob,
        weights=weights,
        inverted_dropout=inverted_dropout,
        given_alive=given_alive,
    )
    return layer.enclose(_validation.digits(digits))


@dataclass(frozen=True)
class LayerScale:
    """The scale of one layer, its arguments checked.

    Attributes
    ----------
    law : Law
        The law of the norm's numerator: of the gain, for orthogonal layers that narrow with
        Gaussian weights.
    whole : Law or None
        The law of the norm that divides it there.
    order : Fraction
        Order of the moment.
    given_alive : bool
        Whether the moment is given that the layer is not dead.
    square : Fraction
        The square of the factor of the convention: fan_out/fan_in, or 1.
    """

    law: laws.Law
    whole: laws.Law | None
    order: Fraction
    given_alive: bool
    square: Fraction

    @classmethod
    def of(
        cls,
        activation: Any,
        fan_in: Any,
        fan_out: Any,
        order: Any,
        *,
        preserve: Any = "rms",
        keep_prob: Any = 1,
        weights: Any = "gaussian",
        inverted_dropout: Any = True,
        given_alive: Any = False,
    ) -> LayerScale:
        """Check the arguments of `init_scale`, whatever the digits."""
        n_in = _validation.integer("fan_in", fan_in, 1, _validation.MAX_WIDTH)
        n_out = _validation.integer("fan_out", fan_out, 1, _validation.MAX_WIDTH)
        orthogonal = _validation.choice("weights", weights, WEIGHTS) == "orthogonal"
        alive = _validation.flag("given_alive", given_alive)
        narrowing = orthogonal and n_in > n_out
        gain = Gain(
            as_activation(activation),
            n_out,
            keep_prob=keep_prob,
            inverted_dropout=inverted_dropout,
            weights="gaussian" if narrowing else weights,
        )
        exact = scale_order(gain, order, alive)
        rms = _validation.choice("preserve", preserve, PRESERVE) == "rms"
        return cls(
            law=laws.Law.of(gain),
            whole=laws.Law.make(n_in, 1, 1) if narrowing else None,
            order=exact,
            given_alive=alive,
            square=Fraction(n_out, n_in) if rms else Fraction(1),
        )

    def enclose(self, digits: int) -> Enclosure:
        """Return an enclosure of at least so many digits."""
        what = f"the scale of order {float(self.order):g}"
        return enclose(self._ball, self.law, digits, what)

    def _ball(self) -> arb:
        value = laws.scale(self.law, self.order, self.given_alive)
        if self.whole is not None:
            value /= laws.scale(self.whole, self.order)
        return value * laws.ball(self.square).sqrt()

    def exact_square(self) -> Fraction | None:
        """Return the square of the scale where it is a rational number known in closed form.

        At order 2, ``E R^2`` being the width times that of one unit; and where R is constant.
        """
        law = self.law
        if law.has_atom and self.given_alive:
            return None
        if self.order == 2:
            low, high = Fraction(law.lower), Fraction(law.upper)
            unit = law.one + law.slope * (low * low + low * high + high * high) / 3
            # Of an orthogonal matrix the sum over the units is divided by as many.
            count = Fraction(1 if law.orthogonal else law.width)
            if self.whole is not None:
                count /= self.whole.width
            return self.square / (count * unit * law.factor**2)
        if law.is_constant() and not law.has_atom:
            return self.square / law.factor**2
        return None
