"""Explicit weights: the laws of the entries, agreement with the other engines, the same bits."""

import hashlib
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.streams import Purpose, seed_of

LINEAR = fm.Gain("linear", 1)
STABLE_HALF = fm.StableWeights(0.5)


def truncated_cdf(x):
    unit = 1 - 4 * stats.norm.pdf(2) / (2 * stats.norm.cdf(2) - 1)
    return stats.truncnorm(-2, 2).cdf(x * np.sqrt(unit))


def stable_half_cdf(x):
    """P(X <= x) by the integral over the angle (Zolotarev), symmetric, alpha = 1/2."""
    u = (np.arange(4000) + 0.5) / 4000 * np.pi / 2
    shape = np.sin(u / 2) * np.cos(u / 2) / np.cos(u) ** 2  # |X| = shape/E
    survival = -np.expm1(-shape / np.abs(x)[..., np.newaxis]).mean(axis=-1)
    return np.where(x > 0, 1 - survival / 2, survival / 2)


# Law of an entry and its distribution function.
ENTRIES = [
    ("gaussian", stats.norm.cdf),
    ("uniform", stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)).cdf),
    ("truncated", truncated_cdf),
    (fm.StudentWeights(0.5), stats.t(0.5).cdf),
    (fm.StudentWeights(3), stats.t(3).cdf),
    (fm.StudentWeights(1e9), stats.norm.cdf),
    (STABLE_HALF, lambda x: stable_half_cdf(x)),
    (fm.StableWeights(1), stats.cauchy.cdf),
    (fm.StableWeights(2), stats.norm(0, np.sqrt(2)).cdf),
]


def magnitudes(weights, dtype="float64", x0=(1.0,), n=200_000, activation="linear", seed=3):
    gain = fm.Gain(activation, 1)
    options = {"weights": weights, "dtype": dtype, "x0": x0}
    y = fm.simulate_log_norms(gain, 1.0, 1, n, rng=seed, method="matrix", **options)
    return np.exp(y) * np.linalg.norm(x0)


@pytest.mark.parametrize(("weights", "cdf"), ENTRIES)
def test_law_of_an_entry(weights, cdf):
    n = 200_000 if weights is not STABLE_HALF else 5_000
    # the columns of one block: (0, 1) leaves the second, in single precision (0, 0, 0, 1) the last
    cases = [((1.0,), "float64"), ((0.0, 1.0), "float64")]
    if isinstance(weights, str):
        cases += [(x0, "float32") for x0 in np.eye(4).tolist()]
    for x0, dtype in cases:
        size = magnitudes(weights, dtype, x0, n)
        assert stats.kstest(size, lambda x: cdf(x) - cdf(-x)).pvalue > 1e-6
        alive = magnitudes(weights, dtype, x0, n, "relu", seed=4) > 0
        assert abs(alive.mean() - 0.5) < 5 * 0.5 / np.sqrt(n)


def test_extreme_entries_of_heavy_tails():
    n = 1_000_000
    for weights, index, law in [
        (fm.StudentWeights(0.25), 0.25, stats.t(0.25)),
        (fm.StableWeights(1), 1, stats.cauchy),
    ]:
        size = magnitudes(weights, n=n)
        for tail in (1e-3, 1e-4):
            level = law.isf(tail / 2)
            count = (size > level).sum()
            assert abs(count - n * tail) < 5 * np.sqrt(n * tail)
        # P(max <= x) = exp(-n P(|X| > x)): the maximum is not cut
        assert 1e-3 < n * 2 * law.sf(size.max()) < 20, index


def test_rademacher_entries():
    for dtype in ("float64", "float32"):
        assert set(magnitudes("rademacher", dtype)) == {1.0}
        sums = magnitudes("rademacher", dtype, np.ones(6))
        counts = np.bincount(np.rint(sums).astype(int), minlength=7)
        law = [20, 0, 30, 0, 12, 0, 2]  # |sum of six signs|, in 64ths
        expected = 200_000 * np.array(law)[::2] / 64
        assert np.all(counts[1::2] == 0)
        assert stats.chisquare(counts[::2], expected).pvalue > 1e-6


