"""Initializers for JAX, Flax, Haiku and Equinox, in the style of ``jax.nn.initializers``.

Factories return ``init(key, shape, dtype=None, out_sharding=None)``, which can be jitted, mapped
and used wherever JAX's own initializers are. The scale is computed when the function is traced,
from the static shape. Axes are JAX's: ``in_axis=-2``, ``out_axis=-1``, the rest is the kernel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fracmoment.frameworks._arrays import (
    LAYOUT,
    Layout,
    draw,
    drawable,
    entries_of,
    refuse_unknown,
)
from fracmoment.frameworks._missing import missing
from fracmoment.schemes import (
    DeltaOrthogonal,
    Fractional,
    GaussianSubmatrix,
    LeCun,
    LooksLinear,
    Lyapunov,
    RandomWalk,
    Scheme,
)

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise missing("jax", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.activations import Activation

__all__ = [
    "delta_orthogonal",
    "for_haiku",
    "fractional_normal",
    "fractional_orthogonal",
    "from_scheme",
    "gaussian_submatrix",
    "init_equinox",
    "lecun_normal",
    "looks_linear",
    "lyapunov_normal",
    "lyapunov_orthogonal",
    "random_walk_normal",
]


class _Library:
    """JAX's random numbers, from one key that is used once."""

    ops = jnp

    def __init__(self, key: Any, dtype: Any, sharding: dict[str, Any]) -> None:
        self._key, self._dtype, self._sharding = key, dtype, sharding

    def normal(self, shape: tuple[int, ...]) -> Any:
        return jax.random.normal(self._key, shape, self._dtype, **self._sharding)

    def uniform(self, shape: tuple[int, ...]) -> Any:
        return jax.random.uniform(self._key, shape, self._dtype, -1.0, 1.0, **self._sharding)

    def truncated(self, shape: tuple[int, ...]) -> Any:
        return jax.random.truncated_normal(
            self._key, -2.0, 2.0, shape, self._dtype, **self._sharding
        )

    def qr(self, matrices: Any) -> tuple[Any, Any]:
        q, r = jnp.linalg.qr(matrices)
        return q, r


def from_scheme(
    scheme: Scheme | str,
    *,
    in_axis: Any = -2,
    out_axis: Any = -1,
    batch_axis: Any = (),
    groups: int = 1,
    transposed: bool = False,
    dtype: Any = None,
) -> Callable[..., Any]:
    """Return an initializer that draws the weights of a scheme of `fracmoment.schemes`.

    Parameters
    ----------
    scheme : Scheme or str
        A scheme of independent entries, orthogonal matrices or submatrices, or its name.
    in_axis, out_axis, batch_axis : int or sequence of int, optional
        Axes of inputs, outputs and of layers stacked in one array.
    groups : int, optional
        Groups of a convolution (``feature_group_count``); they divide the axis of outputs.
    transposed : bool, optional
        Whether the axis of inputs counts the channels of all groups instead, as in a depthwise
        kernel ``(*kernel, in, multiplier)`` with ``groups=in``.
    dtype : optional
        Default of the initializer's ``dtype``: JAX's default float.

    Returns
    -------
    callable
        ``init(key, shape, dtype=None, out_sharding=None)``. Arrays without elements are returned as
        they are. Variates are drawn in single precision, or double where that is asked for, and
        rounded once: drawn in bfloat16 a normal law would end at 2.9 standard deviations.

    Raises
    ------
    ValueError
        The scheme has another structure, or, when called, the shape is none that it can fill.

    Examples
    --------
    >>> init = from_scheme("he_uniform")
    >>> w = init(jax.random.key(0), (256, 64))
    >>> bool(abs(w).max() <= (6 / 256) ** 0.5)
    True
    """
    chosen = drawable(scheme)
    layout = Layout(in_axis, out_axis, batch_axis, groups, transposed)
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Any:
        kind = _floating(default if dtype is None else dtype)
        sharding = {} if out_sharding is None else {"out_sharding": out_sharding}
        sizes = tuple(shape)
        if math.prod(sizes) == 0:
            return jnp.zeros(sizes, kind, **sharding)
        if sharding and entries_of(chosen) is None:
            message = f"out_sharding must be None for {chosen!r}, whose entries are not independent"
            raise NotImplementedError(message)
        wide = kind if jnp.finfo(kind).bits > 32 else jnp.float32
        return draw(chosen, sizes, layout, _Library(key, wide, sharding)).astype(kind)

    return init


