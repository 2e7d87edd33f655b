"""The generator, normal numbers and quantile tables: known answers, laws, the same bits."""

import hashlib

import mpmath
import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.chains import gain_table, law_of
from fracmoment.simulation.streams import Purpose, seed_of


# Published with the generator: Random123, kat_vectors, philox 4x32 10. Of its three vectors the
# first has a counter that addresses can form.
def test_philox_known_answer(instruction_set):
    words = _core.random_bits(0, 0, 0, 16)
    first = (0xE169C58D << 32) | 0x6627E8D5
    second = (0x9B00DBD8 << 32) | 0xBC57AC4C
    assert (int(words[0]), int(words[8])) == (first, second)


def philox(counter, key):
    """The generator in the words of its authors, on Python's integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    mask = 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & mask, (p0 >> 32) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c0, c1, c2, c3


def test_the_plain_generator_gives_the_published_vectors():
    ones = 0xFFFFFFFF
    assert philox((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    assert philox(*pi) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


def test_addresses(instruction_set):
    seed, purpose, replica = 0x0123456789ABCDEF, 0xAB, (0x00C0FFEE << 32) | 0x89ABCDEF
    words = _core.random_bits(seed, purpose, replica, 100)
    key = (seed & 0xFFFFFFFF, seed >> 32)
    for block in range(40):
        counter = (block, 0, replica & 0xFFFFFFFF, (purpose << 24) | (replica >> 32))
        c = philox(counter, key)
        at = block // 8 * 16 + block % 8
        assert int(words[at]) == (c[1] << 32) | c[0]
        assert int(words[at + 8]) == (c[3] << 32) | c[2]


def test_a_row_is_a_prefix_of_a_longer_row(instruction_set):
    for draw in (_core.random_bits, _core.random_normals, _core.random_float_normals):
        long = draw(5, 1, 9, 1000)
        for n in (0, 1, 7, 16, 63, 64, 65, 999):
            np.testing.assert_array_equal(draw(5, 1, 9, n), long[:n])


def test_the_same_bits_on_every_instruction_set(each_instruction_set):
    gains = [fm.Gain("relu", 6), fm.Gain("leaky_relu", 1), fm.Gain("rrelu", 3, keep_prob=0.7)]
    digests = set()
    for _ in each_instruction_set:
        pieces = [
            _core.random_normals(1, 2, 3, 4001),
            _core.random_float_normals(1, 2, 3, 4001),
            *[_core.QuantileTable(_core.GainLaw(*law_of(g))).variates(4, 5, 6, 999) for g in gains],
            *[
                fm.simulate_log_norms(gains, 0.5, None, 333, rng=8, method=method)
                for method in ("norm", "vector")
            ],
        ]
        digests.add(hashlib.sha256(b"".join(p.tobytes() for p in pieces)).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("draw", [_core.random_normals, _core.random_float_normals])
def test_normal_law(draw):
    n = 4_000_000
    z = draw(seed_of(11), Purpose.NORMAL, 0, n).astype(float)
    for power in range(1, 9):  # moments of a normal number, each within 5 standard errors
        exact = 0.0 if power % 2 else stats.norm.moment(power)
        spread = np.sqrt((stats.norm.moment(2 * power) - exact**2) / n)
        assert abs((z**power).mean() - exact) < 5 * spread
    assert stats.kstest(z, "norm").pvalue > 1e-6
    pairs = np.corrcoef(z[:-1], z[1:])[0, 1], np.corrcoef(z[:-8] ** 2, z[8:] ** 2)[0, 1]
    assert np.abs(pairs).max() < 5 / np.sqrt(n)


def test_normal_numbers_are_accurate():
    n = 4096
    u = _core.random_bits(3, Purpose.NORMAL, 1, n).reshape(-1, 2, 8)
    z = _core.random_normals(3, Purpose.NORMAL, 1, n).reshape(-1, 2, 8)
    radius, angle = u[:, 0].astype(object), u[:, 1].astype(object)
    with mpmath.workdps(30):
        for i, j in np.ndindex(radius.shape):
            r = mpmath.sqrt(-2 * mpmath.log((2 * radius[i, j] + 1) * mpmath.mpf(2) ** -65))
            f = mpmath.mpf(angle[i, j] >> 12) / 2**52 - mpmath.mpf(1) / 2
            sine, cosine = r * mpmath.sinpi(f / 2), r * mpmath.cospi(f / 2)
            cosine = -cosine if angle[i, j] & 1 else cosine
            pair = (sine, cosine) if angle[i, j] & 2 else (cosine, sine)
            for k in range(2):
                bound = abs(pair[k]) * (2**-50 + 2**-52 / r**2)
                assert abs(z[i, k, j] - pair[k]) <= bound


# Every kind of law, and the quantile function as the core computes it by Newton's method.
TABLE_GAINS = [
    fm.Gain("linear", 1),
    fm.Gain("relu", 2),
    fm.Gain("relu", 64),
    fm.Gain("relu", 1_000_000),
    fm.Gain("leaky_relu", 2),
    fm.Gain("rrelu", 16, keep_prob=0.5),
]


@pytest.mark.parametrize("gain", TABLE_GAINS, ids=repr)
def test_tables_invert_the_distribution(gain):
    table = gain_table(law_of(gain))
    rng = np.random.default_rng(5)
    u = rng.integers(0, 2**64, 60, dtype=np.uint64)
    tails = (2 ** rng.uniform(0, 63, 40)).astype(np.uint64)
    dead = int(gain.prob_zero() * 2**64)
    u = np.concatenate([u, tails, ~tails, np.array([dead, 2**64 - 1], dtype=np.uint64)])
    x = table.quantiles(u)
    assert np.array_equal(np.isnan(x), u < dead)
    u, x = u[u >= dead], x[u >= dead]
    alive = 1.0 - gain.prob_zero()
    below = np.array([(int(k) - dead + 0.5) / 2**64 / alive for k in u])
    above = np.array([(2**64 - int(k) - 0.5) / 2**64 / alive for k in u])
    law = _core.GainLaw(*law_of(gain))
    r = np.exp(gain.log_mean() + x)
    lower = below < 0.5
    # R as a double is known to 2^-53 relative: so much of its law
    rounding = 2.0**-51 * (1 + np.abs(np.log(r))) / np.sqrt(gain.log_var()) * (3 + np.abs(x))
    error = np.where(lower, law.cdf(r) / below, law.sf(r) / above) - 1
    slope = np.where(lower, -np.log(below), -np.log(above))
    assert np.all(np.abs(error) < 2e-12 + rounding * (1 + slope))


@pytest.mark.parametrize(
    "gain",
    [
        fm.Gain(fm.LeakyReLU(0.01), 3, keep_prob=0.5, weights="orthogonal"),
        fm.Gain(fm.LeakyReLU(1e-8), 4, keep_prob=0.9, weights="orthogonal"),
        fm.Gain(fm.RandomizedLeakyReLU(-0.2, 0.2), 2, weights="orthogonal"),
        fm.Gain("leaky_relu", 5, weights="orthogonal"),
    ],
    ids=repr,
)
def test_tables_of_laws_with_atoms_and_poles(gain):
    """The level lies between the law's values a little to the left and to the right."""
    table = gain_table(law_of(gain))
    rng = np.random.default_rng(6)
    tails = (2 ** rng.uniform(0, 62, 20)).astype(np.uint64)
    dead = int(gain.prob_zero() * 2**64)
    u = np.concatenate(
        [rng.integers(0, 2**64, 30, dtype=np.uint64), tails + np.uint64(dead), ~tails]
    )
    x = table.quantiles(u)
    u, x = u[u >= dead], x[u >= dead]
    law = _core.GainLaw(*law_of(gain))
    step = 1.1e-13 + 1e-14 * np.abs(x)  # nearer to an atom it is the atom
    left, right = (np.exp(gain.log_mean() + x + side * step) for side in (-1, 1))
    alive = 1.0 - gain.prob_zero()
    below = np.array([(int(k) - dead + 0.5) / 2**64 / alive for k in u])
    above = np.array([(2**64 - int(k) - 0.5) / 2**64 / alive for k in u])
    lower = below < 0.5
    assert np.all(law.cdf(left[lower]) <= below[lower] * (1 + 1e-12))
    assert np.all(law.cdf(right[lower]) >= below[lower] * (1 - 1e-12))
    assert np.all(law.sf(left[~lower]) >= above[~lower] * (1 - 1e-12))
    assert np.all(law.sf(right[~lower]) <= above[~lower] * (1 + 1e-12))