def test_weights_are_those_of_the_stream():
    """One layer, its weights taken from the stream by their addresses."""
    seed, gain = 5, fm.Gain("leaky_relu", 7)
    x0 = np.array([0.5, -2.0, 1.0, 3.0, 0.25])
    y = fm.simulate_log_norms(gain, 0.3, 1, 40, rng=seed, method="matrix", x0=x0)
    for replica in range(40):
        z = _core.random_normals(seed_of(seed), Purpose.MATRIX_CHAIN, replica, 48)
        pairs = z.reshape(-1, 2, 8).transpose(0, 2, 1).reshape(-1, 2)  # one block a row
        h = 0.3 * pairs[: 7 * 3].reshape(7, 6)[:, :5] @ x0
        norm = np.linalg.norm(np.where(h > 0, h, 0.01 * h)) / np.linalg.norm(x0)
        assert abs(y[replica] - np.log(norm)) < 1e-14


NETWORKS = [
    ([fm.Gain("relu", 12)] * 4, 0.4, {}),
    ([fm.Gain("relu", 12)] * 4, 0.4, {"dtype": "float32"}),
    ([fm.Gain("relu", 5, keep_prob=0.8), fm.Gain("leaky_relu", 3)], [0.7, 0.4], {"x0": [3, 4, 0]}),
    ([fm.Gain("rrelu", 5, keep_prob=0.9, inverted_dropout=False)] * 2, 0.5, {"x0": [1e200, 0]}),
    ([fm.Gain("linear", 1)] * 3, 1e-150, {}),
    ([fm.Gain("linear", 9), fm.Gain("linear", 2)], 1e150, {"dtype": "float32"}),
]


@pytest.mark.parametrize("network", range(len(NETWORKS)))
def test_the_law_is_that_of_the_other_engines(network):
    gains, sigma, options = NETWORKS[network]
    n = 100_000
    y = fm.simulate_log_norms(gains, sigma, None, n, rng=network, method="matrix", **options)
    other = fm.simulate_log_norms(gains, sigma, None, n, rng=50 + network)
    dead = 1 - np.prod([1 - g.prob_zero() for g in gains])
    mean = sum(g.log_mean() for g in gains) + np.log(np.broadcast_to(sigma, len(gains))).sum()
    variance = sum(g.log_var() for g in gains)
    alive = y[np.isfinite(y)]
    assert abs((n - alive.size) - n * dead) < 5 * np.sqrt(n * dead + 1)
    assert abs(alive.mean() - mean) < 5 * np.sqrt(variance / alive.size)
    assert stats.ks_2samp(alive, other[np.isfinite(other)]).pvalue > 1e-6


# Fourth moments of the entries, whose second is 1.
FOURTH = {"gaussian": 3.0, "uniform": 9 / 5, "rademacher": 1.0}
FOURTH["truncated"] = stats.truncnorm(-2, 2).moment(4) / stats.truncnorm(-2, 2).moment(2) ** 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weights", FOURTH)
def test_exact_moments_of_other_weights(weights, dtype):
    n, sigma, x0 = 200_000, 0.6, np.array([2.0, 1.0, -1.0, 0.5, 0.0])
    options = {"method": "matrix", "weights": weights, "dtype": dtype, "x0": x0}
    y = fm.simulate_log_norms(fm.Gain("linear", 3), sigma, 1, n, rng=1, **options)
    square = np.exp(2 * y) * (x0 @ x0)
    h2 = sigma**2 * (x0 @ x0)
    h4 = sigma**4 * (3 * (x0 @ x0) ** 2 + (FOURTH[weights] - 3) * (x0**4).sum())
    for power, exact in [(1, 3 * h2), (2, 3 * h4 + 6 * h2**2)]:
        sample = square**power
        assert abs(sample.mean() - exact) < 5 * sample.std() / np.sqrt(n)
    # entries symmetric around 0: a rectifier halves the second moment
    y = fm.simulate_log_norms(fm.Gain("relu", 4), sigma, 3, n, rng=2, **options)
    square = np.exp(2 * y)
    assert abs(square.mean() - (sigma**2 * 4 / 2) ** 3) < 5 * square.std() / np.sqrt(n)


