"""Initializers for Keras 3, on any of its backends.

Classes in the style of ``keras.initializers``, registered as serializable: a saved model or
``initializers.deserialize(initializers.serialize(x))`` restores them, seed included. Axes are
Keras': ``in_axis=-2``, ``out_axis=-1``, the rest is the kernel; transposed convolutions have
``in_axis=-1, out_axis=-2``.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from fracmoment import schemes
from fracmoment.activations import (
    Activation,
    LeakyReLU,
    Linear,
    RandomizedLeakyReLU,
    ReLU,
    as_activation,
)
from fracmoment.frameworks._arrays import LAYOUT, Layout, draw, drawable, refuse_unknown
from fracmoment.frameworks._missing import missing

try:
    import keras
except ModuleNotFoundError as error:
    raise missing("keras", error) from None

if TYPE_CHECKING:
    from fracmoment.schemes import Scheme

__all__ = [
    "FractionalNormal",
    "FractionalOrthogonal",
    "GaussianSubmatrix",
    "LooksLinear",
    "LyapunovNormal",
    "LyapunovOrthogonal",
    "SchemeInitializer",
]

_ACTIVATIONS: dict[str, type[Activation]] = {
    "linear": Linear,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "rrelu": RandomizedLeakyReLU,
}


class _Library:
    """Keras' random numbers."""

    ops = keras.ops

    def __init__(self, seed: Any, dtype: str) -> None:
        self._options = {"seed": seed, "dtype": dtype}

    def normal(self, shape: tuple[int, ...]) -> Any:
        return keras.random.normal(shape, **self._options)

    def uniform(self, shape: tuple[int, ...]) -> Any:
        return keras.random.uniform(shape, -1.0, 1.0, **self._options)

    def truncated(self, shape: tuple[int, ...]) -> Any:
        return keras.random.truncated_normal(shape, **self._options)

    def qr(self, matrices: Any) -> tuple[Any, Any]:
        q, r = keras.ops.qr(matrices)
        return q, r


class _Initializer(keras.initializers.Initializer):
    """What the initializers share; a subclass has a scheme and its own parameters.

    Parameters
    ----------
    scheme : Scheme
        What to draw.
    parameters : dict
        The subclass' own part of the configuration.
    seed : int, SeedGenerator or None
        As for Keras' own.
    layout : dict
        `in_axis`, `out_axis`, `batch_axis`, `groups`, `transposed`.
    """

    def __init__(
        self, scheme: Scheme, parameters: dict[str, Any], seed: Any, layout: dict[str, Any]
    ) -> None:
        refuse_unknown(type(self).__name__, layout, LAYOUT)
        self._scheme = drawable(scheme)
        self._parameters = parameters
        self._layout = Layout(**{name: _plain(value) for name, value in layout.items()})
        if isinstance(seed, dict):
            seed = keras.saving.deserialize_keras_object(seed)
        if seed is not None and not isinstance(seed, (int, keras.random.SeedGenerator)):
            message = f"seed must be None, an int or a keras.random.SeedGenerator, got {seed!r}"
            raise TypeError(message)
        self._given_seed = seed
        # Drawn from Python's generator, which keras.utils.set_random_seed seeds, as Keras does.
        self.seed = random.randint(1, 10**9) if seed is None else seed  # noqa: S311

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Return weights.

        Parameters
        ----------
        shape : sequence of int
            Their shape; one without elements is returned as it is.
        dtype : str, optional
            A real floating type, ``keras.config.floatx()`` by default. Variates are drawn in single
            precision, or double where that is asked for, and rounded once.
        """
        kind = keras.backend.standardize_dtype(dtype or keras.config.floatx())
        if not keras.backend.is_float_dtype(kind):
            message = f"dtype must be a real floating-point type, got {kind}"
            raise TypeError(message)
        sizes = tuple(shape)
        if math.prod(sizes) == 0:
            return keras.ops.zeros(sizes, dtype=kind)
        wide = "float64" if kind == "float64" else "float32"
        values = draw(self._scheme, sizes, self._layout, _Library(self.seed, wide))
        return keras.ops.cast(values, kind)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as JSON takes them."""
        config = dict(self._parameters)
        defaults = Layout()
        for name in LAYOUT:
            value = getattr(self._layout, name)
            if value != getattr(defaults, name):
                config[name] = list(value) if isinstance(value, tuple) else value
        seed = self._given_seed
        is_plain = seed is None or isinstance(seed, int)
        config["seed"] = seed if is_plain else keras.saving.serialize_keras_object(seed)
        return config


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _activation_of(value: Any) -> Activation:
    """Return an activation from itself, its name or its configuration."""
    if isinstance(value, dict):
        parameters = dict(value)
        name = parameters.pop("name", None)
        if name not in _ACTIVATIONS:
            message = f"activation must name one of {', '.join(_ACTIVATIONS)}, got {value!r}"
            raise ValueError(message)
        return _ACTIVATIONS[name](**parameters)
    return as_activation(value)