def test_samples_do_not_depend_on_threads_or_neighbours():
    gain = fm.Gain("relu", 8)
    long = fm.simulate_log_norms(gain, 0.4, 7, 200_000, rng=3, threads=1)
    for threads in (2, 5):
        again = fm.simulate_log_norms(gain, 0.4, 7, 200_000, rng=3, threads=threads)
        np.testing.assert_array_equal(again, long)
    np.testing.assert_array_equal(fm.simulate_log_norms(gain, 0.4, 7, 77, rng=3), long[:77])


NETWORKS = [
    ([fm.Gain("relu", 64)] * 5, 0.18),
    ([fm.Gain("relu", 3, keep_prob=0.8), fm.Gain("leaky_relu", 5)], [0.7, 0.4]),
    ([fm.Gain("rrelu", 5, keep_prob=0.9, inverted_dropout=False)] * 2, 0.5),
    ([fm.Gain("linear", 1)] * 3, 1.0),
]


@pytest.mark.parametrize("network", range(len(NETWORKS)))
def test_engines_agree_in_law(network):
    gains, sigma = NETWORKS[network]
    n = 200_000
    samples = [
        fm.simulate_log_norms(gains, sigma, None, n, rng=5 + network, method=method)
        for method in ("norm", "vector")
    ]
    dead = 1 - np.prod([1 - g.prob_zero() for g in gains])
    mean = sum(g.log_mean() for g in gains) + np.log(np.broadcast_to(sigma, len(gains))).sum()
    variance = sum(g.log_var() for g in gains)
    for y in samples:
        alive = y[np.isfinite(y)]
        assert abs((n - alive.size) - n * dead) < 5 * np.sqrt(n * dead + 1)
        assert abs(alive.mean() - mean) < 5 * np.sqrt(variance / alive.size)
        spread = np.std((alive - mean) ** 2) / np.sqrt(alive.size)
        assert abs(((alive - mean) ** 2).mean() - variance) < 5 * spread
    finite = [y[np.isfinite(y)] for y in samples]
    assert stats.ks_2samp(*finite).pvalue > 1e-6


