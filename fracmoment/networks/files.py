"""What the readers of weight files share: the error they raise and the tensors they yield."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from fracmoment._typing import FloatArray


class NetworkFileError(ValueError):
    """A file of weights or inputs that cannot be used; the message is one line and says why."""


@dataclass(frozen=True)
class TensorInfo:
    """What a file declares about one tensor.

    Attributes
    ----------
    name : str
        The name in the file.
    shape : tuple of int
        The declared shape; no axis is negative.
    dtype : str
        Name of the element type: ``"float16"``, ``"bfloat16"``, ``"float32"``, ``"float64"``,
        or another name, which cannot be loaded.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether the elements can be weights."""
        return self.dtype in FLOAT_TYPES


#: Element types that can hold weights.
FLOAT_TYPES = ("float64", "float32", "float16", "bfloat16")


class TensorFile(ABC):
    """Tensors of one file: a checked index in memory, the values read on request.

    Attributes
    ----------
    path : pathlib.Path
        Where the file is; what tensors in memory are called.
    tensors : dict
        `TensorInfo` by name, in the order of the file.
    """

    def __init__(self, path: Path, tensors: dict[str, TensorInfo]) -> None:
        self.path = path
        self.tensors = tensors

    @abstractmethod
    def _read(self, info: TensorInfo) -> NDArray[Any]:
        """Return the raw values of a floating-point tensor."""

    def load(self, name: str) -> FloatArray:
        """Return a tensor as float64, which holds every accepted type exactly.

        Parameters
        ----------
        name : str
            A name of `tensors`.

        Returns
        -------
        numpy.ndarray
            A new float64 array of the declared shape.

        Raises
        ------
        NetworkFileError
            The type is no floating-point type, there are no elements, or one is not finite.
        """
        info = self.tensors[name]
        if not info.is_float:
            accepted = ", ".join(FLOAT_TYPES)
            msg = f"{self.path}: tensor {name!r} has type {info.dtype}; accepted are {accepted}"
            raise NetworkFileError(msg)
        if info.size == 0:
            msg = f"{self.path}: tensor {name!r} of shape {list(info.shape)} has no elements"
            raise NetworkFileError(msg)
        # A signalling NaN of a hostile file must not become a warning on its way to the check.
        with np.errstate(invalid="ignore"):
            values = self._read(info).astype(np.float64, order="C")
        bad = values.size - int(np.count_nonzero(np.isfinite(values)))
        if bad:
            msg = f"{self.path}: tensor {name!r} has {bad} of {values.size} values NaN or infinite"
            raise NetworkFileError(msg)
        return values


def regular_file_size(path: Path) -> int:
    """Return the size in bytes of a regular file.

    Raises
    ------
    NetworkFileError
        There is no such file, it may not be read, or it is not a regular file.
    """
    try:
        size = path.stat().st_size
        regular = path.is_file()
    except OSError as error:
        raise NetworkFileError(os_error_line(path, error)) from None
    except ValueError:  # a null byte in the name
        msg = f"{str(path)!r} is not the name of a file"
        raise NetworkFileError(msg) from None
    if not regular:
        msg = f"{path}: not a regular file"
        raise NetworkFileError(msg)
    return size


def os_error_line(path: Path, error: OSError) -> str:
    """Return one line for an error of the operating system about `path`."""
    return f"{path}: {(error.strerror or type(error).__name__).lower()}"


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line of reasonable length."""
    return " ".join(str(error).split())[:200]