def _configured(activation: Activation) -> Any:
    """Return an activation as JSON takes it: its name, with its slopes if they are not default."""
    (name,) = (name for name, kind in _ACTIVATIONS.items() if type(activation) is kind)
    if activation == _ACTIVATIONS[name]():
        return name
    lower, upper = (float(slope) for slope in activation.slopes)
    if name == "leaky_relu":
        return {"name": name, "negative_slope": lower}
    return {"name": name, "lower": lower, "upper": upper}


class _Fractional(_Initializer):
    """An initializer that preserves a moment, with the law of weights `_weights`."""

    _weights = "gaussian"

    def __init__(
        self,
        order: float = 1.0,
        activation: Any = "relu",
        *,
        preserve: str = "rms",
        keep_prob: float = 1.0,
        seed: Any = None,
        **layout: Any,
    ) -> None:
        function = _activation_of(activation)
        scheme = schemes.Fractional(order, function, preserve, self._weights, keep_prob)
        parameters = {
            "order": scheme.order,
            "activation": _configured(function),
            "preserve": scheme.preserve,
            "keep_prob": scheme.keep_prob,
        }
        super().__init__(scheme, parameters, seed, layout)


class _Lyapunov(_Initializer):
    """An initializer of zero drift, with the law of weights `_weights`."""

    _weights = "gaussian"

    def __init__(
        self,
        activation: Any = "relu",
        *,
        preserve: str = "rms",
        keep_prob: float = 1.0,
        seed: Any = None,
        **layout: Any,
    ) -> None:
        function = _activation_of(activation)
        scheme = schemes.Lyapunov(function, preserve, self._weights, keep_prob)
        parameters = {
            "activation": _configured(function),
            "preserve": scheme.preserve,
            "keep_prob": scheme.keep_prob,
        }
        super().__init__(scheme, parameters, seed, layout)


@keras.saving.register_keras_serializable(package="fracmoment")
class FractionalNormal(_Fractional):
    """Normal weights, not truncated, that preserve the moment of order s exactly [GH21].

    Parameters
    ----------
    order : float, optional
        Order s > 0 of the moment; 2 is He's scheme, 0 that of `LyapunovNormal`.
    activation : Activation or str, optional
        After the layer: ``"linear"``, ``"relu"``, ``"leaky_relu"`` (slope 0.01; Keras' own default
        is 0.2 or 0.3), ``"rrelu"``, or for other slopes ``fracmoment.LeakyReLU(0.2)``.
    preserve : {"rms", "norm"}, optional
        What to preserve: the root mean square of the units (``fan_in`` at order 2) or the norm
        (``fan_out``).
    keep_prob : float, optional
        Probability with which dropout behind the layer keeps a unit: 1 minus Keras' rate.
    seed : int or keras.random.SeedGenerator, optional
        As for Keras' initializers: with an int, or None, every call gives the same values; a
        SeedGenerator gives new ones.
    in_axis, out_axis, batch_axis : int or sequence of int, optional
        Axes of inputs, outputs and of layers stacked in one tensor.
    groups : int, optional
        Groups of a convolution.
    transposed : bool, optional
        Whether the axis of inputs counts the channels of all groups, as in a depthwise kernel
        ``(*kernel, in, multiplier)``, which has ``groups=in, transposed=True``.

    Examples
    --------
    >>> import fracmoment
    >>> layer = keras.layers.Dense(
    ...     256, activation="relu", kernel_initializer=FractionalNormal(1.0, "relu", seed=0)
    ... )
    >>> layer.build((None, 784))
    >>> std = keras.ops.std(layer.kernel)
    >>> bool(abs(std / fracmoment.init_scale("relu", 784, 256, 1.0) - 1.0) < 0.01)
    True
    """


