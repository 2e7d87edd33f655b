"""The audit of a network: what its weights are, what they preserve, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from fracmoment.activations import Activation, as_activation
from fracmoment.networks.entries import TESTS_PER_MATRIX, EntryReport, examine
from fracmoment.networks.files import NetworkFileError
from fracmoment.networks.laws import Convention, LayerLaw
from fracmoment.networks.plan import known_scales, output_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._typing import FloatArray
    from fracmoment.network import Network as DescribedNetwork
    from fracmoment.networks.description import Layer, Network
    from fracmoment.networks.plan import Outcome

#: Inputs pushed through the network at a time.
_BATCH = 2048


@dataclass(frozen=True)
class LayerAudit:
    """What the audit says about one layer.

    Attributes
    ----------
    name : str
        Name of the weight matrix.
    dtype : str
        Element type in the file.
    law : LayerLaw
        The law of the gain at scale 1: that of orthogonal weights if the matrix is orthogonal,
        else that of Gaussian ones.
    entries : EntryReport
        What the entries look like.
    scale, standard_error : float
        The empirical scale that goes with `law`: the root mean square of the entries, or the
        factor of an orthogonal matrix (standard error 0).
    he : float
        He's scale of this layer.
    order : float or None
        The order whose moment this scale preserves at this width, by the law; 0.0 where the drift
        is not negative, infinity where all shrink, NaN where it is above 64 and cannot be found,
        None where the weights are all zero.
    order_interval : tuple of float or None
        The orders at one standard error above and below the scale.
    drift : float
        Mean of the logarithm of the gain, by the law; minus infinity where the weights are zero.
    exact : bool
        Whether the law holds exactly for such weights: Gaussian or Haar, and nothing speaks
        against independence. For other i.i.d. weights it holds at order 2 and approximately
        elsewhere; for weights that are not i.i.d. it is a comparison, not a model.
    bias_rms : float or None
        Root mean square of the bias, if there is one.
    """

    name: str
    dtype: str
    law: LayerLaw
    entries: EntryReport
    scale: float
    standard_error: float
    he: float
    order: float | None
    order_interval: tuple[float, float] | None
    drift: float
    exact: bool
    bias_rms: float | None

    @property
    def modelled(self) -> bool:
        """Whether the law is more than a comparison."""
        return self.entries.iid is not False


@dataclass(frozen=True)
class NetworkAudit:
    """What the audit says about a network.

    Attributes
    ----------
    source : str
        The file.
    layout : str
        How the file stores matrices.
    preserve : {"rms", "norm"}
        Whether logarithms are of ratios of root mean squares or of norms.
    significance : float
        Level of all tests together; each test has this divided by their number.
    layers : tuple of LayerAudit
        From input to output.
    network : fracmoment.Network or None
        The random network that these weights look like: the scale and the law of every layer, and
        biases of the size of those in the file. None if a layer is all zero.
    outcome : Outcome or None
        What follows at the output by its law, without biases.
    log_interval : tuple of float or None
        Quantiles 5 % and 95 % of the log-ratio at the output.
    prob_dead : float
        Probability that the output is zero for a given input.
    notes : tuple of str
        What was assumed or left out.
    """

    source: str
    layout: str
    preserve: Convention
    significance: float
    layers: tuple[LayerAudit, ...]
    network: DescribedNetwork | None
    outcome: Outcome | None
    log_interval: tuple[float, float] | None
    prob_dead: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return the tables that ``fracmoment audit`` prints."""
        from fracmoment.cli.audit import audit_text  # tables are the command line's

        return audit_text(self)


@dataclass(frozen=True)
class LayerMeasurement:
    """Log-ratios measured after one layer, beside the law.

    All are natural logarithms of the ratio of the norm (or root mean square) after the layer to
    that of the input, without biases, over the inputs that are alive.

    Attributes
    ----------
    name : str
        Name of the weight matrix.
    law_mean, law_std : float
        Mean and standard deviation by the law, given that the signal is alive, for one draw of
        the weights.
    mean : float
        Mean over the inputs; NaN if none is alive.
    low, high : float
        Quantiles 5 % and 95 % over the inputs.
    step_z : float
        Standard score of the mean step of this layer alone, by the law of one draw.
    total_z : float
        Standard score of `mean`.
    n_dead : int
        Inputs whose signal has become zero.
    mean_with_biases : float or None
        Mean with the biases of the file in place, if there are any; the law does not cover it.
    """

    name: str
    law_mean: float
    law_std: float
    mean: float
    low: float
    high: float
    step_z: float
    total_z: float
    n_dead: int
    mean_with_biases: float | None


