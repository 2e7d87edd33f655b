"""Lyapunov spectra and Jacobians of random products beside LAPACK.

The mean of log |det|, for products without masks, or of the squared Frobenius norm is exact; the
error of samples is its distance in standard errors. LAPACK's smallest singular values of a product
are rounding noise below 1e-16 of the largest, which log |det| shows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from .case import OURS, Case, Check, Method
from .simulation import STANDARD_ERRORS, Sampler, method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .timing import Effort

WIDTH, SIGMA = 64, 0.15
STEPS = 100  # of a chain
LAYERS = 20  # of a Jacobian


def numpy_chi(depth: int) -> Sampler:
    """Return the diagonal of R by its law: chi variates as roots of gamma variates."""
    rng = np.random.default_rng(1)
    shapes = 0.5 * np.arange(WIDTH, 0, -1)

    def run(n: int) -> Any:
        squares = 2.0 * rng.standard_gamma(shapes, (n, depth, WIDTH))
        return (math.log(SIGMA) * depth + 0.5 * np.log(squares).sum(axis=1)) / depth

    return run


def numpy_qr(depth: int) -> Sampler:
    """Return the QR chain with LAPACK."""
    rng = np.random.default_rng(2)

    def run(n: int) -> Any:
        out = np.zeros((n, WIDTH))
        for i in range(n):
            q = np.eye(WIDTH)
            for _ in range(depth):
                q, r = np.linalg.qr(SIGMA * rng.standard_normal((WIDTH, WIDTH)) @ q)
                out[i] += np.log(abs(np.diag(r)))
        return out / depth

    return run


def numpy_svd(depth: int, masked: bool) -> Sampler:
    """Return the singular values of the product itself."""
    rng = np.random.default_rng(3)

    def run(n: int) -> Any:
        out = np.empty((n, WIDTH))
        for i in range(n):
            product = np.eye(WIDTH)
            for _ in range(depth):
                w = SIGMA * rng.standard_normal((WIDTH, WIDTH))
                if masked:
                    w *= rng.integers(0, 2, (WIDTH, 1))
                product = w @ product
            out[i] = np.log(np.linalg.svd(product, compute_uv=False) + 1e-320)
        return out

    return run


def check(statistic: Callable[[Any], Any], mean: float) -> Check:
    """Hold the sample mean of a statistic against its exact value."""

    def z(samples: Any) -> float:
        x = statistic(samples)
        return float(abs(x.mean() - mean) / (x.std() / math.sqrt(len(x))))

    return Check("z", z, STANDARD_ERRORS)


def lyapunov(engine: str, n: int, effort: Effort) -> Method:
    return method(
        lambda k: fm.simulate_lyapunov_spectrum(
            WIDTH, SIGMA, STEPS, k, rng=1, method=engine, threads=effort.threads
        ),
        n,
        STEPS,
    )


def jacobian(activation: str, engine: str, n: int, effort: Effort, masks: str = "") -> Method:
    return method(
        lambda k: fm.simulate_jacobian(
            WIDTH,
            SIGMA,
            LAYERS,
            k,
            rng=1,
            activation=activation,
            method=engine,
            masks=masks or "independent",
            threads=effort.threads,
        ),
        n,
    )


def lyapunov_case(n: int, effort: Effort) -> Case:
    return Case(
        "Lyapunov spectrum, linear 64 x 64",
        "QR step",
        check(lambda x: x.sum(axis=1), float(fm.lyapunov_spectrum(WIDTH, SIGMA).sum())),
        {
            OURS: lyapunov("chi", n, effort),
            "fracmoment, qr": lyapunov("qr", max(n >> 7, 1), effort),
        },
        lambda: {
            "numpy gamma variates": method(numpy_chi(STEPS), 64, STEPS),
            "numpy, LAPACK qr": method(numpy_qr(STEPS), 4, STEPS),
        },
    )


def jacobian_case(activation: str, n: int, effort: Effort) -> Case:
    linear = activation == "linear"
    if linear:
        mean = LAYERS * float(fm.lyapunov_spectrum(WIDTH, SIGMA).sum())
        verified = check(lambda x: x.sum(axis=1), mean)
    else:
        mean = WIDTH * (SIGMA**2 * WIDTH / 2) ** LAYERS
        verified = check(lambda x: np.exp(2 * x).sum(axis=1), mean)
    ours = {
        OURS: jacobian(activation, "chi", n, effort),
        "fracmoment, qr": jacobian(activation, "qr", n, effort),
    }
    if not linear:
        ours["fracmoment, qr, forward masks"] = jacobian(activation, "qr", n, effort, "forward")
    return Case(
        f"Jacobian of {LAYERS} {activation} layers of 64 x 64",
        "replica",
        verified,
        ours,
        lambda: {"numpy, LAPACK svd": method(numpy_svd(LAYERS, not linear), 8)},
    )


def cases(effort: Effort) -> Iterator[Case]:
    yield lyapunov_case(1 << 11, effort)
    yield jacobian_case("linear", 64, effort)
    yield jacobian_case("relu", 64, effort)
