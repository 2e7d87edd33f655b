"""A strict reader of safetensors files.

The format is an 8-byte little-endian length, a JSON header of that length, and the raw data.
Everything the header says is checked before a byte of the data is touched: a hostile file ends in
one line of text, never in a wrong number or a large allocation. Reading such files needs no
package besides NumPy this way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment.networks.files import (
    NetworkFileError,
    TensorFile,
    TensorInfo,
    one_line,
    os_error_line,
    regular_file_size,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The limit of the format's own library.
MAX_HEADER_BYTES = 100_000_000
MAX_AXES = 64

# Bits an element takes and the name used here, by the name in the file.
_TYPES = {
    "F64": (64, "float64"),
    "F32": (32, "float32"),
    "F16": (16, "float16"),
    "BF16": (16, "bfloat16"),
    "C64": (64, "complex64"),
    "I64": (64, "int64"),
    "I32": (32, "int32"),
    "I16": (16, "int16"),
    "I8": (8, "int8"),
    "U64": (64, "uint64"),
    "U32": (32, "uint32"),
    "U16": (16, "uint16"),
    "U8": (8, "uint8"),
    "BOOL": (8, "bool"),
    "F8_E4M3": (8, "float8_e4m3"),
    "F8_E5M2": (8, "float8_e5m2"),
    "F8_E8M0": (8, "float8_e8m0"),
    "F6_E2M3": (6, "float6_e2m3"),
    "F6_E3M2": (6, "float6_e3m2"),
    "F4": (4, "float4"),
}
_DTYPES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}


@dataclass(frozen=True)
class _StoredTensor(TensorInfo):
    start: int
    stop: int


class SafetensorsFile(TensorFile):
    """The tensors of a safetensors file.

    Parameters
    ----------
    path : pathlib.Path
        The file. It is closed again before the constructor returns.

    Raises
    ------
    NetworkFileError
        The file cannot be read or breaks the format: too short, header too long or no JSON object,
        a name twice, unknown types, shapes and offsets that disagree, or data that overlap, leave
        holes or do not fill the file.
    """

    def __init__(self, path: Path) -> None:
        size = regular_file_size(path)
        try:
            with path.open("rb") as stream:
                length = int.from_bytes(_exactly(stream.read(8), 8, path), "little")
                if length > MAX_HEADER_BYTES:
                    msg = f"{path}: header of {length} bytes, the limit is {MAX_HEADER_BYTES}"
                    raise NetworkFileError(msg)
                if length > size - 8:
                    msg = f"{path}: truncated: a header of {length} bytes in {size} bytes"
                    raise NetworkFileError(msg)
                header = _exactly(stream.read(length), length, path)
        except OSError as error:
            raise NetworkFileError(os_error_line(path, error)) from None
        self._data_start = 8 + length
        entries = _parse_header(header, path)
        entries.pop("__metadata__", None)  # free text, of no use here
        self._stored = {name: _parse_entry(name, entry, path) for name, entry in entries.items()}
        _check_coverage(list(self._stored.values()), size - self._data_start, path)
        super().__init__(path, dict(self._stored))

    def _read(self, info: TensorInfo) -> NDArray[Any]:
        stored = self._stored[info.name]
        length = stored.stop - stored.start
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._data_start + stored.start)
                raw = _exactly(stream.read(length), length, self.path)
        except OSError as error:
            raise NetworkFileError(os_error_line(self.path, error)) from None
        values: NDArray[Any] = np.frombuffer(raw, dtype=_DTYPES[info.dtype])
        if info.dtype == "bfloat16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(info.shape)


def _exactly(raw: bytes, length: int, path: Path) -> bytes:
    if len(raw) != length:
        msg = f"{path}: truncated: {length} bytes expected, {len(raw)} found"
        raise NetworkFileError(msg)
    return raw


def _parse_header(header: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ValueError("a name appears twice")
        return entries

    try:
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        msg = f"{path}: the header is not valid JSON ({reason})"
        raise NetworkFileError(msg) from None
    if not isinstance(entries, dict):
        msg = f"{path}: the header is not a JSON object"
        raise NetworkFileError(msg)
    return entries


def _parse_entry(name: str, entry: object, path: Path) -> _StoredTensor:
    where = f"{path}: tensor {name!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        msg = f"{where}: expected dtype, shape and data_offsets"
        raise NetworkFileError(msg)
    kind = entry["dtype"]
    if not isinstance(kind, str) or kind not in _TYPES:
        msg = f"{where}: unknown dtype {str(kind)[:40]!r}"
        raise NetworkFileError(msg)
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_counts(shape) or len(shape) > MAX_AXES:
        msg = f"{where}: the shape is not a list of at most {MAX_AXES} counts"
        raise NetworkFileError(msg)
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        msg = f"{where}: data_offsets are not two increasing counts"
        raise NetworkFileError(msg)
    bits, dtype = _TYPES[kind]
    stored = _StoredTensor(name, tuple(shape), dtype, offsets[0], offsets[1])
    if stored.size * bits != 8 * (stored.stop - stored.start):
        msg = (
            f"{where}: shape {list(shape)} of {dtype} does not fill"
            f" {stored.stop - stored.start} bytes"
        )
        raise NetworkFileError(msg)
    return stored


def _are_counts(value: object) -> bool:
    # Below 2^63, so that no product of a few of them is a large computation.
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _check_coverage(stored: list[_StoredTensor], size: int, path: Path) -> None:
    ordered = sorted(stored, key=lambda tensor: (tensor.start, tensor.stop))
    end = max((tensor.stop for tensor in ordered), default=0)
    if end > size:
        msg = f"{path}: truncated: {end} bytes of data declared, {size} found"
        raise NetworkFileError(msg)
    if ordered and ordered[0].start != 0:
        msg = f"{path}: tensor {ordered[0].name!r}: bytes before it belong to no tensor"
        raise NetworkFileError(msg)
    for before, after in pairwise(ordered):
        if after.start < before.stop:
            msg = f"{path}: tensors {before.name!r} and {after.name!r} overlap"
            raise NetworkFileError(msg)
        if after.start > before.stop:
            msg = f"{path}: tensor {after.name!r}: bytes before it belong to no tensor"
            raise NetworkFileError(msg)
    if end < size:
        msg = f"{path}: {size - end} bytes after the last tensor belong to none"
        raise NetworkFileError(msg)
