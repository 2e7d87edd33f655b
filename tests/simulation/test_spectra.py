"""Spectra of products of random matrices: exact laws, known answers, every digit of small ones."""

import hashlib
from concurrent.futures import ProcessPoolExecutor

import mpmath
import numpy as np
import pytest

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.chains import gain_table, law_of
from fracmoment.simulation.streams import Purpose

SLOPE_BLOCKS, MASK_BLOCKS = 1 << 30, 1 << 31
DROPOUT_BLOCKS = MASK_BLOCKS + (1 << 20)
CHI, INDEPENDENT, FORWARD = 0, 1, 2
METHODS = ("chi", "qr")


# ---------------------------------------------------------------- the product, number by number


def words(seed, purpose, replica, layer, blocks):
    """The two 64-bit numbers of blocks, by the generator as its authors write it."""
    mask = np.uint64(0xFFFFFFFF)
    c = [
        np.asarray(blocks, dtype=np.uint64),
        np.full(len(blocks), layer, dtype=np.uint64),
        np.full(len(blocks), replica & 0xFFFFFFFF, dtype=np.uint64),
        np.full(len(blocks), (purpose << 24) | (replica >> 32), dtype=np.uint64),
    ]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        half = np.uint64(32)
        k0, k1 = np.uint64(key[0]), np.uint64(key[1])
        c = [(p1 >> half) ^ c[1] ^ k0, p1 & mask, (p0 >> half) ^ c[3] ^ k1, p0 & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    shift = np.uint64(32)
    return c[0] | (c[1] << shift), c[2] | (c[3] << shift)


def normals(address, rows, columns):
    """A matrix of normals by the transform of Box and Muller, two of a row from a block."""
    pairs = (columns + 1) // 2
    first, second = words(*address, np.arange(rows * pairs))
    radius = np.sqrt(-2 * np.log((first.astype(float) + 0.5) * 2.0**-64))
    angle = (second >> np.uint64(12)).astype(float) * 2.0**-52 - 0.5
    sine, cosine = radius * np.sin(np.pi / 2 * angle), radius * np.cos(np.pi / 2 * angle)
    cosine = np.where(second & np.uint64(1), -cosine, cosine)
    swap = (second & np.uint64(2)).astype(bool)
    z = np.stack([np.where(swap, sine, cosine), np.where(swap, cosine, sine)], axis=1)
    return z.reshape(rows, 2 * pairs)[:, :columns]


def positive_units(address, width):
    """Which units the fair coins put on their positive side."""
    first, second = words(*address, MASK_BLOCKS + np.arange(-(-width // 128)))
    bits = "".join(f"{int(w):064b}"[::-1] for pair in zip(first, second, strict=True) for w in pair)
    return np.array([bit == "1" for bit in bits[:width]])


def kept_units(address, width, keep_prob):
    """Which units dropout keeps."""
    pairs = words(*address, DROPOUT_BLOCKS + np.arange(-(-width // 2)))
    u = (np.stack(pairs, axis=1).ravel()[:width].astype(float) + 0.5) * 2.0**-64
    return u < keep_prob


def orthogonal(address, rows, columns):
    """A matrix of orthonormal columns, uniform, or the upper part of one."""
    q, r = np.linalg.qr(normals(address, max(rows, columns), columns))
    return (q * np.sign(np.diag(r)))[:rows]


def slopes(address, width, lower, upper):
    """The slopes of units on their negative side."""
    first, _ = words(*address, SLOPE_BLOCKS + np.arange(width))
    return (first.astype(float) + 0.5) * 2.0**-64 * (upper - lower) + lower


def product(widths, lower, upper, factors, keep_prob, haar, seed, replica):
    """The product of all factors in mpmath, at the working precision."""
    purpose, depth = int(Purpose.JACOBIAN), len(widths) - 1
    total = mpmath.eye(widths[0])
    signal = normals((seed, purpose, replica, depth), 1, widths[0])[0]
    for layer in range(depth):
        address = (seed, purpose, replica, layer)
        width = widths[layer + 1]
        w = (orthogonal if haar else normals)(address, width, widths[layer])
        negative = slopes(address, width, lower, upper)
        kept = kept_units(address, width, keep_prob)
        steep = lower == upper and abs(lower) > 1  # the steeper units have the first numbers
        if factors == FORWARD:
            z = w @ signal
            d = np.where(kept, np.where(z > 0, 1.0, negative), 0.0)
            first = np.flatnonzero(kept & ((z > 0) != steep))
            later = np.setdiff1d(np.flatnonzero(kept), first)
            order = np.concatenate([first, later[::-1], np.flatnonzero(~kept)[::-1]])
            w, d, z = w[order], d[order], z[order]
            signal = d * z / max(np.linalg.norm(d * z), 1e-300)
        else:
            linear = lower == upper == 1.0
            count = (kept & (linear | positive_units(address, width))).sum()
            ends = (lower, 1.0) if steep else (1.0, negative)
            d = np.where(np.arange(width) < count, *ends) * (np.arange(width) < kept.sum())
        factor = d[:, None] * w
        if factors == CHI:
            factor = bartlett(factor[:, : total.rows])
        total = mpmath.matrix(factor.tolist()) * total
    return total


def bartlett(y):
    """The triangular factor whose diagonal has the lengths of the columns of y from there on."""
    count = min(y.shape)
    r = np.triu(y[:count])
    r[np.arange(count), np.arange(count)] = [np.linalg.norm(y[j:, j]) for j in range(count)]
    return r


def check_replica(case, seed, replica, values):
    """Compare the logarithms of one replica with the singular values of its product."""
    widths, _, upper, *_ = case
    span = int((len(widths) - 1) * (4 - min(0, np.log10(abs(upper) or 1.0))))  # decades, at most
    with mpmath.workdps(60 + span):
        exact = product(*case, seed, replica)
        singular = sorted(mpmath.svd_r(exact, compute_uv=False), reverse=True)
        singular = singular[: len(values)]
        negligible = (singular[0] or 1) * mpmath.mpf(10) ** (-30 - span)
        rank = sum(s > negligible for s in singular)
        expected = [float(mpmath.log(s)) for s in singular[:rank]]
    found = -np.sort(-values)
    assert np.all(np.isneginf(found[rank:]))
    np.testing.assert_allclose(found[:rank], expected, rtol=0, atol=1e-9)


CASES = [
    ([5] * 21, 1.0, 1.0, CHI, 1.0, False),
    ([12] * 21, 0.0, 0.0, CHI, 1.0, False),
    ([4, 9, 5, 12, 6], 0.0, 0.0, CHI, 1.0, False),
    ([4] * 201, 1.0, 1.0, INDEPENDENT, 1.0, False),
    ([12] * 21, 0.0, 0.0, INDEPENDENT, 1.0, False),
    ([6, 4, 11, 3, 8], 1.0, 1.0, INDEPENDENT, 1.0, False),
    ([6] * 21, 1e-8, 1e-8, INDEPENDENT, 1.0, False),
    ([6] * 21, -30.0, -30.0, INDEPENDENT, 1.0, False),
    ([7] * 21, 0.1, 0.4, INDEPENDENT, 1.0, False),
    ([12] * 16, 0.0, 0.0, FORWARD, 1.0, False),
    ([7, 3, 9, 5], 0.2, 0.2, FORWARD, 1.0, False),
    ([6] * 21, 1e-8, 1e-8, FORWARD, 1.0, False),
    ([6] * 21, 5.0, 5.0, FORWARD, 1.0, False),
    ([5] * 21, 0.1, 0.4, FORWARD, 1.0, False),
    ([9] * 6, 1.0, 1.0, CHI, 0.9, False),
    ([9] * 6, 0.0, 0.0, CHI, 0.8, False),
    ([9] * 11, 1.0, 1.0, INDEPENDENT, 0.9, False),
    ([131, 70, 9], 0.0, 0.0, INDEPENDENT, 0.9, False),
    ([6] * 11, 0.2, 0.2, INDEPENDENT, 0.8, False),
    ([7] * 6, 0.1, 0.4, FORWARD, 0.7, False),
    ([6] * 6, 5.0, 5.0, FORWARD, 0.8, False),
    ([10] * 6, 0.0, 0.0, FORWARD, 0.9, True),
    ([5] * 11, 0.3, 0.3, FORWARD, 1.0, True),
    ([10] * 6, 0.0, 0.0, INDEPENDENT, 1.0, True),
    ([3, 7, 7, 4, 6], 0.1, 0.4, INDEPENDENT, 1.0, True),
    ([4, 7, 3, 6], 1.0, 1.0, INDEPENDENT, 1.0, True),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_singular_value_of_small_products(case):
    widths, *rest = CASES[case]
    values = _core.product_singular_values(
        np.array(widths), *rest, 77, Purpose.JACOBIAN, 2**33 + 5, 9
    )
    for i in (0, 8):
        check_replica(CASES[case], 77, 2**33 + 5 + i, values[i])


def test_both_ends_of_the_spectrum_at_width_64():
    """The norms of P and of its inverse, and the determinant, factor by factor."""
    d, depth, seed, replica = 64, 20, 78, 4
    values = _core.product_singular_values(
        np.full(depth + 1, d), 1.0, 1.0, INDEPENDENT, 1.0, False, seed, Purpose.JACOBIAN, replica, 1
    )
    found = -np.sort(-values[0])
    product, inverse, log_det = np.eye(d), np.eye(d), 0.0
    for layer in range(depth):
        w = normals((seed, int(Purpose.JACOBIAN), replica, layer), d, d)
        product, inverse = w @ product, inverse @ np.linalg.inv(w)
        log_det += np.linalg.slogdet(w)[1]
    assert abs(found[0] - np.log(np.linalg.norm(product, 2))) < 1e-10
    assert abs(found[-1] + np.log(np.linalg.norm(inverse, 2))) < 1e-10
    assert abs(found.sum() - log_det) < 1e-9
    assert found[0] - found[-1] > 40  # LAPACK on the product would lose the last ones


# ---------------------------------------------------------------- exact laws


def test_the_exact_spectrum():
    d, sigma = 7, 0.3
    spectrum = fm.lyapunov_spectrum(d, sigma)
    with mpmath.workdps(30):
        exact = [
            mpmath.log(mpmath.mpf(sigma))
            + (mpmath.psi(0, mpmath.mpf(d - i) / 2) + mpmath.log(2)) / 2
            for i in range(d)
        ]
        variances = [mpmath.psi(1, mpmath.mpf(d - i) / 2) / 4 for i in range(d)]
    np.testing.assert_allclose(spectrum, [float(x) for x in exact], rtol=0, atol=2.5 * 2.0**-52)
    np.testing.assert_allclose(
        fm.lyapunov_variances(d), [float(x) for x in variances], rtol=2.5e-16, atol=0
    )
    for digits in (30, 200):
        long = fm.lyapunov_spectrum(d, sigma, digits=digits)
        with mpmath.workdps(digits + 10):
            for i in range(d):
                mean = (mpmath.psi(0, mpmath.mpf(d - i) / 2) + mpmath.log(2)) / 2
                truth = mpmath.log(mpmath.mpf(sigma)) + mean
                assert abs(long[i] - truth) <= abs(truth) * mpmath.mpf(10) ** -digits
    assert fm.lyapunov_spectrum(d, [0.5, 1.0, 2.0]).shape == (3, d)
    # Stirling's series of psi, next term of the order of width^-4
    assert abs(fm.lyapunov_spectrum(10_000, 0.01)[0] + 0.5e-4 + 1e-8 / 6) < 1e-14


def test_digits_survive_cancellation():
    with mpmath.workdps(60):
        sigma = mpmath.exp(-(mpmath.psi(0, 2) + mpmath.log(2)) / 2)  # zero drift, to 60 digits
    value = fm.lyapunov_spectrum(4, sigma, digits=20)[0]
    with mpmath.workdps(120):
        truth = mpmath.log(sigma) + (mpmath.psi(0, mpmath.mpf(2)) + mpmath.log(2)) / 2
        assert abs(truth) < mpmath.mpf(10) ** -55
        assert abs(value / truth - 1) < mpmath.mpf(10) ** -20


def z_of(sample, mean, variance=None):
    spread = sample.var(axis=0) if variance is None else variance
    return (sample.mean(axis=0) - mean) / np.sqrt(spread / len(sample))


@pytest.mark.parametrize("width", [1, 2, 7, 64, 1000])
def test_tables_of_chi_variates(width):
    """Incomplete gamma functions, and the contour integrals that serve every gain."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**64, 500, dtype=np.uint64)
    bits = np.concatenate([bits, (2 ** rng.uniform(0, 63, 100)).astype(np.uint64)])
    bits = np.concatenate([bits, ~bits, np.array([0, 2**64 - 1], dtype=np.uint64)])
    gain = fm.Gain("linear", width)
    chi, contours = (
        table.quantiles(bits)
        for table in (_core.QuantileTable.chi(width), gain_table(law_of(gain)))
    )
    np.testing.assert_allclose(chi, contours, rtol=0, atol=1e-12 * np.sqrt(gain.log_var()))


@pytest.mark.parametrize("method", ["chi", "qr"])
def test_linear_exponents_have_their_exact_law(method):
    d, depth, n = 6, 5, 20_000
    x = fm.simulate_lyapunov_spectrum(d, 0.7, depth, n, rng=3, method=method)
    mean, variance = fm.lyapunov_spectrum(d, 0.7), fm.lyapunov_variances(d) / depth
    assert np.abs(z_of(x, mean, variance)).max() < 5
    assert np.abs(z_of((x - mean) ** 2, variance)).max() < 5
    correlation = np.corrcoef(x.T)[np.triu_indices(d, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(n)


@pytest.mark.parametrize("method", ["chi", "qr"])
def test_relu_exponents_of_one_layer(method):
    d, n = 5, 40_000
    x = fm.simulate_lyapunov_spectrum(d, 1.0, 1, n, rng=4, activation="relu", method=method)
    live = np.isfinite(x).sum(axis=1)
    counts = np.bincount(live, minlength=d + 1)
    expected = n * np.array([1, 5, 10, 10, 5, 1]) / 32
    assert np.abs((counts - expected) / np.sqrt(expected)).max() < 5
    for count in range(1, d + 1):
        part = x[live == count][:, :count]
        exact, variance = fm.lyapunov_spectrum(count, 1.0), fm.lyapunov_variances(count)
        assert np.abs(z_of(part, exact, variance)).max() < 5


def moments_of_trace(d, q, sigma, depth):
    """E tr S, E tr S^2 and E (tr S)^2 of S = J J^T with Bernoulli(q) masks, by recursion [HN20]."""
    n1, n2 = d * q, d * q * (1 - q) + (d * q) ** 2
    first, second, squared = float(d), float(d), float(d) ** 2  # S = I
    for _ in range(depth):
        first = sigma**2 * n1 * first
        second, squared = (
            sigma**4 * (n1 * squared + (n2 + n1) * second),
            sigma**4 * (n2 * squared + 2 * n1 * second),
        )
    return first, second, squared


@pytest.mark.parametrize(("activation", "q"), [("linear", 1.0), ("relu", 0.5)])
@pytest.mark.parametrize(
    ("masks", "method"), [("independent", "chi"), ("independent", "qr"), ("forward", "qr")]
)
def test_traces_of_jacobians(activation, q, masks, method):
    d, depth, n = 8, 3, 20_000
    x = fm.simulate_jacobian(
        d, 0.4, depth, n, activation=activation, masks=masks, method=method, rng=5
    )
    s = np.exp(2 * x)
    first, second, squared = moments_of_trace(d, q, 0.4, depth)
    trace = s.sum(axis=1)
    for sample, exact in ((trace, first), ((s**2).sum(axis=1), second), (trace**2, squared)):
        assert abs(z_of(sample, exact)) < 5


@pytest.mark.parametrize("method", ["chi", "qr"])
def test_determinants(method):
    """The sum of the logarithms is log |det|, a sum of independent log chi variates."""
    d, depth, n = 9, 4, 20_000
    x = fm.simulate_jacobian(d, 0.4, depth, n, activation="linear", method=method, rng=6)
    total = x.sum(axis=1)
    mean = depth * fm.lyapunov_spectrum(d, 0.4).sum()
    variance = depth * fm.lyapunov_variances(d).sum()
    assert abs(z_of(total, mean, variance)) < 5
    assert abs(z_of((total - mean) ** 2, variance)) < 5


@pytest.mark.parametrize(
    ("activation", "options"),
    [
        ("relu", {}),
        (fm.LeakyReLU(0.3), {}),
        ("rrelu", {}),
        ("relu", {"weights": "orthogonal"}),
        ("rrelu", {"weights": "orthogonal", "keep_prob": 0.8}),
        ("relu", {"keep_prob": 0.7}),
    ],
)
def test_forward_and_independent_masks_agree_in_law(activation, options):
    n = 10_000
    widths = [4, 6, 5]
    one, other = (
        fm.simulate_jacobian(
            widths, 1.0, None, n, activation=activation, masks=masks, method="qr", rng=7, **options
        )
        for masks in ("forward", "independent")
    )
    for statistic in (lambda x: np.exp(x[:, 0]), lambda x: np.exp(2 * x).sum(axis=1)):
        a, b = statistic(one), statistic(other)
        assert abs(a.mean() - b.mean()) < 5 * np.sqrt((a.var() + b.var()) / n)
    ranks = [np.bincount(np.isfinite(x).sum(axis=1), minlength=5) for x in (one, other)]
    total = ranks[0] + ranks[1]
    z = (ranks[0] - ranks[1])[total > 0] / np.sqrt(total[total > 0])
    assert np.abs(z).max() < 5


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("masks", ["independent", "forward"])
def test_norms_with_dropout(weights, masks):
    """E tr S after dropout: |J u|/|u| is the product of the gains of the layers."""
    widths, sigma, n = [4, 7, 9], [0.8, 0.5], 20_000
    x = fm.simulate_jacobian(
        widths, sigma, None, n, activation=fm.LeakyReLU(0.4), weights=weights, keep_prob=0.6,
        masks=masks, rng=12,
    )  # fmt: skip
    gains = [
        fm.Gain(fm.LeakyReLU(0.4), width, keep_prob=0.6, weights=weights) for width in widths[1:]
    ]
    exact = 4 * np.prod([s**2 * gain.moment(2) for s, gain in zip(sigma, gains, strict=True)])
    assert abs(z_of(np.exp(2 * x).sum(axis=1), exact)) < 5
    plain = fm.simulate_jacobian(
        widths, sigma, None, 3, activation=fm.LeakyReLU(0.4), weights=weights, keep_prob=0.6,
        masks=masks, inverted_dropout=False, rng=12,
    )  # fmt: skip
    np.testing.assert_allclose(plain, x[:3] + 2 * np.log(0.6), rtol=0, atol=1e-13)


def test_orthogonal_linear_networks_are_isometries():
    for widths in ([5, 5, 5], [3, 4, 8], [8, 5, 5, 2]):
        x = fm.simulate_jacobian(
            widths, 2.0, None, 4, activation="linear", weights="orthogonal", rng=1
        )
        np.testing.assert_array_equal(x, (len(widths) - 1) * np.log(2.0))
        assert x.shape == (4, min(widths[0], widths[-1]))


def looks_linear_jacobian(rng, widths, slope):
    """The Jacobian of one network, and the product of its submatrices."""
    x, jacobian, half = rng.standard_normal(widths[0]), np.eye(widths[0]), np.eye(widths[0])
    for layer, width in enumerate(widths[1:]):
        inputs = widths[layer] // (2 if layer else 1)
        w = rng.standard_normal((width // 2, inputs))
        half = w @ half
        block = np.hstack([w, -w]) if layer else w
        h = np.vstack([block, -block]) @ x
        slopes = np.where(h > 0, 1.0, slope)
        jacobian = slopes[:, None] * (np.vstack([block, -block]) @ jacobian)
        x = slopes * h
    return jacobian, half


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_looks_linear_weights(slope):
    """The network is the linear one of half the width, to the factor that the simulation uses."""
    widths = [5, 6, 8, 4]
    options = {"rng": 13, "method": "qr"}
    x = fm.simulate_jacobian(
        widths, 0.7, None, 50, activation=fm.LeakyReLU(slope), looks_linear=True, **options
    )
    half = fm.simulate_jacobian([5, 3, 4, 2], 0.7, None, 50, activation="linear", **options)
    factor = 2 * np.log1p(slope) + 0.5 * np.log1p(slope**2)
    assert np.all(np.isneginf(x[:, 2:]))
    np.testing.assert_allclose(x[:, :2], half + factor, rtol=0, atol=1e-13)
    jacobian, product = looks_linear_jacobian(np.random.default_rng(1), widths, slope)
    ours, linear = (np.linalg.svd(m, compute_uv=False)[:2] for m in (jacobian, product))
    np.testing.assert_allclose(ours, linear * np.exp(factor), rtol=1e-12)


def test_looks_linear_orthogonal_weights_are_isometries():
    x = fm.simulate_jacobian(8, 1.0, 50, 3, weights="orthogonal", looks_linear=True, rng=1)
    assert np.all(np.isneginf(x[:, 4:]))
    np.testing.assert_array_equal(x[:, :4], 0.0)  # [W; -W] doubles the norm, ReLU halves it
    dropped = fm.simulate_jacobian(8, 1.0, 3, 2000, keep_prob=0.5, looks_linear=True, rng=2)
    linear = fm.simulate_jacobian(
        [8, 4, 4, 4], 1.0, None, 2000, activation="linear", keep_prob=0.5, rng=2
    )
    np.testing.assert_array_equal(dropped[:, :4], linear)


# ---------------------------------------------------------------- range, bits, bad input


def test_a_range_beyond_doubles():
    depth = 3000
    x = fm.simulate_jacobian(4, 5.0, depth, 16, activation="linear", rng=8)
    assert x[0, 0] - x[0, -1] > 3000
    z = (x / depth - fm.lyapunov_spectrum(4, 5.0)) / np.sqrt(fm.lyapunov_variances(4) / depth)
    assert np.abs(z).max() < 5  # a bias of order 1/depth remains


KNOWN = "cf1dff94c81ff25d32e453b04162d0b34a925bfcd61f5a4e36c86c71b24acaf9"


def spectra():
    options = {"rng": 9, "threads": 1}
    return [
        fm.simulate_lyapunov_spectrum(5, 1.0, 7, 13, **options),
        fm.simulate_lyapunov_spectrum(5, 1.0, 7, 13, method="qr", **options),
        fm.simulate_lyapunov_spectrum(9, 1.0, 2, 13, activation="relu", **options),
        fm.simulate_lyapunov_spectrum(9, 1.0, 3, 13, activation="rrelu", **options),
        fm.simulate_jacobian(5, 1.0, 30, 13, activation="linear", **options),
        fm.simulate_jacobian(9, 1.0, 5, 13, **options),
        fm.simulate_jacobian([9, 4, 6], 1.0, None, 13, masks="forward", **options),
        fm.simulate_jacobian([3, 4, 6], 1.0, None, 13, activation="leaky_relu", **options),
    ]


def masked_spectra():
    options = {"rng": 9, "threads": 1}
    return [
        *[fm.simulate_jacobian(9, 1.0, 4, 130, method=method, **options) for method in METHODS],
        fm.simulate_jacobian(9, 1.0, 4, 130, masks="forward", **options),
        fm.simulate_jacobian(9, 1.0, 4, 13, keep_prob=0.8, **options),
        fm.simulate_jacobian([9, 4, 6], 1.0, None, 13, weights="orthogonal", **options),
        fm.simulate_jacobian(
            6, 1.0, 3, 13, activation="rrelu", weights="orthogonal", keep_prob=0.7,
            masks="forward", **options,
        ),
    ]  # fmt: skip


KNOWN_MASKED = "553f5ad5b222722c2ef81495cb227871729a4f585019072fe196a08ed9afc6b7"


@pytest.mark.parametrize(("draw", "known"), [(spectra, KNOWN), (masked_spectra, KNOWN_MASKED)])
def test_the_same_bits_on_every_instruction_set(draw, known, each_instruction_set):
    digests = set()
    for _ in each_instruction_set:
        digests.add(hashlib.sha256(b"".join(x.tobytes() for x in draw())).hexdigest())
    assert digests == {known}


def test_long_runs(tmp_path):
    """Processes, and a run that stops and goes on: the same bits."""

    def stop(done, _total):
        if done:
            raise InterruptedError

    for i, (simulate, options) in enumerate(
        [
            (fm.simulate_jacobian, {"weights": "orthogonal", "keep_prob": 0.9}),
            (fm.simulate_lyapunov_spectrum, {"activation": "relu"}),
            (fm.simulate_lyapunov_spectrum, {}),
        ]
    ):
        arguments = (5, 1.0, 4, 10_000)
        whole = simulate(*arguments, rng=14, **options)
        with ProcessPoolExecutor(2) as executor:
            again = simulate(*arguments, rng=14, executor=executor, **options)
        np.testing.assert_array_equal(again, whole)
        file = tmp_path / str(i)
        with pytest.raises(InterruptedError):
            simulate(*arguments, rng=14, checkpoint=file, progress=stop, threads=1, **options)
        done = []
        again = simulate(
            *arguments, checkpoint=file, progress=lambda d, _, done=done: done.append(d), **options
        )
        assert 0 < done[0] < 10_000  # the seed and the first rows are those of the file
        np.testing.assert_array_equal(again, whole)
        with pytest.raises(fm.CheckpointError):
            simulate(5, 1.0, 3, 10_000, rng=14, checkpoint=file, **options)


def test_samples_do_not_depend_on_threads_or_neighbours():
    for simulate, options in [
        (fm.simulate_jacobian, {"masks": "forward"}),
        (fm.simulate_jacobian, {}),
        (fm.simulate_lyapunov_spectrum, {"activation": "relu"}),
        (fm.simulate_lyapunov_spectrum, {}),
    ]:
        long = simulate(6, 1.0, 3, 100, rng=10, threads=1, **options)
        for threads in (2, 5):
            np.testing.assert_array_equal(
                simulate(6, 1.0, 3, 100, rng=10, threads=threads, **options), long
            )
        np.testing.assert_array_equal(simulate(6, 1.0, 3, 3, rng=10, **options), long[:3])
        assert simulate(6, 1.0, 3, 0, rng=10, **options).shape == (0, 6)


def test_ranks_are_those_of_the_masks():
    x = fm.simulate_jacobian(10, 1.0, 6, 500, rng=11)
    y = fm.simulate_jacobian(10, 1.0, 6, 500, method="qr", rng=11)
    np.testing.assert_array_equal(np.isfinite(x), np.isfinite(y))  # the same masks
    narrow = fm.simulate_jacobian([10, 3, 10], 1.0, None, 50, activation="linear", rng=11)
    assert np.all(np.isfinite(narrow).sum(axis=1) == 3)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"width": 0}, ValueError, "width"),
        ({"width": 2000}, ValueError, "width"),
        ({"width": [3]}, ValueError, "width"),
        ({"width": [3, 4], "depth": 7}, ValueError, "depth"),
        ({"sigma": -1.0}, ValueError, "sigma"),
        ({"sigma": [1.0, 2.0]}, ValueError, "sigma"),
        ({"depth": 0}, ValueError, "depth"),
        ({"n_samples": -1}, ValueError, "n_samples"),
        ({"masks": "backward"}, ValueError, "masks"),
        ({"method": "svd"}, ValueError, "method"),
        ({"method": "chi", "masks": "forward"}, ValueError, "qr"),
        ({"method": "chi", "activation": "leaky_relu"}, ValueError, "qr"),
        ({"activation": fm.LeakyReLU([0.1, 0.2])}, ValueError, "activation"),
        ({"weights": "uniform"}, ValueError, "weights"),
        ({"weights": "orthogonal", "method": "chi"}, ValueError, "qr"),
        ({"keep_prob": 0.0}, ValueError, "keep_prob"),
        ({"looks_linear": True, "width": 3}, ValueError, "even"),
        ({"looks_linear": True, "activation": "rrelu"}, ValueError, "fixed slope"),
        (
            {"looks_linear": True, "activation": "leaky_relu", "keep_prob": 0.5},
            ValueError,
            "needs ReLU",
        ),
        ({"threads": 0}, ValueError, "threads"),
        ({"executor": 3}, TypeError, "executor"),
        ({"rng": "seed"}, TypeError, "rng"),
    ],
)
def test_bad_input(wrong, error, message):
    arguments = {"width": 4, "sigma": 1.0, "depth": 3, "n_samples": 2, **wrong}
    with pytest.raises(error, match=message):
        fm.simulate_jacobian(**arguments)
