"""Initialization of whole torch modules."""

from __future__ import annotations

import fnmatch
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from fracmoment import _validation
from fracmoment.activations import Activation, as_activation
from fracmoment.frameworks.torch.drawing import (
    TorchVariates,
    check_tensor,
    fill_normal,
    holds_nothing,
    put,
)
from fracmoment.frameworks.torch.following import (
    NORMALIZATIONS,
    TRANSPOSED,
    Following,
    Unknown,
    layer_of,
    read,
)
from fracmoment.gains import WEIGHTS
from fracmoment.schemes import Fractional, Orthogonal
from fracmoment.schemes.base import Kernel
from fracmoment.schemes.fractional import MODES
from fracmoment.schemes.scaled import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN_PROBLEMS = 8
_STRIDED = "the scale is for the {seen:g} inputs that its strides leave to a position"
_UNEVEN = " on average"


@dataclass(frozen=True)
class LayerInit:
    """What was done to one layer.

    Attributes
    ----------
    path : str
        Path of the module, ``""`` for the model itself.
    kind : str
        Its class.
    fan_in : float
        Inputs that a unit sums.
    width : int
        Units that share these inputs: outputs, or for a convolution output channels of one group.
    activation : Activation
        What the scale is for.
    keep_prob : float
        Probability with which dropout behind it keeps a unit.
    scale : float
        Standard deviation of the weights, or factor of the orthogonal matrix.
    told : bool
        Whether the activation was told by the caller rather than read from the model.
    notes : tuple of str
        What else happens behind the layer.
    """

    path: str
    kind: str
    fan_in: float
    width: int
    activation: Activation
    keep_prob: float
    scale: float
    told: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ModuleReport:
    """What `init_module_` did.

    Attributes
    ----------
    order : float
        Order of the moment that every layer preserves; 0 is zero drift.
    preserve : {"rms", "norm"}
        Whether of the root mean square or of the norm.
    weights : {"gaussian", "orthogonal"}
        Law of the weights.
    mode : {"training", "evaluation"}
        The mode that dropout and random slopes were taken in.
    layers : tuple of LayerInit
        Layers that were initialized, in the order of the model.
    zeroed : tuple of str
        Biases that were set to zero.
    skipped : tuple of (str, str)
        Parameters that were left as they are, and why.
    """

    order: float
    preserve: str
    weights: str
    mode: str
    layers: tuple[LayerInit, ...]
    zeroed: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]

    def __getitem__(self, path: str) -> LayerInit:
        """Return the entry of a layer."""
        for layer in self.layers:
            if layer.path == path:
                return layer
        raise KeyError(path)

    def __str__(self) -> str:
        """Return the report as a table of 80 columns."""
        quantity = "rms" if self.preserve == "rms" else "|x|"
        goal = f"E {quantity}^{self.order:g}" if self.order else f"E log {quantity}"
        lines = [f"{self.weights} weights that preserve {goal} ({self.mode})", ""]
        lines.append(f"{'layer':20}{'inputs':>9}{'units':>8}  {'followed by':24}{'scale':>14}")
        for layer in self.layers:
            what = _described(layer)
            lines.append(
                f"{_short(layer.path or '(model)', 19):20}{layer.fan_in:>9g}{layer.width:>8}"
                f"  {_short(what, 23):24}{layer.scale:>14.8g}"
            )
        lines.append("")
        told = [layer.path for layer in self.layers if layer.told]
        notes = [
            f"{layer.path or '(model)'}: {note}" for layer in self.layers for note in layer.notes
        ]
        if told:
            notes.append("told, not read: " + ", ".join(told))
        notes.append(f"biases set to zero: {', '.join(self.zeroed) or 'none'}")
        notes += [f"{name}: left as it is, {why}" for name, why in self.skipped]
        for note in notes:
            lines += textwrap.wrap(note, 80, subsequent_indent="    ")
        return "\n".join(lines)


class _Target(NamedTuple):
    """A layer to initialize and what is known about it."""

    path: str
    module: nn.Module
    kernel: Kernel | None
    following: Following
    told: bool


