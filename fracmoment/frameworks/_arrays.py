"""Weights of a scheme in any array library, in any layout: what JAX's and Keras' adapters share.

The library draws standard variates; scale and structure are the scheme's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fracmoment.frameworks._schemes import scheme_of
from fracmoment.schemes import (
    DeltaOrthogonal,
    Fixup,
    GaussianSubmatrix,
    LooksLinear,
    Scheme,
    TFixup,
    Unitary,
    fans,
)
from fracmoment.schemes.base import Site
from fracmoment.schemes.entries import TRUNCATED_STD
from fracmoment.schemes.fans import shape_of
from fracmoment.schemes.nonhomogeneous import LeCunTanh, SelfNormalizing
from fracmoment.schemes.scaled import ScaledScheme

#: Options of `Layout`.
LAYOUT = ("in_axis", "out_axis", "batch_axis", "groups", "transposed")


def refuse_unknown(function: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuse keyword arguments that a function does not have; say why there is no other law."""
    for name in options:
        if name in known:
            continue
        message = f"{function} takes no argument {name!r}"
        if name in ("distribution", "weights"):
            message += (
                ": moments of another order than 2 are preserved by untruncated normal and by"
                " orthogonal weights only, not by uniform or truncated ones; those of order 2 are"
                " schemes as 'he_uniform'"
            )
        raise TypeError(message)


class Library(Protocol):
    """What is asked of an array library; arrays are floats of at least single precision."""

    @property
    def ops(self) -> Any:
        """Its module of functions, with NumPy's names."""

    def normal(self, shape: tuple[int, ...]) -> Any:
        """Draw standard normal numbers, not truncated."""

    def uniform(self, shape: tuple[int, ...]) -> Any:
        """Draw numbers that are uniform on [-1, 1)."""

    def truncated(self, shape: tuple[int, ...]) -> Any:
        """Draw standard normal numbers given that they are inside [-2, 2]."""

    def qr(self, matrices: Any) -> tuple[Any, Any]:
        """Return the reduced QR factors of a stack of matrices."""


@dataclass(frozen=True)
class Layout:
    """Where the channels of a tensor of weights are.

    Attributes
    ----------
    in_axis, out_axis, batch_axis, groups, transposed
        As for `fracmoment.schemes.fans`.
    """

    in_axis: Any = -2
    out_axis: Any = -1
    batch_axis: Any = ()
    groups: int = 1
    transposed: bool = False

    def site(self, shape: tuple[int, ...]) -> Site:
        """Return the place of the weights of one group."""
        return Site.of(
            fans(
                shape,
                groups=self.groups,
                transposed=self.transposed,
                in_axis=self.in_axis,
                out_axis=self.out_axis,
                batch_axis=self.batch_axis,
            )
        )

    def arranged(self, blocks: Any, shape: tuple[int, ...], ops: Any) -> Any:
        """Return the tensor of blocks of shape (batch * groups, width, channels, taps)."""
        named = [_positive(axes, len(shape)) for axes in (self.batch_axis, self.out_axis)]
        named.append(_positive(self.in_axis, len(shape)))
        batch, outputs, inputs = named
        rest = [axis for axis in range(len(shape)) if axis not in (*batch, *outputs, *inputs)]
        _, width, channels, taps = blocks.shape
        if self.transposed:  # the axis of inputs counts the channels of all groups
            split = ops.reshape(blocks, (-1, self.groups, width, channels, taps))
            blocks = ops.transpose(split, (0, 2, 1, 3, 4))
        order = [*batch, *outputs, *inputs, *rest]
        ordered = ops.reshape(blocks, tuple(shape[axis] for axis in order))
        return ops.transpose(ordered, tuple(order.index(axis) for axis in range(len(shape))))


def drawable(scheme: Scheme | str) -> Scheme:
    """Return a scheme that can be drawn here, from itself or from its name."""
    chosen = scheme_of(scheme)
    structured = isinstance(chosen, (GaussianSubmatrix, LooksLinear, DeltaOrthogonal))
    if not structured and entries_of(chosen) is None and not _is_orthogonal(chosen):
        message = (
            f"scheme must be one of independent entries, of orthogonal matrices or of submatrices,"
            f" got {chosen!r}: draw its weights with sample() and set them"
        )
        raise ValueError(message)
    return chosen


