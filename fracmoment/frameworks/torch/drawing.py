"""How weights get into a tensor: drawn by torch, arranged by a scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from fracmoment import _validation
from fracmoment.schemes.base import Kernel
from fracmoment.schemes.scaled import ScaledScheme

if TYPE_CHECKING:
    import numpy as np

    from fracmoment._typing import FloatArray
    from fracmoment.schemes import Scheme

#: Types with fewer bits than float32, in which no normal variate is drawn: in some versions the
#: uniform numbers behind it have as few bits, and the normal law ends near 3 standard deviations.
_NARROW = (torch.float16, torch.bfloat16)


class TorchVariates:
    """The methods of `numpy.random.Generator` that schemes draw with, from torch's generators.

    Double precision, on the device of the tensor that is to be filled.
    """

    def __init__(self, device: torch.device, generator: torch.Generator | None) -> None:
        # Apple's devices have no double precision.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._options: dict[str, Any] = {"dtype": dtype, "device": device, "generator": generator}

    def standard_normal(self, size: Any) -> FloatArray:
        """Draw standard normal numbers."""
        return self._array(torch.randn(size, **self._options))

    def random(self, size: Any) -> FloatArray:
        """Draw numbers that are uniform on [0, 1)."""
        return self._array(torch.rand(size, **self._options))

    def uniform(self, low: float, high: float, size: Any) -> FloatArray:
        """Draw numbers that are uniform on an interval."""
        return low + (high - low) * self.random(size)

    @staticmethod
    def _array(values: torch.Tensor) -> FloatArray:
        return cast("FloatArray", values.cpu().double().numpy())


def check_tensor(
    tensor: torch.Tensor, name: str = "tensor", *, allow_complex: bool = False
) -> None:
    """Refuse what cannot be filled with weights."""
    if not isinstance(tensor, torch.Tensor):
        message = f"{name} must be a torch.Tensor, got {type(tensor).__name__}"
        raise TypeError(message)
    if torch.nn.parameter.is_lazy(tensor):
        message = (
            f"{name} is not materialized, so its shape is unknown: run the model once on an input"
        )
        raise ValueError(message)
    if not (tensor.dtype.is_floating_point or (allow_complex and tensor.dtype.is_complex)):
        message = f"{name} must have a real floating-point dtype, got {tensor.dtype}"
        raise TypeError(message)


def holds_nothing(tensor: torch.Tensor) -> bool:
    """Return whether a tensor has no values to set: a meta tensor, or no elements."""
    return bool(tensor.is_meta) or tensor.numel() == 0


def fill(
    tensor: torch.Tensor,
    scheme: Scheme,
    groups: int,
    transposed: bool,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """Fill a tensor, checked before, with weights of a scheme."""
    if tensor.numel() == 0:
        return tensor
    kernel = Kernel.of(tuple(tensor.shape), groups, transposed)
    if _is_normal(scheme):
        return fill_normal(tensor, scheme._scale_at(kernel.site), generator)
    if tensor.is_meta:
        return tensor
    variates: Any = TorchVariates(tensor.device, generator)
    return put(tensor, scheme._draw(kernel, variates))


def _is_normal(scheme: Scheme) -> bool:
    """Return whether the weights are independent normal numbers of one scale, and nothing else."""
    if not isinstance(scheme, ScaledScheme) or type(scheme)._draw is not ScaledScheme._draw:
        return False
    model = scheme._model()
    return model.weights == "gaussian" and model.entries == "normal"


def fill_normal(
    tensor: torch.Tensor, std: float, generator: torch.Generator | None
) -> torch.Tensor:
    """Fill a tensor with independent normal numbers, untruncated whatever the dtype."""
    if holds_nothing(tensor):
        return tensor
    with torch.no_grad():
        if tensor.dtype not in _NARROW:
            return tensor.normal_(0.0, std, generator=generator)
        wide = torch.empty(tensor.shape, dtype=torch.float32, device=tensor.device)
        return tensor.copy_(wide.normal_(0.0, std, generator=generator))


def put(tensor: torch.Tensor, values: np.ndarray[Any, Any]) -> torch.Tensor:
    """Copy an array of the same shape into a tensor."""
    with torch.no_grad():
        return tensor.copy_(torch.from_numpy(values))


def groups_and_direction(groups: Any, transposed: Any) -> tuple[int, bool]:
    """Return the checked options of a kernel."""
    count = _validation.integer("groups", groups, 1, _validation.MAX_WIDTH)
    return count, _validation.flag("transposed", transposed)
