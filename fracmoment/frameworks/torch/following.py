"""What follows a layer: activation and dropout, read from the graph of a module's forward.

`torch.fx` runs the forward once on symbols instead of numbers. The graph it returns says where the
output of every layer goes, in containers and in code. What it does not say is not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import fx, nn
from torch.nn import functional

from fracmoment import nonlinear
from fracmoment.activations import Activation, LeakyReLU, Linear, RandomizedLeakyReLU, ReLU

if TYPE_CHECKING:
    from collections.abc import Callable

#: Layers with weights that can be initialized.
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)

#: Layers that divide by a norm or deviation of what they get.
NORMALIZATIONS = tuple(
    getattr(nn, name)
    for name in (
        *(f"BatchNorm{n}d" for n in (1, 2, 3)),
        *(f"InstanceNorm{n}d" for n in (1, 2, 3)),
        "SyncBatchNorm",
        "LayerNorm",
        "GroupNorm",
        "RMSNorm",
    )
    if hasattr(nn, name)  # RMSNorm came with torch 2.4
)

#: Units that are not homogeneous, by the name of torch's module.
_NONLINEAR = {
    kind.__name__: kind
    for kind in (
        *(nonlinear.Tanh, nonlinear.Sigmoid, nonlinear.SELU, nonlinear.GELU, nonlinear.SiLU),
        *(nonlinear.ELU, nonlinear.CELU, nonlinear.Softplus, nonlinear.Mish),
    )
}

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_SHAPES = (nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.ChannelShuffle)
_OUTPUTS = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d, nn.Sigmoid, nn.LogSigmoid, nn.Tanh)
# Packages of torch.nn whose layers move, choose or average what they get.
_RESIZING = ("torch.nn.modules.pooling", "torch.nn.modules.padding", "torch.nn.modules.upsampling")

_SHAPE_NAMES = ("flatten", "unflatten", "reshape", "view", "squeeze", "unsqueeze", "contiguous")
_MOVE_NAMES = ("permute", "transpose", "movedim", "clone", "detach", "to", "float", "double")
_OUTPUT_NAMES = ("softmax", "log_softmax", "sigmoid", "logsigmoid", "tanh")
_RELU_NAMES = ("relu", "relu_")
_QUESTIONS = ("size", "dim", "numel")  # about a tensor, which they do not change


@dataclass(frozen=True)
class Following:
    """What follows a layer.

    Attributes
    ----------
    activation : Activation
        Linear where there is none.
    keep_prob : float
        Probability with which dropout keeps a unit.
    notes : tuple of str
        What else happens there.
    """

    activation: Activation
    keep_prob: float = 1.0
    notes: tuple[str, ...] = ()


class Unknown(NamedTuple):
    """Why it is not known what follows a layer."""

    reason: str


class _Step(NamedTuple):
    """One operation: its kind, and the activation, probability, note or name that goes with it.

    ``more`` continues the message where the operation cannot be followed.
    """

    kind: str
    value: Any = None
    more: str = ""


def layer_of(module: nn.Module) -> bool:
    """Return whether a module is a layer whose forward is torch's own."""
    return isinstance(module, LAYERS) and any(
        type(module).forward is base.forward for base in LAYERS if isinstance(module, base)
    )


class _Tracer(fx.Tracer):
    """Takes layers, activations and normalizations as they are, wherever their class is defined."""

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        known = layer_of(module) or isinstance(module, (*NORMALIZATIONS, *_DROPOUTS))
        return known or bool(super().is_leaf_module(module, path))


def read(model: nn.Module, mode: str) -> dict[str, Following | Unknown] | Unknown:
    """Return what follows each layer by its path, or why the forward cannot be followed.

    Parameters
    ----------
    model : torch.nn.Module
        The model; its forward is run on symbols.
    mode : {"training", "evaluation"}
        Whether dropout drops and random slopes are random.
    """
    if type(model).forward is nn.Module.forward:
        return Unknown(f"{type(model).__name__} has no forward that tells what follows")
    tracer, root, prefix = _Tracer(), model, ""
    if tracer.is_leaf_module(model, ""):
        # It would be traced into, instead of being taken as one step.
        root, prefix = nn.Sequential(model), "0"
    training = {module: module.training for module in root.modules()}
    try:
        for module in training:
            module.training = mode == "training"  # what the code of a forward asks for
        graph = tracer.trace(root)
    except Exception as error:  # whatever the forward of a stranger raises
        text = " ".join(str(error).split())[:160]
        return Unknown(f"its forward cannot be traced ({type(error).__name__}: {text})")
    finally:
        for module, was in training.items():
            module.training = was
    modules = dict(root.named_modules())
    found: dict[str, Following | Unknown] = {}
    for node in graph.nodes:
        if node.op != "call_module" or not layer_of(modules[node.target]):
            continue
        path = node.target.removeprefix(prefix).removeprefix(".") if prefix else node.target
        following = _follow(node, modules, mode)
        if path in found and found[path] != following:
            following = Unknown("it is used several times, with different things behind it")
        found[path] = following
    return found


def _follow(node: fx.Node, modules: dict[str, nn.Module], mode: str) -> Following | Unknown:
    activation: Activation | None = None
    keep_prob = 1.0
    notes: list[str] = []
    while True:
        users = [user for user in node.users if not _asks(user)]
        if not users:
            break
        if len(users) > 1:
            if activation is not None:
                break
            return Unknown(f"its output goes to {len(users)} places")
        (node,) = users
        step = _step(node, modules, mode)
        if step.kind == "through":
            pass
        elif step.kind == "norm" and activation is None:
            notes.append(step.value)
        elif step.kind == "dropout":
            keep_prob *= 1.0 - step.value
        elif step.kind == "activation" and activation is None:
            activation = step.value
        elif step.kind == "resize" and activation is None:
            notes.append(step.value)
        elif step.kind in ("layer", "end"):
            break
        elif activation is not None:
            notes.append(_behind(step))
            break
        elif step.kind == "squash" and _is_final(node):
            notes.append(f"the moment is that of what enters {step.value}")
            break
        else:
            return Unknown(f"it is followed by {step.value}{step.more}")
    if keep_prob == 0.0:
        return Unknown("dropout behind it keeps nothing")
    return Following(activation or Linear(), keep_prob, tuple(notes))


