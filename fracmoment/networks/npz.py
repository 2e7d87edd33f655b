"""A strict reader of NumPy's npz and npy files.

Objects are never unpickled. An archive is refused before anything is decompressed when it declares
more than it can plausibly hold, and each array must fill its member to the byte.
"""

from __future__ import annotations

import ast
import math
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

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

    from fracmoment._typing import FloatArray

#: Archives that declare more bytes than this for one array are refused.
MAX_ARRAY_BYTES = 1 << 34
#: Beyond `FREE_BYTES`, archives may expand by this factor; weights hardly compress at all.
MAX_EXPANSION = 100
FREE_BYTES = 1 << 26
_MAX_HEADER_BYTES = 10_000  # NumPy's own limit for a header it evaluates safely
_MAX_AXES = 32


class NpzFile(TensorFile):
    """The arrays of an npz archive.

    Parameters
    ----------
    path : pathlib.Path
        The archive. It is closed again before the constructor returns.

    Raises
    ------
    NetworkFileError
        No zip archive, a member that is no array or has objects, a name twice, encrypted members,
        sizes that disagree with the headers, or an archive that expands beyond all reason.
    """

    def __init__(self, path: Path) -> None:
        size = regular_file_size(path)
        self._members: dict[str, str] = {}
        tensors: dict[str, TensorInfo] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
                _check_expansion(members, size, path)
                for member in members:
                    name = member.filename.removesuffix(".npy")
                    if name == member.filename:
                        msg = f"{path}: member {name!r} is not an array"
                        raise NetworkFileError(msg)
                    if name in tensors:
                        msg = f"{path}: the name {name!r} appears twice"
                        raise NetworkFileError(msg)
                    with archive.open(member) as stream:
                        shape, _, dtype = _read_header(
                            stream, member.file_size, f"{path}: array {name!r}"
                        )
                    tensors[name] = TensorInfo(name, shape, dtype.name)
                    self._members[name] = member.filename
        except _ARCHIVE_ERRORS as error:
            raise NetworkFileError(_archive_line(path, error)) from None
        super().__init__(path, tensors)

    def _read(self, info: TensorInfo) -> NDArray[Any]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                member = archive.getinfo(self._members[info.name])
                where = f"{self.path}: array {info.name!r}"
                with archive.open(member) as stream:
                    return _read_array(stream, member.file_size, where)
        except (*_ARCHIVE_ERRORS, KeyError) as error:
            raise NetworkFileError(_archive_line(self.path, error)) from None


def read_inputs(path: Path) -> FloatArray:
    """Read inputs of a network from a npy file, or from a npz file with one array.

    Parameters
    ----------
    path : pathlib.Path
        The file. The first axis counts the inputs; further axes are flattened.

    Returns
    -------
    numpy.ndarray
        float64 array of shape (inputs, features).

    Raises
    ------
    NetworkFileError
        The file cannot be read, has no numbers, or one of them is not finite.
    """
    if path.suffix.lower() == ".npz":
        archive = NpzFile(path)
        if len(archive.tensors) != 1:
            msg = f"{path}: {len(archive.tensors)} arrays; inputs need a file with one"
            raise NetworkFileError(msg)
        name = next(iter(archive.tensors))
        raw = archive._read(archive.tensors[name])
    elif path.suffix.lower() == ".npy":
        size = regular_file_size(path)
        try:
            with path.open("rb") as stream:
                raw = _read_array(stream, size, str(path))
        except OSError as error:
            raise NetworkFileError(os_error_line(path, error)) from None
    else:
        msg = f"{path}: inputs are read from .npy or .npz files"
        raise NetworkFileError(msg)
    if raw.dtype.kind not in "fiub":
        msg = f"{path}: the inputs have type {raw.dtype.name}, not real numbers"
        raise NetworkFileError(msg)
    if raw.ndim < 1 or raw.size == 0:
        msg = f"{path}: an array of shape {list(raw.shape)} holds no inputs"
        raise NetworkFileError(msg)
    with np.errstate(invalid="ignore"):
        values = raw.astype(np.float64)
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        msg = f"{path}: {bad} of {values.size} input values are NaN or infinite"
        raise NetworkFileError(msg)
    if values.ndim == 1:
        return values.reshape(1, -1)
    return values.reshape(values.shape[0], -1)