def test_biases():
    n, d = 200_000, 6
    gains = [fm.Gain("relu", d, keep_prob=0.8)] * 3
    bias = [0.5, 0.0, 2.0]
    y = fm.simulate_log_norms(gains, 0.5, None, n, rng=1, method="matrix", bias=bias, x0=[3.0] * 4)
    exact = 36.0
    for b in bias:  # E|x'|^2 = (sigma^2 E|x|^2 + b^2) E R^2
        exact = (0.25 * exact + b**2) * gains[0].moment(2)
    square = 36.0 * np.exp(2 * y)
    assert abs(square.mean() - exact) < 5 * square.std() / np.sqrt(n)


@pytest.mark.parametrize(
    ("sigma", "x0"), [(1e-200, [1.0]), (1e-9, [1e-300]), (1e-300, [1e300, 1.0])]
)
def test_biases_alone(sigma, x0):
    """Where the signal vanishes beside the biases, the last layer's biases are the law."""
    gain, n = fm.Gain("relu", 5), 5_000
    options = {"method": "matrix", "bias": 1e-3, "x0": x0}
    y = fm.simulate_log_norms(gain, sigma, 3, n, rng=2, **options)
    start = np.log(np.linalg.norm(np.array(x0) / max(x0))) + np.log(max(x0))
    size = np.exp(y + start - np.log(1e-3))
    assert abs((size == 0).mean() - 1 / 32) < 5 * np.sqrt(1 / 32 / n)
    assert stats.kstest(size[size > 0], lambda r: (gain.cdf(r) - 1 / 32) * 32 / 31).pvalue > 1e-6


