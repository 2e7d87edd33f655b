"""Several signals: exact moments, agreement with explicit weights, degenerate inputs."""

import hashlib
import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm

A = np.array([[1.0, 2.0, 0.0, -1.0], [0.5, 0.5, 3.0, 1.0]])
METHODS = ("gram", "matrix")


def within(sample, exact, widths=5.0):
    """Whether the mean of a sample is the exact one, within standard errors."""
    return abs(sample.mean() - exact) < widths * sample.std() / math.sqrt(sample.size)


def relu_kernels(rho):
    """Arc-cosine kernels of orders 1 and 2 over 2: E phi(u) phi(v) and E phi(u)^2 phi(v)^2."""
    t = math.acos(rho)
    k1 = (math.sin(t) + (math.pi - t) * math.cos(t)) / (2 * math.pi)
    k2 = 3 * math.sin(t) * math.cos(t) + (math.pi - t) * (1 + 2 * math.cos(t) ** 2)
    return k1, k2 / (2 * math.pi)


def kernels(slope, rho):
    """The same for a leaky unit: phi(u) = relu(u) - a relu(-u)."""
    (same1, same2), (opposite1, opposite2) = relu_kernels(rho), relu_kernels(-rho)
    k1 = (1 + slope**2) * same1 - 2 * slope * opposite1
    return k1, (1 + slope**4) * same2 + 2 * slope**2 * opposite2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_products_after_one_layer(method, slope, bias):
    n, d, sigma = 100_000, 7, 0.6
    gain = fm.Gain(fm.LeakyReLU(slope), d)
    s = fm.simulate_signals(gain, sigma, 1, A, n, bias=bias, rng=3, method=method)
    product = s.gram()[:, 0, 1]
    covariance = sigma**2 * A @ A.T + bias**2
    scale = math.sqrt(covariance[0, 0] * covariance[1, 1])
    k1, k2 = kernels(slope, covariance[0, 1] / scale)
    mean, variance = d * scale * k1, d * scale**2 * (k2 - k1**2)
    assert abs(product.mean() - mean) < 5 * math.sqrt(variance / n)
    assert within((product - mean) ** 2, variance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "gain",
    [
        fm.Gain("relu", 6),
        fm.Gain("linear", 5, keep_prob=0.7),
        fm.Gain("leaky_relu", 1, keep_prob=0.5, inverted_dropout=False),
        fm.Gain(fm.RandomizedLeakyReLU(-0.5, 1.0), 4),
    ],
    ids=repr,
)
def test_moments_of_the_norm_along_the_chain(method, gain):
    n, biases = 100_000, [0.5, 0.0, 1.5]
    sigma = gain.scale(3)
    s = fm.simulate_signals(
        [gain] * 3, sigma, None, A, n, bias=biases, rng=4, method=method, every_layer=True
    )
    first = (A**2).sum(axis=1)
    second = first**2
    for k, b in enumerate(biases):  # X' = (sigma^2 X + b^2) R^2
        second = sigma**4 * second + 2 * sigma**2 * b**2 * first + b**4
        first, second = (sigma**2 * first + b**2) * gain.moment(2), second * gain.moment(4)
        square = np.exp(2 * s.log_norms[:, k])
        for q in range(2):
            assert within(square[:, q], first[q])
            assert within(square[:, q] ** 2, second[q])


def test_one_signal_is_the_norm_chain():
    gains, n = [fm.Gain("relu", 3), fm.Gain("rrelu", 5, keep_prob=0.8)], 100_000
    s = fm.simulate_signals(gains, 0.5, None, [[3.0, 4.0]], n, rng=1)
    y, other = s.log_norms[:, 0] - math.log(5), fm.simulate_log_norms(gains, 0.5, None, n, rng=2)
    dead = 1 - (1 - gains[0].prob_zero()) * (1 - gains[1].prob_zero())
    for sample in (y, other):
        assert abs(np.isinf(sample).sum() - n * dead) < 5 * math.sqrt(n * dead)
    assert stats.ks_2samp(y[np.isfinite(y)], other[np.isfinite(other)]).pvalue > 1e-6


