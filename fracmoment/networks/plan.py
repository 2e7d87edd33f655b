"""The plan of a network: the scale of every layer, and what follows at the output."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from fracmoment.activations import Activation, as_activation
from fracmoment.depth import DepthLaw
from fracmoment.networks.laws import (
    Convention,
    LayerLaw,
    Weights,
    gains_of,
    known_tail_index,
)
from fracmoment.schemes import Glorot, He, LeCun, Lyapunov

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A network of more layers than this is taken for a slip of the pen.
MAX_LAYERS = 100_000

# Bounds of the variance of the log-norm at the output between which the choice of a scheme begins
# to matter. For ReLU they are a depth over width of 0.3 and 1: a layer of width d adds 5/(4 d).
CALM_LOG_VAR = 0.3 * 1.25
SPREAD_LOG_VAR = 1.0 * 1.25

_WIDTH = re.compile(r"([0-9]{1,16})(?:\s*[x*×]\s*([0-9]{1,7}))?")


@dataclass(frozen=True)
class PlannedLayer:
    """One layer of a plan.

    Attributes
    ----------
    law : LayerLaw
        The law of its gain at scale 1, with its activation, fan_in and fan_out.
    scale : float
        The scale that preserves the moment asked for: the standard deviation of Gaussian entries,
        or the factor of an orthogonal matrix.
    others : dict
        Scales of the named schemes: ``"he"``, ``"lecun"``, ``"glorot"``, ``"lyapunov"``.
    drift : float
        Mean of the logarithm of the ratio of norms (or root mean squares) at `scale`, given that
        the signal is alive.
    """

    law: LayerLaw
    scale: float
    others: Mapping[str, float]
    drift: float


@dataclass(frozen=True)
class Outcome:
    """What one scheme does to the signal between input and output of a network.

    All logarithms are natural, of the ratio of output to input, given that the signal is alive.

    Attributes
    ----------
    drift : float
        Mean of the log-ratio per layer.
    log_mean, log_std, log_median : float
        Mean, standard deviation and median of the log-ratio at the output.
    tail_index : float
        The order whose moment the network preserves; 0.0 where the drift is not negative,
        infinity where all shrink, NaN where it is above 64 and cannot be found.
    """

    drift: float
    log_mean: float
    log_std: float
    log_median: float
    tail_index: float


@dataclass(frozen=True)
class NetworkPlan:
    """A network planned layer by layer.

    Attributes
    ----------
    order : float
        The order of the preserved moment; 0 stands for zero drift.
    preserve : {"rms", "norm"}
        Whether the moment of the root mean square or of the norm is preserved.
    layers : tuple of PlannedLayer
        From input to output.
    outcomes : dict
        `Outcome` by scheme: ``"plan"``, ``"he"``, ``"lecun"``, ``"glorot"``, ``"lyapunov"``.
    prob_dead : float
        Probability that the output is zero.
    log_interval : tuple of float
        Quantiles 5 % and 95 % of the log-ratio at the output under the plan.
    depth_over_width : float
        Sum of 1/fan_out over the layers.
    orthogonal_log_std : float or None
        Standard deviation of the log-ratio if the weights were orthogonal, for Gaussian weights.
    """

    order: float
    preserve: Convention
    layers: tuple[PlannedLayer, ...]
    outcomes: Mapping[str, Outcome]
    prob_dead: float
    log_interval: tuple[float, float]
    depth_over_width: float
    orthogonal_log_std: float | None

    @property
    def outcome(self) -> Outcome:
        """The outcome of the plan itself."""
        return self.outcomes["plan"]


def parse_widths(text: str) -> list[int]:
    """Return the widths that a text such as ``784,64x20,10`` stands for.

    Parameters
    ----------
    text : str
        Widths separated by commas, from input to output. ``64x20`` is the width 64, 20 times.

    Raises
    ------
    ValueError
        The text is no list of widths, a width or a count is 0, or there are too few or too many.

    Examples
    --------
    >>> parse_widths("784,64x3,10")
    [784, 64, 64, 64, 10]
    """
    widths: list[int] = []
    for part in text.split(","):
        match = _WIDTH.fullmatch(part.strip())
        if match is None:
            msg = f"widths are counts such as 784,64x20,10; {part.strip()[:40]!r} is none"
            raise ValueError(msg)
        width, count = int(match[1]), int(match[2] or 1)
        if width < 1 or count < 1:
            msg = f"widths and counts start at 1, got {part.strip()!r}"
            raise ValueError(msg)
        if len(widths) + count > MAX_LAYERS + 1:
            msg = f"more than {MAX_LAYERS} layers"
            raise ValueError(msg)
        widths += [width] * count
    if len(widths) < 2:
        msg = f"a network has at least two widths, input and output; got {text.strip()!r}"
        raise ValueError(msg)
    return widths


def known_scales(law: LayerLaw, preserve: Convention) -> dict[str, float]:
    """Return the scales of the common schemes for a layer, those of `fracmoment.schemes`.

    He's and LeCun's are meant to preserve the root mean square (fan_in) or the norm (fan_out);
    neither they nor Glorot's know about dropout. Lyapunov's is the scale of zero drift, given that
    the layer is alive. For orthogonal weights the first three are the factors that give the entries
    the same mean square.
    """
    fans = law.fan_in, law.fan_out
    fan = law.fan_in if preserve == "rms" else law.fan_out
    he = He(law.activation, mode="fan_in" if preserve == "rms" else "fan_out")
    entry = 1.0 if law.weights == "gaussian" else math.sqrt(max(fans))
    lyapunov = Lyapunov(law.activation, preserve, law.weights, law.keep_prob)
    return {
        "he": entry * float(he.scale(*fans)),
        "lecun": entry * float(LeCun().scale(fan, fan)),
        "glorot": entry * float(Glorot().scale(*fans)),
        "lyapunov": float(lyapunov.scale(*fans)),
    }


def chain_laws(
    widths: Sequence[int],
    activation: Activation | str,
    *,
    last: Activation | str | None = "linear",
    keep_prob: float = 1.0,
    weights: Weights | Sequence[Weights] = "gaussian",
) -> list[LayerLaw]:
    """Return the laws of the layers of a dense network.

    Parameters
    ----------
    widths : sequence of int
        From input to output.
    activation : fracmoment.Activation or str
        After every layer but the last.
    last : fracmoment.Activation, str or None
        After the last layer; None treats the last layer like every other, dropout included.
        A network's output commonly has no activation, and never dropout.
    keep_prob : float
        Probability with which (inverted) dropout keeps a unit of a hidden layer.
    weights : {"gaussian", "orthogonal"} or sequence of them
        Law of the weights, for all layers or one a layer.
    """
    kinds = [weights] * (len(widths) - 1) if isinstance(weights, str) else list(weights)
    hidden = as_activation(activation)
    final = None if last is None else as_activation(last)
    laws = []
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        if final is not None and index == len(widths) - 2:
            laws.append(LayerLaw(final, fan_in, fan_out, 1.0, kinds[index]))
        else:
            laws.append(LayerLaw(hidden, fan_in, fan_out, keep_prob, kinds[index]))
    return laws


def output_factor(widths: Sequence[int], preserve: Convention) -> float:
    """Return the factor from the ratio of norms at the output to that of the quantity preserved."""
    return math.sqrt(widths[0] / widths[-1]) if preserve == "rms" else 1.0


def outcome_of(law: DepthLaw, preserve: Convention, widths: Sequence[int]) -> Outcome:
    """Return what a network with this law of its norm does to the quantity preserved."""
    return _outcomes(law, {"": [sigma for _, sigma in law.layers]}, preserve, widths)[""]


def _outcomes(
    law: DepthLaw,
    scales: Mapping[str, Sequence[float]],
    preserve: Convention,
    widths: Sequence[int],
) -> dict[str, Outcome]:
    """Return what scales of the layers do, whatever those of the law: they shift its logarithm."""
    gains, own = zip(*law.layers, strict=True)
    factor = output_factor(widths, preserve)
    start = math.log(factor) - math.fsum(map(math.log, own))
    mean, std, median = law.mean(), law.std(), law.median()
    outcomes = {}
    for name, sigmas in scales.items():
        shift = start + math.fsum(map(math.log, sigmas))
        outcomes[name] = Outcome(
            drift=(mean + shift) / law.depth,
            log_mean=mean + shift,
            log_std=std,
            log_median=median + shift,
            tail_index=known_tail_index(gains, sigmas, factor),
        )
    return outcomes


def plan_network(
    widths: Sequence[int],
    activation: Activation | str = "relu",
    order: float = 1.0,
    *,
    last: Activation | str | None = "linear",
    preserve: Convention = "rms",
    keep_prob: float = 1.0,
    weights: Weights | Sequence[Weights] = "gaussian",
) -> NetworkPlan:
    """Plan the scales of a dense network.

    Parameters
    ----------
    widths : sequence of int
        From input to output.
    activation : fracmoment.Activation or str, optional
        After every layer but the last.
    order : float, optional
        The order s >= 0 of the moment to preserve in every layer; 0 is zero drift (Lyapunov).
    last, keep_prob, weights
        As for `chain_laws`.
    preserve : {"rms", "norm"}, optional
        Preserve the moment of the root mean square (at order 2: He with fan_in) or of the norm
        (fan_out).

    Returns
    -------
    NetworkPlan

    Raises
    ------
    ValueError
        An argument is outside its range; the message names it.

    Examples
    --------
    >>> plan = plan_network([784] + [64] * 20 + [10], "relu", 1)
    >>> len(plan.layers), round(plan.layers[1].scale, 6)
    (21, 0.178528)
    >>> round(plan.outcomes["he"].tail_index, 9)
    2.0
    """
    if len(widths) < 2 or len(widths) > MAX_LAYERS + 1:
        msg = f"widths must be 2 to {MAX_LAYERS + 1} counts, got {len(widths)}"
        raise ValueError(msg)
    if not 0.0 <= order < math.inf:
        msg = f"order must be finite and >= 0 (0 is zero drift), got {order!r}"
        raise ValueError(msg)
    laws = chain_laws(widths, activation, last=last, keep_prob=keep_prob, weights=weights)
    planned: dict[LayerLaw, PlannedLayer] = {}
    for law in laws:
        if law not in planned:
            scale = law.init_scale(order, preserve)
            if not 0.0 < scale < math.inf:
                msg = (
                    f"order {order!r} has no scale within the range of a double in the layer"
                    f" {law.fan_in} -> {law.fan_out}; 0 is zero drift given that the layer is alive"
                )
                raise ValueError(msg)
            drift = law.log_mean + math.log(scale / law.to_norm(preserve))
            planned[law] = PlannedLayer(law, scale, known_scales(law, preserve), drift)
    layers = tuple(planned[law] for law in laws)
    scales = {"plan": [layer.scale for layer in layers]}
    for scheme in ("he", "lecun", "glorot", "lyapunov"):
        scales[scheme] = [layer.others[scheme] for layer in layers]
    network = DepthLaw(gains_of(laws), scales["plan"])
    shift = math.log(output_factor(widths, preserve))
    low, high = (float(network.ppf(level)) + shift for level in (0.05, 0.95))
    return NetworkPlan(
        order=float(order),
        preserve=preserve,
        layers=layers,
        outcomes=_outcomes(network, scales, preserve, widths),
        prob_dead=network.prob_dead(),
        log_interval=(low, high),
        depth_over_width=math.fsum(1.0 / law.fan_out for law in laws),
        orthogonal_log_std=_orthogonal_log_std(laws),
    )


def _orthogonal_log_std(laws: Sequence[LayerLaw]) -> float | None:
    if all(law.weights == "orthogonal" for law in laws):
        return None
    swapped = [replace(law, weights="orthogonal") for law in laws]
    return DepthLaw(gains_of(swapped), 1.0, len(swapped)).std()


def advice(plan: NetworkPlan) -> str:
    """Return what the numbers of a plan mean, in plain sentences.

    Parameters
    ----------
    plan : NetworkPlan
        The plan.

    Returns
    -------
    str
        One paragraph.
    """
    outcome, he = plan.outcome, plan.outcomes["he"]
    ratio = f"Depth over width is {plan.depth_over_width:.2g}"
    variance = outcome.log_std**2
    sentences = []
    if variance < 1e-12 and plan.prob_dead == 0.0:
        return (
            "Every layer multiplies the norm by one constant: with these orthogonal weights and no"
            " nonlinearity the signal is neither spread nor distorted at any depth."
        )
    if variance < CALM_LOG_VAR:
        sentences.append(
            f"{ratio}, which is small: from one draw of the weights to the next the output varies"
            f" by a factor of about exp(+-{outcome.log_std:.2g}), and the orders 0 to 2 all give"
            " nearly the same network."
        )
    else:
        here, he_median = _power(outcome.log_median), _power(he.log_median)
        other = "" if here == he_median else f", {here} times under this plan"
        if variance < SPREAD_LOG_VAR:
            sentences.append(
                f"{ratio}: the order begins to matter. The median output is {he_median} times the"
                f" input under He's scale (order 2){other}."
            )
        else:
            sentences.append(
                f"{ratio}, which is large: under He's scale the mean square is preserved, but the"
                f" median output collapses to {he_median} times the input{other}."
            )
        if plan.order != 0.0:
            lyapunov = _power(plan.outcomes["lyapunov"].log_median)
            sentences.append(f"Lyapunov's scale (order 0) would keep it at {lyapunov}.")
    if variance >= CALM_LOG_VAR:
        sentences.append(
            f"No scale removes the spread of the log-norm, {outcome.log_std:.2g} at the output:"
            " it grows with the square root of the depth."
        )
        if plan.orthogonal_log_std is not None:
            if plan.orthogonal_log_std < 1e-6:
                sentences.append("Orthogonal weights remove it.")
            else:
                sentences.append(
                    f"Orthogonal weights reduce it to {plan.orthogonal_log_std:.2g};"
                    " wider layers, or Gaussian-submatrix (looks-linear) weights, do more."
                )
        else:
            sentences.append(
                "What is left is the nonlinearity's; Gaussian-submatrix (looks-linear) weights"
                " remove it, wider layers reduce it."
            )
    if plan.prob_dead > 0.01:
        sentences.append(
            f"One network in {1 / plan.prob_dead:.3g} is dead from the start: its output is zero"
            " for the given input."
        )
    return " ".join(sentences)


def _power(logarithm: float) -> str:
    return f"exp({logarithm:.1f})" if abs(logarithm) >= 0.05 else "1.0"
