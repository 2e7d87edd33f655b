"""Single kernels as workloads: so many units on so many threads, verified first."""

from __future__ import annotations

import hashlib
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import core, depth, signals, simulation, spectra, tails
from .case import OURS, Case, judged
from .timing import Effort, times

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORK = depth.NETWORKS[2]


@dataclass(frozen=True)
class Kernel:
    """Our way of one case, of any size."""

    name: str
    summary: str
    size: int  # unless another is asked for
    case: Callable[[int, Effort], Case]
    method: str = OURS


def _moments(name: str) -> Callable[[int, Effort], Case]:
    law = fm.Gain(core.LAWS[name], 64)
    return lambda n, effort: core.moments_case(f"{name} moments", law, n, effort)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("chi_moment", "moments of chi variates, widths to 10^9", 20_000, core.chi_case),
        Kernel("relu_moment", "moments of one law of width 64", 2000, _moments("relu")),
        Kernel("leaky_moment", "the same, slope 0.01", 2000, _moments("leaky")),
        Kernel("randomized_moment", "the same, random slopes", 2000, _moments("randomized")),
        Kernel(
            "relu_scale",
            "scales of laws of different widths",
            2000,
            lambda n, effort: core.widths_case("relu", n, effort),
        ),
        Kernel(
            "leaky_scale",
            "the same, slope 0.01",
            2000,
            lambda n, effort: core.widths_case("leaky", n, effort),
        ),
        Kernel(
            "randomized_scale",
            "the same, random slopes",
            2000,
            lambda n, effort: core.widths_case("randomized", n, effort),
        ),
        Kernel(
            "normal",
            "normal variates, float64",
            1 << 20,
            lambda n, effort: simulation.normal_case(n, effort, single=False),
        ),
        Kernel(
            "normal_float32",
            "normal variates, float32",
            1 << 20,
            lambda n, effort: simulation.normal_case(n, effort, single=True),
        ),
        Kernel("gamma", "gamma variates, an array of shapes", 1 << 18, simulation.gamma_case),
        Kernel("chisquare", "chi-square variates", 1 << 20, simulation.chisquare_case),
        Kernel(
            "binomial",
            "binomial variates, 64 trials",
            1 << 20,
            lambda n, effort: simulation.binomial_case(64, 0.3, n, effort),
        ),
        Kernel(
            "binomial_array",
            "the same, parameters by element",
            1 << 18,
            lambda n, effort: simulation.binomial_case(64, 0.3, n, effort),
            "fracmoment, array",
        ),
        Kernel("gain", "gains of a ReLU layer", 1 << 20, simulation.gain_case),
        Kernel(
            "norm_network",
            "networks of width 64 and depth 100, a number a layer",
            1 << 18,
            simulation.network_case,
        ),
        Kernel(
            "vector_network",
            "the same, a number a unit",
            1 << 12,
            lambda n, effort: simulation.network_case(n << 4, effort),
            "fracmoment, vector",
        ),
        Kernel("matrix_network", "the same, every weight", 256, simulation.matrix_case),
        Kernel(
            "matrix_network_float32",
            "the same in single precision",
            256,
            simulation.matrix_case,
            "fracmoment, float32",
        ),
        Kernel(
            "signals_network",
            "the same, four signals by their Gram matrix",
            1 << 10,
            lambda n, effort: simulation.signals_case(4, n, effort),
        ),
        Kernel("lyapunov_chi", "chains of 64 x 64, by law", 1 << 11, spectra.lyapunov_case),
        Kernel(
            "lyapunov_qr",
            "the same by QR steps",
            16,
            lambda n, effort: spectra.lyapunov_case(n << 7, effort),
            "fracmoment, qr",
        ),
        Kernel(
            "jacobian_chi",
            "singular values of 20 ReLU layers, by law",
            64,
            lambda n, effort: spectra.jacobian_case("relu", n, effort),
        ),
        Kernel(
            "jacobian_qr",
            "the same by the weights",
            64,
            lambda n, effort: spectra.jacobian_case("relu", n, effort),
            "fracmoment, qr",
        ),
        Kernel(
            "depth_cdf",
            "distribution function of a network of depth 1,000",
            1000,
            lambda n, _: depth.next_case(NETWORK, n),
        ),
        Kernel(
            "depth_quantile",
            "its quantiles",
            100,
            lambda n, _: depth.quantile_case(NETWORK, n),
        ),
        Kernel(
            "signals_cdf",
            "distribution function of a norm with biases",
            10_000,
            lambda n, effort: list(signals.layers_case(16, 20, 0.1, n, effort))[1],
        ),
        Kernel(
            "tail_index",
            "tail indices of SGD over step sizes",
            100,
            lambda n, _: tails.index_case(10, 1, n),
        ),
    )
}


def digest(answer: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(answer).tobytes()).hexdigest()[:16]


def run(kernel: Kernel, size: int, effort: Effort) -> dict[str, Any]:
    """Verify and time a kernel, and return what it did."""
    case = kernel.case(size, effort)
    method = case.ours[kernel.method]
    check = method.check or case.check
    _, error, right = judged(check, method.answer or method.run)
    checksum = digest(method.run())
    wall = effort.threads > 1
    taken = times(method.run, effort, wall=wall)
    return {
        "kernel": kernel.name,
        "case": case.name,
        "unit": case.unit,
        "size": size,
        "units": method.count,
        "threads": effort.threads,
        "clock": "wall" if wall else "processor",
        "seconds": {"min": min(taken), "median": statistics.median(taken), "runs": len(taken)},
        "seconds a unit": min(taken) / method.count,
        "verified": right,
        "check": {"measure": check.measure, "error": error, "allowed": check.allowed},
        "checksum": checksum,
    }
