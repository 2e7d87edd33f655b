"""Exact constants of fractional-moment-preserving initialization of neural networks.

One layer with i.i.d. normal or orthogonal weights and a positively homogeneous activation
multiplies the norm of its input by ``sigma R``, where the gain R is independent of the input.
`Gain` is the law of R, `init_scale` the standard deviation that preserves a moment of the signal
exactly.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fracmoment._core import ConvergenceError, __version__
from fracmoment.activations import Activation, LeakyReLU, Linear, RandomizedLeakyReLU, ReLU
from fracmoment.expansions import (
    leaky_relu_scale_squared,
    linear_scale_squared,
    relu_scale_squared,
    scale_squared,
    scale_squared_remainder,
    unit_moments,
)
from fracmoment.gains import Gain
from fracmoment.limits import DepthLimit, depth_limit, drift, log_variance, prob_dead
from fracmoment.products import lyapunov_spectrum, lyapunov_variances
from fracmoment.projection import ProjectedGain
from fracmoment.ratios import beta_moment, chi_moment, chi_ratio_moment, f_moment
from fracmoment.scales import init_scale

if TYPE_CHECKING:
    from fracmoment import certified, export, frameworks, nonlinear, schemes
    from fracmoment.depth import DepthLaw, PriorPredictive
    from fracmoment.network import Network
    from fracmoment.networks.trees import audit
    from fracmoment.signals import (
        CosineMoments,
        GramMoments,
        JacobianMoments,
        MeanField,
        NormLaw,
        NormMoments,
        OutputLaw,
        PairKernels,
        Signals,
        StationarySignals,
        SymmetricEntries,
        cosine_moments,
        fuss_catalan,
        gram_moments,
        jacobian_moments,
        mean_field_gram,
        norm_moments,
        pair_kernels,
    )
    from fracmoment.simulation import (
        CheckpointError,
        Interrupted,
        LogNormSummary,
        RareEvent,
        SignalSamples,
        StableWeights,
        StationaryTail,
        StudentWeights,
        hill_estimate,
        moment_estimate,
        random_binomial,
        random_chisquare,
        random_gain,
        random_gamma,
        random_normal,
        random_uniform,
        rare_event_probability,
        simulate_jacobian,
        simulate_log_norms,
        simulate_lyapunov_spectrum,
        simulate_signals,
        simulate_stationary_norms,
        stationary_tail,
        summarize_log_norms,
    )
    from fracmoment.tails import (
        FiniteOrders,
        LeastSquaresSGD,
        PowerTail,
        SGDPhaseDiagram,
        critical_scale,
        finite_orders,
        next_tail_index,
        power_tail,
        sgd_phase_diagram,
        stationary_orders,
        tail_index,
    )

# Imported on first use, so that a program that needs one constant starts quickly: what is large, or
# takes python-flint or much of SciPy. The type checker reads the names of all of it above.
_MODULES = (
    "certified",
    "depth",
    "export",
    "frameworks",
    "nonlinear",
    "schemes",
    "signals",
    "simulation",
    "tails",
)
# Where other public names are, in the order of what an import costs.
_HOMES = ("depth", "simulation", "tails", "signals", "network", "networks.trees")

__all__ = [
    "Activation",
    "CheckpointError",
    "ConvergenceError",
    "CosineMoments",
    "DepthLaw",
    "DepthLimit",
    "FiniteOrders",
    "Gain",
    "GramMoments",
    "Interrupted",
    "JacobianMoments",
    "LeakyReLU",
    "LeastSquaresSGD",
    "Linear",
    "LogNormSummary",
    "MeanField",
    "Network",
    "NormLaw",
    "NormMoments",
    "OutputLaw",
    "PairKernels",
    "PowerTail",
    "PriorPredictive",
    "ProjectedGain",
    "RandomizedLeakyReLU",
    "RareEvent",
    "ReLU",
    "SGDPhaseDiagram",
    "SignalSamples",
    "Signals",
    "StableWeights",
    "StationarySignals",
    "StationaryTail",
    "StudentWeights",
    "SymmetricEntries",
    "__version__",
    "audit",
    "beta_moment",
    "certified",
    "chi_moment",
    "chi_ratio_moment",
    "cosine_moments",
    "critical_scale",
    "depth_limit",
    "drift",
    "export",
    "f_moment",
    "finite_orders",
    "frameworks",
    "fuss_catalan",
    "gram_moments",
    "hill_estimate",
    "init_scale",
    "jacobian_moments",
    "leaky_relu_scale_squared",
    "linear_scale_squared",
    "log_variance",
    "lyapunov_spectrum",
    "lyapunov_variances",
    "mean_field_gram",
    "moment_estimate",
    "next_tail_index",
    "nonlinear",
    "norm_moments",
    "pair_kernels",
    "power_tail",
    "prob_dead",
    "random_binomial",
    "random_chisquare",
    "random_gain",
    "random_gamma",
    "random_normal",
    "random_uniform",
    "rare_event_probability",
    "relu_scale_squared",
    "scale_squared",
    "scale_squared_remainder",
    "schemes",
    "sgd_phase_diagram",
    "simulate_jacobian",
    "simulate_log_norms",
    "simulate_lyapunov_spectrum",
    "simulate_signals",
    "simulate_stationary_norms",
    "stationary_orders",
    "stationary_tail",
    "summarize_log_norms",
    "tail_index",
    "unit_moments",
]


def __getattr__(name: str) -> Any:
    """Import what is imported on first use."""
    if name in _MODULES:
        return importlib.import_module(f"fracmoment.{name}")
    if name in __all__:
        for home in _HOMES:
            module = importlib.import_module(f"fracmoment.{home}")
            if name in module.__all__:
                value = globals()[name] = getattr(module, name)
                return value
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
