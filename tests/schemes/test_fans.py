"""Fans: the rules that frameworks document, and what their own formulas get wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fracmoment.schemes import Fans, fans


def torch_rule(shape):
    """torch.nn.init: size(1) and size(0), times the product of the other axes."""
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def keras_rule(shape):
    """keras.initializers: the last two axes are inputs and outputs, the others taps."""
    taps = math.prod(shape[:-2])
    return shape[-2] * taps, shape[-1] * taps


@pytest.mark.parametrize("shape", [(5, 7), (8, 3, 5), (8, 4, 3, 5), (2, 3, 4, 5, 6)])
def test_plain_layers_are_as_in_torch_and_keras(shape):
    assert fans(shape)[:2] == torch_rule(shape)
    moved = (*shape[2:], shape[1], shape[0])
    assert fans(moved, in_axis=-2, out_axis=-1)[:2] == keras_rule(moved) == torch_rule(shape)
    assert fans(shape).width == shape[0]


def counted_fans(n_in, n_out, kernel, groups, transposed, dilation):
    """Fans by counting in a convolution of ones, on a line long enough to have an inside."""
    length = 4 * kernel * dilation
    group_in, group_out = n_in // groups, n_out // groups
    # connection[o, q, c, p]: whether output channel o at q sums input channel c at p
    connection = np.zeros((n_out, length, n_in, length), dtype=int)
    for o in range(n_out):
        for c in range(n_in):
            if o // group_out != c // group_in:
                continue
            for q in range(length):
                for k in range(kernel):
                    p = q - dilation * k if transposed else q + dilation * k
                    if 0 <= p < length:
                        connection[o, q, c, p] += 1
    middle = length // 2
    return connection[0, middle].sum(), connection[:, :, 0, middle].sum()


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("n_in", "n_out", "groups"), [(6, 4, 1), (6, 4, 2), (4, 8, 4), (3, 3, 3)])
def test_groups_transposition_and_dilation_by_counting(n_in, n_out, groups, transposed, dilation):
    kernel = 3
    shape = (n_in, n_out // groups, kernel) if transposed else (n_out, n_in // groups, kernel)
    counted = fans(shape, groups=groups, transposed=transposed)
    assert counted[:2] == counted_fans(n_in, n_out, kernel, groups, transposed, dilation)
    assert counted.width == n_out // groups
    axes = (1, 0) if transposed else (0, 1)
    moved = (kernel, shape[axes[1]], shape[axes[0]])  # kernel, inputs, outputs
    again = fans(moved, groups=groups, transposed=transposed, in_axis=1, out_axis=2)
    assert again == counted


def test_named_axes_multiply_and_batches_do_not_count():
    assert fans((64, 8, 16), in_axis=0, out_axis=(1, 2)) == Fans(64, 128, 1)
    assert fans((8, 16, 64), in_axis=(0, 1), out_axis=2) == Fans(128, 64, 1)
    assert fans((10, 32, 64), in_axis=1, out_axis=2, batch_axis=0) == Fans(32, 64, 1)
    assert fans(np.array([4, 5])) == fans([4, 5]) == Fans(5, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((5,),), {}, "two axes"),
        (((),), {}, "two axes"),
        (((0, 4),), {}, "size 0"),
        (((4, 4, 0),), {}, "size 0"),
        (((-1, 4),), {}, "shape"),
        (((6, 4),), {"groups": 4}, "groups must divide the 6 output channels"),
        (((6, 4, 3),), {"groups": 4, "transposed": True}, "groups must divide the 6 input"),
        (((6, 4),), {"groups": 0}, "groups"),
        (((6, 4),), {"in_axis": 0}, "different axes"),
        (((6, 4),), {"in_axis": 2}, "in_axis"),
        (((6, 4),), {"in_axis": ()}, "at least one"),
        (((6, 4, 3),), {"batch_axis": -3}, "different axes"),
        (((2**39, 2**39, 3),), {}, "at most"),
    ],
)
def test_bad_shapes(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        fans(*arguments, **options)


@pytest.mark.parametrize("shape", [5, None, (2.0, 3), "ab", (True, 3)])
def test_bad_types(shape):
    with pytest.raises(TypeError, match="shape"):
        fans(shape)
    with pytest.raises(TypeError, match="transposed"):
        fans((2, 2), transposed=1)
