"""Random numbers and networks by other tools, those installed of four.

They are mkl_random, PyTorch, Numba and JAX.
Each function returns methods by name: functions of the number of samples, on one thread.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Method = Callable[[int], Any]
GENERATOR = np.random.default_rng(7)
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def found(name: str) -> Any:
    """Return a module, or None where it is not installed."""
    os.environ.setdefault("XLA_FLAGS", ONE_THREAD)
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    if name == "torch":
        module.set_num_threads(1)
    return module


def versions() -> dict[str, str]:
    """Return the versions of those installed."""
    modules = {name: found(name) for name in ("mkl_random", "torch", "numba", "jax")}
    return {name: str(module.__version__) for name, module in modules.items() if module}


def jax_normals() -> tuple[Any, Any, Any]:
    """Return jax, jax.numpy, and a function (counter, shape) of normals in single precision."""
    jax = found("jax")
    key = jax.random.key(1)

    def draw(counter: Any, shape: Any) -> Any:
        return jax.random.normal(jax.random.fold_in(key, counter), shape)

    return jax, found("jax.numpy"), draw


def counted(run: Callable[[int, int], Any]) -> Method:
    """Return a method that calls run(counter, n) with a new counter every time."""
    calls = iter(range(10**9))
    return lambda n: np.asarray(run(next(calls), n))


# ---------------------------------------------------------------- variates


def normals(*, single: bool) -> dict[str, Method]:
    methods: dict[str, Method] = {}
    mkl, torch, numba = found("mkl_random"), found("torch"), found("numba")
    if mkl and not single:
        methods["mkl_random"] = mkl.standard_normal
    if torch:
        kind = torch.float32 if single else torch.float64
        methods["torch"] = lambda k: torch.randn(k, dtype=kind).numpy()
    if numba and not single:
        draw = numba.njit(lambda rng, k: rng.standard_normal(k))
        methods["numba"] = lambda k: draw(GENERATOR, k)
    if found("jax") and single:
        jax, _, draw = jax_normals()
        compiled = jax.jit(draw, static_argnums=1)
        methods["jax"] = counted(lambda i, k: compiled(i, (k,)))
    return methods


def gammas(shapes: Any) -> dict[str, Method]:
    methods: dict[str, Method] = {}
    mkl, torch, numba = found("mkl_random"), found("torch"), found("numba")
    if mkl:
        methods["mkl_random"] = lambda k: mkl.standard_gamma(shapes[:k])
    if torch:
        tensor = torch.from_numpy(shapes)
        methods["torch"] = lambda k: torch._standard_gamma(tensor[:k]).numpy()
    if numba:

        @numba.njit
        def loop(rng: Any, a: Any) -> Any:
            out = np.empty(a.size)
            for i in range(a.size):
                out[i] = rng.standard_gamma(a[i])
            return out

        methods["numba"] = lambda k: loop(GENERATOR, shapes[:k])
    return methods


def binomials(trials: Any, chances: Any) -> dict[str, Method]:
    methods: dict[str, Method] = {}
    mkl, torch, numba = found("mkl_random"), found("torch"), found("numba")
    if mkl and trials[0] < 2**31:
        methods["mkl_random"] = lambda k: mkl.binomial(int(trials[0]), chances[0], k)
    if torch:
        n, p = torch.from_numpy(trials.astype(float)), torch.from_numpy(chances)
        methods["torch, array"] = lambda k: torch.binomial(n[:k], p[:k]).numpy()
    if numba and trials[0] < 2**31:

        @numba.njit
        def loop(rng: Any, n: Any, p: Any) -> Any:
            out = np.empty(n.size, np.int64)
            for i in range(n.size):
                out[i] = rng.binomial(n[i], p[i])
            return out

        methods["numba, array"] = lambda k: loop(GENERATOR, trials[:k], chances[:k])
    return methods


# ---------------------------------------------------------------- ReLU networks, log-norms


def norm_chains(width: int, sigma: float, depth: int) -> dict[str, Method]:
    """Return the reduction to a binomial and a gamma variate a layer."""
    numba = found("numba")
    if not numba:
        return {}

    @numba.njit
    def run(rng: Any, n: int) -> Any:
        out = np.empty(n)
        for i in range(n):
            total = depth * math.log(sigma)
            for _ in range(depth):
                alive = rng.binomial(width, 0.5)
                total += 0.5 * math.log(2.0 * rng.standard_gamma(0.5 * alive))
            out[i] = total
        return out

    return {"numba, the same reduction": lambda n: run(GENERATOR, n)}


def matrices(width: int, sigma: float, depth: int) -> dict[str, Method]:
    """Return a matrix of normals a layer."""
    methods: dict[str, Method] = {}
    mkl, torch, numba = found("mkl_random"), found("torch"), found("numba")
    start = np.full(width, 1.0 / math.sqrt(width))

    if mkl:

        def with_mkl() -> float:
            x = start
            for _ in range(depth):
                x = np.maximum(sigma * (mkl.standard_normal((width, width)) @ x), 0.0)
            return math.log(np.linalg.norm(x))

        methods["mkl_random"] = lambda n: np.array([with_mkl() for _ in range(n)])
    if torch:

        def with_torch() -> float:
            x = torch.from_numpy(start).float()
            for _ in range(depth):
                x = torch.relu(sigma * (torch.randn(width, width) @ x))
            return math.log(float(x.norm()))

        methods["torch, float32"] = lambda n: np.array([with_torch() for _ in range(n)])
    if numba:

        @numba.njit
        def with_numba(rng: Any, n: int) -> Any:
            out = np.empty(n)
            for i in range(n):
                x = start.copy()
                for _ in range(depth):
                    y = np.zeros(width)
                    for row in range(width):
                        for column in range(width):
                            y[row] += rng.standard_normal() * x[column]
                    x = np.maximum(sigma * y, 0.0)
                out[i] = 0.5 * math.log((x * x).sum())
            return out

        methods["numba"] = lambda n: with_numba(GENERATOR, n)
    if found("jax"):
        methods["jax, float32"] = jax_matrices(width, sigma, depth)
    return methods


def jax_matrices(width: int, sigma: float, depth: int) -> Method:
    jax, jnp, draw = jax_normals()

    def network(counter: Any) -> Any:
        def layer(k: Any, x: Any) -> Any:
            return jnp.maximum(sigma * (draw(counter * depth + k, (width, width)) @ x), 0.0)

        x = jnp.full((width,), 1.0 / math.sqrt(width))
        return jnp.log(jnp.linalg.norm(jax.lax.fori_loop(0, depth, layer, x)))

    compiled = jax.jit(network)
    calls = iter(range(10**9))
    return lambda n: np.array([float(compiled(next(calls))) for _ in range(n)])
