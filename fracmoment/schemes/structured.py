"""Schemes of given structure: zero, constant, identity, sparse."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment.activations import Activation, Linear, ReLU
from fracmoment.expansions import unit_moments
from fracmoment.gains import Gain
from fracmoment.schemes.base import Numbers, Scheme
from fracmoment.schemes.numbers import Layers, defect, numbers_of
from fracmoment.schemes.scaled import (
    constant_scale,
    in_the_limit,
    is_one,
    positive_number,
    set_fields,
    single_activation,
)
from fracmoment.signals.isometry import SymmetricEntries

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel, Site, Statement

__all__ = ["Constant", "Identity", "Sparse", "Zero"]

_WHY_SPARSE = (
    "Rows are independent and symmetric, so means of squares and the defect are exact (the latter"
    " for an input without zeros). A pre-activation is normal given the inputs that it sees; what"
    " is approximate holds in the limit of many inputs a unit, of like size. Where an input has"
    " zeros, as behind ReLU, a unit may see nothing else: layers die more often than those of"
    " normal weights, with a probability that depends on the input."
)


@dataclass(frozen=True)
class Zero(Scheme):
    """All weights zero.

    Examples
    --------
    >>> Zero().statement(8, 8).prob_dead
    1.0
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "zero"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return 0, the standard deviation of the entries."""
        return constant_scale(0.0, fan_in, fan_out)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        del rng
        return np.zeros(kernel.shape)

    def _state(self, site: Site) -> Statement:
        return self._statement(
            site,
            "Nothing: the output is 0 for every input.",
            Numbers(prob_dead=1.0, isometry_defect=1.0 if site.taps == 1 else None),
            "The output is 0, and so is the gradient of every layer but the last; a last layer of"
            " zeros still learns.",
        )


@dataclass(frozen=True)
class Constant(Scheme):
    """All weights equal.

    Parameters
    ----------
    value : float
        The weight.

    Examples
    --------
    >>> Constant(0.5).sample((2, 3), rng=0)
    array([[0.5, 0.5, 0.5],
           [0.5, 0.5, 0.5]])
    """

    value: float

    def __post_init__(self) -> None:
        """Check the value."""
        set_fields(self, value=_validation.as_float("value", self.value))

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "constant"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Raise TypeError: the weights are not random."""
        del fan_in, fan_out
        message = f"{self!r} has no scale: its weights are not random"
        raise TypeError(message)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        del rng
        return np.full(kernel.shape, self.value)

    def _state(self, site: Site) -> Statement:
        return self._statement(
            site,
            f"The sum of the inputs: every unit is phi({self.value:g} sum x), all alike.",
            Numbers(isometry_defect=self._defect(site) if site.taps == 1 else None),
            "The matrix has rank one. What it does to |x| depends on the input: nothing remains of"
            " one whose entries sum to 0. Units that are alike have gradients that are alike, so"
            " training never tells them apart. The defect is that of linear layers.",
        )

    def _defect(self, site: Site) -> float | None:
        """Return the defect: J^T J is ``c^(2k) d^(2k-1)`` times the n x n matrix of ones."""
        if self.value == 0.0:
            return 1.0
        n, d, k = site.fan_in, site.width, site.depth
        log_eigenvalue = 2 * k * math.log(abs(self.value)) + (2 * k - 1) * math.log(d)
        log_eigenvalue += math.log(n)
        if log_eigenvalue > 350.0:
            return None
        eigenvalue = math.exp(log_eigenvalue)
        return ((eigenvalue - 1.0) ** 2 + (n - 1)) / n


