"""A dense network as people describe it: widths, activation, scales, and what follows from them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment.activations import Activation, LeakyReLU, Linear, RandomizedLeakyReLU, ReLU
from fracmoment.activations import as_activation as _as_activation
from fracmoment.depth import DepthLaw
from fracmoment.gains import WEIGHTS, Gain
from fracmoment.networks.laws import LayerLaw, gains_of, known_tail_index
from fracmoment.networks.plan import (
    MAX_LAYERS,
    chain_laws,
    known_scales,
    outcome_of,
    output_factor,
    plan_network,
)
from fracmoment.projection import ProjectedGain
from fracmoment.schemes import Scheme, get, names
from fracmoment.schemes.scaled import ScaledScheme
from fracmoment.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._typing import FloatArray
    from fracmoment.networks.plan import NetworkPlan, Outcome

__all__ = ["Network"]

_FORMAT = "fracmoment network 1"
_SCHEMES = ("he", "lecun", "glorot", "lyapunov")
# The order that a named scheme preserves in mean, with which its plan is drawn up.
_ORDER_OF = {"he": 2.0, "lecun": 2.0, "glorot": 2.0, "lyapunov": 0.0}
_ACTIVATIONS: dict[str, type[Activation]] = {
    cls.__name__: cls for cls in (Linear, ReLU, LeakyReLU, RandomizedLeakyReLU)
}


@dataclass(frozen=True)
class Network:
    """A dense network with random weights.

    Parameters
    ----------
    widths : sequence of int
        Numbers of units from input to output, two or more.
    activation : Activation or str, optional
        After every layer but the last.
    scheme : float, str or Scheme, optional
        Where the scales come from: an order >= 0, whose moment every layer preserves exactly (0:
        zero drift); ``"he"``, ``"lecun"``, ``"glorot"`` or ``"lyapunov"``, fitted to every layer;
        or one of `fracmoment.schemes`, or its name there, whose own `scale` every layer takes. Its
        weights are independent normal or orthogonal, and `weights` follows it.
    scales : sequence of float, optional
        Scales of the weights, one a layer, instead of a scheme.
    last : Activation, str or None, optional
        After the last layer, which never has dropout; None treats it like the others.
    bias : float or sequence of float, optional
        Standard deviation of the normal biases, for all layers or one a layer, >= 0.
    keep_prob : float, optional
        Probability with which inverted dropout keeps a hidden unit.
    weights : {"gaussian", "orthogonal"} or sequence of them, optional
        Law of the weights, for all layers or one a layer.
    preserve : {"rms", "norm"}, optional
        Whether a scheme preserves moments of the root mean square or of the norm.
    normalization : {None, "rms"}, optional
        ``"rms"`` divides the pre-activations of every layer by their root mean square.

    Examples
    --------
    >>> import fracmoment as fm
    >>> network = fm.Network([784] + [64] * 20 + [10], "relu", scheme=1.0)
    >>> network.depth, round(network.scale_of_layers()[1], 6)
    (21, 0.178528)
    >>> round(network.law().median(), 4), round(network.tail_index(), 6)
    (-2.4016, 1.0)
    >>> network == fm.Network.from_json(network.to_json())
    True
    """

    # What may be given; __post_init__ keeps tuples, floats and activations.
    widths: Sequence[int]
    activation: Activation | str = field(default_factory=ReLU)
    scheme: float | str | Scheme = 1.0
    scales: Sequence[float] | None = None
    last: Activation | str | None = field(default_factory=Linear)
    bias: float | Sequence[float] = 0.0
    keep_prob: float = 1.0
    weights: str | Sequence[str] = "gaussian"
    preserve: str = "rms"
    normalization: str | None = None

    def __post_init__(self) -> None:
        """Check the parameters and keep them in one form."""
        widths = _validation.width(self.widths, "widths")
        if not isinstance(widths, np.ndarray) or widths.ndim != 1:
            message = f"widths must be a sequence of counts, got {self.widths!r}"
            raise TypeError(message)
        if not 2 <= widths.size <= MAX_LAYERS + 1:
            message = f"widths must be 2 to {MAX_LAYERS + 1} counts, got {widths.size}"
            raise ValueError(message)
        self._set("widths", tuple(widths.tolist()))
        self._set("activation", _as_activation(self.activation))
        self._set("last", None if self.last is None else _as_activation(self.last))
        self._set("scheme", self._checked_scheme())
        if self.scales is not None:
            self._set("scales", self._per_layer("scales", _validation.positive))
        if np.ndim(self.bias) == 0:
            self._set("bias", _validation.as_float("bias", self.bias))
        else:
            self._set("bias", self._per_layer("bias", _validation.floats))
        _validation.require("bias", self.bias, np.asarray(self.bias) >= 0, ">= 0")
        keep = _validation.as_float("keep_prob", self.keep_prob)
        _validation.keep_prob(keep)
        self._set("keep_prob", keep)
        self._set("weights", self._checked_weights())
        if isinstance(self.scheme, ScaledScheme):
            self._set("weights", self._weights_of(self.scheme))
        _validation.choice("preserve", self.preserve, ("rms", "norm"))
        if self.normalization is not None:
            _validation.choice("normalization", self.normalization, ("rms",))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _checked_scheme(self) -> float | str | Scheme:
        if isinstance(self.scheme, str) and self.scheme not in _SCHEMES:
            _validation.choice("scheme", self.scheme, (*_SCHEMES, *names()))
            self._set("scheme", _scheme_for(self.scheme, self.activation))
        if isinstance(self.scheme, str):
            return self.scheme
        if isinstance(self.scheme, Scheme):
            exact = isinstance(self.scheme, ScaledScheme) and self.scheme.gain(1) is not None
            allowed = "a scheme of independent normal weights or of orthogonal ones"
            _validation.require("scheme", self.scheme, exact, allowed)
            return self.scheme
        order = _validation.as_float("scheme", self.scheme)
        allowed = f"an order >= 0 (0 is zero drift), a scheme or one of {', '.join(_SCHEMES)}"
        _validation.require("scheme", self.scheme, order >= 0, allowed)
        return order

    def _weights_of(self, scheme: ScaledScheme) -> str:
        kind = scheme._model().weights
        if self.weights not in ("gaussian", kind):
            message = f"weights must be {kind!r} for the scheme {scheme!r}, got {self.weights!r}"
            raise ValueError(message)
        return kind

    def _checked_weights(self) -> str | tuple[str, ...]:
        if isinstance(self.weights, str):
            return _validation.choice("weights", self.weights, WEIGHTS)
        kinds = tuple(_validation.choice("weights", kind, WEIGHTS) for kind in self.weights)
        if len(kinds) != self.depth:
            message = f"weights must hold one entry for each of {self.depth} layers, got {kinds!r}"
            raise ValueError(message)
        return kinds

    def _per_layer(self, name: str, check: Any) -> tuple[float, ...]:
        values = np.asarray(check(name, getattr(self, name)))
        if values.shape != (self.depth,):
            message = f"{name} must hold one entry for each of {self.depth} layers, got "
            message += f"shape {values.shape}"
            raise ValueError(message)
        return tuple(values.tolist())

    # ------------------------------------------------------------ layers

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.widths) - 1

    def _laws(self) -> list[LayerLaw]:
        weights: Any = self.weights
        return chain_laws(
            self.widths,
            self.activation,
            last=self.last,
            keep_prob=self.keep_prob,
            weights=weights,
        )

    def scale_of_layers(self) -> tuple[float, ...]:
        """Return the scale of every layer: of Gaussian entries, or of an orthogonal matrix."""
        if self.scales is not None:
            return tuple(self.scales)
        if isinstance(self.scheme, Scheme):
            sizes = np.array(self.widths)
            return tuple(np.asarray(self.scheme.scale(sizes[:-1], sizes[1:])).tolist())
        preserve: Any = self.preserve
        known: dict[LayerLaw, float] = {}
        laws = self._laws()
        for law in laws:
            if law not in known:
                known[law] = (
                    known_scales(law, preserve)[self.scheme]
                    if isinstance(self.scheme, str)
                    else law.init_scale(self.scheme, preserve)
                )
        return tuple(known[law] for law in laws)

    def gains(self) -> list[Gain | ProjectedGain]:
        """Return the gain of every layer, at scale 1.

        A `ProjectedGain` for orthogonal layers with fewer units than inputs. With normalization
        the gain of orthogonal weights: what comes before the activation has a fixed norm.
        """
        laws = self._laws()
        if self.normalization is None:
            return gains_of(laws)
        known = {
            law: Gain(law.activation, law.fan_out, keep_prob=law.keep_prob, weights="orthogonal")
            for law in set(laws)
        }
        return [known[law] for law in laws]

    # ------------------------------------------------------------ what follows

    def plan(self) -> NetworkPlan:
        """Return the plan: scales of all schemes, and what they do to the signal.

        Its order is that of the scheme; 2 for those that have none of their own, like He's, LeCun's
        and Glorot's. Biases do not enter.

        Raises
        ------
        ValueError
            The network has its own scales, or normalization, which makes scales meaningless.
        """
        if self.scales is not None:
            message = "scales must be None for a plan, which is about choosing them"
            raise ValueError(message)
        self._require_scales_matter("a plan")
        order = self._order()
        preserve: Any = self.preserve
        weights: Any = self.weights
        return plan_network(
            self.widths,
            self.activation,
            order,
            last=self.last,
            preserve=preserve,
            keep_prob=self.keep_prob,
            weights=weights,
        )

    def _order(self) -> float:
        if isinstance(self.scheme, ScaledScheme):
            order = self.scheme._model().order
            return 2.0 if order is None else order
        if isinstance(self.scheme, str):
            return _ORDER_OF[self.scheme]
        assert isinstance(self.scheme, float)
        return self.scheme

    def law(self) -> DepthLaw:
        """Return the law of ``log(|x_k|/|x_0|)``, without biases.

        Exact for Gaussian and orthogonal weights, layers that narrow included. With normalization
        the law of ``log |x_k|``: every layer forgets the norm of its input, and the last one
        decides.
        """
        self._require_no_biases("law", "signals")
        if self.normalization:
            gain = self.gains()[-1]
            return DepthLaw(gain, math.sqrt(self.widths[-1]), 1)
        return DepthLaw(self.gains(), self.scale_of_layers())

    def signals(self, input_norm: Any = 1.0) -> Signals:
        """Return the law of ``|x_k|``, biases included, for an input of the given norm."""
        self._require_scales_matter("signals with biases")
        return Signals(self.gains(), self.scale_of_layers(), bias=self.bias, input_norm=input_norm)

    def simulate(self, n_samples: Any, *, rng: Any = None, input_norm: Any = 1.0) -> FloatArray:
        """Draw ``log(|x_k|/|x_0|)`` of random networks.

        Parameters
        ----------
        n_samples : int
            How many.
        rng : optional
            What `numpy.random.default_rng` takes.
        input_norm : float, optional
            ``|x_0|``, which matters with biases only.

        Returns
        -------
        ndarray
            -inf where the network is dead. `fracmoment.simulate_log_norms` has more options.
        """
        from fracmoment.simulation import simulate_log_norms

        if self.normalization:
            self._require_no_biases("simulate", "simulate_signals")
            gain, scale = self.gains()[-1], math.sqrt(self.widths[-1])
            return simulate_log_norms(gain, scale, 1, n_samples, rng=rng)
        projections = [g.projection for g in self.gains() if isinstance(g, ProjectedGain)]
        gains = [g.gain if isinstance(g, ProjectedGain) else g for g in self.gains()]
        scales = list(self.scale_of_layers())
        if not np.any(self.bias):
            generator = _validation.generator(rng)
            logs = simulate_log_norms(gains, scales, self.depth, n_samples, rng=generator)
            for share in projections:
                logs += 0.5 * np.log(
                    generator.beta(share.width / 2, (share.fan_in - share.width) / 2, logs.shape)
                )
            return logs
        start = np.zeros(self.widths[0])
        start[0] = _validation.as_float("input_norm", input_norm)
        bias = self.bias if isinstance(self.bias, float) else list(self.bias)
        return simulate_log_norms(
            gains, scales, self.depth, n_samples, rng=rng, method="matrix", bias=bias, x0=start
        )

    def outcome(self) -> Outcome:
        """Return what the network does to the signal, biases left out.

        Returns
        -------
        Outcome
            Drift, mean, standard deviation and median of the logarithm of the ratio of output to
            input (of norms or root mean squares, as `preserve` says), and the tail index.
        """
        self._require_scales_matter("an outcome")
        preserve: Any = self.preserve
        return outcome_of(replace(self, bias=0.0).law(), preserve, self.widths)

    def tail_index(self) -> float:
        """Return the order of the moment that the whole network preserves, without biases.

        Of the norm or the root mean square, as `preserve` says. 0.0 where the drift is not
        negative; infinite with normalization, whose norms are bounded.
        """
        if self.normalization:
            return math.inf
        preserve: Any = self.preserve
        factor = output_factor(self.widths, preserve)
        return known_tail_index(self.gains(), self.scale_of_layers(), factor)

    def _require_no_biases(self, method: str, instead: str) -> None:
        if np.any(self.bias):
            message = f"bias must be 0 for {method}(), got {self.bias!r}; use {instead}"
            raise ValueError(message)

    def _require_scales_matter(self, what: str) -> None:
        if self.normalization:
            message = f"normalization must be None for {what}: it cancels the scales of weights"
            raise ValueError(message)

    # ------------------------------------------------------------ files

    def to_json(self) -> str:
        """Return a description that `from_json` reads back, exactly."""
        values: dict[str, Any] = {"format": _FORMAT}
        for entry in fields(self):
            value = getattr(self, entry.name)
            values[entry.name] = _described(value)
        return json.dumps(values, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Return the network of a description made by `to_json`.

        Raises
        ------
        ValueError
            The text is no such description; the message says where.
        """
        try:
            values = json.loads(text)
        except (TypeError, json.JSONDecodeError) as error:
            message = f"text must be the description of a network in JSON: {error}"
            raise ValueError(message) from None
        if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
            message = f'text must be a JSON object with "format": "{_FORMAT}"'
            raise ValueError(message)
        known = {entry.name for entry in fields(cls)}
        if set(values) != known:
            odd = sorted(set(values) ^ known)
            message = f"text must have exactly the entries of a network; not so: {odd}"
            raise ValueError(message)
        for name in ("activation", "last"):
            if values[name] is not None:
                values[name] = _activation_of(name, values[name])
        if isinstance(values["scheme"], dict):
            values["scheme"] = _scheme_of(values["scheme"])
        return cls(**values)


