"""Functions in the style of ``torch.nn.init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.frameworks._schemes import scheme_of
from fracmoment.frameworks.torch.drawing import (
    TorchVariates,
    check_tensor,
    fill,
    groups_and_direction,
    holds_nothing,
    put,
)
from fracmoment.schemes import (
    DeltaOrthogonal,
    Fractional,
    GaussianSubmatrix,
    LeCun,
    LooksLinear,
    Lyapunov,
    RandomWalk,
    Scheme,
    Unitary,
    lstm_bias,
)
from fracmoment.schemes.base import Kernel

if TYPE_CHECKING:
    import torch

    from fracmoment.activations import Activation


def scheme_(
    tensor: torch.Tensor,
    scheme: Scheme | str,
    *,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with weights of any scheme of `fracmoment.schemes`.

    Parameters
    ----------
    tensor : torch.Tensor
        Weights of a dense or convolutional layer, two axes or more, of a real floating dtype.
    scheme : Scheme or str
        A scheme, or the name of one with its default parameters.
    groups : int, optional
        Groups of a convolution.
    transposed : bool, optional
        Whether the convolution is transposed.
    generator : torch.Generator, optional
        On the device of the tensor; torch's default generator otherwise.

    Returns
    -------
    torch.Tensor
        The tensor. The same state of the generator gives the same weights.

    Raises
    ------
    ValueError
        The shape is none that the scheme can fill; the message says why.

    Notes
    -----
    Independent normal weights are drawn by ``Tensor.normal_``, for float16 and bfloat16 in float32
    and then rounded. Weights with a structure are drawn in double precision on the device, arranged
    on the CPU and rounded once.

    Examples
    --------
    >>> w = scheme_(torch.empty(64, 256), "he_uniform")
    >>> bool(w.abs().max() <= (6 / 256) ** 0.5)
    True
    """
    check_tensor(tensor)
    count, swapped = groups_and_direction(groups, transposed)
    return fill(tensor, scheme_of(scheme), count, swapped, generator)