def init_module_(
    model: nn.Module,
    order: float = 1.0,
    activation: Any = None,
    *,
    preserve: str = "rms",
    weights: str = "gaussian",
    mode: str = "training",
    skip: Iterable[str] = (),
    generator: torch.Generator | None = None,
) -> ModuleReport:
    """Initialize every layer of a model so that a moment of the signal is preserved exactly.

    The activation and the dropout behind each layer are read from the model: its forward is traced
    with `torch.fx`, through containers and code. What cannot be read is refused, with the path of
    the layer, unless `activation` tells it. Nothing is changed before everything is known.

    Parameters
    ----------
    model : torch.nn.Module
        The model. Its linear layers and (transposed) convolutions are initialized.
    order : float, optional
        Order s of the moment; 0 is zero drift (Lyapunov), 2 He's scheme.
    activation : Activation, str, or mapping, optional
        What follows the layers of which the model does not tell. A mapping from paths, or patterns
        as in `fnmatch`, to activations, or to pairs ``(activation, keep_prob)``, is about single
        layers and overrules what was read.
    preserve : {"rms", "norm"}, optional
        As for `fractional_normal_`.
    weights : {"gaussian", "orthogonal"}, optional
        Law of the weights.
    mode : {"training", "evaluation"}, optional
        In training dropout drops and RReLU has random slopes; in evaluation nothing is dropped and
        RReLU has its mean slope. A scale is exact for one of the two. It does not matter which mode
        the model is in.
    skip : iterable of str, optional
        Paths, or patterns, of modules and parameters to leave as they are.
    generator : torch.Generator, optional
        As for `scheme_`.

    Returns
    -------
    ModuleReport
        What was done, layer by layer, and what was left as it is; it prints as a table.

    Raises
    ------
    ValueError
        It is not known what follows a layer, or what a parameter is for; the message names all of
        them and says how to tell.

    Notes
    -----
    - Biases of the layers become zero: with a bias no gain is independent of the input.
    - A layer of which nothing but the output follows is linear. A softmax, sigmoid or tanh at the
      very end is taken for a part of the loss.
    - A normalization between layer and activation cancels the scale; the layer is initialized all
      the same, the parameters of the normalization are left, and the report says so.
    - Pooling, padding and upsampling change norms. A layer preserves the moment at each of its
      output positions; what they do to it afterwards is not made up for, and reported.
    - Convolutions: exact at one output position. Behind a transposed one with strides positions see
      ``fan_in / prod(strides)`` inputs, all alike if the strides divide the kernel, on average
      otherwise.
    - Residual sums are refused until it is told how each branch is to be initialized.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    >>> print(init_module_(model, order=1.0))
    gaussian weights that preserve E rms^1 (training)
    <BLANKLINE>
    layer                  inputs   units  followed by                      scale
    0                         784      64  ReLU, keep 0.8             0.045760583
    3                          64      10  Linear                      0.12815911
    <BLANKLINE>
    biases set to zero: 0.bias, 3.bias
    """
    if not isinstance(model, nn.Module):
        message = f"model must be a torch.nn.Module, got {type(model).__name__}"
        raise TypeError(message)
    if isinstance(model, torch.jit.ScriptModule):
        message = "model must not be compiled by torch.jit: initialize it before that"
        raise TypeError(message)
    if weights in ("uniform", "truncated_normal"):
        message = (
            f"weights must be 'gaussian' or 'orthogonal', got {weights!r}: moments of another order"
            " than 2 are not preserved by uniform or truncated weights; for order 2 there is"
            " scheme_(tensor, 'he_uniform')"
        )
        raise ValueError(message)
    scheme = Fractional(order, preserve=preserve, weights=weights)
    _validation.choice("weights", weights, WEIGHTS)
    _validation.choice("preserve", preserve, QUANTITIES)
    _validation.choice("mode", mode, MODES)
    patterns = _patterns("skip", skip)
    targets = _targets(model, _telling(activation), patterns, mode)
    schemes = [
        replace(
            scheme, activation=target.following.activation, keep_prob=target.following.keep_prob
        )
        for target in targets
    ]
    scales = [_scale(one, target) for one, target in zip(schemes, targets, strict=True)]
    _refuse_sharing(targets, scales)
    _refuse_changing_skipped(model, targets, patterns)
    layers, zeroed = [], []
    for target, scale in zip(targets, scales, strict=True):
        _fill(target, scale, weights, generator)
        layers.append(_entry(target, scale))
        if target.module.bias is not None:
            with torch.no_grad():
                target.module.bias.zero_()
            zeroed.append(_joined(target.path, "bias"))
    done = {id(parameter) for target in targets for parameter in target.module.parameters()}
    return ModuleReport(
        order=scheme.order,
        preserve=preserve,
        weights=weights,
        mode=mode,
        layers=tuple(layers),
        zeroed=tuple(zeroed),
        skipped=tuple(_skipped(model, done, patterns)),
    )


