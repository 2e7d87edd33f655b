"""Fans: how many inputs feed a unit and how many units an input feeds, told by explicit axes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fracmoment import _validation

__all__ = ["Fans", "fans"]


class Fans(NamedTuple):
    """Fans of a tensor of weights.

    Attributes
    ----------
    fan_in : int
        Inputs that one unit sums: channels of one group times the receptive field.
    fan_out : int
        Sums that one input enters: channels of one group times the receptive field.
    receptive_field : int
        Number of taps of the kernel; 1 for a dense layer.
    """

    fan_in: int
    fan_out: int
    receptive_field: int

    @property
    def width(self) -> int:
        """Units that share one patch of inputs: the output channels of one group.

        It is the width of the gain law at one output position, and ``fan_out`` for a dense layer.
        """
        return self.fan_out // self.receptive_field


def fans(
    shape: Any,
    *,
    groups: int = 1,
    transposed: bool = False,
    in_axis: Any = None,
    out_axis: Any = None,
    batch_axis: Any = (),
) -> Fans:
    """Return the fans of a dense or convolutional tensor of weights.

    Nothing is guessed from the number of axes: by default the shape is in torch's layout,
    ``(out, in/groups, *kernel)``, or ``(in, out/groups, *kernel)`` with ``transposed=True``. Other
    layouts name their axes.

    Parameters
    ----------
    shape : sequence of int
        Shape of the weights, two axes or more, no axis of size 0.
    groups : int, optional
        Number of groups of a convolution. It must divide the axis that counts all channels: that
        of outputs, or of inputs if transposed.
    transposed : bool, optional
        Whether the convolution is transposed.
    in_axis, out_axis : int or sequence of int, optional
        Axes of the input and output channels: 1 and 0 by default, 0 and 1 if transposed. Keras'
        and Flax's layouts have ``in_axis=-2, out_axis=-1`` (Keras' transposed convolutions
        ``in_axis=-1, out_axis=-2``). Several axes multiply, as in attention layers.
    batch_axis : int or sequence of int, optional
        Axes that count independent layers, stacked in one tensor.

    Returns
    -------
    Fans

    Raises
    ------
    ValueError
        Axes overlap or do not exist, a size is 0, the groups do not divide.

    Notes
    -----
    Dilation and padding change no fan: a dilated kernel has the same number of weights. Strides do
    not enter either; with a stride above 1 the fan of an input (of an output, if transposed) varies
    from position to position, and is the one returned divided by the strides on average.

    For ungrouped, untransposed layers the numbers are torch's and Keras'. With groups both
    frameworks take all outputs for ``fan_out``, and torch swaps the fans of transposed
    convolutions: what one input or output really sees is returned here.

    Examples
    --------
    >>> fans((256, 784))
    Fans(fan_in=784, fan_out=256, receptive_field=1)
    >>> fans((64, 32, 3, 3))
    Fans(fan_in=288, fan_out=576, receptive_field=9)
    >>> fans((3, 3, 32, 64), in_axis=-2, out_axis=-1) == fans((64, 32, 3, 3))
    True
    >>> fans((64, 1, 5, 5), groups=64)  # depthwise
    Fans(fan_in=25, fan_out=25, receptive_field=25)
    >>> fans((32, 64, 4, 4), transposed=True).width
    64
    """
    sizes = shape_of(shape)
    count = _validation.integer("groups", groups, 1, _validation.MAX_WIDTH)
    swapped = _validation.flag("transposed", transposed)
    inputs = _axes("in_axis", (0 if swapped else 1) if in_axis is None else in_axis, sizes)
    outputs = _axes("out_axis", (1 if swapped else 0) if out_axis is None else out_axis, sizes)
    batch = _axes("batch_axis", batch_axis, sizes)
    named = inputs + outputs + batch
    if len(set(named)) != len(named) or not inputs or not outputs:
        message = (
            "in_axis, out_axis and batch_axis must be different axes, the first two at least one "
            f"each, got {in_axis!r}, {out_axis!r} and {batch_axis!r} for shape {sizes}"
        )
        raise ValueError(message)
    n_in, n_out = (math.prod(sizes[axis] for axis in axes) for axes in (inputs, outputs))
    # one of the axes counts the channels of one group, the other those of all groups
    shared = n_in if swapped else n_out
    if shared % count:
        kind = "input" if swapped else "output"
        message = f"groups must divide the {shared} {kind} channels of shape {sizes}, got {count}"
        raise ValueError(message)
    if swapped:
        n_in //= count
    else:
        n_out //= count
    taps = math.prod(size for axis, size in enumerate(sizes) if axis not in named)
    if max(n_in, n_out) * taps > _validation.MAX_WIDTH:
        message = f"shape must have fans of at most {_validation.MAX_WIDTH}, got {sizes}"
        raise ValueError(message)
    return Fans(n_in * taps, n_out * taps, taps)


def shape_of(shape: Any) -> tuple[int, ...]:
    """Return a checked shape of weights: two axes or more, none of size 0."""
    try:
        entries = tuple(shape)
    except TypeError:
        message = f"shape must be a sequence of two sizes or more, got {shape!r}"
        raise TypeError(message) from None
    sizes = tuple(_validation.integer("shape", n, 0, _validation.MAX_WIDTH) for n in entries)
    if len(sizes) < 2 or 0 in sizes:
        message = f"shape must have two axes or more and no axis of size 0, got {sizes}"
        raise ValueError(message)
    return sizes


def _axes(name: str, value: Any, sizes: tuple[int, ...]) -> list[int]:
    entries = value if isinstance(value, (tuple, list)) else (value,)
    last = len(sizes) - 1
    return [_validation.integer(name, axis, -last - 1, last) % len(sizes) for axis in entries]