@pytest.mark.parametrize("options", [{}, {"dtype": "float32"}])
def test_the_two_methods_agree_in_law(options):
    gains = [fm.Gain("relu", 5), fm.Gain("leaky_relu", 4, keep_prob=0.9), fm.Gain("rrelu", 3)]
    inputs = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0], [2.0, 5.0]])  # of rank 2
    draw = [
        fm.simulate_signals(
            gains, 0.7, None, inputs, 40_000, bias=0.2, rng=7, method=method, **extra
        )
        for method, extra in [("gram", {}), ("matrix", options)]
    ]
    for q in range(4):
        for p in range(q + 1):
            a, b = (s.cosines[:, q, p] if p < q else s.log_norms[:, q] for s in draw)
            assert stats.ks_2samp(a, b).pvalue > 1e-6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_equal_signals_stay_equal(method, bias):
    inputs = np.array([A[0], A[1], A[0], 4 * A[1]])
    s = fm.simulate_signals(
        fm.Gain("relu", 9), 0.4, 60, inputs, 500, bias=bias, rng=5, method=method
    )
    np.testing.assert_array_equal(s.log_norms[:, 2], s.log_norms[:, 0])
    np.testing.assert_array_equal(s.cosines[:, 2], s.cosines[:, 0])
    alive = np.isfinite(s.log_norms[:, 0])
    np.testing.assert_allclose(s.cosines[alive, 0, 2], 1.0, rtol=0, atol=1e-15)
    if bias == 0.0:
        np.testing.assert_allclose(
            s.log_norms[:, 3], s.log_norms[:, 1] + math.log(4), rtol=0, atol=1e-13
        )