@dataclass(frozen=True)
class Measurement:
    """Log-norms of real inputs on their way through the actual weights.

    One network is one draw of its weights, shared by all inputs, so the inputs are no independent
    sample. For each single input the step of a layer has mean mu and variance v over the draw of
    that layer's weights, whatever came before. The mean step over the inputs has the same mean mu
    and a variance of at most v, which it nears as deep layers turn all inputs to one direction.
    The scores divide by sqrt(v): they are conservative, smaller than standard normal scores in
    the first layers and nearly standard normal in deep ones. Steps of different layers are
    uncorrelated, so variances add up.

    Attributes
    ----------
    preserve : {"rms", "norm"}
        Whether logarithms are of ratios of root mean squares or of norms.
    n_inputs : int
        Inputs pushed through.
    n_zero : int
        Inputs left out because they are zero.
    layers : tuple of LayerMeasurement
        From input to output.
    chi_squared : float
        Sum of the squared scores of the steps.
    p_value : float
        Probability of a larger sum if the scores were independent standard normal.
    spread_with_biases : float or None
        With the biases in place, how much the outputs of different inputs differ: the root mean
        square of their deviation from the mean output over the norm of that mean. Nearly 0 where
        the output is what the biases make it, whatever the input.
    """

    preserve: Convention
    n_inputs: int
    n_zero: int
    layers: tuple[LayerMeasurement, ...]
    chi_squared: float
    p_value: float
    spread_with_biases: float | None


def audit_network(
    network: Network,
    activation: Activation | str = "relu",
    *,
    last: Activation | str | None = "linear",
    preserve: Convention = "rms",
    significance: float = 0.01,
) -> NetworkAudit:
    """Audit the weights of a network.

    Parameters
    ----------
    network : Network
        The network, from `read_network`.
    activation : fracmoment.Activation or str, optional
        After every layer but the last.
    last : fracmoment.Activation, str or None, optional
        After the last layer; None for the same as everywhere.
    preserve : {"rms", "norm"}, optional
        Convention for ratios and for the order that a scale preserves.
    significance : float, optional
        Level of all tests on all layers together.

    Returns
    -------
    NetworkAudit
    """
    if not 0.0 < significance < 1.0:
        msg = f"significance must be in (0, 1), got {significance!r}"
        raise ValueError(msg)
    hidden = as_activation(activation)
    final = hidden if last is None else as_activation(last)
    level = significance / (TESTS_PER_MATRIX * len(network.layers))
    audits = []
    for index, layer in enumerate(network.layers):
        act = final if index == len(network.layers) - 1 else hidden
        audits.append(_audit_layer(layer, act, preserve, level))
    described = outcome = interval = None
    prob_dead = 1.0
    if all(audit.scale > 0.0 for audit in audits):
        described = _described(network, audits, hidden, final, preserve)
        outcome = described.outcome()
        law = replace(described, bias=0.0).law()
        shift = math.log(output_factor(described.widths, preserve))
        interval = (float(law.ppf(0.05)) + shift, float(law.ppf(0.95)) + shift)
        prob_dead = law.prob_dead()
    return NetworkAudit(
        source=network.source,
        layout=network.layout,
        preserve=preserve,
        significance=significance,
        layers=tuple(audits),
        network=described,
        outcome=outcome,
        log_interval=interval,
        prob_dead=prob_dead,
        notes=network.notes,
    )


def _described(
    network: Network,
    audits: Sequence[LayerAudit],
    hidden: Activation,
    final: Activation,
    preserve: Convention,
) -> DescribedNetwork:
    from fracmoment.network import Network as DescribedNetwork  # which imports this package

    return DescribedNetwork(
        [network.layers[0].fan_in] + [layer.fan_out for layer in network.layers],
        hidden,
        scales=[audit.scale for audit in audits],
        last=final,
        bias=[audit.bias_rms or 0.0 for audit in audits],
        weights=[audit.law.weights for audit in audits],
        preserve=preserve,
    )