@dataclass(frozen=True)
class Identity(Scheme):
    """The identity times a factor: ones on the diagonal, or on that of the central tap [LJH15].

    With ReLU and zero biases it is the recurrent initialization IRNN. Groups of a convolution have
    an identity each.

    Parameters
    ----------
    factor : float, optional
        The factor, > 0.
    activation : {"linear", "relu"}, optional
        Activation of the layer that the statement is about.

    Examples
    --------
    >>> Identity().sample((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    >>> Identity(activation="relu").statement(8, 8, 100).preserves
    '|x| itself, of every input without negative entries, at any depth.'
    """

    factor: float = 1.0
    activation: Activation | str = field(default_factory=Linear)

    def __post_init__(self) -> None:
        """Check the parameters."""
        activation = single_activation(self.activation)
        if activation not in (Linear(), ReLU()):
            message = f"activation must be linear or ReLU for the identity, got {activation!r}"
            raise ValueError(message)
        set_fields(self, factor=positive_number("factor", self.factor), activation=activation)

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "identity"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Raise TypeError: the weights are not random."""
        del fan_in, fan_out
        message = f"{self!r} has no scale: its weights are not random"
        raise TypeError(message)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        del rng
        ones = np.eye(kernel.site.width, kernel.site.channels)
        return kernel.assemble([kernel.at_centre(self.factor * ones)] * kernel.groups)

    def _state(self, site: Site) -> Statement:
        linear, narrow = self.activation == Linear(), site.width < site.channels
        signs = "" if linear else " without negative entries"
        zeros = " that is 0 in the units left out" if narrow else ""
        limits = " and".join(text for text in (signs, zeros) if text)
        times = "itself" if self.factor == 1.0 else f"times {self.factor:g} a layer"
        always = not narrow and linear
        known = Numbers(
            drift=math.log(self.factor) if always else None,
            log_variance=0.0 if always else None,
            prob_dead=0.0 if always else None,
            isometry_defect=self._defect(site) if linear else None,
        )
        return self._statement(
            site,
            f"|x| {times}, of every input{limits}, at any depth.",
            known,
            "The weights are not random: layers copy their input. ReLU cuts negative entries once,"
            " in the first layer, and nothing afterwards."
            if not linear
            else "The weights are not random: layers copy their input.",
            quantity="norm",
        )

    def _defect(self, site: Site) -> float | None:
        kept = min(site.channels, site.width) / site.channels
        if abs(site.depth * math.log(self.factor)) > 170.0:
            return None
        square = self.factor ** (2 * site.depth)
        return kept * (square - 1.0) ** 2 + (1.0 - kept)


@dataclass(frozen=True)
class Sparse(Scheme):
    """A fixed number of normal weights a unit, the others zero [Mar10].

    Parameters
    ----------
    nonzero : int, optional
        How many inputs a unit sees, chosen uniformly.
    activation : Activation or str, optional
        After the matrix product.
    std : float, optional
        Standard deviation of the weights that are not zero. By default ``1/sqrt(nonzero E
        phi(z)^2)``, which preserves the mean square.

    Examples
    --------
    >>> w = Sparse(3).sample((4, 10), rng=0)
    >>> np.count_nonzero(w, axis=1)
    array([3, 3, 3, 3])
    >>> Sparse(15, "linear").statement(100, 100).order
    2.0
    """

    nonzero: int = 15
    activation: Activation | str = field(default_factory=ReLU)
    std: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        count = _validation.integer("nonzero", self.nonzero, 1, _validation.MAX_WIDTH)
        set_fields(self, nonzero=count, activation=single_activation(self.activation))
        if self.std is not None:
            set_fields(self, std=positive_number("std", self.std))

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "sparse"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the standard deviation of the weights that are not zero."""
        inputs = np.asarray(_validation.width(fan_in, "fan_in"))
        allowed = f"at least the {self.nonzero} inputs that a unit sees"
        _validation.require("fan_in", inputs, inputs >= self.nonzero, allowed)
        return constant_scale(self._std, fan_in, fan_out)

    @property
    def _std(self) -> float:
        if self.std is not None:
            return self.std
        return 1.0 / math.sqrt(self.nonzero * self._second)

    @property
    def _second(self) -> float:
        return float(unit_moments(Gain(single_activation(self.activation), 1))[0])

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        std = self._scale_at(kernel.site)
        rows, columns = kernel.site.width, kernel.site.fan_in
        blocks = []
        for _ in range(kernel.groups):
            # The smallest of independent uniform numbers stand in uniformly chosen places.
            seen = rng.random((rows, columns)).argpartition(self.nonzero - 1, axis=1)
            weights = np.zeros((rows, columns))
            values = std * rng.standard_normal((rows, self.nonzero))
            np.put_along_axis(weights, seen[:, : self.nonzero], values, axis=1)
            blocks.append(weights.reshape(kernel.block))
        return kernel.assemble(blocks)

    def _state(self, site: Site) -> Statement:
        std = self._scale_at(site)
        if site.depth > 1:
            self.scale(site.width, site.width)  # refuses layers that are too narrow
        activation = single_activation(self.activation)
        widths = [site.fan_in, *[site.width] * site.depth]
        # In the limit the law is that of normal entries of the same mean square.
        spread = [std * math.sqrt(self.nonzero / n) for n in widths[:-1]]
        limit = numbers_of(Layers(activation, widths, spread), "rms", isometry=False)
        entries = SymmetricEntries(3.0, self.nonzero)
        of_jacobian = Layers(activation, widths, [std] * site.depth, entries)
        square = std * std * self.nonzero * self._second
        numbers = limit._replace(
            order=2.0 if is_one(square) else limit.order,
            prob_dead=None if limit.prob_dead else 0.0,
            isometry_defect=defect(of_jacobian) if site.taps == 1 else None,
        )
        return in_the_limit(self, site, self.nonzero, numbers, square, "rms", _WHY_SPARSE)