def scheme_bias_(
    tensor: torch.Tensor,
    scheme: Scheme | str,
    fan_in: int,
    *,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a vector with the biases that belong to a scheme: zeros, unless it says otherwise.

    Parameters
    ----------
    tensor : torch.Tensor
        Biases, one axis.
    scheme : Scheme or str
        As for `scheme_`. Submatrix weights with ``bias=`` have mirrored biases ``[b; -b]``.
    fan_in : int
        Inputs of the layer.
    generator : torch.Generator, optional
        As for `scheme_`.

    Examples
    --------
    >>> from fracmoment import schemes
    >>> b = scheme_bias_(torch.empty(8), schemes.GaussianSubmatrix(bias=0.1), 16)
    >>> bool((b[:4] == -b[4:]).all())
    True
    """
    check_tensor(tensor)
    if tensor.ndim != 1:
        message = f"tensor must have one axis, got shape {tuple(tensor.shape)}"
        raise ValueError(message)
    chosen = scheme_of(scheme)
    if holds_nothing(tensor):
        return tensor
    site = Kernel.of((tensor.shape[0], fan_in), 1, False).site
    variates: Any = TorchVariates(tensor.device, generator)
    return put(tensor, chosen._draw_bias(site, variates))


def fractional_normal_(
    tensor: torch.Tensor,
    order: float = 1.0,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with normal weights that preserve the moment of order s exactly [GH21].

    Parameters
    ----------
    tensor, groups, transposed, generator
        As for `scheme_`.
    order : float, optional
        Order s > 0 of the moment; 2 is He's scheme, 0 that of `lyapunov_normal_`.
    activation : Activation or str, optional
        After the layer: ``"linear"``, ``"relu"``, ``"leaky_relu"`` (slope 0.01), ``"rrelu"``
        (training), or for other slopes ``fracmoment.LeakyReLU(0.2)``.
    preserve : {"rms", "norm"}, optional
        What to preserve: the root mean square of the units (``fan_in`` at order 2) or the norm
        (``fan_out``).
    keep_prob : float, optional
        Probability with which dropout behind the layer keeps a unit.

    Examples
    --------
    >>> import fracmoment
    >>> w = fractional_normal_(torch.empty(10, 64), 1.0, "relu")
    >>> sigma = fracmoment.init_scale("relu", 64, 10, 1.0)
    >>> bool(abs(w.std() / sigma - 1.0) < 0.15)
    True
    """
    scheme = Fractional(order, activation, preserve, "gaussian", keep_prob)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def lyapunov_normal_(
    tensor: torch.Tensor,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with normal weights of zero drift, given that the layer is alive [KSK26].

    Parameters
    ----------
    tensor, activation, preserve, keep_prob, groups, transposed, generator
        As for `fractional_normal_`.
    """
    scheme = Lyapunov(activation, preserve, "gaussian", keep_prob)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def fractional_orthogonal_(
    tensor: torch.Tensor,
    order: float = 1.0,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with a Haar orthogonal matrix times the factor that preserves order s.

    A kernel is filled from the matrix of shape ``(out, in * taps)``, one for each group.

    Parameters
    ----------
    tensor, order, activation, preserve, keep_prob, groups, transposed, generator
        As for `fractional_normal_`.

    Examples
    --------
    >>> w = fractional_orthogonal_(torch.empty(64, 64), 1.0, "linear")
    >>> bool(torch.allclose(w @ w.T, torch.eye(64), atol=1e-5))
    True
    """
    scheme = Fractional(order, activation, preserve, "orthogonal", keep_prob)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def lyapunov_orthogonal_(
    tensor: torch.Tensor,
    activation: Activation | str = "relu",
    *,
    preserve: str = "rms",
    keep_prob: float = 1.0,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with a Haar orthogonal matrix times the factor of zero drift.

    Parameters
    ----------
    tensor, activation, preserve, keep_prob, groups, transposed, generator
        As for `fractional_normal_`.
    """
    scheme = Lyapunov(activation, preserve, "orthogonal", keep_prob)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def gaussian_submatrix_(
    tensor: torch.Tensor,
    position: str = "hidden",
    activation: Activation | str = "relu",
    *,
    order: float = 2.0,
    preserve: str = "rms",
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with mirrored normal submatrices: the network starts as a linear one [BD19].

    ``[[W, -W], [-W, W]]`` in hidden layers, ``[W; -W]`` in the first, ``[W, -W]`` in the last. In a
    kernel the blocks are channels. Sizes that are halved must be even. Biases must be zero, or
    mirrored as `scheme_bias_` draws them.

    Parameters
    ----------
    tensor, generator
        As for `scheme_`.
    position : {"first", "hidden", "last"}, optional
        Where the layer is.
    activation : Activation or str, optional
        Of fixed slope.
    order, preserve
        The moment that the linear network preserves, as for `fractional_normal_`.

    Examples
    --------
    >>> w = gaussian_submatrix_(torch.empty(6, 4))
    >>> bool((w[:3, :2] == -w[:3, 2:]).all()) and bool((w[:3] == -w[3:]).all())
    True
    """
    scheme = GaussianSubmatrix(position, activation, order=order, preserve=preserve)
    return scheme_(tensor, scheme, generator=generator)


def looks_linear_(
    tensor: torch.Tensor,
    position: str = "hidden",
    activation: Activation | str = "relu",
    *,
    factor: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with mirrored orthogonal submatrices: an isometry at the start [BFL17].

    Parameters
    ----------
    tensor, position, activation, generator
        As for `gaussian_submatrix_`.
    factor : float, optional
        What the orthogonal matrix is multiplied by.
    """
    scheme = LooksLinear(position, activation, factor=factor)
    return scheme_(tensor, scheme, generator=generator)


def lecun_normal_(
    tensor: torch.Tensor,
    *,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with normal weights of variance ``1/fan_in``, not truncated.

    Parameters
    ----------
    tensor, groups, transposed, generator
        As for `scheme_`.
    """
    return scheme_(tensor, LeCun(), groups=groups, transposed=transposed, generator=generator)


def random_walk_normal_(
    tensor: torch.Tensor,
    activation: Activation | str = "relu",
    *,
    direction: str = "forward",
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a tensor with normal weights of Sussillo's and Abbott's gain [SA14].

    Parameters
    ----------
    tensor, groups, transposed, generator
        As for `scheme_`.
    activation : {"linear", "relu"}, optional
        The activations for which there is a formula.
    direction : {"forward", "backward"}, optional
        Whether signals or gradients shall not drift.
    """
    scheme = RandomWalk(activation, direction)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def delta_orthogonal_(
    tensor: torch.Tensor,
    factor: float = 1.0,
    *,
    groups: int = 1,
    transposed: bool = False,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Fill a kernel with an orthogonal matrix at its centre and zeros elsewhere [XBS18].

    Parameters
    ----------
    tensor, groups, transposed, generator
        As for `scheme_`; kernels of one to three axes, with at least as many outputs as inputs.
    factor : float, optional
        What the matrix is multiplied by.
    """
    scheme = DeltaOrthogonal(factor)
    return scheme_(tensor, scheme, groups=groups, transposed=transposed, generator=generator)


def unitary_(
    tensor: torch.Tensor, factor: float = 1.0, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Fill a matrix with a Haar unitary matrix [ASB16].

    Parameters
    ----------
    tensor : torch.Tensor
        A complex matrix, or a real one of even sizes, which gets the real form ``[[Re, -Im], [Im,
        Re]]``.
    factor : float, optional
        What the matrix is multiplied by.
    generator : torch.Generator, optional
        As for `scheme_`.

    Examples
    --------
    >>> u = unitary_(torch.empty(3, 3, dtype=torch.complex64))
    >>> bool(torch.allclose(u @ u.mH, torch.eye(3) + 0j, atol=1e-5))
    True
    """
    scheme = Unitary(factor)
    check_tensor(tensor, allow_complex=True)
    if not tensor.dtype.is_complex:
        return fill(tensor, scheme, 1, False, generator)
    if tensor.ndim != 2:
        message = f"tensor must be a matrix, got shape {tuple(tensor.shape)}"
        raise ValueError(message)
    if holds_nothing(tensor):
        return tensor
    rows, columns = tensor.shape
    kernel = Kernel.of((2 * rows, 2 * columns), 1, False)
    variates: Any = TorchVariates(tensor.device, generator)
    real_form = scheme._draw(kernel, variates)
    return put(tensor, real_form[:rows, :columns] + 1j * real_form[rows:, :columns])


def lstm_bias_(tensor: torch.Tensor, forget: float = 1.0) -> torch.Tensor:
    """Fill the bias of an LSTM with `forget` for the forget gate and zero otherwise [JZS15].

    torch adds two biases, ``bias_ih`` and ``bias_hh``: fill one of them with this, the other with
    zeros.

    Parameters
    ----------
    tensor : torch.Tensor
        Biases of the four gates in torch's order, shape ``(4 * hidden,)``.
    forget : float, optional
        Bias of the forget gate.

    Examples
    --------
    >>> lstm_bias_(torch.empty(8))
    tensor([0., 0., 1., 1., 0., 0., 0., 0.])
    """
    check_tensor(tensor)
    value = _validation.as_float("forget", forget)
    if tensor.ndim != 1 or tensor.shape[0] % 4:
        message = f"tensor must have shape (4 * hidden,), got {tuple(tensor.shape)}"
        raise ValueError(message)
    if holds_nothing(tensor):
        return tensor
    return put(tensor, lstm_bias(tensor.shape[0] // 4, forget=value))
