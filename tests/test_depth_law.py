"""The law of the log-norm at finite depth."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

import fracmoment as fm
from fracmoment import _core
from tests.reference.make_depth_law import NETWORKS
from tests.reference.make_depth_quantiles import NETWORKS as QUANTILE_NETWORKS
from tests.reference.tables import by_network

MOST_ULP = 1000.0  # of quantiles: 1e-13; measured 415, an error of 3e-12 of a tail of 1e-30
ACTIVATIONS = [fm.Linear(), fm.ReLU(), fm.LeakyReLU(0.2), fm.RandomizedLeakyReLU()]


def reference_law(network):
    kinds = {"linear": fm.Linear(), "relu": fm.ReLU()}
    gains, sigmas = [], []
    for (kind, slope, keep, width), count, sigma in network:
        activation = kinds.get(kind) or fm.LeakyReLU(slope)
        gain = fm.Gain(activation, width, keep_prob=keep, inverted_dropout=False)
        if len(network) == 1:
            return fm.DepthLaw(gain, sigma, count)
        gains += [gain] * count
        sigmas += [sigma] * count
    return fm.DepthLaw(gains, sigmas)


@pytest.mark.parametrize(("name", "points"), by_network("depth_law").items())
def test_tails_densities_and_quantiles_against_40_digits(name, points):
    law = reference_law(NETWORKS[name])
    with mpmath.workdps(40):
        for row in points:
            y, upper = float(row["y"]), row["upper"] == "1"
            tail, density = mpmath.mpf(row["tail"]), mpmath.mpf(row["density"])
            found = law.sf(y) if upper else law.cdf(y)
            assert abs(found / tail - 1) < 1e-8
            assert abs(found - tail) < 1e-12
            logarithm = law.logsf(y) if upper else law.logcdf(y)
            assert abs(logarithm - mpmath.log(tail)) < 1e-8
            assert abs(law.pdf(y) / density - 1) < 1e-8
            back = law.isf(float(tail)) if upper else law.ppf(float(tail))
            # an error of 1e-8 of the tail, as a distance
            assert abs(back - y) < 1e-8 * tail / density + 1e-13 * abs(y)


@pytest.mark.parametrize(("name", "points"), by_network("depth_quantiles").items())
def test_quantiles_against_40_digits(name, points):
    law = reference_law(QUANTILE_NETWORKS[name])
    for row in points:
        level = float(row["level"])
        found = law.isf(level) if row["upper"] == "1" else law.ppf(level)
        with mpmath.workdps(40):
            exact = mpmath.mpf(row["quantile"])
            # units in the last place of the quantile or of the mean, between which it was found
            unit = math.ulp(max(abs(float(exact)), abs(law.mean()), law.std()))
            assert abs(found - exact) <= MOST_ULP * unit


def test_tails_that_are_out_of_reach_are_refused():
    law = fm.DepthLaw([fm.Gain("linear", 8), fm.Gain("relu", 3, keep_prob=0.5)], 1.0)
    y = law.ppf(1e-200)
    assert law.logcdf(y) == pytest.approx(math.log(1e-200), rel=1e-12)
    with pytest.raises(fm.ConvergenceError, match="out of reach"):
        law.ppf(1e-300)
    with pytest.raises(fm.ConvergenceError, match="out of reach"):
        law.logcdf(y - 300.0)
    assert law.cdf(y - 300.0) < 1e-240


widths = st.sampled_from([1, 2, 3, 8, 50, 1000, 10**6])


@settings(max_examples=25)
@given(st.sampled_from(ACTIVATIONS), widths, st.sampled_from([1.0, 0.9, 0.4]), st.data())
def test_one_layer_is_its_gain(activation, width, keep, data):
    gain = fm.Gain(activation, width, keep_prob=keep)
    law = fm.DepthLaw(gain, 1.0, 1)
    level = 10.0 ** data.draw(st.floats(-60, -0.3))
    r = gain.ppf(level, given_alive=True)
    assume(r > 1e-150)
    # y is rounded: an error of half an ulp of it, times the slope of the logarithm
    y = math.log(r)
    given = gain.cdf(r, given_alive=True)
    slope = gain.pdf(r) / gain.sf(0.0) * r / given
    assert law.cdf(y) == pytest.approx(given, rel=1e-9 + 1e-15 * slope * (1 + abs(y)), abs=0)
    assert law.pdf(y) == pytest.approx(given * slope, rel=1e-8 + 1e-15 * slope * (1 + abs(y)))


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.sampled_from(ACTIVATIONS), widths), min_size=1, max_size=4),
    st.floats(0.01, 100.0),
    st.sampled_from([1.0, 0.7]),
)
def test_distribution_functions_are_consistent(layers, sigma, keep):
    gains = [fm.Gain(activation, width, keep_prob=keep) for activation, width in layers]
    law = fm.DepthLaw(gains, sigma)
    y = law.mean() + law.std() * np.linspace(-12.0, 12.0, 49)
    cdf, sf, pdf = law.cdf(y), law.sf(y), law.pdf(y)
    assert np.all(np.diff(cdf) >= -1e-15)
    assert np.all(np.diff(np.log(np.maximum(cdf[:24], 1e-290))) >= 0)
    assert np.all(np.diff(np.log(np.maximum(sf[25:], 1e-290))) <= 0)
    assert np.all(pdf >= 0)
    np.testing.assert_allclose(cdf + sf, 1.0, rtol=0, atol=2e-15)
    for tail, below, quantile in ((cdf, y < law.mean(), law.ppf), (sf, y > law.mean(), law.isf)):
        seen = below & (tail > 1e-200)
        error = 1e-9 * tail[seen] / pdf[seen] + 1e-14 * np.abs(y[seen])
        assert np.all(np.abs(quantile(tail[seen]) - y[seen]) <= error)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize(("width", "depth"), [(2, 3), (30, 40)])
def test_moments_are_those_of_the_density(activation, width, depth):
    gain = fm.Gain(activation, width)
    law = fm.DepthLaw(gain, gain.scale(1), depth)
    low, high = law.ppf(1e-17), law.isf(1e-17)
    y = np.linspace(low, high, 4001)
    f = law.pdf(y)

    def mean(values):
        return integrate.trapezoid(values * f, y)

    assert mean(np.ones_like(y)) == pytest.approx(1.0, abs=1e-10)
    assert mean(y) == pytest.approx(law.mean(), abs=1e-9)
    centred = y - law.mean()
    assert mean(centred**2) == pytest.approx(law.var(), rel=1e-9)
    assert mean(centred**3) == pytest.approx(law.skewness() * law.std() ** 3, rel=1e-7)
    excess = mean(centred**4) - 3 * law.var() ** 2
    assert excess == pytest.approx(law.kurtosis() * law.var() ** 2, rel=1e-6, abs=1e-8)
    assert mean(np.exp(0.5 * y)) == pytest.approx(law.moment(0.5, given_alive=True), rel=1e-9)
    t = 0.7 / law.std()
    expected = mean(np.cos(t * y)) + 1j * mean(np.sin(t * y))
    assert law.characteristic_function(t) == pytest.approx(expected, abs=1e-9)
    assert law.moment(1j * t, given_alive=True) == pytest.approx(expected, abs=1e-9)


def test_simulated_networks_have_this_law():
    # 5 networks, 7 points: z above 4.5 once in 4,000 seeds
    networks = [
        ([fm.Gain("rrelu", 5, keep_prob=0.8), fm.Gain("leaky_relu", 3)] * 4, 0.6, None),
        (fm.Gain(fm.RandomizedLeakyReLU(-0.3, 0.4), 6), 0.8, 12),
        (fm.Gain("relu", 10, keep_prob=0.5), 0.5, 6),
        (fm.Gain("relu", 96, weights="orthogonal"), 1.4, 25),
        ([fm.Gain("linear", 7), fm.Gain("relu", 300), fm.Gain("linear", 1)], [0.3, 0.1, 1.0], None),
    ]
    n = 200_000
    for seed, (gain, sigma, depth) in enumerate(networks):
        law = fm.DepthLaw(gain, sigma, depth)
        sample = fm.simulate_log_norms(gain, sigma, depth, n, rng=seed)
        dead = np.isneginf(sample).sum()
        p = law.prob_dead()
        assert abs(dead - n * p) <= 4.5 * math.sqrt(n * p * (1 - p)) + 1e-9
        alive = np.sort(sample[np.isfinite(sample)])
        for level in (1e-3, 0.02, 0.2, 0.5, 0.8, 0.98, 0.999):
            below = np.searchsorted(alive, law.ppf(level), side="right")
            z = (below - len(alive) * level) / math.sqrt(len(alive) * level * (1 - level))
            assert abs(z) < 4.5


def test_samples_by_inversion():
    gain = fm.Gain("relu", 4)
    law = fm.DepthLaw(gain, gain.scale(1), 10)
    sample = law.rvs(20_000, rng=5)
    dead = np.isneginf(sample)
    p = law.prob_dead()
    assert abs(dead.sum() - 20_000 * p) < 4.5 * math.sqrt(20_000 * p * (1 - p))
    assert stats.kstest(law.cdf(sample[~dead]), "uniform").pvalue > 1e-4
    np.testing.assert_array_equal(law.rvs((2, 3), rng=1), law.rvs((2, 3), rng=1))
    assert isinstance(law.rvs(rng=1), float)


def test_wide_layers_tend_to_the_normal_law():
    # The skewness of a layer falls with the square root of its width.
    distances = []
    for width in (10**2, 10**4, 10**6):
        gain = fm.Gain("relu", width)
        law = fm.DepthLaw(gain, gain.scale(2), 3)
        y = law.mean() + law.std() * np.linspace(-3, 3, 25)
        distances.append(np.max(np.abs(law.cdf(y) - law.clt().cdf(y))))
    ratios = np.array(distances[:-1]) / distances[1:]
    np.testing.assert_allclose(ratios, 10.0, rtol=0.1)


@settings(max_examples=20)
@given(
    st.sampled_from(ACTIVATIONS), st.sampled_from([1, 2, 7, 64, 1000]), st.sampled_from([1, 3, 50])
)
def test_berry_esseen_holds(activation, width, depth):
    gain = fm.Gain(activation, width)
    law = fm.DepthLaw(gain, 0.7, depth)
    y = law.mean() + law.std() * np.linspace(-6, 6, 121)
    assert np.max(np.abs(law.cdf(y) - law.clt().cdf(y))) <= law.berry_esseen()


def test_expansions_and_saddle_points_come_nearer_than_the_normal_law():
    gain = fm.Gain("relu", 16)
    law = fm.DepthLaw(gain, gain.scale(2), 40)
    y = law.mean() + law.std() * np.linspace(-2.5, 2.5, 21)
    exact = law.cdf(y)
    normal = np.max(np.abs(law.clt().cdf(y) - exact))
    first = np.max(np.abs(law.edgeworth(1).cdf(y) - exact))
    second = np.max(np.abs(law.edgeworth().cdf(y) - exact))
    assert 2 * second < first
    assert 5 * first < normal
    np.testing.assert_allclose(law.edgeworth().sf(y), 1 - law.edgeworth().cdf(y), atol=1e-15)
    slope = (law.edgeworth().cdf(y + 1e-5) - law.edgeworth().cdf(y - 1e-5)) / 2e-5
    np.testing.assert_allclose(law.edgeworth().pdf(y), slope, rtol=1e-6)
    far = law.mean() + law.std() * np.array([-1.0, 0.0, 1e-5, 3.0, 8.0, 12.0])
    np.testing.assert_allclose(law.saddlepoint(far), law.sf(far), rtol=0.01)
    assert math.isnan(law.saddlepoint(law.mean() + 1e6))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_rates_are_legendre_transforms_and_bounds(activation):
    gain = fm.Gain(activation, 6)
    law = fm.DepthLaw(gain, gain.scale(2), 30)
    drift = law.mean() / 30
    for c in (drift - 0.2, drift + 0.02, drift + 0.2):
        best = optimize.minimize_scalar(
            lambda s, c=c: law.log_moment(s, given_alive=True) / 30 - s * c,
            bounds=(law._edge() + 0.01, 20.0),
            options={"xatol": 1e-6},
        )
        rate = law.rate(c)
        assert rate == pytest.approx(-best.fun, rel=1e-8, abs=1e-12)
        tail = law.sf(30 * c) if c > drift else law.cdf(30 * c)
        assert tail <= math.exp(-30 * rate)
        assert law.rate_inverse(rate, upper=c > drift) == pytest.approx(c, abs=1e-8)
    assert law.rate(drift) == pytest.approx(0.0, abs=1e-15)
    assert law.rate_inverse(0.0) == pytest.approx(drift, abs=1e-15)


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (2, 2), (3, 1)])
def test_the_output_of_a_linear_network_is_a_meijer_g_function(width, depth):
    sigma = 0.8
    law = fm.DepthLaw(fm.Gain("linear", width), sigma, depth).output(0.5, 2.0)
    # h^2 = (0.5 2.0 sigma^depth)^2 times chi^2_width ... chi^2_width chi^2_1, so its Mellin
    # transform is a product of gamma functions
    scale = (sigma**depth) ** 2 * 2.0 ** (depth + 1)
    for h in (0.05, 0.7, 3.0):
        x = h**2 / scale
        with mpmath.workdps(30):
            parameters = [mpmath.mpf(width) / 2 - 1] * depth + [mpmath.mpf(-1) / 2]
            g = mpmath.meijerg([[], []], [parameters, []], mpmath.mpf(x))
            density = g / (mpmath.gamma(mpmath.mpf(width) / 2) ** depth * mpmath.gamma(0.5))
            expected = float(density / scale * h)  # of |h|, half of it on either side
        assert law.pdf(h) == pytest.approx(expected, rel=1e-9)
        assert law.pdf(-h) == law.pdf(h)


def test_the_output_law_is_symmetric_with_its_atom():
    gain = fm.Gain("relu", 3)
    law = fm.DepthLaw(gain, gain.scale(2), 4).output(1.0, 2.0)
    dead = law.prob_zero()
    assert dead == pytest.approx(1 - (7 / 8) ** 4, rel=1e-14)
    assert law.cdf(0.0) == pytest.approx(0.5 * (1 + dead), rel=1e-14)
    assert law.cdf(-1e-300) == pytest.approx(0.5 * (1 - dead), rel=1e-12)
    h = np.array([0.1, 1.0, 4.0])
    np.testing.assert_allclose(law.cdf(-h), law.sf(h), rtol=1e-14)
    np.testing.assert_allclose(law.cdf(-h), 1 - law.cdf(h), atol=1e-15)
    assert law.ppf(0.5) == 0.0
    np.testing.assert_allclose(law.cdf(law.ppf([0.01, 0.2])), [0.01, 0.2], rtol=1e-11)
    np.testing.assert_allclose(law.ppf([0.99]), -law.ppf([0.01]), rtol=1e-13)
    assert law.var() == pytest.approx(4.0, rel=1e-12)
    u = np.linspace(-40.0, 8.0, 2001)
    total = integrate.trapezoid(law.pdf(np.exp(u)) * np.exp(u), u)
    assert total == pytest.approx(0.5 * (1 - dead), rel=1e-9)
    assert math.isinf(law.pdf(0.0))
    sample = law.rvs(50_000, rng=3)
    z = ((sample <= 1.0).mean() - law.cdf(1.0)) / math.sqrt(law.cdf(1.0) * law.sf(1.0) / 50_000)
    assert abs(z) < 4.5


def test_the_output_density_at_zero_where_it_is_finite():
    gain = fm.Gain("linear", 5)
    law = fm.DepthLaw(gain, 0.4, 3).output(1.0)
    assert law.pdf(0.0) == pytest.approx(law.pdf(1e-9), rel=1e-9)


def test_no_layer_of_dropout_and_linear_orthogonal_layers():
    kept = fm.Gain("relu", 12, keep_prob=1.0)
    y = [-1.0, 0.3]
    np.testing.assert_array_equal(
        fm.DepthLaw(kept, 0.4, 5).cdf(y), fm.DepthLaw(fm.Gain("relu", 12), 0.4, 5).cdf(y)
    )
    isometry = fm.Gain("linear", 12, weights="orthogonal")
    point = fm.DepthLaw(isometry, 0.5, 3)
    assert point.mean() == pytest.approx(3 * math.log(0.5), rel=1e-15)
    assert point.var() == 0.0
    np.testing.assert_array_equal(point.cdf([point.mean() - 1e-9, point.mean()]), [0.0, 1.0])
    np.testing.assert_array_equal(point.sf([point.mean() - 1e-9, point.mean()]), [1.0, 0.0])
    assert point.ppf(0.3) == point.mean()
    with pytest.raises(ValueError, match="single point"):
        point.pdf(0.0)
    with pytest.raises(ValueError, match="single point"):
        point.clt()
    # among Gaussian layers it is a factor
    mixed = fm.DepthLaw([isometry, fm.Gain("linear", 4)], [0.5, 1.0])
    alone = fm.DepthLaw(fm.Gain("linear", 4), 0.5, 1)
    np.testing.assert_allclose(mixed.cdf(y), alone.cdf(y), rtol=1e-12)


def test_one_orthogonal_layer_is_its_gain():
    gain = fm.Gain("leaky_relu", 6, weights="orthogonal")
    law = fm.DepthLaw([fm.Gain("linear", 6, weights="orthogonal"), gain], [0.5, 2.0])
    r = np.array([0.1, 0.5, 0.8])
    np.testing.assert_allclose(law.cdf(np.log(r)), gain.cdf(r), rtol=1e-12)
    np.testing.assert_allclose(law.sf(np.log(r)), gain.sf(r), rtol=1e-12)
    np.testing.assert_allclose(law.pdf(np.log(r)), gain.pdf(r) * r, rtol=1e-12)
    np.testing.assert_allclose(np.exp(law.ppf([0.1, 0.7])), gain.ppf([0.1, 0.7]), rtol=1e-12)
    np.testing.assert_array_equal(law.cdf([-np.inf, np.inf]), [0.0, 1.0])
    assert law.mean() == pytest.approx(gain.log_mean(), rel=1e-13)
    assert law.characteristic_function(0.7) == pytest.approx(gain.moment(0.7j), abs=1e-13)
    assert law.rate(law.mean() / 2 + 0.05) > 0


def test_small_outputs_of_two_schemes():
    gain, depth = fm.Gain("relu", 8), 12
    first, second = (fm.DepthLaw(gain, gain.scale(order), depth) for order in (2, 1))
    ratio = np.array([1e-6, 0.01, 0.5, 3.0])
    coupled = ratio * (gain.scale(2) / gain.scale(1)) ** depth
    np.testing.assert_allclose(
        second.small_output_probability(ratio), first.small_output_probability(coupled), rtol=1e-12
    )
    assert np.all(first.small_output_probability(ratio) > second.small_output_probability(ratio))
    assert first.small_output_probability(0.0) == pytest.approx(first.prob_dead(), rel=1e-15)


def test_infinities_and_far_tails():
    gain = fm.Gain("linear", 4)
    law = fm.DepthLaw(gain, 0.5, 3)
    np.testing.assert_array_equal(law.cdf([-np.inf, np.inf]), [0.0, 1.0])
    np.testing.assert_array_equal(law.sf([-np.inf, np.inf]), [1.0, 0.0])
    np.testing.assert_array_equal(law.pdf([-np.inf, np.inf]), [0.0, 0.0])
    np.testing.assert_array_equal(law.ppf([0.0, 1.0]), [-np.inf, np.inf])
    np.testing.assert_array_equal(law.isf([0.0, 1.0]), [np.inf, -np.inf])
    assert law.sf(30.0) == 0.0
    assert law.cdf(30.0) == 1.0


def test_the_same_bits_on_every_instruction_set():
    gain = fm.Gain("leaky_relu", 9)
    before, found = _core.active_isa(), set()
    try:
        for name in ("generic", "avx2", "avx512"):
            try:
                _core.force_isa(name)
            except ValueError:
                continue
            law = fm.DepthLaw(gain, 0.5, 7)
            values = np.concatenate([law.cdf([-30.0, -4.0, -1.0]), law.sf([0.0, 3.0])])
            found.add(values.tobytes())
    finally:
        _core.force_isa(before)
    assert len(found) == 1


def test_one_law_in_many_threads():
    gain = fm.Gain("relu", 5)
    y = np.linspace(-30.0, 6.0, 60)
    expected = fm.DepthLaw(gain, 0.6, 9).cdf(y)
    shared = fm.DepthLaw(gain, 0.6, 9)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda shift: shared.cdf(np.roll(y, shift)), range(16)))
    for shift, result in enumerate(results):
        np.testing.assert_array_equal(result, np.roll(expected, shift))


def test_shapes_and_reprs():
    gain = fm.Gain("relu", 5)
    law = fm.DepthLaw(gain, 0.6, 9)
    assert isinstance(law.cdf(0.0), float)
    assert law.cdf(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert law.ppf([[0.1], [0.2]]).shape == (2, 1)
    assert repr(law) == "DepthLaw(Gain(ReLU(), 5), 0.6, 9)"
    again = eval(repr(law), {"DepthLaw": fm.DepthLaw, "Gain": fm.Gain, "ReLU": fm.ReLU})
    assert again.cdf(-3.0) == law.cdf(-3.0)
    assert len(law.layers) == law.depth == 9
    assert special.ndtr(0.0) == law.clt().cdf(law.mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: fm.DepthLaw(g, 0.0, 3), "sigma"),
        (lambda g: fm.DepthLaw(g, 1.0, 0), "depth"),
        (lambda g: fm.DepthLaw([], 1.0), "at least one layer"),
        (lambda g: fm.DepthLaw([g, g], [1.0] * 3), "agree"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).cdf(math.nan), "y"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).ppf(1.5), "q"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).moment(-0.5), "order"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).rate(math.inf), "c must be finite"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).rate_inverse(-1.0), "value"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).edgeworth(3), "terms"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).output(-1.0), "sigma"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).output([1.0, 2.0]), "one number"),
        (lambda g: fm.DepthLaw(g, 1.0, 3).small_output_probability(-1.0), "ratio"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(fm.Gain("relu", 4))