def _described(value: Any) -> Any:
    """Return an activation or a scheme as its name and exact parameters; others as they are."""
    if isinstance(value, Activation):
        parameters = {entry.name: getattr(value, entry.name) for entry in fields(value)}
        return {"name": type(value).__name__} | {
            name: number.hex() if isinstance(number, float) else str(number)
            for name, number in parameters.items()
        }
    if isinstance(value, Scheme):
        given = [entry.name for entry in fields(value) if entry.init]
        return {"name": value.name} | {name: _described(getattr(value, name)) for name in given}
    return value


def _scheme_for(name: str, activation: Any) -> Scheme:
    """Return the scheme of a name, for an activation where it has one."""
    try:
        scheme = get(name)
    except TypeError as error:
        message = f"scheme {name!r} needs parameters: {error}"
        raise ValueError(message) from None
    fitted = any(entry.name == "activation" and entry.init for entry in fields(scheme))
    return get(name, activation=activation) if fitted else scheme


def _scheme_of(value: dict[str, Any]) -> Scheme:
    parameters = {key: entry for key, entry in value.items() if key != "name"}
    for key, entry in parameters.items():
        if isinstance(entry, dict):
            parameters[key] = _activation_of(key, entry)
    try:
        return get(_validation.choice("scheme", value.get("name"), names()), **parameters)
    except TypeError as error:
        message = f"scheme must hold the parameters of {value.get('name')!r}: {error}"
        raise ValueError(message) from None


def _activation_of(name: str, value: Any) -> Activation:
    if not isinstance(value, dict) or value.get("name") not in _ACTIVATIONS:
        message = f"{name} must be an object with the name of an activation, got {value!r}"
        raise ValueError(message)
    parameters = {key: text for key, text in value.items() if key != "name"}
    try:
        numbers = {
            key: float.fromhex(text) if "0x" in text else text for key, text in parameters.items()
        }
        return _ACTIVATIONS[value["name"]](**numbers)
    except (TypeError, AttributeError) as error:
        message = f"{name} must hold the parameters of {value['name']}: {error}"
        raise ValueError(message) from None