_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression method this Python does not have
    RuntimeError,  # an encrypted member
    UnicodeDecodeError,
    OSError,
)


def _archive_line(path: Path, error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return os_error_line(path, error)
    return f"{path}: not a usable zip archive ({one_line(error) or type(error).__name__})"


def _check_expansion(members: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    declared = sum(member.file_size for member in members)
    if declared > max(FREE_BYTES, MAX_EXPANSION * size):
        msg = f"{path}: {size} bytes declare {declared} bytes of arrays; refused"
        raise NetworkFileError(msg)
    if any(member.file_size > MAX_ARRAY_BYTES for member in members):
        msg = f"{path}: an array of more than {MAX_ARRAY_BYTES} bytes; refused"
        raise NetworkFileError(msg)


def _read_header(
    stream: IO[bytes], size: int, where: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and type, once they fill the `size` bytes exactly."""
    try:
        shape, fortran, dtype = _parse_header(stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        msg = f"{where}: not a NumPy array ({one_line(error)})"
        raise NetworkFileError(msg) from None
    if dtype.hasobject:
        msg = f"{where}: holds Python objects, which are never unpickled"
        raise NetworkFileError(msg)
    if any(axis < 0 for axis in shape):
        msg = f"{where}: negative axis in shape {list(shape)}"
        raise NetworkFileError(msg)
    left = size - stream.tell()
    needed = math.prod(shape) * dtype.itemsize
    if needed != left:
        word = "truncated" if needed > left else "longer than its shape"
        msg = f"{where}: {word}: {needed} bytes declared, {left} found"
        raise NetworkFileError(msg)
    return shape, fortran, dtype


def _parse_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # NumPy's own parser falls back on one for headers of Python 2, which lets other exceptions
    # through and warns; nothing written in the last decade needs it.
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8:
        raise ValueError("no NumPy header")
    if start[6] not in (1, 2, 3):
        msg = f"format version {start[6]}.{start[7]} is not read"
        raise ValueError(msg)
    length = int.from_bytes(stream.read(2 if start[6] == 1 else 4), "little")
    if length > _MAX_HEADER_BYTES:
        msg = f"header of {length} bytes, the limit is {_MAX_HEADER_BYTES}"
        raise ValueError(msg)
    raw = stream.read(length)
    if len(raw) != length:
        raise ValueError("truncated header")
    header = ast.literal_eval(raw.decode("utf-8" if start[6] == 3 else "latin-1").strip())
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise ValueError("the header does not describe an array")
    shape, fortran, descr = header["shape"], header["fortran_order"], header["descr"]
    if not isinstance(shape, tuple) or not all(type(axis) is int for axis in shape):
        raise ValueError("the shape is not a tuple of counts")
    if len(shape) > _MAX_AXES:
        msg = f"{len(shape)} axes, the limit is {_MAX_AXES}"
        raise ValueError(msg)
    if not isinstance(fortran, bool) or not isinstance(descr, str):
        raise ValueError("not an array of plain numbers")
    return shape, fortran, np.dtype(descr)


def _read_array(stream: IO[bytes], size: int, where: str) -> NDArray[Any]:
    shape, fortran, dtype = _read_header(stream, size, where)
    length = math.prod(shape) * dtype.itemsize
    raw = stream.read(length)
    if len(raw) != length:
        msg = f"{where}: truncated: {length} bytes declared, {len(raw)} found"
        raise NetworkFileError(msg)
    if length == 0:
        return np.empty(shape, dtype=dtype)
    return np.frombuffer(raw, dtype=dtype).reshape(shape, order="F" if fortran else "C")
