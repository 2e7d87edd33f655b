"""Monte Carlo of random networks and matrix products, exact in law and reproducible to the bit."""

from fracmoment.simulation.checkpoints import CheckpointError
from fracmoment.simulation.jacobians import simulate_jacobian
from fracmoment.simulation.log_norms import simulate_log_norms, summarize_log_norms
from fracmoment.simulation.lyapunov import simulate_lyapunov_spectrum
from fracmoment.simulation.rare_events import RareEvent, rare_event_probability
from fracmoment.simulation.runs import Interrupted
from fracmoment.simulation.samplers import (
    random_binomial,
    random_chisquare,
    random_gain,
    random_gamma,
    random_normal,
    random_uniform,
)
from fracmoment.simulation.signals import SignalSamples, simulate_signals
from fracmoment.simulation.stationary import (
    StationaryTail,
    hill_estimate,
    moment_estimate,
    simulate_stationary_norms,
    stationary_tail,
)
from fracmoment.simulation.summaries import Estimate, LogNormSummary
from fracmoment.simulation.weights import StableWeights, StudentWeights

__all__ = [
    "CheckpointError",
    "Estimate",
    "Interrupted",
    "LogNormSummary",
    "RareEvent",
    "SignalSamples",
    "StableWeights",
    "StationaryTail",
    "StudentWeights",
    "hill_estimate",
    "moment_estimate",
    "random_binomial",
    "random_chisquare",
    "random_gain",
    "random_gamma",
    "random_normal",
    "random_uniform",
    "rare_event_probability",
    "simulate_jacobian",
    "simulate_log_norms",
    "simulate_lyapunov_spectrum",
    "simulate_signals",
    "simulate_stationary_norms",
    "stationary_tail",
    "summarize_log_norms",
]