def test_depth_is_not_limited_by_overflow():
    gain = fm.Gain("linear", 4)
    y = fm.simulate_log_norms(gain, 100.0, 100_000, 3, rng=1, method="vector")
    z = (y / 100_000 - np.log(100.0) - gain.log_mean()) / np.sqrt(gain.log_var() / 100_000)
    assert np.all(np.abs(z) < 5)


def test_empty_and_refused():
    gain = fm.Gain("relu", 8)
    assert fm.simulate_log_norms(gain, 1.0, 3, 0, rng=1).shape == (0,)
    for wrong, message in [
        ({"n_samples": -1}, "n_samples"),
        ({"method": "vectr"}, "vector"),
        ({"threads": 0}, "threads"),
    ]:
        arguments = {"gain": gain, "sigma": 1.0, "depth": 3, "n_samples": 5, **wrong}
        with pytest.raises(ValueError, match=message):
            fm.simulate_log_norms(**arguments)
    with pytest.raises(TypeError, match="rng"):
        fm.simulate_log_norms(gain, 1.0, 3, 5, rng="seed")


def test_a_million_layers():
    gain = fm.Gain("relu", 32)
    y = fm.simulate_log_norms(gain, 10.0, 10**6, 8, rng=1)
    z = (y - 10**6 * fm.drift(gain, 10.0)) / np.sqrt(10**6 * gain.log_var())
    assert np.all(np.abs(z) < 5)


def test_atoms_and_poles_inside_the_support():
    """Leaky units, orthogonal weights, dropout: R is the slope itself with a positive chance."""
    gain = fm.Gain(fm.LeakyReLU(0.01), 3, keep_prob=0.5, weights="orthogonal")
    n = 200_000
    samples = [
        fm.simulate_log_norms(gain, 1.0, 1, n, rng=31, method=method)
        for method in ("norm", "vector")
    ]
    for y in samples:
        for r, p in [(0.0, 2**-3), (0.02, 2**-6), (2.0, 2**-6)]:  # of none kept, all of one side
            share = (abs(np.exp(y) - r) <= 1e-12 * r).mean()
            assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / n)
    rounded = [np.round(y[np.isfinite(y)], 9) for y in samples]  # the atoms as ties
    assert stats.ks_2samp(*rounded).pvalue > 1e-6


