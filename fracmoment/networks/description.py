"""A network as a chain of weight matrices, read from a file.

Frameworks disagree on nearly everything a file of weights could say: the order of the axes, the
order of the tensors, the names. Each choice made here is recorded as a note, so that a reader can
see it and overrule it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from fracmoment.networks.files import NetworkFileError, TensorFile, TensorInfo
from fracmoment.networks.npz import NpzFile
from fracmoment.networks.safetensors import SafetensorsFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from fracmoment._typing import FloatArray

Layout = Literal["torch", "keras"]

#: Names of a weight matrix and of the bias that goes with it, as the frameworks write them.
_BIAS_OF = {
    "weight": "bias",
    "weights": "biases",
    "kernel": "bias",
    "coefs": "intercepts",
    "w": "b",
    "W": "b",
}
_KERAS_NAMES = re.compile(r"(?:^|[._/])(?:kernel|coefs)(?:$|[^a-z])")


@dataclass(frozen=True)
class Layer:
    """One dense layer as found in a file.

    Attributes
    ----------
    name : str
        Name of the weight matrix in the file.
    weights : numpy.ndarray
        float64 array of shape (fan_out, fan_in), whatever the layout of the file.
    bias : numpy.ndarray or None
        float64 array of shape (fan_out,), if the file has one for this matrix.
    dtype : str
        Element type in the file.
    """

    name: str
    weights: FloatArray
    bias: FloatArray | None
    dtype: str

    @property
    def fan_in(self) -> int:
        """Number of columns."""
        return int(self.weights.shape[1])

    @property
    def fan_out(self) -> int:
        """Number of rows, the width of the layer."""
        return int(self.weights.shape[0])


@dataclass(frozen=True)
class Network:
    """A chain of dense layers.

    Attributes
    ----------
    source : str
        The file.
    layers : tuple of Layer
        In the order in which the signal passes them.
    layout : str
        ``"torch"`` if the file stores (fan_out, fan_in), ``"keras"`` if (fan_in, fan_out).
    notes : tuple of str
        What was assumed or left out while reading, one sentence each.
    """

    source: str
    layers: tuple[Layer, ...]
    layout: Layout
    notes: tuple[str, ...]


def open_tensors(path: Path) -> TensorFile:
    """Open a file of tensors by its extension.

    Parameters
    ----------
    path : pathlib.Path
        A ``.safetensors`` or ``.npz`` file.

    Raises
    ------
    NetworkFileError
        The extension is another one, or the file is broken.
    """
    extension = path.suffix.lower()
    if extension == ".safetensors":
        return SafetensorsFile(path)
    if extension == ".npz":
        return NpzFile(path)
    msg = f"{path}: unsupported extension {extension!r}; weights are read from .safetensors or .npz"
    raise NetworkFileError(msg)


def read_network(
    path: Path, *, names: Sequence[str] | None = None, layout: Layout | Literal["auto"] = "auto"
) -> Network:
    """Read a chain of dense layers.

    Parameters
    ----------
    path : pathlib.Path
        A ``.safetensors`` or ``.npz`` file.
    names : sequence of str, optional
        The weight matrices in the order of the layers; a name may leave out the last part
        (``"fc1"`` for ``"fc1.weight"``). By default every matrix of the file, as stored; where
        the file is sorted by the alphabet, numbers in names decide ("fc2" comes before "fc10").
    layout : {"auto", "torch", "keras"}, optional
        Whether a matrix is stored as (fan_out, fan_in) or (fan_in, fan_out). By default the one
        in which the shapes chain; the names decide where both do.

    Returns
    -------
    Network

    Raises
    ------
    NetworkFileError
        The file is broken, a name is missing, the shapes do not chain, or a value is not finite.
    """
    return network_of(open_tensors(path), names=names, layout=layout)


def network_of(
    file: TensorFile,
    *,
    names: Sequence[str] | None = None,
    layout: Layout | Literal["auto"] = "auto",
) -> Network:
    """Return the chain of dense layers of an open file, or of tensors in memory.

    Arguments, result and errors are those of `read_network`.
    """
    path = file.path
    notes: list[str] = []
    chosen = _choose(file, names, notes)
    if layout == "auto":
        layout = _find_layout(chosen, path, notes)
    else:
        _check_chain(chosen, layout, path)
    biases = _match_biases(file, [info.name for info in chosen])
    layers = []
    for info in chosen:
        weights = file.load(info.name)
        bias_name = biases.get(info.name)
        bias = None if bias_name is None else file.load(bias_name)
        layer = Layer(info.name, weights if layout == "torch" else weights.T, bias, info.dtype)
        if bias is not None and bias.shape != (layer.fan_out,):
            msg = (
                f"{path}: bias {bias_name!r} has shape {list(bias.shape)},"
                f" but {info.name!r} has fan_out {layer.fan_out}"
            )
            raise NetworkFileError(msg)
        layers.append(layer)
    used = {info.name for info in chosen} | set(biases.values())
    others = [name for name in file.tensors if name not in used]
    if others and names is None:
        shown = ", ".join(repr(name) for name in others[:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.append(
            f"not weight matrices, neither audited nor modelled: {shown}{more}; the results are"
            " those of the matrices alone"
        )
    return Network(str(path), tuple(layers), layout, tuple(notes))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sorting key in which numbers inside names count as numbers.

    Examples
    --------
    >>> sorted(["fc10", "fc2"], key=natural_key)
    ['fc2', 'fc10']
    """
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _choose(file: TensorFile, names: Sequence[str] | None, notes: list[str]) -> list[TensorInfo]:
    if names is not None:
        return [_find(file, name) for name in names]
    matrices = [info for info in file.tensors.values() if len(info.shape) == 2]
    if not matrices:
        msg = f"{file.path}: no weight matrix (no tensor with two axes) in {len(file.tensors)}"
        raise NetworkFileError(msg)
    stored = [info.name for info in matrices]
    natural = sorted(stored, key=natural_key)
    # A writer that sorts by the alphabet puts fc10 before fc2, which is no order of layers.
    if stored == sorted(stored) and stored != natural:
        notes.append("the file is sorted by the alphabet; layers are taken by their numbers")
        return [file.tensors[name] for name in natural]
    return matrices