def _behind(step: _Step) -> str:
    """Return the note about what follows the activation and is not looked through."""
    if step.kind in ("norm", "resize"):
        return str(step.value)
    what = type(step.value).__name__ if step.kind == "activation" else step.value
    return f"{what} behind the activation is not made up for"


def _asks(node: fx.Node) -> bool:
    """Return whether a node only asks for the shape or type of a tensor."""
    if node.op == "call_method":
        return node.target in _QUESTIONS
    return node.op == "call_function" and node.target is getattr


def _is_final(node: fx.Node) -> bool:
    return all(user.op == "output" for user in node.users)


def _step(node: fx.Node, modules: dict[str, nn.Module], mode: str) -> _Step:
    if node.op == "output":
        return _Step("end")
    if node.op == "call_module":
        return _of_module(modules[node.target], node.target, mode)
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "?")
    if node.op == "call_method" or _is_torch(node.target, name):
        step = _of_function(name, node)
        if step is not None:
            return step
    return _Step("unknown", f"{name}()")


def _is_torch(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function is torch's, and not one of the same name."""
    return any(getattr(place, name, None) is function for place in (torch, functional))


def _of_module(module: nn.Module, path: str, mode: str) -> _Step:
    kind = f"{type(module).__name__} {path!r}"
    if layer_of(module):
        return _Step("layer")
    if isinstance(module, _DROPOUTS):
        return _Step("dropout", _dropped(module.p, mode))
    if isinstance(module, NORMALIZATIONS):
        return _Step("norm", f"{kind} behind it cancels the scale")
    activation = _activation_of(module, mode)
    if activation is not None:
        return _Step("activation", activation)
    if isinstance(module, _SHAPES):
        return _Step("through")
    if isinstance(module, _OUTPUTS):
        return _Step("squash", kind, _nonlinear_words(module))
    if type(module).__module__ in _RESIZING:
        return _Step("resize", f"{kind} changes norms, which is not made up for")
    return _Step("unknown", kind, _nonlinear_words(module) or ", whose effect is not known")


def _nonlinear_words(module: nn.Module) -> str:
    """Return why no scale is exact for a nonlinear unit, and its mean field gain; "" for others."""
    unit = _NONLINEAR.get(type(module).__name__)
    if unit is None or not getattr(module, "alpha", 1.0) > 0.0:
        return ""
    parameters = {
        name: getattr(module, name)
        for name in ("alpha", "beta", "approximate")
        if hasattr(unit, name) and hasattr(module, name)
    }
    gain = nonlinear.mean_field_gain(unit(**parameters))
    return (
        ", which is not homogeneous: what a scale preserves depends on the input. Mean field keeps "
        f"pre-activations of variance 1 by sigma = {gain:.6g}/sqrt(fan_in), see "
        "fracmoment.nonlinear"
    )


def _activation_of(module: nn.Module, mode: str) -> Activation | None:
    if type(module) is nn.ReLU:  # ReLU6 is another function
        return ReLU()
    if type(module) is nn.LeakyReLU:
        return LeakyReLU(float(module.negative_slope))
    if type(module) is nn.RReLU:
        return _randomized(module.lower, module.upper, mode)
    if type(module) is nn.PReLU and not module.weight.is_meta:
        slopes = module.weight.detach().double().flatten().tolist()
        return LeakyReLU(slopes[0]) if len(set(slopes)) == 1 else None
    return None


def _randomized(lower: float, upper: float, mode: str) -> Activation:
    if mode == "training":
        return RandomizedLeakyReLU(float(lower), float(upper))
    return LeakyReLU(0.5 * (float(lower) + float(upper)))


def _dropped(p: float, mode: str) -> float:
    return float(p) if mode == "training" else 0.0


def _of_function(name: str, node: fx.Node) -> _Step | None:
    def argument(index: int, keyword: str, default: Any) -> Any:
        return node.args[index] if len(node.args) > index else node.kwargs.get(keyword, default)

    if name in _RELU_NAMES:
        return _Step("activation", ReLU())
    if name in ("leaky_relu", "leaky_relu_"):
        slope = argument(1, "negative_slope", 0.01)
        return _Step("activation", LeakyReLU(slope)) if _is_number(slope) else None
    # Functions do not know the mode: they have it from an argument, or always the same.
    if name in ("rrelu", "rrelu_"):
        ends = argument(1, "lower", 1 / 8), argument(2, "upper", 1 / 3)
        mode = _mode(argument(3, "training", False))
        return _Step("activation", _randomized(*ends, mode)) if all(map(_is_number, ends)) else None
    if name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
        p = argument(1, "p", 0.5)
        mode = _mode(argument(2, "training", node.kwargs.get("train", True)))
        return _Step("dropout", _dropped(p, mode)) if _is_number(p) else None
    if name in _SHAPE_NAMES or name in _MOVE_NAMES:
        return _Step("through")
    if name in _OUTPUT_NAMES:
        return _Step("squash", f"{name}()")
    if "_pool" in name or name in ("mean", "interpolate", "pad"):
        return _Step("resize", f"{name}() changes norms, which is not made up for")
    return None


def _mode(training: Any) -> str:
    return "training" if training else "evaluation"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))
