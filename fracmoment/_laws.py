"""Arrays of gain laws: the broadcasting between Python's arguments and the core's flat arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fracmoment._typing import BoolArray, FloatArray, Result


class Laws(NamedTuple):
    """Parameters of gain laws, each a scalar or an array; together they broadcast."""

    width: Any
    lower: Any
    upper: Any
    keep_prob: Any
    inverted: Any
    orthogonal: Any

    @property
    def scalar(self) -> bool:
        """Whether no parameter is an array."""
        return not any(isinstance(column, np.ndarray) for column in self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape."""
        if self.scalar:
            return ()
        try:
            return np.broadcast_shapes(*[np.shape(column) for column in self])
        except ValueError:
            shapes = ", ".join(
                f"{name} {np.shape(column)}"
                for name, column in zip(self._fields, self, strict=True)
                if np.ndim(column)
            )
            message = f"the parameters of a gain must broadcast together, got shapes {shapes}"
            raise ValueError(message) from None

    def has_atom(self) -> BoolArray | bool:
        """Return whether R = 0 has positive probability."""
        dead_side = (self.lower == 0) & (self.upper == 0)
        return dead_side | (self.keep_prob < 1)  # type: ignore[no-any-return] # bool or an array

    def is_chi(self) -> bool:
        """Return whether every law is that of the norm of a normal vector."""
        slopes_and_keep = (self.lower, self.upper, self.keep_prob)
        ones = all(isinstance(value, float) and value == 1.0 for value in slopes_and_keep)
        return ones and self.orthogonal is False

    def order_edge(self, given_alive: bool) -> Any:
        """Return the open lower end of the orders for which E R^order is finite and meant.

        With an atom at 0 an unconditional order must be positive; given R > 0 a single live unit
        decides. Without an atom all units must be small together, and under orthogonal weights
        they cannot be unless a slope is 0.
        """
        atom = self.has_atom()
        bounded = self.orthogonal & (self.lower * self.upper > 0)
        if isinstance(atom, bool) and isinstance(bounded, bool):  # without passes over arrays
            if atom:
                return -1.0 if given_alive else 0.0
            return -math.inf if bounded else _negative(self.width)
        free = np.where(bounded, -np.inf, _negative(self.width))
        return np.where(atom, -1.0 if given_alive else 0.0, free)

    def flat(self, *arguments: Any) -> tuple[tuple[int, ...], Any]:
        """Broadcast ``arguments`` with the parameters; return the shape and contiguous 1-D arrays.

        The arguments come first, then width, lower, upper, keep_prob, inverted and orthogonal.
        """
        types = [np.asarray(argument).dtype for argument in arguments]
        types += [np.dtype(t) for t in (np.int64, float, float, float, bool, bool)]
        self.require_shape(*[np.shape(argument) for argument in arguments])
        columns = np.broadcast_arrays(*arguments, *self)
        flat = [
            np.ascontiguousarray(column, dtype=dtype).reshape(-1)
            for column, dtype in zip(columns, types, strict=True)
        ]
        return columns[0].shape, flat

    def require_shape(self, *shapes: tuple[int, ...], names: str = "arguments") -> tuple[int, ...]:
        """Return the common shape of the laws and of arguments of the given shapes."""
        try:
            return np.broadcast_shapes(self.shape, *shapes)
        except ValueError:
            listed = " and ".join(str(shape) for shape in shapes)
            message = f"{names} must broadcast with the gain's shape {self.shape}, got {listed}"
            raise ValueError(message) from None

    def groups(self, *arguments: Any) -> tuple[tuple[int, ...], Iterator[tuple[Any, ...]]]:
        """Broadcast, and return the shape and an iterator over the distinct laws.

        Each item is the law, the indices of its elements in the flat result, and the arguments'
        flat values there.
        """
        shape, flat = self.flat(*arguments)
        values, parameters = flat[: len(arguments)], flat[len(arguments) :]

        def laws() -> Iterator[tuple[Any, ...]]:
            if parameters[0].size == 0:
                return
            table = np.rec.fromarrays(parameters)
            distinct, inverse = np.unique(table, return_inverse=True)
            for index, row in enumerate(distinct):
                where = np.flatnonzero(inverse.reshape(-1) == index)
                law = _core.GainLaw(*[entry.item() for entry in row])
                yield (law, where, *[value[where] for value in values])

        return shape, laws()

    def each(self, function: Callable[..., Any], *arguments: Any) -> FloatArray:
        """Return ``function(law, *arguments)`` on every distinct law, put together again."""
        shape, laws = self.groups(*arguments)
        complex_values = any(np.iscomplexobj(argument) for argument in arguments)
        result = np.empty(shape, dtype=np.complex128 if complex_values else np.float64)
        flat = result.reshape(-1)
        for law, where, *values in laws:
            flat[where] = function(law, *values)
        return result

    def moments(self, order: Any, given_alive: bool) -> Result:
        """Return E R^order, real or complex, for arrays."""
        if np.iscomplexobj(order):
            return self.each(lambda law, s: law.moments_complex(s, given_alive), order)
        if self.is_chi():
            orders, widths = np.broadcast_arrays(order, self.width)
            return _core.chi_moments(widths.astype(np.float64), orders.astype(np.float64))
        shape, (orders, *laws) = self.flat(order)
        return _core.law_moments(orders, given_alive, *laws).reshape(shape)

    def scales(self, order: Any, given_alive: bool) -> FloatArray:
        """Return the scales that preserve the moment of the given orders."""
        shape, (orders, *laws) = self.flat(order)
        return _core.law_scales(orders, given_alive, *laws).reshape(shape)

    def log_means(self) -> FloatArray:
        """Return E[log R | R > 0]."""
        shape, flat = self.flat(0.0)
        return _core.law_log_means(*flat[1:]).reshape(shape)

    def log_vars(self) -> FloatArray:
        """Return Var[log R | R > 0]."""
        shape, flat = self.flat(0.0)
        return _core.law_log_vars(*flat[1:]).reshape(shape)


def _negative(width: Any) -> Any:
    return -float(width) if isinstance(width, int) else np.negative(width, dtype=np.float64)


_ATOM_HINT = (
    "where the gain is 0 with positive probability (given_alive=True conditions on a live layer)"
)


def check_order(laws: Laws, order: Any, given_alive: bool, *, allow_zero: bool = False) -> None:
    """Check that an order lies in the domain of the laws it broadcasts with."""
    edge = laws.order_edge(given_alive)
    if isinstance(order, float) and isinstance(edge, float):
        inside = order > edge or (allow_zero and order == 0.0)
        if inside and abs(order) <= _validation.MAX_ORDER:
            return
    laws.require_shape(np.shape(order), names="order")
    hint = "" if given_alive or not np.any(laws.has_atom()) else _ATOM_HINT
    _validation.order_domain(order, edge, allow_zero=allow_zero, hint=hint)
