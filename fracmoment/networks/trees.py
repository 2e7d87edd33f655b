"""Networks in memory: modules, models, state dicts and trees of parameters of the frameworks.

No framework is imported here. What is one is told by the module that its class comes from, and
what is needed of it are the names and the values of its parameters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fracmoment.networks.audit import NetworkAudit, audit_network
from fracmoment.networks.description import Network, network_of, read_network
from fracmoment.networks.files import NetworkFileError, TensorFile, TensorInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from fracmoment.activations import Activation
    from fracmoment.networks.description import Layout
    from fracmoment.networks.laws import Convention

__all__ = ["TensorTree", "audit", "network_in_memory"]

_MAX_LEVELS = 100


class TensorTree(TensorFile):
    """The parameters of a model in memory, by name.

    Parameters
    ----------
    label : str
        What messages and reports call them.
    arrays : dict
        Arrays, or tensors of a framework, by name.
    """

    def __init__(self, label: str, arrays: dict[str, Any]) -> None:
        self._arrays = arrays
        tensors = {
            name: TensorInfo(name, tuple(map(int, array.shape)), _type_name(array.dtype))
            for name, array in arrays.items()
        }
        super().__init__(Path(label), tensors)

    def _read(self, info: TensorInfo) -> NDArray[Any]:
        array = self._arrays[info.name]
        if _comes_from(array, "torch"):
            if array.is_meta:
                msg = f"{self.path}: tensor {info.name!r} is on the meta device and has no values"
                raise NetworkFileError(msg)
            array = array.detach().cpu().double()  # NumPy has no bfloat16
        values: NDArray[Any] = np.asarray(array)
        return values


def audit(
    source: Any,
    activation: Activation | str = "relu",
    *,
    last: Activation | str | None = "linear",
    preserve: Convention = "rms",
    significance: float = 0.01,
    layers: Sequence[str] | None = None,
    layout: Layout | Literal["auto"] = "auto",
) -> NetworkAudit:
    """Audit the weights of a network: what law they have, what they preserve, what follows.

    Parameters
    ----------
    source : path, torch module, state dict, Keras model, or tree of parameters
        The network: a ``.safetensors`` or ``.npz`` file, a torch module or its state dict, a Keras
        model, a Flax module, or nested mappings and sequences of arrays as Flax, Haiku and Keras
        users have them.
    activation : Activation or str, optional
        After every layer but the last; it is not read from the model.
    last : Activation, str or None, optional
        After the last layer; None for the same as everywhere.
    preserve : {"rms", "norm"}, optional
        Whether orders and ratios are those of the root mean square or of the norm.
    significance : float, optional
        Level of all tests on all layers together.
    layers : sequence of str, optional
        Names of the weight matrices in the order of the layers; by default every matrix, as stored.
    layout : {"auto", "torch", "keras"}, optional
        Whether a matrix is ``(fan_out, fan_in)`` or ``(fan_in, fan_out)``; by default told by the
        shapes, or else by the names.

    Returns
    -------
    NetworkAudit
        It prints as the tables of ``fracmoment audit``.

    Raises
    ------
    TypeError
        The source is nothing of that kind.
    NetworkFileError
        A ValueError: no weight matrix, shapes that do not chain, values that are not finite.

    Examples
    --------
    >>> import fracmoment as fm
    >>> rng = np.random.default_rng(0)
    >>> scale = fm.init_scale("relu", 64, 64, 1.0)
    >>> tree = {f"layer{i}": {"kernel": scale * rng.standard_normal((64, 64))} for i in range(3)}
    >>> report = fm.audit(tree, last=None)
    >>> [layer.entries.kind for layer in report.layers], report.layout
    (['gaussian', 'gaussian', 'gaussian'], 'keras')
    """
    if isinstance(source, (str, os.PathLike)):
        network = read_network(Path(source), names=layers, layout=layout)
    else:
        network = network_in_memory(source, names=layers, layout=layout)
    return audit_network(
        network, activation, last=last, preserve=preserve, significance=significance
    )


def network_in_memory(
    source: Any,
    *,
    names: Sequence[str] | None = None,
    layout: Layout | Literal["auto"] = "auto",
) -> Network:
    """Return the chain of dense layers of a model in memory.

    Parameters
    ----------
    source : torch module, state dict, Keras model, Flax module, or tree of parameters
        As for `audit`.
    names, layout
        As for `read_network`.
    """
    return network_of(TensorTree(*_named_arrays(source)), names=names, layout=layout)


def _named_arrays(source: Any) -> tuple[str, dict[str, Any]]:
    """Return what to call a model, and its parameters by name."""
    label = type(source).__name__
    if _comes_from(source, "torch") and hasattr(source, "named_parameters"):
        return label, dict(source.named_parameters())
    if _comes_from(source, "keras") and hasattr(source, "weights"):
        return label, {weight.path: weight for weight in source.weights}
    if _comes_from(source, "flax") and hasattr(source, "__nnx_repr__"):
        source = _flax_state(source)
    if not isinstance(source, (Mapping, list, tuple)):
        msg = (
            "source must be a path, a torch module, a Keras model, a Flax module, a state dict or a"
            f" tree of arrays, got {label}"
        )
        raise TypeError(msg)
    arrays = dict(_leaves(source, "", 0))
    if not arrays:
        msg = f"source must hold arrays, got a {label} without any"
        raise ValueError(msg)
    return label, arrays


def _flax_state(module: Any) -> Any:
    from flax import nnx

    return nnx.to_pure_dict(nnx.state(module, nnx.Param))


def _leaves(tree: Any, prefix: str, level: int) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a tree with their paths as names."""
    if level > _MAX_LEVELS:
        msg = f"source must be nested at most {_MAX_LEVELS} deep, is deeper at {prefix[:60]!r}"
        raise ValueError(msg)
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, (list, tuple)):
        items = [(str(index), value) for index, value in enumerate(tree)]
    elif hasattr(tree, "shape") and hasattr(tree, "dtype"):
        yield prefix, tree
        return
    elif hasattr(tree, "value"):  # the boxes of Flax
        yield from _leaves(tree.value, prefix, level + 1)
        return
    elif tree is None:
        return
    else:
        msg = f"source must hold arrays, got {type(tree).__name__} at {prefix!r}"
        raise TypeError(msg)
    for key, value in items:
        yield from _leaves(value, f"{prefix}/{key}" if prefix else key, level + 1)


def _comes_from(value: Any, package: str) -> bool:
    """Return whether the class of a value, or one that it derives from, belongs to a package."""
    return any(cls.__module__.split(".")[0] == package for cls in type(value).__mro__)


def _type_name(dtype: Any) -> str:
    """Return NumPy's name of an element type of any framework."""
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")