def test_great_signals_do_not_feel_biases():
    options = {"rng": 4, "method": "matrix"}
    gain = fm.Gain("linear", 4)
    plain = fm.simulate_log_norms(gain, 1e100, 50, 64, **options)
    np.testing.assert_array_equal(
        fm.simulate_log_norms(gain, 1e100, 50, 64, bias=1e-3, **options), plain
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_million_layers(dtype):
    depth, gain = 1_000_000, fm.Gain("linear", 2)
    for sigma in (1e-100, 7.0):
        y = fm.simulate_log_norms(gain, sigma, depth, 8, rng=1, method="matrix", dtype=dtype)
        z = (y / depth - np.log(sigma) - gain.log_mean()) / np.sqrt(gain.log_var() / depth)
        assert np.all(np.abs(z) < 5)


WEIGHTS = [
    *[(name, dtype) for name in FOURTH for dtype in ("float64", "float32")],
    (fm.StudentWeights(1.5), "float64"),
    (fm.StableWeights(1.3), "float64"),
]


def test_known_answer(instruction_set):
    gains = [fm.Gain("rrelu", 7, keep_prob=0.7), fm.Gain("leaky_relu", 5)]
    options = {"rng": 8, "method": "matrix", "bias": 0.25}
    pieces = [
        fm.simulate_log_norms(gains, 0.5, None, 77, weights=weights, dtype=dtype, **options)
        for weights, dtype in WEIGHTS
    ]
    digest = hashlib.sha256(b"".join(piece.tobytes() for piece in pieces)).hexdigest()
    assert digest == "812ac96a2c011b0acfe7ed24e6c19ff73ec973c7cbc8042da29b890255b32f4b"


def test_samples_do_not_depend_on_threads_or_neighbours():
    options = {"rng": 3, "method": "matrix", "bias": 0.1}
    gain = fm.Gain("relu", 33)
    long = fm.simulate_log_norms(gain, 0.2, 20, 1500, threads=1, **options)
    for threads in (2, 5):
        again = fm.simulate_log_norms(gain, 0.2, 20, 1500, threads=threads, **options)
        np.testing.assert_array_equal(again, long)
    for count in (1, 33, 61):
        few = fm.simulate_log_norms(gain, 0.2, 20, count, **options)
        np.testing.assert_array_equal(few, long[:count])


def test_long_runs(tmp_path):
    arguments = (fm.Gain("relu", 5), 0.6, 3, 300)
    options = {"method": "matrix", "weights": "uniform", "bias": [0.1, 0.0, 0.2], "x0": [1.0, -2.0]}
    whole = fm.simulate_log_norms(*arguments, rng=4, **options)
    with ProcessPoolExecutor(2) as executor:
        again = fm.simulate_log_norms(*arguments, rng=4, executor=executor, **options)
    np.testing.assert_array_equal(again, whole)
    file = tmp_path / "run"
    for _ in range(2):
        kept = fm.simulate_log_norms(*arguments, rng=4, checkpoint=file, **options)
        np.testing.assert_array_equal(kept, whole)
    for name, other in [("weights", "gaussian"), ("bias", 0.1), ("x0", [1.0, 2.0])]:
        with pytest.raises(fm.CheckpointError):
            fm.simulate_log_norms(*arguments, rng=4, checkpoint=file, **{**options, name: other})
    summary = fm.summarize_log_norms(*arguments, rng=5, method="matrix", orders=[1.0])
    assert summary.n_samples == 300


def test_summaries_of_any_weights():
    """The same numbers as the samples have, whatever units the plan measures them in."""
    arguments, options = (fm.Gain("relu", 5), 0.6, 4, 5000), {"rng": 6, "method": "matrix"}
    for law in ({"weights": fm.StudentWeights(2.5)}, {"bias": 0.3}, {"weights": "uniform"}):
        y = fm.simulate_log_norms(*arguments, **options, **law)
        summary = fm.summarize_log_norms(*arguments, orders=[1.0, -0.3], **options, **law)
        assert not summary.plan.exact
        alive = y[np.isfinite(y)]
        assert summary.alive == alive.size
        assert np.isclose(summary.mean.value, alive.mean(), rtol=1e-12)
        assert np.isclose(summary.variance.value, alive.var(ddof=1), rtol=1e-12)
        for order, unit in zip((1.0, -0.3), summary.plan.log_moments, strict=True):
            ratio = np.exp(order * alive - unit).mean()
            assert np.isclose(summary.moment(order).value, ratio, rtol=1e-12)
        other = fm.summarize_log_norms(
            *arguments, orders=[1.0, -0.3], **{**options, "rng": 7}, **law
        )
        other.merge(summary)  # one plan for every seed
        assert other.n_samples == 10_000
        assert fm.LogNormSummary.from_json(other.to_json()) == other
    assert fm.summarize_log_norms(*arguments, x0=[1.0, 2.0], **options).plan.exact


def test_refused():
    gain = fm.Gain("relu", 8)
    for options, error, message in [
        ({"bias": 0.1}, ValueError, "bias needs method='matrix'"),
        ({"x0": [1.0]}, ValueError, "x0 needs method='matrix'"),
        ({"dtype": "float32", "method": "vector"}, ValueError, "dtype needs method='matrix'"),
        ({"method": "matrix", "weights": "gausian"}, ValueError, "gaussian"),
        ({"method": "matrix", "weights": 3}, TypeError, "StudentWeights"),
        ({"method": "matrix", "dtype": "float16"}, ValueError, "float32"),
        ({"method": "matrix", "dtype": "flaot32"}, ValueError, "did you mean 'float32'"),
        ({"method": "matrix", "bias": -1.0}, ValueError, "bias must be >= 0"),
        ({"method": "matrix", "bias": [0.1, 0.2]}, ValueError, "3 layers"),
        ({"method": "matrix", "x0": [0.0, 0.0]}, ValueError, "x0"),
        ({"method": "matrix", "x0": [[1.0]]}, ValueError, "x0"),
        ({"method": "matrix", "x0": [np.nan]}, ValueError, "finite"),
        (
            {"method": "matrix", "weights": STABLE_HALF, "dtype": "float32"},
            ValueError,
            "must be 'float64'",
        ),
    ]:
        with pytest.raises(error, match=message):
            fm.simulate_log_norms(gain, 1.0, 3, 5, **options)
    with pytest.raises(ValueError, match="narrower"):
        fm.simulate_log_norms(fm.Gain("relu", 2**20), 1.0, 3, 5, method="matrix")
    orthogonal = fm.Gain("relu", 8, weights="orthogonal")
    with pytest.raises(ValueError, match="independent weights"):
        fm.simulate_log_norms(orthogonal, 1.0, 3, 5, method="matrix")
    for bad in (lambda: fm.StudentWeights(0.1), lambda: fm.StableWeights(2.5)):
        with pytest.raises(ValueError, match="in "):
            bad()