def z_of_bins(counts, probability, total):
    """Return the z-scores of the bins where many are expected, and of their chi-square."""
    expected = total * probability
    usual = expected > 25
    z = (counts - expected)[usual] / np.sqrt(expected * (1 - probability))[usual]
    return z, ((z**2).sum() - z.size) / np.sqrt(2 * z.size)


def kolmogorov(counts, below, total):
    """Return the largest distance of the distributions at the edges, in Kolmogorov's units."""
    return np.abs(np.cumsum(counts) / total - below).max() * np.sqrt(total)


ORTHOGONAL_GAINS = [
    fm.Gain("relu", 8, weights="orthogonal"),
    fm.Gain(fm.LeakyReLU(0.3), 3, keep_prob=0.8, weights="orthogonal"),
]


@pytest.mark.slow
@pytest.mark.parametrize("gain", TABLE_GAINS + ORTHOGONAL_GAINS, ids=repr)
def test_a_hundred_million_gains(gain):
    """Counts in bins against the exact distribution function, tails included."""
    n = 10**8
    seed = [2024, gain.width]  # one seed would give all laws the same uniform numbers
    summary = fm.summarize_log_norms(gain, 1.0, 1, n, rng=seed)
    counts, edges = summary.histogram()
    counts, edges = np.add.reduceat(counts, np.arange(0, counts.size, 16)), edges[::16]
    law = _core.GainLaw(*law_of(gain))
    r = np.exp(edges[1 : counts.size + 1])
    upper = r > np.exp(gain.log_mean())
    below = np.where(upper, 1.0 - law.sf(r), law.cdf(r))
    z, chi_square = z_of_bins(counts[: r.size], np.diff(below, prepend=0.0), summary.alive)
    gap = kolmogorov(counts[: r.size], below, summary.alive)
    mean, variance = summary.mean.z(gain.log_mean()), summary.variance.z(gain.log_var())
    print(
        f"{gain!r}: z of mean {mean:+.2f}, variance {variance:+.2f}, chi-square {chi_square:+.2f},"
        f" worst bin {np.abs(z).max():.2f} of {z.size}, Kolmogorov {gap:.2f}"
    )
    assert abs(mean) < 5
    assert abs(variance) < 5
    assert np.abs(z).max() < 6.5  # fails by chance once in 10^7
    assert abs(chi_square) < 6
    assert stats.kstwobign.sf(gap) > 1e-7


DEEP = {
    "relu": ([fm.Gain("relu", 64)] * 20, 0.17),
    "mixed": ([fm.Gain("relu", 8), fm.Gain("rrelu", 5, keep_prob=0.9), fm.Gain("linear", 3)], 0.5),
    "leaky": ([fm.Gain("leaky_relu", 4)] * 10, 0.6),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["norm", "vector"])
@pytest.mark.parametrize("name", DEEP)
def test_a_hundred_million_networks(name, method):
    """The exact law at finite depth lies inside the confidence bands of the samples."""
    gains, sigma = DEEP[name]
    n = 10**8 if method == "norm" else 10**7
    summary = fm.summarize_log_norms(gains, sigma, None, n, rng=77, method=method)
    law = fm.DepthLaw(gains, sigma, None)
    counts, edges = summary.histogram()
    counts, edges = np.add.reduceat(counts, np.arange(0, counts.size, 16)), edges[::16]
    y = edges[1 : counts.size + 1]
    below = np.where(y > law.mean(), 1.0 - law.sf(y), law.cdf(y))
    z, chi_square = z_of_bins(counts[: y.size], np.diff(below, prepend=0.0), summary.alive)
    gap = kolmogorov(counts[: y.size], below, summary.alive)
    expected = n * law.prob_dead()
    dead = (summary.dead - expected) / np.sqrt(expected * (1 - law.prob_dead()) + 1)
    mean, variance = summary.mean.z(law.mean()), summary.variance.z(law.var())
    print(
        f"{name}, {method}: z of mean {mean:+.2f}, variance {variance:+.2f}, dead {dead:+.2f},"
        f" chi-square {chi_square:+.2f}, worst bin {np.abs(z).max():.2f} of {z.size},"
        f" Kolmogorov {gap:.2f}"
    )
    assert abs(mean) < 5
    assert abs(variance) < 5
    assert abs(dead) < 5
    assert np.abs(z).max() < 6.5
    assert abs(chi_square) < 6
    assert stats.kstwobign.sf(gap) > 1e-7  # the band of a probability of 1e-7