def _floating(dtype: Any) -> Any:
    kind = jax.dtypes.canonicalize_dtype(float if dtype is None else dtype)
    if not jnp.issubdtype(kind, jnp.floating):
        message = f"dtype must be a real floating-point type, got {kind}"
        raise TypeError(message)
    return kind


def fractional_normal(
    order: float = 1.0,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer whose normal weights preserve the moment of order s exactly [GH21].

    Parameters
    ----------
    order : float, optional
        Order s > 0 of the moment; 2 is He's scheme, 0 that of `lyapunov_normal`.
    activation : Activation or str, optional
        After the layer: ``"linear"``, ``"relu"``, ``"leaky_relu"`` (slope 0.01), ``"rrelu"``, or
        for other slopes ``fracmoment.LeakyReLU(0.2)``.
    preserve : {"rms", "norm"}, optional
        What to preserve: the root mean square of the units (``fan_in`` at order 2) or the norm
        (``fan_out``).
    keep_prob : float, optional
        Probability with which dropout behind the layer keeps a unit.
    **layout
        `in_axis`, `out_axis`, `batch_axis`, `groups`, `transposed`, `dtype` of `from_scheme`.

    Examples
    --------
    >>> import fracmoment
    >>> w = fractional_normal(1.0, "relu")(jax.random.key(0), (784, 256))
    >>> bool(abs(w.std() / fracmoment.init_scale("relu", 784, 256, 1.0) - 1.0) < 0.01)
    True
    """
    refuse_unknown("fractional_normal", layout, (*LAYOUT, "dtype"))
    return from_scheme(Fractional(order, activation, preserve, "gaussian", keep_prob), **layout)


def lyapunov_normal(
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer with normal weights of zero drift, given a live layer [KSK26].

    Parameters
    ----------
    activation, preserve, keep_prob, **layout
        As for `fractional_normal`.
    """
    refuse_unknown("lyapunov_normal", layout, (*LAYOUT, "dtype"))
    return from_scheme(Lyapunov(activation, preserve, "gaussian", keep_prob), **layout)


def fractional_orthogonal(
    order: float = 1.0,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer with Haar orthogonal matrices times the factor that preserves order s.

    Parameters
    ----------
    order, activation, preserve, keep_prob, **layout
        As for `fractional_normal`.
    """
    refuse_unknown("fractional_orthogonal", layout, (*LAYOUT, "dtype"))
    return from_scheme(Fractional(order, activation, preserve, "orthogonal", keep_prob), **layout)


def lyapunov_orthogonal(
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer with Haar orthogonal matrices times the factor of zero drift.

    Parameters
    ----------
    activation, preserve, keep_prob, **layout
        As for `fractional_normal`.
    """
    refuse_unknown("lyapunov_orthogonal", layout, (*LAYOUT, "dtype"))
    return from_scheme(Lyapunov(activation, preserve, "orthogonal", keep_prob), **layout)


def gaussian_submatrix(
    position: str = "hidden",
    activation: Activation | str = "relu",
    *,
    order: float = 2.0,
    preserve: str = "rms",
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer with mirrored normal submatrices: a linear network [BD19].

    Parameters
    ----------
    position : {"first", "hidden", "last"}, optional
        Where the layer is.
    activation : Activation or str, optional
        Of fixed slope.
    order, preserve, **layout
        As for `fractional_normal`, of the linear network.
    """
    scheme = GaussianSubmatrix(position, activation, order=order, preserve=preserve)
    return from_scheme(scheme, **layout)


def looks_linear(
    position: str = "hidden",
    activation: Activation | str = "relu",
    *,
    factor: float = 1.0,
    **layout: Any,
) -> Callable[..., Any]:
    """Return an initializer with mirrored orthogonal submatrices: an isometry [BFL17].

    Parameters
    ----------
    position, activation, **layout
        As for `gaussian_submatrix`.
    factor : float, optional
        What the orthogonal matrix is multiplied by.
    """
    return from_scheme(LooksLinear(position, activation, factor=factor), **layout)


def lecun_normal(**layout: Any) -> Callable[..., Any]:
    """Return an initializer with normal weights of variance ``1/fan_in``, not truncated.

    Parameters
    ----------
    **layout
        As for `fractional_normal`.
    """
    return from_scheme(LeCun(), **layout)


def random_walk_normal(
    activation: Activation | str = "relu", *, direction: str = "forward", **layout: Any
) -> Callable[..., Any]:
    """Return an initializer with normal weights of Sussillo's and Abbott's gain [SA14].

    Parameters
    ----------
    activation : {"linear", "relu"}, optional
        The activations for which there is a formula.
    direction : {"forward", "backward"}, optional
        Whether signals or gradients shall not drift.
    **layout
        As for `fractional_normal`.
    """
    return from_scheme(RandomWalk(activation, direction), **layout)


def delta_orthogonal(factor: float = 1.0, **layout: Any) -> Callable[..., Any]:
    """Return an initializer of kernels with an orthogonal matrix at the centre [XBS18].

    Parameters
    ----------
    factor : float, optional
        What the matrix is multiplied by.
    **layout
        As for `fractional_normal`.
    """
    return from_scheme(DeltaOrthogonal(factor), **layout)


# ------------------------------------------------------------ Haiku and Equinox


def for_haiku(init: Callable[..., Any]) -> Callable[..., Any]:
    """Return an initializer of this module as Haiku wants it, ``(shape, dtype)``.

    The key is the transform's, ``haiku.next_rng_key()``.

    Parameters
    ----------
    init : callable
        ``init(key, shape, dtype)``.
    """
    import haiku

    def initializer(shape: Any, dtype: Any) -> Any:
        return init(haiku.next_rng_key(), shape, dtype)

    return initializer


def init_equinox(model: Any, scheme: Scheme | str, key: Any) -> Any:
    """Return an Equinox model with new weights in all linear and convolutional layers.

    Biases of these layers become zero. Activations are not read: all layers get the same scheme.

    Parameters
    ----------
    model : pytree
        The model.
    scheme : Scheme or str
        As for `from_scheme`; axes and groups are those of the layers.
    key : jax.Array
        Key; every layer gets its own.

    Returns
    -------
    pytree
        The new model.
    """
    import equinox

    kinds = (equinox.nn.Linear, equinox.nn.Conv, equinox.nn.ConvTranspose)

    def layers(tree: Any) -> list[Any]:
        leaves = jax.tree_util.tree_leaves(tree, is_leaf=lambda node: isinstance(node, kinds))
        return [leaf for leaf in leaves if isinstance(leaf, kinds)]

    found = layers(model)
    if not found:
        message = "model must have linear or convolutional layers of Equinox"
        raise ValueError(message)
    weights = []
    for layer, one in zip(found, jax.random.split(key, len(found)), strict=True):
        init = from_scheme(scheme, in_axis=1, out_axis=0, groups=getattr(layer, "groups", 1))
        weights.append(init(one, layer.weight.shape, layer.weight.dtype))
    model = equinox.tree_at(lambda tree: [layer.weight for layer in layers(tree)], model, weights)
    biased = [layer for layer in found if layer.bias is not None]
    if not biased:
        return model
    zeros = [jnp.zeros_like(layer.bias) for layer in biased]
    return equinox.tree_at(
        lambda tree: [layer.bias for layer in layers(tree) if layer.bias is not None], model, zeros
    )
