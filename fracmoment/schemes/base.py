"""What every initialization scheme can do, and the statement of what it preserves."""

from __future__ import annotations

import math
import textwrap
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.schemes.fans import Fans, fans, shape_of

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain

__all__ = ["Scheme", "Statement"]

#: Statements about deeper networks are refused: the recursion for Jacobians takes every layer.
MAX_DEPTH = 100_000

Evidence = Literal["exact", "asymptotic", "empirical"]
Quantity = Literal["rms", "norm"]

_COLUMNS = 80


@dataclass(frozen=True)
class Statement:
    """What a scheme preserves in a layer of given size, and how well that is known.

    Natural logarithms; drift and variance are per layer and given that the layer is alive. A number
    that does not exist, or is not known, is None. The numbers are those of the layer ``fan_in ->
    fan_out``; `prob_dead` and `isometry_defect` belong to ``depth`` layers, the first of which is
    that one and the others ``fan_out -> fan_out`` with the scheme's scale for them.

    Attributes
    ----------
    scheme : str
        Expression that makes the scheme.
    fan_in, fan_out, depth : int
        The layer and the number of layers.
    quantity : {"rms", "norm"}
        Whether order and drift are those of the root mean square ``|x|/sqrt(n)`` or of the norm.
    preserves : str
        A sentence.
    order : float or None
        The order of the moment that is preserved, the tail index: 0.0 where the drift is not
        negative, inf where every moment shrinks.
    drift, log_variance : float or None
        Mean and variance of the logarithm of the factor by which the quantity is multiplied.
    prob_dead : float or None
        Probability that the signal is exactly zero after ``depth`` layers.
    isometry_defect : float or None
        ``E |J^T J - 1|^2 / fan_in`` for the Jacobian J of ``depth`` layers.
    evidence : {"exact", "asymptotic", "empirical"}
        How the sentence is known: at the width itself, in the limit of large widths, or only by
        trial.
    approximate : tuple of str
        The numbers above that hold in the limit of large widths only, whatever the evidence.
    reason : str
        Why, and what it rests on.
    """

    scheme: str
    fan_in: int
    fan_out: int
    depth: int
    quantity: Quantity
    preserves: str
    order: float | None
    drift: float | None
    log_variance: float | None
    prob_dead: float | None
    isometry_defect: float | None
    evidence: Evidence
    reason: str
    approximate: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the statement as JSON takes it; an infinite order becomes None."""
        values = asdict(self)
        values["approximate"] = list(self.approximate)
        if self.order is not None and math.isinf(self.order):
            values["order"] = None
        return values

    def __str__(self) -> str:
        """Return the statement as text of 80 columns; ``~`` marks what is approximate."""
        layers = f"{self.fan_in} -> {self.fan_out}"
        if self.depth > 1:
            layers += f", {self.depth} layers"
        rows = [("layer", layers), ("preserves", self.preserves)]
        rows += [
            (label, self._number(name))
            for label, name in (
                ("order", "order"),
                ("drift", "drift"),
                ("log variance", "log_variance"),
                ("P(dead)", "prob_dead"),
                ("defect", "isometry_defect"),
            )
        ]
        rows += [("evidence", self.evidence), ("reason", self.reason)]
        lines = textwrap.wrap(self.scheme, _COLUMNS, subsequent_indent="    ")
        for label, text in rows:
            lines += textwrap.wrap(
                text, _COLUMNS, initial_indent=f"{label:14}", subsequent_indent=" " * 14
            )
        return "\n".join(lines)

    def _number(self, name: str) -> str:
        value = getattr(self, name)
        if value is None:
            return "-"
        mark = "~" if name in self.approximate else ""
        rounded = 0.0 if abs(value) < 1e-14 and name != "prob_dead" else value
        return f"{mark}{rounded:.6g}"


class Numbers(NamedTuple):
    """The numbers of a statement; None where there is none."""

    order: float | None = None
    drift: float | None = None
    log_variance: float | None = None
    prob_dead: float | None = None
    isometry_defect: float | None = None


class Site(NamedTuple):
    """Where weights stand: the fans, the units that share one patch of inputs, the depth."""

    fan_in: int
    fan_out: int
    width: int
    depth: int = 1
    taps: int = 1

    @classmethod
    def of(cls, counted: Fans) -> Site:
        """Return the place of one layer."""
        width = counted.width
        return cls(counted.fan_in, counted.fan_out, width, 1, counted.receptive_field)

    @property
    def channels(self) -> int:
        """Input channels of one group."""
        return self.fan_in // self.taps


class Kernel(NamedTuple):
    """A tensor of weights to draw, in torch's layout."""

    shape: tuple[int, ...]
    groups: int
    transposed: bool
    site: Site

    @classmethod
    def of(cls, shape: Any, groups: Any, transposed: Any) -> Kernel:
        """Return the checked description."""
        sizes = shape_of(shape)
        site = Site.of(fans(sizes, groups=groups, transposed=transposed))
        return cls(sizes, int(groups), bool(transposed), site)

    @property
    def block(self) -> tuple[int, ...]:
        """The shape of the weights of one group: outputs, inputs, kernel."""
        return (self.site.width, self.site.channels, *self.shape[2:])

    def at_centre(self, matrix: FloatArray) -> FloatArray:
        """Return a block with a matrix at the central tap, ``(n - 1)//2`` of n, zero elsewhere."""
        block = np.zeros(self.block)
        centre: tuple[Any, ...] = (..., *((n - 1) // 2 for n in self.block[2:]))
        block[centre] = matrix
        return block

    def assemble(self, blocks: list[FloatArray]) -> FloatArray:
        """Return the tensor of the groups' weights, each of shape `block`."""
        if self.transposed:
            return np.concatenate([np.swapaxes(block, 0, 1) for block in blocks], axis=0)
        return np.concatenate(blocks, axis=0)


@dataclass(frozen=True)
class Scheme(ABC):
    """One initialization scheme: draws weights, and states what they preserve.

    Weights are drawn with NumPy's generators: ``rng`` is whatever `numpy.random.default_rng` takes,
    and the same seed gives the same weights as long as NumPy keeps its streams. Dense weights have
    the shape ``(fan_out, fan_in)``, kernels ``(out, in/groups, *kernel)``, those of transposed
    convolutions ``(in, out/groups, *kernel)``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name under which `get` knows the scheme."""

    # ------------------------------------------------------------ weights

    def sample(
        self, shape: Any, *, rng: Any = None, groups: int = 1, transposed: bool = False
    ) -> FloatArray:
        """Draw weights.

        Parameters
        ----------
        shape : sequence of int
            Shape of the weights, in the layout above.
        rng : optional
            What `numpy.random.default_rng` takes.
        groups : int, optional
            Groups of a convolution.
        transposed : bool, optional
            Whether the convolution is transposed.

        Returns
        -------
        ndarray of float64

        Raises
        ------
        ValueError
            The shape is none that the scheme can fill; the message says why.
        """
        kernel = Kernel.of(shape, groups, transposed)
        return self._draw(kernel, _validation.generator(rng))

    def sample_bias(self, fan_in: int, fan_out: int, *, rng: Any = None) -> FloatArray:
        """Draw the biases that belong to the scheme: zeros, unless it says otherwise.

        Parameters
        ----------
        fan_in, fan_out : int
            Size of the layer.
        rng : optional
            What `numpy.random.default_rng` takes.

        Returns
        -------
        ndarray of float64, shape (fan_out,)
        """
        site = _dense(fan_in, fan_out, 1)
        return self._draw_bias(site, _validation.generator(rng))

    @abstractmethod
    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray: ...

    def _draw_bias(self, site: Site, rng: np.random.Generator) -> FloatArray:
        del rng
        return np.zeros(site.fan_out)

    # ------------------------------------------------------------ what they preserve

    @abstractmethod
    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the standard deviation of an entry, or the factor of an orthogonal matrix.

        Parameters
        ----------
        fan_in, fan_out : int or array_like of int
            Size of the layer; they broadcast.

        Returns
        -------
        float or ndarray

        Raises
        ------
        TypeError
            The scheme has no scale; the message says why.
        """

    def scale_for(
        self,
        shape: Any,
        *,
        groups: int = 1,
        transposed: bool = False,
        in_axis: Any = None,
        out_axis: Any = None,
        batch_axis: Any = (),
    ) -> float:
        """Return the scale of a tensor of weights, told by its axes as in `fans`.

        For a kernel the scale that holds at one output position: its inputs are one patch, its
        units the output channels of one group.
        """
        counted = fans(
            shape,
            groups=groups,
            transposed=transposed,
            in_axis=in_axis,
            out_axis=out_axis,
            batch_axis=batch_axis,
        )
        return self._scale_at(Site.of(counted))

    def _scale_at(self, site: Site) -> float:
        return float(self.scale(site.fan_in, site.fan_out))

    def gain(self, width: Any, fan_in: Any = None) -> Gain | None:
        """Return the exact law of the gain of a layer at scale 1, or None where it has none.

        Parameters
        ----------
        width : int or array_like of int
            Units of the layer.
        fan_in : int or array_like of int, optional
            Its inputs, which matter for orthogonal weights: the gain of a layer with fewer units
            than inputs is no `Gain`. They are ``width`` by default.
        """
        del width, fan_in
        return None

    def statement(self, fan_in: int, fan_out: int, depth: int = 1) -> Statement:
        """Return what the scheme preserves in ``depth`` dense layers.

        Parameters
        ----------
        fan_in, fan_out : int
            Size of the first layer; the others are ``fan_out -> fan_out``.
        depth : int, optional
            Number of layers, at most 100,000.

        Returns
        -------
        Statement
        """
        return self._state(_dense(fan_in, fan_out, depth))

    def statement_for(self, shape: Any, *, groups: int = 1, transposed: bool = False) -> Statement:
        """Return what the scheme preserves in one layer, told by the shape of its weights.

        For a kernel it is a statement about one output position and one group.
        """
        return self._state(Kernel.of(shape, groups, transposed).site)

    @abstractmethod
    def _state(self, site: Site) -> Statement: ...

    def _statement(
        self,
        site: Site,
        preserves: str,
        numbers: Numbers,
        reason: str,
        *,
        evidence: Evidence = "exact",
        quantity: Quantity = "rms",
        approximate: tuple[str, ...] = (),
    ) -> Statement:
        known = tuple(name for name in approximate if getattr(numbers, name) is not None)
        return Statement(
            scheme=repr(self),
            fan_in=site.fan_in,
            fan_out=site.fan_out,
            depth=site.depth,
            quantity=quantity,
            preserves=preserves,
            **numbers._asdict(),
            evidence=evidence,
            reason=reason,
            approximate=known,
        )


def _dense(fan_in: Any, fan_out: Any, depth: Any) -> Site:
    n_in = _validation.integer("fan_in", fan_in, 1, _validation.MAX_WIDTH)
    n_out = _validation.integer("fan_out", fan_out, 1, _validation.MAX_WIDTH)
    return Site(n_in, n_out, n_out, _validation.integer("depth", depth, 1, MAX_DEPTH))