def draw(scheme: Scheme, shape: Any, layout: Layout, library: Library) -> Any:
    """Draw weights.

    Parameters
    ----------
    scheme : Scheme
        A scheme of `drawable`.
    shape : sequence of int
        Shape of the weights, no size 0.
    layout : Layout
        What its axes mean.
    library : Library
        Where the numbers come from.
    """
    sizes = shape_of(shape)
    site = layout.site(sizes)
    entries = entries_of(scheme)
    if entries is not None:
        scale = scheme._scale_at(site)
        if entries == "uniform":
            return math.sqrt(3.0) * scale * library.uniform(sizes)
        if entries == "truncated":
            return scale / TRUNCATED_STD * library.truncated(sizes)
        return scale * library.normal(sizes)
    count = math.prod(sizes) // (site.width * site.channels * site.taps)
    if isinstance(scheme, (GaussianSubmatrix, LooksLinear)):
        blocks = _submatrices(scheme, site, count, layout, library)
    elif isinstance(scheme, DeltaOrthogonal):
        blocks = _deltas(scheme, site, count, sizes, layout, library)
    else:
        matrices = _haar(count, site.width, site.fan_in, library)
        matrices = scheme._scale_at(site) * matrices
        blocks = library.ops.reshape(matrices, (count, site.width, site.channels, site.taps))
    return layout.arranged(blocks, sizes, library.ops)


def entries_of(scheme: Scheme) -> str | None:
    """Return the law of independent entries, or None if they are not independent."""
    if isinstance(scheme, (SelfNormalizing, LeCunTanh)):
        return scheme.entries
    if isinstance(scheme, Fixup):
        return "normal"
    if isinstance(scheme, TFixup):
        return "normal" if scheme.role == "embedding" else "uniform"
    if isinstance(scheme, ScaledScheme) and scheme._model().weights == "gaussian":
        return scheme._model().entries
    return None


def _is_orthogonal(scheme: Scheme) -> bool:
    return (
        isinstance(scheme, ScaledScheme)
        and scheme._model().weights == "orthogonal"
        and not isinstance(scheme, Unitary)
    )


def _haar(count: int, rows: int, columns: int, library: Library) -> Any:
    """Draw matrices with orthonormal columns or rows, uniformly, as `haar_orthogonal` does."""
    ops = library.ops
    q, r = library.qr(library.normal((count, max(rows, columns), min(rows, columns))))
    diagonal = ops.diagonal(r, axis1=-2, axis2=-1)
    q = q * ops.where(diagonal < 0.0, -1.0, 1.0)[:, None, :]
    return q if rows >= columns else ops.transpose(q, (0, 2, 1))


def _submatrices(
    scheme: GaussianSubmatrix | LooksLinear,
    site: Site,
    count: int,
    layout: Layout,
    library: Library,
) -> Any:
    if layout.groups != 1:
        message = f"groups must be 1 for submatrix weights, got {layout.groups}"
        raise ValueError(message)
    ops = library.ops
    half = scheme._halves(site.channels, site.width)
    shape = (count, half.width, half.fan_in, site.taps)
    if isinstance(scheme, LooksLinear):
        block = ops.reshape(_haar(count, half.width, half.fan_in * site.taps, library), shape)
    else:
        block = library.normal(shape)
    block = scheme._scale_at(site) * block
    if scheme.position != "first":
        block = ops.concatenate([block, -block], axis=2)
    if scheme.position != "last":
        block = ops.concatenate([block, -block], axis=1)
    return block


def _deltas(
    scheme: DeltaOrthogonal,
    site: Site,
    count: int,
    shape: tuple[int, ...],
    layout: Layout,
    library: Library,
) -> Any:
    named = [
        axis
        for axes in (layout.in_axis, layout.out_axis, layout.batch_axis)
        for axis in _positive(axes, len(shape))
    ]
    kernel = [size for axis, size in enumerate(shape) if axis not in named]
    if not kernel or site.width < site.channels:
        message = (
            "shape must be that of a convolution with at least as many outputs as inputs in a"
            f" group, got {shape}"
        )
        raise ValueError(message)
    centre = np.ravel_multi_index([(n - 1) // 2 for n in kernel], kernel)
    matrices = scheme.factor * _haar(count, site.width, site.channels, library)
    return library.ops.stack([float(tap == centre) * matrices for tap in range(site.taps)], axis=-1)


def _positive(axes: Any, count: int) -> tuple[int, ...]:
    """Return axes counted from the front; they were checked by `fans`."""
    return tuple(int(axis) % count for axis in (axes if np.ndim(axes) else (axes,)))