def _find(file: TensorFile, name: str) -> TensorInfo:
    tensors = file.tensors
    candidates = [name] + [
        f"{name}{separator}{last}"
        for last in ("weight", "kernel", "kernel:0", "weights")
        for separator in (".", "/", "_")
    ]
    for candidate in candidates:
        if candidate in tensors:
            info = tensors[candidate]
            if len(info.shape) != 2:
                msg = (
                    f"{file.path}: tensor {candidate!r} of shape {list(info.shape)} is not a matrix"
                )
                raise NetworkFileError(msg)
            return info
    matrices = [info.name for info in tensors.values() if len(info.shape) == 2]
    close = difflib.get_close_matches(name, matrices, n=1, cutoff=0.0)
    advice = f"; the closest is {close[0]!r}" if close else ""
    msg = f"{file.path}: no weight matrix named {name!r}{advice}"
    raise NetworkFileError(msg)


def _fans(info: TensorInfo, layout: Layout) -> tuple[int, int]:
    rows, columns = info.shape
    return (columns, rows) if layout == "torch" else (rows, columns)


def _first_break(
    chosen: Sequence[TensorInfo], layout: Layout
) -> tuple[TensorInfo, TensorInfo] | None:
    for before, after in pairwise(chosen):
        if _fans(before, layout)[1] != _fans(after, layout)[0]:
            return before, after
    return None


def _check_chain(chosen: Sequence[TensorInfo], layout: Layout, path: Path) -> None:
    broken = _first_break(chosen, layout)
    if broken is not None:
        before, after = broken
        msg = (
            f"{path}: shapes do not chain in {layout} layout: {before.name!r} gives"
            f" {_fans(before, layout)[1]} signals, {after.name!r} takes {_fans(after, layout)[0]}"
            " (choose and order the layers with --layers)"
        )
        raise NetworkFileError(msg)


def _find_layout(chosen: Sequence[TensorInfo], path: Path, notes: list[str]) -> Layout:
    by_name: Layout = "keras" if _KERAS_NAMES.search(chosen[0].name) else "torch"
    other: Layout = "torch" if by_name == "keras" else "keras"
    if _first_break(chosen, by_name) is not None and _first_break(chosen, other) is None:
        notes.append(f"the shapes chain in {other} layout only, which is taken")
        return other
    _check_chain(chosen, by_name, path)
    return by_name


def _match_biases(file: TensorFile, matrices: Iterable[str]) -> dict[str, str]:
    """Return the name of the bias by the name of the matrix, where the names say so."""
    biases = {}
    for name in matrices:
        # The last word of the name that stands for weights, with numbers kept as they are.
        words = list(re.finditer(r"weights?|kernel|coefs|(?<![A-Za-z])[wW](?![A-Za-z])", name))
        if not words:
            continue
        word = words[-1]
        bias = name[: word.start()] + _BIAS_OF[word.group()] + name[word.end() :]
        if bias in file.tensors and len(file.tensors[bias].shape) == 1:
            biases[name] = bias
    return biases
