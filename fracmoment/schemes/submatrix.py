"""Gaussian submatrix and looks-linear weights: ReLU networks that are linear ones at the start."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, Linear, ReLU
from fracmoment.gains import Gain
from fracmoment.scales import init_scale
from fracmoment.schemes.base import Numbers, Quantity, Scheme, Site
from fracmoment.schemes.haar import haar_orthogonal
from fracmoment.schemes.numbers import Layers, defect, numbers_of
from fracmoment.schemes.scaled import (
    QUANTITIES,
    broadcast_fans,
    constant_scale,
    positive_number,
    preserved,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel, Statement

__all__ = ["GaussianSubmatrix", "LooksLinear"]

POSITIONS = ("first", "hidden", "last")

_WHY = (
    "Units come in pairs h, -h, of which ReLU passes one, and the weights take their difference:"
    " the network is the linear one of the submatrices, of half the width, for every input and at"
    " every position of a convolution [BD19]. Numbers are the linear network's."
)


class _Halves(NamedTuple):
    """The layer of the linear twin: its inputs, its units, and what the pairs make of its scale."""

    fan_in: int
    width: int
    factor: float


@dataclass(frozen=True)
class _Submatrix(Scheme):
    """Weights ``[[W, -W], [-W, W]]``, ``[W; -W]`` in the first and ``[W, -W]`` in the last layer.

    `position`, `activation` and `bias` are those of the subclasses.
    """

    position: str = "hidden"
    activation: Activation | str = field(default_factory=ReLU)
    bias: float = 0.0

    def __post_init__(self) -> None:
        bias = _validation.as_float("bias", self.bias)
        _validation.require("bias", bias, bias >= 0.0, ">= 0")
        activation = single_activation(self.activation)
        lower, upper = activation.slopes
        if lower != upper or lower == -1.0:
            message = (
                "activation must have a fixed slope, other than -1, for submatrix weights, got "
                f"{activation!r}"
            )
            raise ValueError(message)
        position = _validation.choice("position", self.position, POSITIONS)
        set_fields(self, position=position, activation=activation, bias=bias)

    # ------------------------------------------------------------ the linear twin

    def _halves(self, fan_in: Any, width: Any) -> _Halves:
        inputs = fan_in if self.position == "first" else _half("fan_in", fan_in)
        units = width if self.position == "last" else _half("fan_out", width)
        # A pair of outputs is phi(h), phi(-h): of norm sqrt(1 + a^2) |h|, of difference (1 + a) h.
        slope = float(single_activation(self.activation).slopes[0])
        passed = 1.0 if self.position == "first" else abs(1.0 + slope) / math.hypot(1.0, slope)
        made = 1.0 if self.position == "last" else math.hypot(1.0, slope)
        return _Halves(inputs, units, passed * made)

    @property
    @abstractmethod
    def _weights(self) -> str:
        """The law of the submatrix."""

    @property
    @abstractmethod
    def _quantity(self) -> Quantity: ...

    def gain(self, width: Any, fan_in: Any = None) -> Gain | None:
        """Return the gain of the linear layer of half the width; None where it is no multiple.

        With a negative slope other than 0 the pairs add a constant factor, and orthogonal
        submatrices with more inputs than units shorten: neither is a `Gain`.
        """
        inputs = width if fan_in is None else fan_in
        half = self._halves(inputs, width)
        narrow = np.any(np.asarray(half.fan_in) > np.asarray(half.width))
        if half.factor != 1.0 or (self._weights == "orthogonal" and narrow):
            return None
        return Gain("linear", half.width, weights=self._weights)

    # ------------------------------------------------------------ weights

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        if kernel.groups != 1:
            message = f"groups must be 1 for submatrix weights, got {kernel.groups}"
            raise ValueError(message)
        scale = self._scale_at(kernel.site)
        half = self._halves(kernel.site.channels, kernel.site.width)
        shape = (half.width, half.fan_in, *kernel.block[2:])
        if self._weights == "orthogonal":
            size = half.fan_in * kernel.site.taps
            block = scale * haar_orthogonal(1, half.width, size, rng).reshape(shape)
        else:
            block = scale * rng.standard_normal(shape)
        if self.position != "first":
            block = np.concatenate([block, -block], axis=1)
        if self.position != "last":
            block = np.concatenate([block, -block], axis=0)
        return kernel.assemble([block])

    def _draw_bias(self, site: Site, rng: np.random.Generator) -> FloatArray:
        half = self._halves(site.fan_in, site.width)
        values: FloatArray = self.bias * rng.standard_normal(half.width)
        return values if self.position == "last" else np.concatenate([values, -values])

    # ------------------------------------------------------------ statement

    def _state(self, site: Site) -> Statement:
        if self.position == "last" and site.depth > 1:
            message = f"depth must be 1 for a last layer, got {site.depth}"
            raise ValueError(message)
        half = self._halves(site.channels, site.width)
        twin = Layers(
            Linear(),
            [half.fan_in * site.taps, *[half.width] * site.depth],
            self._twin_scales(site, half),
            self._weights,
        )
        quantity = self._quantity
        shift = math.sqrt(site.fan_in / site.width) if quantity == "rms" else 1.0
        scale = twin.scales[0] * shift
        numbers = numbers_of(twin._replace(scales=[scale]), "norm", isometry=False)
        square = scale * scale * half.width
        if self._weights == "orthogonal":
            square /= max(half.fan_in * site.taps, half.width)
        numbers = numbers._replace(
            order=self._order(numbers),
            isometry_defect=defect(twin) if site.taps == 1 else None,
        )
        sentence = preserved(numbers, quantity, square)
        return self._statement(site, sentence, numbers, _WHY, quantity=quantity)

    def _twin_scales(self, site: Site, half: _Halves) -> list[float]:
        """Return the scales of the linear layers: this one and those behind it."""
        first = half.factor * self._scale_at(site)
        if site.depth == 1:
            return [first]
        behind = replace(self, position="hidden")
        factor = behind._halves(site.width, site.width).factor
        hidden = factor * float(behind.scale(site.width, site.width))
        return [first, *[hidden] * (site.depth - 1)]

    def _order(self, numbers: Numbers) -> float | None:
        return None if numbers.log_variance == 0.0 else numbers.order


@dataclass(frozen=True)
class GaussianSubmatrix(_Submatrix):
    """Normal submatrices: a ReLU network that is a Gaussian linear one of half the width [BD19].

    The weights are ``[[W, -W], [-W, W]]`` in hidden layers, ``[W; -W]`` in the first and
    ``[W, -W]`` in the last, which has no activation; for kernels the blocks are channels.

    Parameters
    ----------
    position : {"first", "hidden", "last"}, optional
        Where the layer is.
    activation : Activation or str, optional
        ReLU, or leaky ReLU with a fixed slope other than -1: there the pairs add a known factor.
    bias : float, optional
        Standard deviation of the biases of W; they are mirrored, ``[b; -b]``, as the weights.
    order : float, optional
        Order of the moment that is preserved, that of the linear network; 0 is zero drift.
    preserve : {"rms", "norm"}, optional
        Whether it is the moment of the root mean square of all units or of the norm.

    Examples
    --------
    >>> scheme = GaussianSubmatrix(order=1.0)
    >>> scheme.gain(64)
    Gain(Linear(), 32)
    >>> w = scheme.sample((4, 4), rng=1)
    >>> bool(np.array_equal(w[:2, :2], -w[:2, 2:])) and bool(np.array_equal(w[:2], -w[2:]))
    True
    >>> GaussianSubmatrix().scale(64, 64) == (2 / 64) ** 0.5  # order 2: He's scale
    True
    """

    order: float = 2.0
    preserve: str = "rms"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        set_fields(
            self,
            order=_validation.as_float("order", self.order),
            preserve=_validation.choice("preserve", self.preserve, QUANTITIES),
        )

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "gaussian_submatrix"

    @property
    def _weights(self) -> str:
        return "gaussian"

    @property
    def _quantity(self) -> Quantity:
        return "rms" if self.preserve == "rms" else "norm"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the standard deviation of the submatrix: that of the linear layer, to scale.

        Notes
        -----
        ``M(s)^(-1/s)`` at half the width, over the factor of the pairs, times
        ``sqrt(fan_out/fan_in)`` to preserve the root mean square: a few ulp.
        """
        inputs, outputs = broadcast_fans(fan_in, fan_out)
        half = self._halves(inputs.astype(np.int64), outputs.astype(np.int64))
        norm = init_scale("linear", half.fan_in, half.width, self.order, preserve="norm")
        shift = np.sqrt(outputs / inputs) if self.preserve == "rms" else 1.0
        return plain(norm * shift / half.factor)

    def _scale_at(self, site: Site) -> float:
        return float(self.scale(site.fan_in, site.width))

    def _order(self, numbers: Numbers) -> float | None:
        del numbers
        return self.order