# ------------------------------------------------------------ what is told


class _Telling(NamedTuple):
    """What the caller tells: for layers of which nothing was read, and for layers by pattern."""

    otherwise: Following | None
    by_pattern: dict[str, Following]

    def about(self, path: str) -> Following | None:
        if path in self.by_pattern:
            return self.by_pattern[path]
        for pattern, following in self.by_pattern.items():
            if fnmatch.fnmatchcase(path, pattern):
                return following
        return None


def _telling(activation: Any) -> _Telling:
    if activation is None:
        return _Telling(None, {})
    if isinstance(activation, Mapping):
        return _Telling(None, {str(key): _following(value) for key, value in activation.items()})
    return _Telling(_following(activation), {})


def _following(value: Any) -> Following:
    keep = 1.0
    if isinstance(value, tuple) and len(value) == 2:
        value, keep = value[0], _validation.as_float("keep_prob", value[1])
        _validation.keep_prob(keep)
    return Following(as_activation(value), keep)


def _patterns(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        return (values,)
    patterns = tuple(values)
    if not all(isinstance(pattern, str) for pattern in patterns):
        message = f"{name} must hold paths of modules or parameters, got {patterns!r}"
        raise TypeError(message)
    return patterns


def _matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether a path, or that of a module around it, is among the patterns."""
    parts = path.split(".")
    ancestors = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(one, pattern) for one in ancestors for pattern in patterns)


# ------------------------------------------------------------ what is known


def _targets(
    model: nn.Module, telling: _Telling, skip: tuple[str, ...], mode: str
) -> list[_Target]:
    """Return the layers to initialize; refuse the model if something about it is not known."""
    found = read(model, mode)
    targets, problems = [], []
    for path, module in model.named_modules():
        if not layer_of(module) or (skip and _matches(path, skip)):
            continue
        known: Following | Unknown | None = telling.about(path)
        told = known is not None
        if known is None:
            known = found if isinstance(found, Unknown) else found.get(path)
            known = Unknown("the forward does not call it") if known is None else known
        if isinstance(known, Unknown) and telling.otherwise is not None:
            known, told = telling.otherwise, True
        if isinstance(known, Unknown):
            problems.append(f"{_named(path, module)}: {known.reason}")
        elif problem := _problem_of(module):
            problems.append(f"{_named(path, module)}: {problem}")
        else:
            targets.append(_Target(path, module, _kernel(module), known, told))
    problems += _strangers(model, skip)
    unmatched = [
        pattern
        for pattern in telling.by_pattern
        if not any(fnmatch.fnmatchcase(target.path, pattern) for target in targets)
    ]
    problems += [f"activation: no layer is named {pattern!r}" for pattern in unmatched]
    if problems:
        shown = "".join(f"\n- {problem}" for problem in problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        shown += f"\n- and {more} more" if more > 0 else ""
        message = (
            f"model has layers or parameters of which not all is known:{shown}\nTell what follows a"
            " layer by activation={path: activation}, or leave it as it is by skip=[path]"
        )
        raise ValueError(message)
    if not targets:
        message = f"model must have linear or convolutional layers, {type(model).__name__} has none"
        raise ValueError(message)
    return targets


def _named(path: str, module: nn.Module) -> str:
    return f"{path or '(model)'} ({type(module).__name__})"


def _problem_of(module: nn.Module) -> str | None:
    """Return why the weights of a layer cannot be set."""
    if not isinstance(module._parameters.get("weight"), nn.Parameter):
        return "its weight is computed from other parameters (parametrization)"
    try:
        check_tensor(module.weight, "its weight")
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _strangers(model: nn.Module, skip: tuple[str, ...]) -> list[str]:
    """Return complaints about parameters that belong to no layer that is known."""
    problems = []
    for path, module in model.named_modules():
        if layer_of(module) or isinstance(module, (*NORMALIZATIONS, nn.PReLU)):
            continue
        for name, _ in module.named_parameters(recurse=False):
            if not (skip and _matches(_joined(path, name), skip)):
                what = f"{type(module).__name__} is no layer whose weights have a known law"
                problems.append(f"{_joined(path, name)}: {what}")
    return problems


def _skipped(model: nn.Module, done: set[int], skip: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the parameters that were left, with the reason."""
    left = []
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in done:
                continue
            full = _joined(path, name)
            asked = bool(skip) and _matches(full, skip)
            left.append((full, "as asked" if asked else f"it is {type(module).__name__}'s"))
    return left


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# ------------------------------------------------------------ weights


def _kernel(module: nn.Module) -> Kernel | None:
    """Return the description of a layer's weights; None if it has no elements."""
    if module.weight.numel() == 0:
        return None
    groups = getattr(module, "groups", 1)
    return Kernel.of(tuple(module.weight.shape), groups, isinstance(module, TRANSPOSED))


def _density(module: nn.Module) -> int:
    """Return the strides of a transposed convolution: one in so many inputs meets a position."""
    return math.prod(module.stride) if isinstance(module, TRANSPOSED) else 1


def _scale(scheme: Fractional, target: _Target) -> float:
    if target.kernel is None:
        return 0.0
    scale = scheme._scale_at(target.kernel.site)
    density = _density(target.module)
    if density == 1:
        return scale
    if scheme.weights == "orthogonal":
        message = (
            f"weights must be 'gaussian' for transposed convolutions with strides, got 'orthogonal'"
            f" for {_named(target.path, target.module)}: a position sees a part of the matrix"
        )
        raise ValueError(message)
    return scale * math.sqrt(density) if scheme.preserve == "rms" else scale


def _refuse_sharing(targets: list[_Target], scales: list[float]) -> None:
    """Refuse weights that are shared by layers with different scales."""
    seen: dict[int, tuple[str, float]] = {}
    for target, scale in zip(targets, scales, strict=True):
        path, before = seen.setdefault(id(target.module.weight), (target.path, scale))
        if before != scale:
            message = (
                f"model must not share weights between layers of different scales: {path} needs"
                f" {before:.6g}, {target.path} needs {scale:.6g}; leave one as it is by skip="
            )
            raise ValueError(message)


def _refuse_changing_skipped(
    model: nn.Module, targets: list[_Target], skip: tuple[str, ...]
) -> None:
    """Refuse weights of layers that are also parameters that were to be left as they are."""
    filled = {id(target.module.weight): target.path for target in targets}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        path = filled.get(id(parameter))
        if path is not None and skip and _matches(name, skip):
            message = (
                f"skip must name all uses of a shared weight: {name} is also the weight of {path};"
                f" add {path!r} to leave it"
            )
            raise ValueError(message)


def _fill(target: _Target, scale: float, weights: str, generator: torch.Generator | None) -> None:
    weight = target.module.weight
    if target.kernel is None or holds_nothing(weight):
        return
    if weights == "gaussian":
        fill_normal(weight, scale, generator)
        return
    variates: Any = TorchVariates(weight.device, generator)
    put(weight, Orthogonal(scale)._draw(target.kernel, variates))


def _entry(target: _Target, scale: float) -> LayerInit:
    following, kernel = target.following, target.kernel
    notes = list(following.notes)
    fan_in = float(kernel.site.fan_in) if kernel else 0.0
    density = _density(target.module)
    if kernel and density > 1:
        fan_in /= density
        note = _STRIDED.format(seen=fan_in)
        notes.append(note if _is_even(target.module) else note + _UNEVEN)
    if kernel is None:
        notes.append("it has no weights")
    return LayerInit(
        path=target.path,
        kind=type(target.module).__name__,
        fan_in=fan_in,
        width=kernel.site.width if kernel else 0,
        activation=following.activation,
        keep_prob=following.keep_prob,
        scale=scale,
        told=target.told,
        notes=tuple(notes),
    )


def _is_even(module: nn.Module) -> bool:
    """Return whether all positions behind a transposed convolution see as many inputs."""
    sizes = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    return all(stride == 1 or (size % stride == 0 and gap == 1) for size, stride, gap in sizes)


def _described(layer: LayerInit) -> str:
    text = type(layer.activation).__name__
    lower, upper = layer.activation.slopes
    if text == "LeakyReLU":
        text += f"({lower:g})"
    elif text == "RandomizedLeakyReLU":
        text = f"RReLU({lower:.3g}, {upper:.3g})"
    return text if layer.keep_prob == 1.0 else f"{text}, keep {layer.keep_prob:g}"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 2]}.."
