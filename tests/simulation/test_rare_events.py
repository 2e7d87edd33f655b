"""Rare events: against inverted transforms at 30 digits, Meijer's G function, and one layer."""

import csv
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.chains import law_of
from fracmoment.simulation.rare_events import log_density

TABLE = Path(__file__).parents[1] / "reference" / "rare_events.csv"
CASES = [tuple(row.values()) for row in csv.DictReader(TABLE.read_text().splitlines())]
MOST_STANDARD_ERRORS = 4.5  # a right estimator fails one case in 1e5


def network(layers, repeats):
    def gain(text):
        kind, slope, width = text.split(":")
        activation = fm.LeakyReLU(float(slope)) if kind == "leaky" else kind
        return fm.Gain(activation, int(width))

    return [gain(text) for text in layers.split("+")] * int(repeats)


@pytest.mark.parametrize(
    ("layers", "repeats", "side", "level", "truth"), CASES, ids=[",".join(c[:4]) for c in CASES]
)
def test_references(layers, repeats, side, level, truth):
    gains = network(layers, repeats)
    event = fm.rare_event_probability(
        gains, 1.0, None, float(level), side=side, n_samples=250_000, rng=11
    )
    error = event.relative_error_given_alive
    assert error < 0.02  # so that the million samples of the default give 1 %
    gap = math.expm1(event.log_probability_given_alive - float(truth))
    assert abs(gap) < MOST_STANDARD_ERRORS * error


def test_death_and_scale():
    gain, sigma, depth = fm.Gain("relu", 4), 0.7, 12
    level = depth * math.log(sigma)
    plain = fm.rare_event_probability(gain, 1.0, depth, 3.0, side="below", n_samples=200_000, rng=2)
    scaled = fm.rare_event_probability(
        gain, sigma, depth, 3.0 + level, side="below", n_samples=200_000, rng=2
    )
    assert math.isclose(
        plain.log_probability_given_alive, scaled.log_probability_given_alive, rel_tol=1e-12
    )
    dead = 1 - (1 - 2.0**-4) ** depth
    assert math.isclose(plain.prob_dead, dead, rel_tol=1e-14)
    inside = math.exp(plain.log_probability_given_alive)
    assert math.isclose(plain.probability, dead + (1 - dead) * inside, rel_tol=1e-13)
    share = (1 - dead) * inside / plain.probability
    assert math.isclose(
        plain.relative_error, share * plain.relative_error_given_alive, rel_tol=1e-12
    )
    above = fm.rare_event_probability(gain, 1.0, depth, 3.0, n_samples=200_000, rng=3)
    total = plain.probability + above.probability
    spread = math.hypot(
        plain.relative_error * plain.probability, above.relative_error * above.probability
    )
    assert abs(total - 1.0) < MOST_STANDARD_ERRORS * spread


@pytest.mark.parametrize("gain", [fm.Gain("relu", 8), fm.Gain("rrelu", 3, keep_prob=0.8)], ids=repr)
def test_one_layer_is_exact(gain):
    for level in (-30.0, -2.0, 0.3, 1.0):
        below = fm.rare_event_probability(gain, 0.5, 1, level, side="below")
        above = fm.rare_event_probability(gain, 0.5, 1, level)
        assert below.method == above.method == "exact"
        r = 2.0 * math.exp(level)
        assert math.isclose(below.probability, gain.cdf(r), rel_tol=2e-12)
        assert math.isclose(above.probability, gain.sf(r), rel_tol=2e-12)


LAWS = [
    fm.Gain("linear", 1),
    fm.Gain("relu", 4),
    fm.Gain("relu", 64),
    fm.Gain("relu", 1_000_000),
    fm.Gain("leaky_relu", 2),
    fm.Gain("rrelu", 16, keep_prob=0.5),
]