@dataclass(frozen=True)
class LooksLinear(_Submatrix):
    """Orthogonal submatrices: a ReLU network that is an isometry at initialization [BFL17].

    Blocks as for `GaussianSubmatrix`, W a Haar orthogonal matrix times a factor.

    Parameters
    ----------
    position, activation, bias
        As for `GaussianSubmatrix`.
    factor : float, optional
        The factor, > 0.

    Examples
    --------
    >>> statement = LooksLinear("first").statement(32, 64, depth=100)
    >>> statement.preserves, round(statement.isometry_defect, 12)
    ('|x| itself, of every input.', 0.0)
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        set_fields(self, factor=positive_number("factor", self.factor))

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "looks_linear"

    @property
    def _weights(self) -> str:
        return "orthogonal"

    @property
    def _quantity(self) -> Quantity:
        return "norm"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the factor of the orthogonal submatrix."""
        inputs, outputs = broadcast_fans(fan_in, fan_out)
        self._halves(inputs.astype(np.int64), outputs.astype(np.int64))  # refuses odd widths
        return constant_scale(self.factor, fan_in, fan_out)

    def _scale_at(self, site: Site) -> float:
        return float(self.scale(site.channels, site.width))


def _half(name: str, width: Any) -> Any:
    widths = np.asarray(_validation.width(width, name))
    _validation.require(name, widths, widths % 2 == 0, "even for submatrix weights")
    halves = widths // 2
    return int(halves) if halves.ndim == 0 else halves
