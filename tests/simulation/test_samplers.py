"""The samplers: exact laws at the extremes of the parameters, known answers, addresses."""

import hashlib
import threading
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import special, stats

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.chains import gain_table, law_of
from fracmoment.simulation.samplers import _PIECE
from fracmoment.simulation.streams import Purpose, seed_of

WORST = 1e-7  # failure probability of one test of a law, at the fixed seeds
LIMIT = stats.norm.isf(WORST / 2)


# ---------------------------------------------------------------- known answers

SHAPES = 10.0 ** np.linspace(-3, 9, 5000)
TRIALS = np.floor(10.0 ** np.linspace(0, 12, 5000)).astype(np.int64)
CHANCES = np.tile([0.5, 0.3, 1e-3, 1 - 1e-6, 1e-11, 0.999, 0.0, 1.0], 625)
ANSWERS = {
    "normal": (lambda: fm.random_normal(5000, rng=1), "734d2c0b64f318d3"),
    "normal32": (lambda: fm.random_normal(5000, dtype=np.float32, rng=1), "c4277519d4873589"),
    "uniform": (lambda: fm.random_uniform(size=5000, rng=1), "84ee2be8e1cb4289"),
    "uniform32": (lambda: fm.random_uniform(size=5000, dtype="float32", rng=1), "3467b0190dfd35d8"),
    "gamma": (lambda: fm.random_gamma(SHAPES, rng=1), "c8725cae00b2a267"),
    "gamma of one shape": (lambda: fm.random_gamma(0.3, size=5000, rng=1), "2e906aaa4eab2b89"),
    "chisquare": (lambda: fm.random_chisquare(64, 5000, rng=1), "8c6f72217c0bec62"),
    "binomial": (lambda: fm.random_binomial(TRIALS, CHANCES, rng=1), "0556e5ed8fb1ca26"),
    "binomial of one law": (lambda: fm.random_binomial(1024, 0.3, 5000, rng=1), "88a525b682688439"),
    "gain": (lambda: fm.random_gain(fm.Gain("relu", 4), 5000, rng=1), "e5954fe407983b0a"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_known_answers_on_every_instruction_set(name, each_instruction_set):
    draw, digest = ANSWERS[name]
    digests = set()
    for _ in each_instruction_set:
        digests.add(hashlib.sha256(draw().tobytes()).hexdigest()[:16])
    assert digests == {digest}


# ---------------------------------------------------------------- addresses


def each_sampler():
    n = 3 * _PIECE + 17
    rng = np.random.default_rng(1)
    shapes = 10.0 ** rng.uniform(-2, 2, n)
    trials = rng.integers(1, 200, n)
    chances = rng.uniform(0, 1, n)
    gain = fm.Gain("relu", 3)
    return {
        "normal": lambda k, **o: fm.random_normal(k, rng=4, **o),
        "normal32": lambda k, **o: fm.random_normal(k, dtype="float32", rng=4, **o),
        "uniform": lambda k, **o: fm.random_uniform(size=k, rng=4, **o),
        "gamma": lambda k, **o: fm.random_gamma(shapes[:k], rng=4, **o),
        "gamma of one shape": lambda k, **o: fm.random_gamma(0.7, size=k, rng=4, **o),
        "binomial": lambda k, **o: fm.random_binomial(trials[:k], chances[:k], rng=4, **o),
        "binomial of one chance": lambda k, **o: fm.random_binomial(trials[:k], 0.4, rng=4, **o),
        "binomial of one law": lambda k, **o: fm.random_binomial(64, 0.5, k, rng=4, **o),
        "gain": lambda k, **o: fm.random_gain(gain, k, rng=4, **o),
    }, n


@pytest.mark.parametrize("name", list(each_sampler()[0]))
def test_threads_and_length_change_nothing(name):
    samplers, n = each_sampler()
    whole = samplers[name](n, threads=1)
    for threads in (2, 5):
        np.testing.assert_array_equal(samplers[name](n, threads=threads), whole)
    for length in (0, 1, 15, 16, 17, 1023, 1025, _PIECE, _PIECE + 1):
        np.testing.assert_array_equal(samplers[name](length), whole[:length])


def test_a_number_depends_on_its_own_parameters_only():
    rng = np.random.default_rng(3)
    shapes = 10.0 ** rng.uniform(-2, 2, 4000)
    some = fm.random_gamma(np.where(np.arange(4000) % 3 == 0, shapes, 1.5), rng=2)
    all_alike = fm.random_gamma(1.5, size=4000, rng=2)
    kept = np.arange(4000) % 3 != 0
    np.testing.assert_array_equal(some[kept], all_alike[kept])
    trials, chances = rng.integers(0, 10**6, 4000), rng.uniform(0, 1, 4000)
    one = fm.random_binomial(np.full(4000, 300), np.full(4000, 0.4), rng=2)
    mixed = fm.random_binomial(np.where(kept, 300, trials), np.where(kept, 0.4, chances), rng=2)
    np.testing.assert_array_equal(mixed[kept], one[kept])


def test_uniform_numbers_are_the_high_bits():
    words = _core.random_bits(seed_of(9), Purpose.UNIFORM, 1, 1000)
    doubles = fm.random_uniform(size=_PIECE + 1000, rng=9)[_PIECE:]
    np.testing.assert_array_equal(doubles, (words >> np.uint64(11)) * 2.0**-53)
    ranged = fm.random_uniform(-2.0, [3.0, 5.0], (500, 2), rng=9)
    unit = fm.random_uniform(size=(500, 2), rng=9)
    np.testing.assert_array_equal(ranged, -2.0 + np.array([5.0, 7.0]) * unit)
    single = fm.random_uniform(size=2**20, dtype=np.float32, rng=9)
    assert single.dtype == np.float32
    assert single.max() < 1.0
    assert stats.kstest(single.astype(float), "uniform").pvalue > WORST


def test_gains_are_the_quantiles_of_their_bits():
    gain = fm.Gain("relu", 2)  # dead with probability 1/4
    table = gain_table(law_of(gain))
    words = _core.random_bits(seed_of(5), Purpose.GAIN, 0, 4000)
    x = table.quantiles(words)
    expected = np.where(np.isnan(x), 0.0, np.exp(gain.log_mean() + np.nan_to_num(x)))
    r = fm.random_gain(gain, 4000, rng=5)
    np.testing.assert_allclose(r, expected, rtol=1e-14)
    assert np.array_equal(r == 0.0, np.isnan(x))


# ---------------------------------------------------------------- laws


def z_of_mean(values, mean, variance):
    return (np.mean(values) - mean) / np.sqrt(variance / len(values))


GAMMA_SHAPES = [1e-3, 0.02, 0.3, 0.999, 1.0, 1.7, 12.0, 32.0, 1e3, 1e6, 1e9]


@pytest.mark.parametrize("shape", GAMMA_SHAPES)
def test_gamma_law(shape):
    n = 400_000
    x = fm.random_gamma(shape, size=n, rng=int(shape * 1000))
    assert abs(z_of_mean(x, shape, shape)) < LIMIT
    square = (x - shape) ** 2  # variance a, fourth central moment 3 a^2 + 6 a
    assert abs(z_of_mean(square, shape, 2 * shape**2 + 6 * shape)) < LIMIT * (1 + 2 / shape**0.5)
    if shape < 0.1:  # on a scale where the smallest are seen: P(X < x) = x^a/Gamma(a + 1) there
        below = np.count_nonzero(x < 1e-290)
        p = np.exp(-290 * np.log(10) * shape - special.gammaln(1 + shape))
        assert abs(below - n * p) < LIMIT * np.sqrt(n * p * (1 - p))
    # the distribution is continuous as far as x is not rounded to 0
    u = stats.gamma.cdf(x, shape)
    dead = np.mean(x == 0.0)
    grid = np.linspace(dead, 1.0, 2001)[1:]
    gap = np.abs(np.searchsorted(np.sort(u), grid, side="right") / n - grid).max()
    assert stats.kstwobign.sf(gap * np.sqrt(n)) > WORST


def test_gamma_law_of_mixed_shapes():
    shapes = 10.0 ** np.random.default_rng(8).uniform(-0.5, 9, 400_000)
    u = stats.gamma.cdf(fm.random_gamma(shapes, rng=8), shapes)
    assert stats.kstest(u, "uniform").pvalue > WORST
    low = np.corrcoef(u[:-8], u[8:])[0, 1], np.corrcoef(u[:-1], u[1:])[0, 1]
    assert np.abs(low).max() < LIMIT / np.sqrt(u.size)


def test_gamma_bound_of_the_first_test():
    """What is accepted at once lies below the exact acceptance probability."""
    for t in np.concatenate([np.linspace(-0.4999, 0.5, 300), np.geomspace(0.5, 30, 60)]):
        x = mpmath.mpf(float(t))
        excess = x - x**2 / 2 + x**3 / 3 - mpmath.log1p(x)
        assert excess <= x**4 * (0.25 - x / 5 + 3 * x**2 / 10)


def test_chisquare_is_twice_a_gamma_variate():
    df = np.array([1e-3, 0.5, 1.0, 2.0, 64.0, 1e7])
    np.testing.assert_array_equal(
        fm.random_chisquare(df, (50, 6), rng=3), 2.0 * fm.random_gamma(df / 2, size=(50, 6), rng=3)
    )


def binomial_quantile_gap(x, n, p):
    """Largest distance of empirical and exact distribution, in Kolmogorov's units."""
    values = np.unique(x)
    values = values[:: 1 + values.size // 2000]
    exact = stats.binom.cdf(values, n, p)
    empirical = np.searchsorted(np.sort(x), values, side="right") / x.size
    return np.abs(exact - empirical).max() * np.sqrt(x.size)


# every way of drawing: sums from 0, the expansion, and both mirrored; p tiny and near 1
BINOMIALS = [
    (1, 0.5),
    (7, 0.9),
    (20, 0.05),
    (10**12, 3e-12),
    (10**12, 1 - 9e-12),
    (10**9, 1e-9),
    (20, 0.5),
    (64, 0.5),
    (1024, 0.5),
    (1024, 0.7),
    (40, 0.26),
    (10**5, 1.2e-4),
    (10**6, 1 - 1.1e-5),
    (10**12, 1.3e-11),
    (10**12, 0.5),
    (10**12, 1e-6),
    (10**12, 0.999999),
]


@pytest.mark.parametrize(("n", "p"), BINOMIALS)
def test_binomial_law(n, p):
    count = 400_000
    variance = n * p * (1 - p)
    x = fm.random_binomial(np.full(count, n), p, rng=n % 1000 + 17)
    samples = [x]
    if _core.AliasTable.fits(n, p):
        samples.append(fm.random_binomial(n, p, count, rng=n % 1000 + 18))
    for sample in samples:
        assert sample.min() >= 0
        assert sample.max() <= n
        off = sample - n * p
        assert abs(z_of_mean(off, 0.0, variance)) < LIMIT
        fourth = variance * (1 + 3 * variance * (1 - 2 / n)) if n > 1 else 0.0625
        spread = fourth - variance**2 if n > 1 else 0.0
        gap = np.mean(off**2) - variance
        assert abs(gap) <= LIMIT * np.sqrt(spread / count) + 1e-9 * variance
        assert stats.kstwobign.sf(binomial_quantile_gap(sample, n, p)) > WORST


def test_a_single_parameter_is_one_for_every_element():
    n, p = np.random.default_rng(3).integers(0, 500, 3000), np.linspace(0, 1, 3000)
    np.testing.assert_array_equal(
        fm.random_binomial(n, 0.3, rng=5), fm.random_binomial(n, np.full(3000, 0.3), rng=5)
    )
    np.testing.assert_array_equal(
        fm.random_binomial(700, p, rng=5), fm.random_binomial(np.full(3000, 700), p, rng=5)
    )


def test_binomial_edges():
    n = np.array([0, 0, 0, 5, 5, 2**50, 2**50])
    p = np.array([0.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0])
    expected = np.where(p == 1.0, n, 0)
    np.testing.assert_array_equal(
        fm.random_binomial(n, p, (9, 7), rng=1), np.tile(expected, (9, 1))
    )
    for trials, chance, value in zip(n.tolist(), p.tolist(), expected.tolist(), strict=True):
        assert set(fm.random_binomial(trials, chance, 20, rng=1).tolist()) == {value}
    tiny = fm.random_binomial([10, 10], [5e-324, 1.0 - 2.0**-53], (1000, 2), rng=2)
    assert (tiny == [0, 10]).all()


def words_with_extremes(count):
    """Return 64-bit numbers whose probabilities reach both ends, and as numbers next to an end."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, 2**64, 3 * count, dtype=np.uint64)
    words[count:] >>= rng.integers(0, 64, 2 * count).astype(np.uint64)
    words[2 * count :] = ~words[2 * count :]
    return np.append(words, np.array([0, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64))


def tails_of(words):
    """Return which words lie in the lower half, and how far (U + 1/2) 2^-64 is from its end."""
    lower = words < np.uint64(2**63)
    return lower, np.where(lower, words, ~words) * 2.0**-64 + 2.0**-65


def test_normal_quantiles():
    table, words = _core.QuantileTable.normal(), words_with_extremes(5000)
    assert table.hard_cells() == 0
    lower, tail = tails_of(words)
    z = np.where(lower, 1, -1) * stats.norm.ppf(tail)
    error = np.abs(table.quantiles(words) - z)
    assert error.max() < 3e-13
    assert (error * np.maximum(np.abs(z), 1)).max() < 1e-12  # about that of the probability


def quantile_defect(x, n, p, words):
    """Return by how much P(X < x) <= u < P(X <= x) is missed, relative to u or 1 - u."""
    lower, u = tails_of(words)
    at_most = np.where(
        lower, stats.binom.cdf(x - 1, n, p) / u - 1, 1 - stats.binom.sf(x - 1, n, p) / u
    )
    above = np.where(lower, 1 - stats.binom.cdf(x, n, p) / u, stats.binom.sf(x, n, p) / u - 1)
    return np.maximum(np.where(x > 0, at_most, 0.0), above).max()


QUANTILE_TRIALS = [1, 3, 4, 5, 7, 10, 16, 20, 33, 64, 150, 1024, 5000, 10**6, 10**9]


@pytest.mark.parametrize("n", QUANTILE_TRIALS)
def test_binomial_variates_are_the_quantiles_of_their_bits(n):
    words = words_with_extremes(1000)
    means = [1e-3, 0.5, 1.999, 2.001, 2.6, 4.0, 7.0, 10.0, 19.0, 50.0, 300.0]
    chances = [mean / n for mean in means] + [0.01, 0.1, 0.2, 0.3, 0.4, 0.4999, 0.5]
    for p in {q for q in chances if q <= 0.5} | {1 - q for q in chances if 1e-4 < q < 0.5}:
        x = _core.binomial_quantiles(np.array([n]), np.array([p]), words)
        assert x.min() >= 0
        assert x.max() <= n
        assert quantile_defect(x, n, p, words) < 1e-12


def upper_tail(k, n, p):
    """P(X >= k) by the continued fraction of the incomplete beta function [DLMF 8.17.22]."""
    a, b, x = mpmath.mpf(k), mpmath.mpf(n - k + 1), mpmath.mpf(p)
    front = mpmath.loggamma(a + b) - mpmath.loggamma(a + 1) - mpmath.loggamma(b)
    value = mpmath.mpf(1)
    for m in range(200, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        value = 1 + even / (1 + odd / value)
    value = 1 - (a + b) * x / (a + 1) / value
    return mpmath.exp(front + a * mpmath.log(x) + b * mpmath.log1p(-x)) / value


@pytest.mark.parametrize(("n", "p"), [(10**12, 0.4999), (10**12, 0.1), (2**50, 0.25)])
def test_binomial_quantiles_at_large_n(n, p):
    """The upper tail, from 2^-10 on, where the continued fraction is quick."""
    for shift in (10, 20, 40, 64):
        rest = (2**64 - 1) >> shift
        word = np.array([2**64 - 1 - rest], dtype=np.uint64)
        x = int(_core.binomial_quantiles(np.array([n]), np.array([p]), word)[0])
        with mpmath.workdps(40):
            tail = (mpmath.mpf(rest) + 0.5) / 2**64
            assert upper_tail(x, n, p) >= tail * (1 - mpmath.mpf("1e-11"))
            assert upper_tail(x + 1, n, p) < tail * (1 + mpmath.mpf("1e-11"))


@pytest.mark.parametrize("n", [4, 5, 8, 20, 64, 300, 1024, 10**4, 10**6])
def test_the_bound_of_the_expansion_holds(n):
    """At the normal quantiles of P(X < k) the expansion is k, within 0.7 of its bound."""
    for mean in np.concatenate([np.linspace(2, 12, 21), np.geomspace(15, 2000, 12)]):
        q = mean / n
        if q > 0.5:
            continue
        k = np.arange(1, min(n, 3000) + 1)
        below, above = stats.binom.cdf(k - 1, n, q), stats.binom.sf(k - 1, n, q)
        z = np.where(below < 0.5, stats.norm.ppf(below), stats.norm.isf(above))
        s, h, g = np.sqrt(mean * (1 - q) - 1 / 12), q * (1 - q), 1 - 2 * q
        bound = (0.05 + 0.002 * z**6) / s**3
        k, z, bound = (values[bound < 0.5] for values in (k, z, bound))
        expansion = mean + 0.5 + s * z + g * (z**2 - 1) / 6
        expansion += z * (1 + 14 * h - (1 + 2 * h) * z**2) / (72 * s)
        expansion += g * (2 + h) * (3 * z**4 + 7 * z**2 - 16) / (1620 * s**2)
        assert (np.abs(expansion - k) < 0.7 * bound).all()


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.5), (3, 1e-9), (64, 0.5), (1024, 0.3), (150_000, 0.5), (10**12, 1e-9)]
)
def test_alias_tables_hold_the_law(n, p):
    table = _core.AliasTable(n, p)
    found = table.probabilities()
    exact = Fraction(p)
    with mpmath.workdps(40):
        q = mpmath.mpf(exact.numerator) / exact.denominator
        for k in range(0, len(found), max(1, len(found) // 40)):
            at = table.first() + k
            if at > n:
                assert found[k] == 0.0
                continue
            log_f = mpmath.log(mpmath.binomial(n, at)) + at * mpmath.log(q)
            truth = mpmath.exp(log_f + (n - at) * mpmath.log1p(-q))
            assert abs(found[k] - truth) < 1e-12 * truth + 2.0**-62
    assert abs(sum(Fraction(float(v)) for v in found) - 1) < 1e-15


def test_binomial_law_at_large_n():
    """In cells of a tenth of a standard deviation."""
    n, p = 10**12, 0.3
    x = fm.random_binomial(np.full(2_000_000, n), p, rng=77)
    z = (x - n * p) / np.sqrt(n * p * (1 - p))
    edges = np.concatenate([[-np.inf], np.linspace(-3.5, 3.5, 71), [np.inf]])
    counts = np.histogram(z, edges)[0]
    # the skewness of the law is 1e-6: the normal law to that accuracy
    expected = np.diff(stats.norm.cdf(edges)) * x.size
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1) > WORST


@pytest.mark.parametrize(
    "gain",
    [fm.Gain("relu", 64), fm.Gain("linear", 1), fm.Gain("leaky_relu", 10**9, keep_prob=0.9)],
    ids=repr,
)
def test_gain_law(gain):
    n = 400_000
    r = fm.random_gain(gain, n, rng=3)
    for order in (1.0, 2.0):
        exact = gain.moment(order)
        assert abs(z_of_mean(r**order, exact, gain.moment(2 * order) - exact**2)) < LIMIT
    assert stats.kstest(r[:4000], lambda v: gain.cdf(v)).pvalue > WORST


# ---------------------------------------------------------------- arguments


def test_scalars_and_shapes():
    assert isinstance(fm.random_normal(rng=1), float)
    assert isinstance(fm.random_uniform(rng=1), float)
    assert isinstance(fm.random_gamma(2.0, rng=1), float)
    assert isinstance(fm.random_chisquare(3, rng=1), float)
    assert isinstance(fm.random_binomial(5, 0.5, rng=1), int)
    assert isinstance(fm.random_gain(fm.Gain("relu", 3), rng=1), float)
    assert fm.random_gamma([[1.0], [2.0]], [1.0, 3.0], rng=1).shape == (2, 2)
    assert fm.random_binomial([3, 4], 0.5, (0, 2), rng=1).shape == (0, 2)
    assert fm.random_normal((2, 0), rng=1).shape == (2, 0)
    scaled = fm.random_gamma(2.0, [1.0, 10.0], (7, 2), rng=1)
    np.testing.assert_array_equal(scaled, fm.random_gamma(2.0, size=(7, 2), rng=1) * [1.0, 10.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fm.random_normal(-1), ValueError, "size"),
        (lambda: fm.random_normal(3, dtype="float16"), ValueError, "dtype"),
        (lambda: fm.random_normal(3, dtype="no such type"), ValueError, "dtype"),
        (lambda: fm.random_normal(3, threads=0), ValueError, "threads"),
        (lambda: fm.random_normal(3, rng="seed"), TypeError, "rng"),
        (lambda: fm.random_uniform(0, np.inf), ValueError, "high"),
        (lambda: fm.random_uniform(-1e308, 1e308), ValueError, "high - low"),
        (lambda: fm.random_gamma(0.0), ValueError, "shape"),
        (lambda: fm.random_gamma([1.0, np.nan]), ValueError, "shape"),
        (lambda: fm.random_gamma(1.0, scale=-1.0), ValueError, "scale"),
        (lambda: fm.random_gamma([1.0, 2.0], size=3), ValueError, r"size.*\(2,\)"),
        (lambda: fm.random_gamma([1.0, 2.0], [1.0, 2.0, 3.0]), ValueError, "broadcast"),
        (lambda: fm.random_chisquare(-2), ValueError, "df"),
        (lambda: fm.random_binomial(-1, 0.5), ValueError, "n must"),
        (lambda: fm.random_binomial(2.5, 0.5), TypeError, "n must"),
        (lambda: fm.random_binomial([1, 2**60], 0.5), ValueError, "n must"),
        (lambda: fm.random_binomial(5, 1.5), ValueError, "p must"),
        (lambda: fm.random_gain(fm.Gain("relu", [2, 3])), ValueError, "gain"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_samples_in_threads_of_the_caller():
    """Two callers at once, as under free threading: the same numbers."""
    expected = fm.random_gamma(2.5, size=200_000, rng=1)
    results = {}

    def draw(name):
        results[name] = fm.random_gamma(2.5, size=200_000, rng=1)

    callers = [threading.Thread(target=draw, args=(i,)) for i in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for result in results.values():
        np.testing.assert_array_equal(result, expected)


# ---------------------------------------------------------------- 10^8 draws


def chi_square_z(counts, expected):
    """Pearson's statistic as a z-score (Wilson and Hilferty)."""
    large = expected > 20
    counts = np.append(counts[large], counts[~large].sum())
    expected = np.append(expected[large], expected[~large].sum())
    if expected[-1] < 20:
        counts[-2] += counts[-1]
        expected[-2] += expected[-1]
        counts, expected = counts[:-1], expected[:-1]
    degrees = counts.size - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    spread = 2 / (9 * degrees)
    return ((statistic / degrees) ** (1 / 3) - (1 - spread)) / np.sqrt(spread)


def counted(draw, edges, pieces=50, size=2_000_000):
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    for i in range(pieces):
        counts += np.histogram(draw(size, 1000 + i), edges)[0]
    return counts


CONTINUOUS = {
    "normal": (stats.norm(), lambda n, s: fm.random_normal(n, rng=s), (-6, 6)),
    "normal32": (
        stats.norm(),
        lambda n, s: fm.random_normal(n, dtype="float32", rng=s).astype(float),
        (-5.5, 5.5),
    ),
    **{
        f"gamma {a}": (
            stats.gamma(a),
            lambda n, s, a=a: fm.random_gamma(np.full(n, a), rng=s),
            tuple(stats.gamma(a).ppf([1e-7, 1 - 1e-7])),
        )
        for a in (0.4, 1.0, 2.5, 32.0, 1e6)
    },
    "gain": (
        stats.chi(64),
        lambda n, s: fm.random_gain(fm.Gain("linear", 64), n, rng=s),
        tuple(stats.chi(64).ppf([1e-7, 1 - 1e-7])),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTINUOUS)
def test_1e8_draws_continuous(name):
    law, draw, (left, right) = CONTINUOUS[name]
    edges = np.linspace(left, right, 2001)
    inside = counted(draw, edges)
    total = 100_000_000
    expected = np.diff(law.cdf(edges)) * total
    counts = np.append(inside, total - inside.sum())
    expected = np.append(expected, total - expected.sum())
    z = chi_square_z(counts, expected)
    print(f"{name}: z = {z:.2f}")
    assert abs(z) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "p", "scalar"),
    [
        (64, 0.5, True),
        (1024, 0.3, True),
        (64, 0.5, False),
        (1024, 0.3, False),
        (40, 0.26, False),
        (20, 0.4, False),
        (10**6, 1.2e-5, False),
        (10**5, 0.47, False),
    ],
)
def test_1e8_draws_binomial(n, p, scalar):
    law = stats.binom(n, p)
    low, high = int(law.ppf(1e-12)), int(law.isf(1e-12))
    edges = np.arange(low, high + 2) - 0.5

    def draw(size, seed):
        return fm.random_binomial(n if scalar else np.full(size, n), p, size, rng=seed)

    counts = counted(draw, edges)
    total = 100_000_000
    expected = law.pmf(np.arange(low, high + 1)) * total
    z = chi_square_z(counts, expected)
    print(f"binomial {n} {p} {'table' if scalar else 'elements'}: z = {z:.2f}")
    assert abs(z) < LIMIT
