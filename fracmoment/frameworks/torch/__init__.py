"""Initializers for torch, in the style of ``torch.nn.init``.

Functions on tensors end in ``_``, work in place without gradients and return the tensor. They
respect its dtype and device, draw from ``generator=`` or torch's default generator, and do nothing
to meta tensors and tensors without elements. Weights are in torch's layouts, ``(out, in/groups,
*kernel)``, and ``(in, out/groups, *kernel)`` with ``transposed=True``.
"""

from fracmoment.frameworks._missing import missing

try:
    import torch as _torch  # noqa: F401  # so that the error names the extra
except ModuleNotFoundError as error:
    raise missing("torch", error) from None

from fracmoment.frameworks.torch.initializers import (
    delta_orthogonal_,
    fractional_normal_,
    fractional_orthogonal_,
    gaussian_submatrix_,
    lecun_normal_,
    looks_linear_,
    lstm_bias_,
    lyapunov_normal_,
    lyapunov_orthogonal_,
    random_walk_normal_,
    scheme_,
    scheme_bias_,
    unitary_,
)
from fracmoment.frameworks.torch.lsuv import LSUVReport, lsuv_
from fracmoment.frameworks.torch.modules import LayerInit, ModuleReport, init_module_

__all__ = [
    "LSUVReport",
    "LayerInit",
    "ModuleReport",
    "delta_orthogonal_",
    "fractional_normal_",
    "fractional_orthogonal_",
    "gaussian_submatrix_",
    "init_module_",
    "lecun_normal_",
    "looks_linear_",
    "lstm_bias_",
    "lsuv_",
    "lyapunov_normal_",
    "lyapunov_orthogonal_",
    "random_walk_normal_",
    "scheme_",
    "scheme_bias_",
    "unitary_",
]