@pytest.mark.parametrize("gain", LAWS, ids=repr)
def test_tilted_laws_against_exact_moments(gain):
    density = log_density(law_of(gain))
    for order in (-0.5, 0.0, 2.0, 8.0):
        law = _core.TiltedGain(density, order, -math.inf, 80.0)
        centre = gain.log_mean()
        exact = math.log(gain.moment(order, given_alive=True)) - order * centre
        assert abs(law.log_mass() - exact) < 2e-12
        # the mean is the derivative of log M, by the complex moment a small step off the real axis
        step = 1e-5 / math.sqrt(gain.log_var())
        shifted = gain.moment(complex(order, step), given_alive=True)
        mean = math.atan2(shifted.imag, shifted.real) / step - centre
        mean = (mean + math.pi / step) % (2 * math.pi / step) - math.pi / step
        assert abs(law.mean() - mean) < 1e-8 * math.sqrt(gain.log_var()) + 1e-9 * abs(law.mean())


def test_tables_of_tilted_and_cut_laws():
    density = log_density(law_of(fm.Gain("relu", 24)))
    bits = np.random.default_rng(1).integers(0, 2**64, 400, dtype=np.uint64)
    bits = np.concatenate(
        [bits, np.array([0, 5, 2**40, 2**64 - 2**40, 2**64 - 1], dtype=np.uint64)]
    )
    for order, cut in [(3.0, -math.inf), (-0.9, -math.inf), (-4.0, density.valley(-4.0))]:
        law = _core.TiltedGain(density, order, cut, 80.0)
        y = law.table().quantiles(bits) + law.mean()
        assert y.min() >= cut
        u = np.array([(int(b) + 0.5) / 2**64 for b in bits])
        rest = np.array([(2**64 - int(b) - 0.5) / 2**64 for b in bits])
        upper = u > 0.5
        tail = np.where(upper, law.log_tails(y, True), law.log_tails(y, False))
        p = np.where(upper, rest, u)
        # next to the cut y as a double knows P to its own rounding only
        rounding = 1e-15 * np.abs(y) / math.sqrt(law.variance())
        assert np.all(np.abs(np.exp(tail) - p) < 1e-11 * p + rounding)


def test_known_answer(instruction_set, log_weights):
    mixed = [fm.Gain("relu", 10), fm.Gain("rrelu", 5, keep_prob=0.9)] * 2
    for gain, depth, side, level in [
        (mixed, None, "above", 12.0),
        (fm.Gain("relu", 16), 20, "below", -20.0),  # jumps as well
        (fm.Gain("linear", 8), 3, "below", -5.0),
        (fm.Gain("leaky_relu", 6), 4, "above", 9.0),
    ]:
        fm.rare_event_probability(gain, 1.0, depth, level, side=side, n_samples=600, rng=21)
    digest = hashlib.sha256(b"".join(weights.tobytes() for weights in log_weights)).hexdigest()
    assert digest == "234753b32df282550da034642633da794911069d447a73bc5931e01880ee009d"


def test_results_do_not_depend_on_threads():
    gain = fm.Gain("relu", 16)
    for side, level in (("above", 30.0), ("below", -40.0)):
        events = [
            fm.rare_event_probability(
                gain, 0.4, 20, level, side=side, n_samples=30_000, rng=4, threads=threads
            )
            for threads in (1, 2, 5)
        ]
        assert events[0] == events[1] == events[2]


def test_far_below_the_doubles():
    gain = fm.Gain("linear", 32)
    event = fm.rare_event_probability(gain, gain.scale(2), 500, 600.0, n_samples=100_000, rng=1)
    assert event.log_probability < -20_000
    assert event.probability == 0.0
    assert event.relative_error < 0.02


def test_refused():
    gain = fm.Gain("relu", 8)
    for wrong, message in [
        ({"side": "abve"}, "above"),
        ({"n_samples": 1}, "n_samples"),
        ({"log_level": math.nan}, "log_level"),
        ({"gain": fm.Gain("relu", 8, weights="orthogonal")}, "gaussian"),
    ]:
        arguments = {"gain": gain, "sigma": 1.0, "depth": 3, "log_level": 5.0, **wrong}
        with pytest.raises(ValueError, match=message):
            fm.rare_event_probability(**arguments)
    with pytest.raises(fm.ConvergenceError, match="out of reach"):
        fm.rare_event_probability(gain, 1.0, 1, 8.0)
