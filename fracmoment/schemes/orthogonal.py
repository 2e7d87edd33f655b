"""Orthogonal schemes: Haar matrices, their convolutional and complex forms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment.activations import Activation, Linear
from fracmoment.schemes.base import Kernel
from fracmoment.schemes.haar import haar_orthogonal, haar_unitary
from fracmoment.schemes.scaled import (
    Model,
    ScaledScheme,
    constant_scale,
    positive_number,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import ComplexArray, FloatArray, Result
    from fracmoment.schemes.base import Site, Statement

__all__ = ["DeltaOrthogonal", "Orthogonal", "Unitary"]

_WHY_DELTA = (
    "The kernel is one Haar matrix at its centre: with stride 1 every position passes the same"
    " dense orthogonal layer, so the dense layer's numbers hold at each position and at any depth."
    " Positions share the matrix."
)
_WHY_UNITARY = (
    "A Haar unitary matrix turns any complex input into a uniform direction of the complex sphere,"
    " which is the real sphere of twice the dimension: the norm follows the orthogonal law of the"
    " real form's width."
)


@dataclass(frozen=True)
class Orthogonal(ScaledScheme):
    """A Haar orthogonal matrix times a factor [SMG13].

    Rectangular layers have orthonormal columns, or rows where there are fewer units than inputs. A
    kernel is filled from the matrix of shape ``(out, in * taps)``, one for each group.

    Parameters
    ----------
    factor : float, optional
        The factor, > 0. The factor that preserves a moment is `Fractional`'s.
    activation : Activation or str, optional
        Activation of the layer that the statement is about.

    Examples
    --------
    >>> q = Orthogonal().sample((3, 5), rng=0)
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-15)
    True
    >>> Orthogonal().statement(64, 64, depth=50).preserves
    '|x| itself, of every input.'
    >>> Orthogonal().statement(64, 64, depth=50).isometry_defect < 1e-12
    True
    """

    factor: float = 1.0
    activation: Activation | str = field(default_factory=Linear)

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(
            self,
            factor=positive_number("factor", self.factor),
            activation=single_activation(self.activation),
        )

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "orthogonal"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the factor."""
        return constant_scale(self.factor, fan_in, fan_out)

    def _model(self) -> Model:
        return Model(single_activation(self.activation), "norm", "orthogonal")


@dataclass(frozen=True)
class DeltaOrthogonal(Orthogonal):
    """A convolution whose kernel is an orthogonal matrix at the centre and zero elsewhere [XBS18].

    Kernels of one to three axes; the centre of an even axis of n taps is tap ``(n - 1)//2``. It
    needs at least as many outputs as inputs, in every group.

    Parameters
    ----------
    factor, activation
        As for `Orthogonal`.

    Examples
    --------
    >>> kernel = DeltaOrthogonal().sample((8, 4, 3, 3), rng=0)
    >>> centre = kernel[:, :, 1, 1]
    >>> bool(abs(centre.T @ centre - np.eye(4)).max() < 1e-15), int(np.count_nonzero(kernel))
    (True, 32)
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "delta_orthogonal"

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        rows, columns = kernel.site.width, kernel.site.channels
        if not 3 <= len(kernel.shape) <= 5 or rows < columns:
            message = (
                "shape must be that of a convolution with 1 to 3 axes and at least as many outputs"
                f" as inputs in a group, got {kernel.shape}; see Orthogonal for dense layers"
            )
            raise ValueError(message)
        matrices = self.factor * haar_orthogonal(kernel.groups, rows, columns, rng)
        return kernel.assemble([kernel.at_centre(matrix) for matrix in matrices])

    def _state(self, site: Site) -> Statement:
        """Return the dense statement about the matrix at the centre."""
        if site.width < site.channels:
            message = (
                "fan_out must be at least fan_in for delta-orthogonal kernels, got "
                f"{site.channels} -> {site.width}"
            )
            raise ValueError(message)
        dense = site._replace(fan_in=site.channels, fan_out=site.width, taps=1)
        return replace(super()._state(dense), reason=_WHY_DELTA)


@dataclass(frozen=True)
class Unitary(Orthogonal):
    """A Haar unitary matrix times a factor, for complex signals [ASB16].

    `sample` gives the real form ``[[Re, -Im], [Im, Re]]``, which acts on real parts stacked over
    imaginary parts: both sizes are even, and half of them complex. `sample_complex` gives the
    matrix itself.

    Parameters
    ----------
    factor, activation
        As for `Orthogonal`; the activation acts on real and imaginary parts.

    Examples
    --------
    >>> u = Unitary().sample_complex((4, 4), rng=0)
    >>> bool(abs(u.conj().T @ u - np.eye(4)).max() < 1e-15)
    True
    >>> w = Unitary().sample((8, 8), rng=0)
    >>> bool(np.array_equal(w[:4, :4] + 1j * w[4:, :4], u))
    True
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "unitary"

    def sample_complex(self, shape: Any, *, rng: Any = None) -> ComplexArray:
        """Draw a complex matrix.

        Parameters
        ----------
        shape : (int, int)
            Complex outputs and inputs; orthonormal columns, or rows where it is wide.
        rng : optional
            What `numpy.random.default_rng` takes.

        Returns
        -------
        ndarray of complex128
        """
        kernel = Kernel.of(shape, 1, False)
        if len(kernel.shape) != 2:
            message = f"shape must be that of a matrix, got {kernel.shape}"
            raise ValueError(message)
        generator = _validation.generator(rng)
        return self.factor * haar_unitary(kernel.site.width, kernel.site.fan_in, generator)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        if len(kernel.shape) != 2 or kernel.groups > 1 or any(n % 2 for n in kernel.shape):
            message = (
                "shape must be that of a dense layer of even sizes, real parts over imaginary"
                f" parts, got {kernel.shape}"
            )
            raise ValueError(message)
        rows, columns = kernel.site.width // 2, kernel.site.fan_in // 2
        matrix = self.factor * haar_unitary(rows, columns, rng)
        weights = np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])
        return kernel.assemble([weights])

    def _state(self, site: Site) -> Statement:
        if site.fan_in % 2 or site.width % 2 or site.taps > 1:
            message = (
                "fan_in and fan_out must be even, and the layer dense, got "
                f"{site.fan_in} -> {site.fan_out}"
            )
            raise ValueError(message)
        statement = replace(super()._state(site), reason=_WHY_UNITARY)
        # Fourth moments of unitary matrices are not those of orthogonal ones, and enter elsewhere.
        one = site.depth == 1 and site.width <= site.fan_in
        known = one or self.activation == Linear()
        return statement if known else replace(statement, isometry_defect=None)
