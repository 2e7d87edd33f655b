"""Schemes for activations that are not homogeneous: SELU and LeCun's tanh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation, nonlinear
from fracmoment._results import plain
from fracmoment.schemes.base import Numbers, Scheme
from fracmoment.schemes.entries import ENTRIES, draw_entries
from fracmoment.schemes.scaled import broadcast_fans, set_fields

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel, Site, Statement

__all__ = ["LeCunTanh", "SelfNormalizing"]

_WHY = (
    "The scale enters the activation, so no gain is independent of the input. For an input of root"
    " mean square 1 the pre-activations are{normal} standard normal, and {moments}. The root mean"
    " square of the next layer's input only tends to a constant as the width grows, so deeper"
    " layers are those of mean field. fracmoment.nonlinear.NonlinearGain is the exact law of one"
    " layer."
)


@cache
def _first(activation: str) -> float:
    """Return the mean square of units with standard normal pre-activations."""
    return float(nonlinear.NonlinearMeanField(activation, 1.0).variance_map(1.0))


@cache
def _limit(activation: str) -> float:
    """Return the mean square to which units tend in depth, at the gain 1."""
    return next(
        point.variance
        for point in nonlinear.NonlinearMeanField(activation, 1.0).fixed_points()
        if point.stable
    )


@dataclass(frozen=True)
class _UnitVariance(Scheme):
    """Variance ``1/fan_in``, which gives unit pre-activations for inputs of root mean square 1."""

    entries: str = "normal"

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(self, entries=_validation.choice("entries", self.entries, ENTRIES))

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return ``1/sqrt(fan_in)``."""
        inputs, _ = broadcast_fans(fan_in, fan_out)
        return plain(1.0 / np.sqrt(inputs))

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        return draw_entries(self.entries, kernel.shape, self._scale_at(kernel.site), rng)

    def _why(self, moments: str) -> str:
        normal = " exactly" if self.entries == "normal" else " nearly (central limit theorem)"
        return _WHY.format(normal=normal, moments=moments)


@dataclass(frozen=True)
class SelfNormalizing(_UnitVariance):
    """Variance ``1/fan_in`` for SELU, whose constants make mean 0 and variance 1 a fixed point.

    The activation is `fracmoment.nonlinear.SELU` [KUMH17].

    Parameters
    ----------
    entries : {"normal", "uniform", "truncated"}, optional
        Law of the entries, as for `LeCun`.

    Examples
    --------
    >>> SelfNormalizing().scale(64, 10)
    0.125
    >>> SelfNormalizing().statement(64, 64).evidence
    'asymptotic'
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "selu"

    def _state(self, site: Site) -> Statement:
        moments = f"the units have mean 0 and mean square {_first('selu'):.3g}"
        return self._statement(
            site,
            f"Mean 0 and mean square {_limit('selu'):.3g} of the units, a stable fixed point of"
            " mean field.",
            Numbers(),
            self._why(moments),
            evidence="asymptotic",
        )


@dataclass(frozen=True)
class LeCunTanh(_UnitVariance):
    """Variance ``1/fan_in`` for LeCun's scaled tanh, ``1.7159 tanh(2 z/3)`` [LBOM98].

    The function maps 1 and -1 to themselves, which is not the same as preserving a mean square.

    Parameters
    ----------
    entries : {"normal", "uniform", "truncated"}, optional
        Law of the entries, as for `LeCun`.

    Examples
    --------
    >>> LeCunTanh("uniform").scale(64, 10)
    0.125
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "lecun_tanh"

    def _state(self, site: Site) -> Statement:
        moments = f"the units have mean 0 and mean square {_first('lecun_tanh'):.3f}"
        return self._statement(
            site,
            "The order of magnitude: in mean field the mean square of the units tends to"
            f" {_limit('lecun_tanh'):.3f}.",
            Numbers(),
            self._why(moments),
            evidence="asymptotic",
        )