def _audit_layer(
    layer: Layer, activation: Activation, preserve: Convention, significance: float
) -> LayerAudit:
    entries = examine(layer.weights, significance)
    orthogonal = entries.orthogonal_factor is not None
    law = LayerLaw(
        activation, layer.fan_in, layer.fan_out, 1.0, "orthogonal" if orthogonal else "gaussian"
    )
    if entries.orthogonal_factor is None:
        scale, error = entries.scale, entries.standard_error
    else:
        scale, error = entries.orthogonal_factor, 0.0
    order = interval = None
    drift = -math.inf
    if scale > 0.0:
        to_norm = law.to_norm(preserve)
        drift = law.log_mean + math.log(scale / to_norm)
        order = law.tail_index(scale / to_norm)
        low = law.tail_index((scale + error) / to_norm)
        high = law.tail_index(max(scale - error, 1e-3 * scale) / to_norm)
        interval = (low, high)
    bias = layer.bias
    return LayerAudit(
        name=layer.name,
        dtype=layer.dtype,
        law=law,
        entries=entries,
        scale=scale,
        standard_error=error,
        he=known_scales(law, preserve)["he"],
        order=order,
        order_interval=interval,
        drift=drift,
        exact=entries.iid is True and (orthogonal or entries.kind == "gaussian"),
        bias_rms=None if bias is None else float(np.sqrt(np.mean(np.square(bias)))),
    )


def measure(
    network: Network, audit: NetworkAudit, inputs: FloatArray, *, seed: int = 0
) -> Measurement:
    """Push inputs through the weights of a network and compare with the law.

    Parameters
    ----------
    network : Network
        The network.
    audit : NetworkAudit
        Its audit.
    inputs : numpy.ndarray
        Array of shape (inputs, fan_in of the first layer).
    seed : int, optional
        Seed of the slopes of a randomized leaky ReLU, one draw for every unit of every layer.

    Returns
    -------
    Measurement

    Raises
    ------
    NetworkFileError
        The inputs do not fit the network, or all are zero.
    """
    fan_in = network.layers[0].fan_in
    if inputs.shape[1] != fan_in:
        msg = f"the inputs have {inputs.shape[1]} features, the network takes {fan_in}"
        raise NetworkFileError(msg)
    if any(layer.scale == 0.0 for layer in audit.layers):
        raise NetworkFileError("a weight matrix is all zero, so every output is")
    nonzero = inputs[np.any(inputs != 0.0, axis=1)]
    if len(nonzero) == 0:
        raise NetworkFileError("all inputs are zero, so their log-norms say nothing")
    slopes = _slopes(audit, seed)
    biased = any(layer.bias is not None for layer in network.layers)
    logs = _push_all(network, slopes, nonzero, biases=False)[0]
    with_biases = spread = None
    if biased:
        with_biases, outputs, factors = _push_all(network, slopes, nonzero, biases=True)
        spread = _relative_spread(outputs, factors)
    if audit.preserve == "rms":
        widths = np.array([layer.fan_out for layer in network.layers], dtype=np.float64)
        shift = 0.5 * np.log(widths / fan_in)[:, np.newaxis]
        logs = logs - shift
        with_biases = None if with_biases is None else with_biases - shift
    return _compare(audit, logs, with_biases, spread, len(inputs) - len(nonzero))


def _push_all(
    network: Network, slopes: Sequence[FloatArray], inputs: FloatArray, *, biases: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    batches = [inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH)]
    pushed = [_push(network, slopes, batch, biases) for batch in batches]
    logs, outputs, factors = zip(*pushed, strict=True)
    return np.concatenate(logs, axis=1), np.concatenate(outputs), np.concatenate(factors)


def _relative_spread(outputs: FloatArray, factors: FloatArray) -> float:
    peak = float(np.max(factors))
    if not math.isfinite(peak):  # every output is zero
        return math.nan
    outputs = outputs * np.exp(factors - peak)[:, np.newaxis]
    mean = outputs.mean(axis=0)
    deviation = math.sqrt(float(np.mean(np.sum(np.square(outputs - mean), axis=1))))
    norm = float(np.linalg.norm(mean))
    return deviation / norm if norm > 0.0 else math.inf