@keras.saving.register_keras_serializable(package="fracmoment")
class FractionalOrthogonal(_Fractional):
    """A Haar orthogonal matrix times the factor that preserves the moment of order s.

    Parameters as for `FractionalNormal`.
    """

    _weights = "orthogonal"


@keras.saving.register_keras_serializable(package="fracmoment")
class LyapunovNormal(_Lyapunov):
    """Normal weights of zero drift, given that the layer is alive [KSK26].

    Parameters as for `FractionalNormal`, without the order.
    """


@keras.saving.register_keras_serializable(package="fracmoment")
class LyapunovOrthogonal(_Lyapunov):
    """A Haar orthogonal matrix times the factor of zero drift.

    Parameters as for `FractionalNormal`, without the order.
    """

    _weights = "orthogonal"


@keras.saving.register_keras_serializable(package="fracmoment")
class GaussianSubmatrix(_Initializer):
    """Mirrored normal submatrices: the network starts as a linear one of half the width [BD19].

    Parameters
    ----------
    position : {"first", "hidden", "last"}, optional
        Where the layer is.
    activation : Activation or str, optional
        Of fixed slope.
    order, preserve, seed, in_axis, out_axis, batch_axis
        As for `FractionalNormal`, of the linear network.
    """

    def __init__(
        self,
        position: str = "hidden",
        activation: Any = "relu",
        *,
        order: float = 2.0,
        preserve: str = "rms",
        seed: Any = None,
        **layout: Any,
    ) -> None:
        function = _activation_of(activation)
        scheme = schemes.GaussianSubmatrix(position, function, order=order, preserve=preserve)
        parameters = {
            "position": position,
            "activation": _configured(function),
            "order": scheme.order,
            "preserve": scheme.preserve,
        }
        super().__init__(scheme, parameters, seed, layout)


@keras.saving.register_keras_serializable(package="fracmoment")
class LooksLinear(_Initializer):
    """Mirrored orthogonal submatrices: the network starts as an isometry [BFL17].

    Parameters
    ----------
    position, activation, seed, in_axis, out_axis, batch_axis
        As for `GaussianSubmatrix`.
    factor : float, optional
        What the orthogonal matrix is multiplied by.
    """

    def __init__(
        self,
        position: str = "hidden",
        activation: Any = "relu",
        *,
        factor: float = 1.0,
        seed: Any = None,
        **layout: Any,
    ) -> None:
        function = _activation_of(activation)
        scheme = schemes.LooksLinear(position, function, factor=factor)
        parameters = {
            "position": position,
            "activation": _configured(function),
            "factor": scheme.factor,
        }
        super().__init__(scheme, parameters, seed, layout)


@keras.saving.register_keras_serializable(package="fracmoment")
class SchemeInitializer(_Initializer):
    """Weights of any scheme of independent entries, orthogonal matrices or submatrices.

    Parameters
    ----------
    scheme : str
        Name of the scheme, one of ``fracmoment.schemes.names()``.
    parameters : dict, optional
        Its parameters, where its defaults are not meant; plain values, so that they can be saved.
    seed, in_axis, out_axis, batch_axis, groups, transposed
        As for `FractionalNormal`.

    Examples
    --------
    >>> init = SchemeInitializer("random_walk", {"activation": "linear"}, seed=1)
    >>> init((64, 32)).shape
    (64, 32)
    """

    def __init__(
        self,
        scheme: str,
        parameters: dict[str, Any] | None = None,
        *,
        seed: Any = None,
        **layout: Any,
    ) -> None:
        given = dict(parameters or {})
        if "activation" in given:
            given["activation"] = _activation_of(given["activation"])
        made = schemes.get(scheme, **given)
        config = dict(given)
        if "activation" in given:
            config["activation"] = _configured(given["activation"])
        super().__init__(made, {"scheme": scheme, "parameters": config}, seed, layout)
