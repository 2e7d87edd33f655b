"""Schemes by name: those of this package, and those that users know from the frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.schemes.data import LSUV
from fracmoment.schemes.defaults import FrameworkDefault
from fracmoment.schemes.fractional import Fractional, Lyapunov, RandomizedSlope
from fracmoment.schemes.nonhomogeneous import LeCunTanh, SelfNormalizing
from fracmoment.schemes.orthogonal import DeltaOrthogonal, Orthogonal, Unitary
from fracmoment.schemes.random_walk import RandomWalk
from fracmoment.schemes.residual import Fixup, TFixup
from fracmoment.schemes.selection import SelectedLyapunov
from fracmoment.schemes.structured import Constant, Identity, Sparse, Zero
from fracmoment.schemes.submatrix import GaussianSubmatrix, LooksLinear
from fracmoment.schemes.variance import Glorot, He, LeCun

if TYPE_CHECKING:
    from fracmoment.schemes.base import Scheme

__all__ = ["get", "names"]

_SCHEMES: dict[str, tuple[type[Scheme], dict[str, Any]]] = {
    "fractional": (Fractional, {}),
    "fractional_orthogonal": (Fractional, {"weights": "orthogonal"}),
    "lyapunov": (Lyapunov, {}),
    "lyapunov_orthogonal": (Lyapunov, {"weights": "orthogonal"}),
    "lyapunov_selected": (SelectedLyapunov, {}),
    "randomized_slope": (RandomizedSlope, {}),
    "zero": (Zero, {}),
    "constant": (Constant, {}),
    "identity": (Identity, {}),
    "lecun_normal": (LeCun, {}),
    "lecun_uniform": (LeCun, {"entries": "uniform"}),
    "lecun_truncated_normal": (LeCun, {"entries": "truncated"}),
    "glorot_normal": (Glorot, {}),
    "glorot_uniform": (Glorot, {"entries": "uniform"}),
    "glorot_truncated_normal": (Glorot, {"entries": "truncated"}),
    "he_normal": (He, {}),
    "he_uniform": (He, {"entries": "uniform"}),
    "he_truncated_normal": (He, {"entries": "truncated"}),
    "torch_default": (FrameworkDefault, {"framework": "torch"}),
    "keras_default": (FrameworkDefault, {"framework": "keras"}),
    "flax_default": (FrameworkDefault, {"framework": "flax"}),
    "haiku_default": (FrameworkDefault, {"framework": "haiku"}),
    "equinox_default": (FrameworkDefault, {"framework": "equinox"}),
    "orthogonal": (Orthogonal, {}),
    "delta_orthogonal": (DeltaOrthogonal, {}),
    "unitary": (Unitary, {}),
    "sparse": (Sparse, {}),
    "random_walk": (RandomWalk, {}),
    "random_walk_backward": (RandomWalk, {"direction": "backward"}),
    "looks_linear": (LooksLinear, {}),
    "gaussian_submatrix": (GaussianSubmatrix, {}),
    "lsuv": (LSUV, {}),
    "fixup": (Fixup, {}),
    "t_fixup": (TFixup, {}),
    "selu": (SelfNormalizing, {}),
    "lecun_tanh": (LeCunTanh, {}),
}

#: Other names of the same schemes.
_ALIASES = {
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "zeros": "zero",
    "eye": "identity",
    "dirac": "identity",
    "irnn": "identity",
    "orthogonal_delta": "delta_orthogonal",
    "delta_orthogonal_conv": "delta_orthogonal",
    "self_normalizing": "selu",
}


def get(name: str, **parameters: Any) -> Scheme:
    """Return the scheme of a name.

    Parameters
    ----------
    name : str
        One of `names`.
    **parameters
        Parameters of the scheme, where its defaults are not meant.

    Returns
    -------
    Scheme

    Raises
    ------
    ValueError
        The name is unknown; the message suggests the closest one. Note that Keras and JAX draw
        truncated normal weights under the names ``he_normal``, ``lecun_normal`` and
        ``glorot_normal``; here these are normal, as in torch, and the others are
        ``he_truncated_normal`` and so on.

    Examples
    --------
    >>> get("he_normal") == get("kaiming_normal")
    True
    >>> get("he_uniform", activation="leaky_relu", mode="fan_out")
    He(activation=LeakyReLU(negative_slope=0.01), entries='uniform', mode='fan_out')
    """
    known = _validation.choice("name", name, names())
    cls, preset = _SCHEMES[_ALIASES.get(known, known)]
    return cls(**(preset | parameters))


def names() -> tuple[str, ...]:
    """Return the names that `get` knows, sorted.

    Examples
    --------
    >>> "he_normal" in names()
    True
    """
    return tuple(sorted({*_SCHEMES, *_ALIASES}))