def _slopes(audit: NetworkAudit, seed: int) -> list[FloatArray]:
    """Return the slope of the negative side for every unit of every layer."""
    rng = np.random.default_rng(seed)
    slopes = []
    for layer in audit.layers:
        lower, upper = (float(np.asarray(slope)) for slope in layer.law.activation.slopes)
        if lower == upper:
            slopes.append(np.full(layer.law.fan_out, lower))
        else:
            slopes.append(rng.uniform(lower, upper, layer.law.fan_out))
    return slopes


def _push(
    network: Network, slopes: Sequence[FloatArray], inputs: FloatArray, biases: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log(|x_k| / |x_0|) for every layer k and input, and the outputs with log-factors.

    Signals are carried as a vector of norm 1 and the logarithm of a factor, so that neither depth
    nor scale can overflow or underflow. With biases only large factors are split off, because a
    small signal must meet the bias as it is.
    """
    x, log_start = _unit(inputs)
    factor = base = log_start if biases else np.zeros(len(x))
    if biases:
        x, factor = _limit(x, factor)
    logs = np.empty((len(network.layers), len(x)))
    for index, (layer, slope) in enumerate(zip(network.layers, slopes, strict=True)):
        z = x @ layer.weights.T
        if biases and layer.bias is not None:
            z += np.exp(-factor)[:, np.newaxis] * layer.bias
        z = np.where(z > 0.0, z, slope * z)
        x, growth = _unit(z)
        factor = factor + growth
        logs[index] = factor - base
        if biases:
            x, factor = _limit(x, factor)
    return logs, x, factor


def _unit(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rows divided by their norms, and the logarithms of the norms."""
    peak = np.max(np.abs(x), axis=1)
    safe = np.where(peak > 0.0, peak, 1.0)
    x = x / safe[:, np.newaxis]
    norm = np.linalg.norm(x, axis=1)
    with np.errstate(divide="ignore"):
        log_norm = np.where(peak > 0.0, np.log(safe) + np.log(norm), -np.inf)
    return x / np.where(norm > 0.0, norm, 1.0)[:, np.newaxis], log_norm


def _limit(x: FloatArray, factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put factors below 1 back into the vectors."""
    small = np.exp(np.minimum(factor, 0.0))
    return x * small[:, np.newaxis], np.maximum(factor, 0.0)


def _compare(
    audit: NetworkAudit,
    logs: FloatArray,
    with_biases: FloatArray | None,
    spread_with_biases: float | None,
    n_zero: int,
) -> Measurement:
    measured = []
    law_mean = law_var = chi_squared = 0.0
    counted = 0
    before = np.zeros(logs.shape[1])
    for index, layer in enumerate(audit.layers):
        row = logs[index]
        alive = np.isfinite(row)
        law_mean += layer.drift
        law_var += max(layer.law.log_var, 0.0)
        if alive.any():
            mean = float(np.mean(row[alive]))
            low, high = (float(q) for q in np.quantile(row[alive], [0.05, 0.95]))
            step = float(np.mean(row[alive] - before[alive]))
            step_z = _score(step - layer.drift, layer.law.log_var)
            total_z = _score(mean - law_mean, law_var)
        else:
            mean = low = high = step_z = total_z = math.nan
        if math.isfinite(step_z):
            chi_squared += step_z * step_z
            counted += 1
        biased = None
        if with_biases is not None:
            finite = with_biases[index][np.isfinite(with_biases[index])]
            biased = float(np.mean(finite)) if finite.size else math.nan
        measured.append(
            LayerMeasurement(
                name=layer.name,
                law_mean=law_mean,
                law_std=math.sqrt(law_var),
                mean=mean,
                low=low,
                high=high,
                step_z=step_z,
                total_z=total_z,
                n_dead=int(alive.size - np.count_nonzero(alive)),
                mean_with_biases=biased,
            )
        )
        before = row
    return Measurement(
        preserve=audit.preserve,
        n_inputs=int(logs.shape[1]),
        n_zero=n_zero,
        layers=tuple(measured),
        chi_squared=chi_squared,
        p_value=float(stats.chi2.sf(chi_squared, counted)) if counted else math.nan,
        spread_with_biases=spread_with_biases,
    )


def _score(difference: float, variance: float) -> float:
    """Return a standard score; where the law has no spread only rounding can differ from it."""
    if variance > 1e-24:
        return difference / math.sqrt(variance)
    return math.nan
