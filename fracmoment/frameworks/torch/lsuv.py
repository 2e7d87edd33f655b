"""LSUV for torch modules: orthonormal weights, scaled layer by layer on a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

from fracmoment.frameworks.torch.drawing import check_tensor, fill
from fracmoment.frameworks.torch.following import TRANSPOSED, layer_of
from fracmoment.schemes import LSUV, LSUVLayer, lsuv

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LSUVReport:
    """What `lsuv_` did.

    Attributes
    ----------
    layers : dict
        `fracmoment.schemes.LSUVLayer` by path, in the order in which the batch passed them.
    untouched : tuple of str
        Layers that the batch did not pass; they keep their weights.
    """

    layers: dict[str, LSUVLayer]
    untouched: tuple[str, ...]

    def __str__(self) -> str:
        """Return the report as a table."""
        lines = [f"{'layer':40}{'factor':>12}{'variance':>12}{'rounds':>8}"]
        for path, layer in self.layers.items():
            lines.append(
                f"{path or '(model)':40}{layer.factor:>12.6g}{layer.variance:>12.6g}"
                f"{layer.rounds:>8}"
            )
        if self.untouched:
            lines.append(f"not passed by the batch: {', '.join(self.untouched)}")
        return "\n".join(lines)


class _Reached(Exception):  # noqa: N818  # no error: it ends a forward where the layer is reached
    pass


def lsuv_(
    model: nn.Module,
    batch: Any,
    *,
    tolerance: float = 0.1,
    max_rounds: int = 10,
    generator: torch.Generator | None = None,
) -> LSUVReport:
    """Give every layer of a model outputs of unit variance on a batch [MM16].

    Weights of linear layers and (transposed) convolutions become orthonormal, biases zero; then
    layers are scaled one by one, in the order in which the batch passes them. The model is in
    evaluation mode meanwhile: dropout drops nothing and batch statistics stay as they are.

    Parameters
    ----------
    model : torch.nn.Module
        The model, on any device.
    batch : torch.Tensor or tuple
        What the model is called with; a tuple holds its arguments.
    tolerance : float, optional
        The variance shall be within that of 1; in (0, 1).
    max_rounds : int, optional
        How often a layer may be scaled.
    generator : torch.Generator, optional
        As for `scheme_`.

    Returns
    -------
    LSUVReport

    Raises
    ------
    ValueError
        The model has no layer that the batch passes, or one whose outputs do not vary.
    ConvergenceError
        The variance is not within the tolerance after `max_rounds`.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 10))
    >>> report = lsuv_(model, torch.randn(256, 20), tolerance=1e-3)
    >>> bool(abs(model(torch.randn(256, 20)).var() - 1.0) < 0.2)
    True
    """
    if not isinstance(model, nn.Module):
        message = f"model must be a torch.nn.Module, got {type(model).__name__}"
        raise TypeError(message)
    arguments = batch if isinstance(batch, tuple) else (batch,)
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        passed = _passed(model, arguments)
        for path, module in passed.items():
            _prepare(path, module, generator)
        paths = list(passed)

        def outputs(index: int) -> NDArray[Any]:
            return _outputs(model, passed[paths[index]], arguments)

        def rescale(index: int, factor: float) -> None:
            with torch.no_grad():
                passed[paths[index]].weight.mul_(factor)

        layers = lsuv(len(paths), outputs, rescale, tolerance=tolerance, max_rounds=max_rounds)
    finally:
        for module, mode in training.items():
            module.training = mode
    left = [path for path, module in model.named_modules() if layer_of(module)]
    return LSUVReport(
        layers=dict(zip(paths, layers, strict=True)),
        untouched=tuple(path for path in left if path not in passed),
    )


def _passed(model: nn.Module, arguments: tuple[Any, ...]) -> dict[str, nn.Module]:
    """Return the layers by path in the order in which a batch passes them, each weight once."""
    names = {module: path for path, module in model.named_modules() if layer_of(module)}
    order: dict[str, nn.Module] = {}
    weights: set[int] = set()

    def note(module: nn.Module, *_: Any) -> None:
        if id(module.weight) not in weights:
            weights.add(id(module.weight))
            order[names[module]] = module

    handles = [module.register_forward_hook(note) for module in names]
    try:
        with torch.no_grad():
            model(*arguments)
    finally:
        for handle in handles:
            handle.remove()
    if not order:
        message = "model must have linear or convolutional layers that the batch passes"
        raise ValueError(message)
    return order


def _prepare(path: str, module: nn.Module, generator: torch.Generator | None) -> None:
    """Give a layer orthonormal weights and no bias."""
    weight = module._parameters.get("weight")
    if weight is None:
        message = f"the weight of {path!r} is computed from other parameters (parametrization)"
        raise ValueError(message)
    check_tensor(weight, f"the weight of {path!r}")
    if weight.is_meta:
        message = f"the weight of {path!r} is on the meta device: LSUV needs values"
        raise ValueError(message)
    fill(weight, LSUV(), getattr(module, "groups", 1), isinstance(module, TRANSPOSED), generator)
    if module.bias is not None:
        with torch.no_grad():
            module.bias.zero_()


def _outputs(model: nn.Module, layer: nn.Module, arguments: tuple[Any, ...]) -> NDArray[Any]:
    """Return what a layer gives for a batch, without running the model any further."""
    seen: list[torch.Tensor] = []

    def stop(_: nn.Module, __: Any, output: torch.Tensor) -> NoReturn:
        seen.append(output)
        raise _Reached

    handle = layer.register_forward_hook(stop)
    try:
        with torch.no_grad():
            model(*arguments)
    except _Reached:
        pass
    finally:
        handle.remove()
    values: NDArray[Any] = seen[0].double().cpu().numpy()
    return values