@pytest.mark.parametrize("method", METHODS)
def test_dependent_signals_of_linear_networks(method):
    inputs = np.array([A[0], A[1], A[0] + A[1], -A[0], np.zeros(4)])
    s = fm.simulate_signals(fm.Gain("linear", 6), 0.5, 40, inputs, 500, rng=6, method=method)
    gram = s.gram()
    scale = np.maximum(gram[:, 0, 0], gram[:, 1, 1])
    total = gram[:, 0, 0] + 2 * gram[:, 0, 1] + gram[:, 1, 1]
    # a Gram matrix holds a difference of signals to the square root of its rounding errors
    np.testing.assert_allclose(gram[:, 2, 2] / scale, total / scale, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(s.log_norms[:, 3], s.log_norms[:, 0])
    np.testing.assert_allclose(s.cosines[:, 3, 0], -1.0, rtol=0, atol=1e-15)
    assert np.all(s.log_norms[:, 4] == -np.inf)
    assert np.all(s.cosines[:, 4] == 0)
    assert np.all(gram[:, 4] == 0)


@pytest.mark.parametrize("method", METHODS)
def test_death_of_opposite_signals(method):
    """A ReLU unit without bias serves one of two opposite inputs, never both."""
    n, d = 100_000, 3
    s = fm.simulate_signals(fm.Gain("relu", d), 1.0, 1, [A[0], -A[0]], n, rng=8, method=method)
    dead = np.isinf(s.log_norms)
    assert not dead.all(axis=1).any()
    for q in range(2):
        assert abs(dead[:, q].sum() - n / 2**d) < 5 * math.sqrt(n / 2**d)
    assert np.all(s.cosines[:, 0, 1] == 0)  # no unit is live for both


@pytest.mark.parametrize("method", METHODS)
def test_inputs_of_any_size(method):
    """Beside inputs of great norm biases vanish; a zero input lives by the biases alone."""
    gain, n = fm.Gain("linear", 5), 20_000
    inputs = [[1e300, 0.0], [3e-300, 4e-300], [0.0, 0.0]]
    s = fm.simulate_signals(gain, 1.0, 1, inputs, n, bias=1e-3, rng=9, method=method)
    starts = [math.log(1e300), math.log(1e-3), math.log(1e-3)]
    for q, start in enumerate(starts):
        assert stats.kstest(np.exp(s.log_norms[:, q] - start), gain.cdf).pvalue > 1e-6
    np.testing.assert_array_equal(s.cosines[:, 1, 2], 1.0)
    assert within(s.cosines[:, 0, 1], 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_deep_networks_do_not_overflow(method):
    gain, depth = fm.Gain("linear", 2), 100_000
    s = fm.simulate_signals(gain, 1e50, depth, np.eye(2), 8, rng=1, method=method)
    z = s.log_norms / depth - math.log(1e50) - gain.log_mean()
    assert np.all(np.abs(z) < 5 * math.sqrt(gain.log_var() / depth))
    assert np.all(np.abs(s.cosines) <= 1.0)
    assert np.all(s.cosines[:, [0, 1], [0, 1]] == 1.0)


def test_every_layer():
    gains = [fm.Gain("relu", 7), fm.Gain("leaky_relu", 3)]
    for method in METHODS:
        options = {"bias": [0.1, 0.2], "rng": 2, "method": method}
        s = fm.simulate_signals(gains, 0.5, None, A, 100, every_layer=True, **options)
        assert s.log_norms.shape == (100, 2, 2)
        assert s.cosines.shape == (100, 2, 2, 2)
        last = fm.simulate_signals(gains, 0.5, None, A, 100, **options)
        np.testing.assert_array_equal(s.log_norms[:, 1], last.log_norms)
        np.testing.assert_array_equal(s.cosines[:, 1], last.cosines)


def test_known_answer(instruction_set):
    gains = [fm.Gain("rrelu", 7, keep_prob=0.7), fm.Gain("leaky_relu", 5)]
    inputs = np.vstack([A, A[0] - A[1], -A[0], A[0]])
    pieces = []
    for method, dtype in [("gram", "float64"), ("matrix", "float64"), ("matrix", "float32")]:
        s = fm.simulate_signals(
            gains, 0.5, None, inputs, 77, bias=0.25, rng=8, method=method, dtype=dtype
        )
        pieces += [s.log_norms, s.cosines]
    digest = hashlib.sha256(b"".join(piece.tobytes() for piece in pieces)).hexdigest()
    assert digest == "7830a772be113bca47d80d71565c2accbeeb00ba662a0031153a2f29b70b29b4"


@pytest.mark.parametrize("method", METHODS)
def test_samples_do_not_depend_on_threads_or_neighbours(method):
    gain = fm.Gain("relu", 20)
    options = {"bias": 0.1, "rng": 3, "method": method}
    long = fm.simulate_signals(gain, 0.3, 30, A, 2500, threads=1, **options)
    for count, threads in [(2500, 2), (2500, 5), (77, 2), (1, 1)]:
        s = fm.simulate_signals(gain, 0.3, 30, A, count, threads=threads, **options)
        np.testing.assert_array_equal(s.log_norms, long.log_norms[:count])
        np.testing.assert_array_equal(s.cosines, long.cosines[:count])


@pytest.mark.parametrize("method", METHODS)
def test_long_runs(method, tmp_path):
    """Processes, and a run that stops and goes on: the same bits."""

    def stop(done, _total):
        if done:
            raise InterruptedError

    arguments = (fm.Gain("relu", 5), 0.6, 3, A, 20_000)
    options = {"bias": [0.1, 0.0, 0.2], "method": method, "every_layer": True}
    whole = fm.simulate_signals(*arguments, rng=4, **options)
    file = tmp_path / "run"
    with pytest.raises(InterruptedError):
        fm.simulate_signals(*arguments, rng=4, checkpoint=file, progress=stop, threads=1, **options)
    done = []
    with ProcessPoolExecutor(2) as executor:
        again = [
            fm.simulate_signals(*arguments, rng=4, executor=executor, **options),
            fm.simulate_signals(
                *arguments, checkpoint=file, progress=lambda d, _: done.append(d), **options
            ),
        ]
    assert 0 < done[0] < 20_000  # the seed and the first rows are those of the file
    for s in again:
        np.testing.assert_array_equal(s.log_norms, whole.log_norms)
        np.testing.assert_array_equal(s.cosines, whole.cosines)
    for name, other in [("bias", 0.1), ("every_layer", False)]:
        with pytest.raises(fm.CheckpointError, match="another run"):
            fm.simulate_signals(*arguments, rng=4, checkpoint=file, **{**options, name: other})


def test_empty_and_refused():
    gain = fm.Gain("relu", 8)
    assert fm.simulate_signals(gain, 1.0, 2, A, 0).cosines.shape == (0, 2, 2)
    for inputs in ([1.0, 2.0], [[]], np.ones((2, 2, 2)), 3.0):
        with pytest.raises(ValueError, match="inputs must be a matrix"):
            fm.simulate_signals(gain, 1.0, 2, inputs, 5)
    for options, message in [
        ({"method": "vector"}, "'gram', 'matrix'"),
        ({"weights": "uniform"}, "need method='matrix'"),
        ({"dtype": "float32"}, "need method='matrix'"),
        ({"bias": -1}, "bias must be >= 0"),
        ({"threads": 0}, "threads"),
    ]:
        with pytest.raises(ValueError, match=message):
            fm.simulate_signals(gain, 1.0, 2, A, 5, **options)
    with pytest.raises(TypeError, match="every_layer"):
        fm.simulate_signals(gain, 1.0, 2, A, 5, every_layer=2)
    with pytest.raises(ValueError, match="inputs must be finite"):
        fm.simulate_signals(gain, 1.0, 2, [[np.inf]], 5)
    orthogonal = fm.Gain("relu", 8, weights="orthogonal")
    with pytest.raises(ValueError, match="independent weights"):
        fm.simulate_signals(orthogonal, 1.0, 2, A, 5)
