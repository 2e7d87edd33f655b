"""Laws of networks whose layers all have orthogonal weights: atoms and singular densities."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

import fracmoment as fm
from tests.reference.make_orthogonal_depth import ONE_SIDED, TWO_LEAKY
from tests.reference.tables import by_network


def orthogonal(activation, width, **options):
    return fm.Gain(activation, width, weights="orthogonal", inverted_dropout=False, **options)


def reference_law(name):
    if name in TWO_LEAKY:
        gains = [orthogonal(fm.LeakyReLU(slope), width) for slope, width in TWO_LEAKY[name]]
        return fm.DepthLaw(gains, 1.0)
    gains = []
    for live, width, fan_in, count in ONE_SIDED[name]:
        gain = orthogonal("linear", width, keep_prob=live)
        gains += [gain if fan_in == width else fm.ProjectedGain(gain, fan_in)] * count
    return fm.DepthLaw(gains, 1.0)


@pytest.mark.parametrize(("name", "points"), by_network("orthogonal_depth").items())
def test_tails_and_densities_against_independent_digits(name, points):
    law = reference_law(name)
    with mpmath.workdps(40):
        for row in points:
            y, cdf, sf = float(row["y"]), mpmath.mpf(row["cdf"]), mpmath.mpf(row["sf"])
            assert abs(law.cdf(y) - cdf) < 1e-12
            assert abs(law.sf(y) - sf) < 1e-12
            small, found = (cdf, law.logcdf(y)) if cdf < sf else (sf, law.logsf(y))
            assert abs(found - mpmath.log(small)) < 1e-8
            density = mpmath.mpf(row["density"])  # 0 where there are atoms only
            assert abs(law.pdf(y) - density) < 1e-8 * density + 1e-12


@pytest.mark.parametrize(("slope", "depth"), [(0.5, 1), (0.3, 7), (-0.2, 40)])
def test_width_one_is_a_binomial_law(slope, depth):
    # R is 1 or |slope|, a fair coin each
    law = fm.DepthLaw(orthogonal(fm.LeakyReLU(slope), 1), 1.0, depth)
    heads = np.arange(depth + 1)
    points = heads * math.log(abs(slope))
    expected = stats.binom.sf(heads - 1, depth, 0.5)  # P(Y <= point): as many or more
    np.testing.assert_allclose(law.cdf(points + 1e-9), expected, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(
        law.sf(points - 1e-9),
        1 - expected + stats.binom.pmf(heads, depth, 0.5),
        rtol=1e-11,
        atol=1e-14,
    )
    np.testing.assert_allclose(law.pdf(points[:-1] - 0.01), 0.0, atol=1e-12)
    for level in (1e-3, 0.2, 0.45, 0.77):
        y = law.ppf(level)
        assert law.cdf(y) >= level > law.cdf(y - 1e-9)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_atoms_are_where_they_belong(depth):
    gain = orthogonal("relu", 3)
    law = fm.DepthLaw(gain, 1.0, depth)
    atom = (2.0**-3 / (1 - 2.0**-3)) ** depth
    assert law.sf(0.0) == 0.0
    assert law.cdf(0.0) == 1.0
    assert law.sf(-1e-300) == pytest.approx(atom, rel=1e-11)
    assert law.ppf(1.0 - atom / 2) == 0.0
    assert law.isf(atom / 2) == 0.0
    assert law.isf(1e-150) == 0.0


GAINS = [
    orthogonal("relu", 2),
    orthogonal("relu", 7),
    orthogonal(fm.LeakyReLU(0.3), 2),
    orthogonal(fm.LeakyReLU(0.05), 6),
    orthogonal("linear", 3, keep_prob=0.8),
    fm.ProjectedGain(orthogonal("linear", 2), 3),
    fm.ProjectedGain(orthogonal("relu", 5), 6),
    orthogonal("relu", 60),
    orthogonal(fm.LeakyReLU(0.5), 400),
]


def known_quantile(quantile, level, gains):
    try:
        return quantile(level)
    except fm.ConvergenceError:  # allowed where narrow layers are among much wider ones
        if GAINS[-1] in gains and len(set(gains)) > 1 and quantile.__name__ == "isf":
            return None
        raise


@settings(max_examples=8)
@given(st.lists(st.sampled_from(GAINS), min_size=1, max_size=4), st.data())
def test_distribution_functions_are_consistent(gains, data):
    law = fm.DepthLaw(gains, 1.0)
    y = law.mean() + law.std() * np.linspace(-6.0, 3.0, 60)
    cdf, sf, log_cdf, log_sf = law.cdf(y), law.sf(y), law.logcdf(y), law.logsf(y)
    assert np.all(np.diff(cdf) >= -1e-14)
    below = log_cdf[np.isfinite(log_cdf) & (y < law.mean())]
    assert np.all(np.diff(below) >= -1e-9)
    over = log_sf[np.isfinite(log_sf) & (y > law.mean())]
    assert np.all(np.diff(over) <= 1e-9)
    np.testing.assert_allclose(cdf + sf, 1.0, rtol=0, atol=1e-14)
    assert np.all(law.pdf(y) >= 0)
    for _ in range(4):
        level = 10.0 ** data.draw(st.floats(-100, -0.3))
        for tail, quantile, down in ((law.cdf, law.ppf, -1.0), (law.sf, law.isf, 1.0)):
            point = known_quantile(quantile, level, gains)
            if point is None:
                continue
            error = 1e-8 * level + 1e-13 * abs(point) * law.pdf(point)
            if abs(tail(point) - level) > error:  # an atom, which holds the level
                width = 1e-9 * (1.0 + abs(point))
                assert tail(point + down * width) <= level <= tail(point - down * width)


@pytest.mark.parametrize(
    ("gain", "depth", "slope"),
    [
        (GAINS[1], 3, None),
        (GAINS[3], 2, 0.05),
        (GAINS[6], 2, None),
        (orthogonal("rrelu", 3), 2, None),
    ],
)
def test_moments_are_those_of_the_density_and_the_atoms(gain, depth, slope):
    law = fm.DepthLaw(gain, 1.0, depth)
    # E exp(s Y) = exp(s top) - s int exp(s y) P(Y <= y) dy, whatever the atoms
    for s in (0.5, 2.0):
        low, high = law.ppf(1e-18), 1e-12  # the top is 0
        breaks = [i * math.log(slope) for i in range(1, depth + 1) if slope]
        total, error = integrate.quad(
            lambda y, s=s: s * math.exp(s * y) * law.cdf(y),
            low,
            high,
            points=[y for y in breaks if y > low] or None,
            limit=400,
            epsabs=1e-11,
        )
        found = math.exp(s * high) - total
        assert found == pytest.approx(law.moment(s, given_alive=True), abs=1e-8 + 2 * error)


@pytest.mark.parametrize("gain", GAINS[:6], ids=repr)
def test_characteristic_functions_are_moments(gain):
    law = fm.DepthLaw(gain, 1.0, 2)
    for t in (0.3, 5.0, 13.0, 15.0):
        expected = law.moment(1j * t, given_alive=True)
        assert law.characteristic_function(t) == pytest.approx(expected, abs=1e-13)
    assert law.characteristic_function(-5.0) == np.conj(law.characteristic_function(5.0))
    # far out the atoms are left
    assert abs(law.characteristic_function(1e12)) <= 1.0


@pytest.mark.parametrize("gain", [GAINS[1], GAINS[3], GAINS[6]], ids=repr)
def test_cumulant_functions_are_log_moments(gain):
    law = fm.DepthLaw(gain, 0.7, 3)
    for s in (-0.8, 0.0, 1.5, 30.0):
        value, slope, curvature = law._cumulant_function(s)
        assert value == pytest.approx(law.log_moment(s, given_alive=True), abs=1e-11)
        h = 1e-3 * (1.0 + s)  # the edge is at -1
        up, down = (law.log_moment(s + d, given_alive=True) for d in (h, -h))
        assert slope == pytest.approx((up - down) / (2 * h), rel=1e-5)
        assert curvature == pytest.approx((up + down - 2 * value) / h**2, rel=1e-4)


def test_many_narrow_layers_tend_to_the_normal_law():
    for gain in (GAINS[0], GAINS[2]):
        law = fm.DepthLaw(gain, 1.0, 2000)
        y = law.mean() + law.std() * np.linspace(-2, 2, 9)
        distance = np.max(np.abs(law.cdf(y) - law.clt().cdf(y)))
        assert 0.0 < distance <= law.berry_esseen()


def test_wide_gaussian_layers_beside_narrow_orthogonal_ones():
    # the wide layer is nearly a constant: the law is that of the narrow one, smeared by 5e-4
    narrow, wide = GAINS[1], fm.Gain("linear", 10**6)
    law = fm.DepthLaw([narrow, wide], [1.0, 1e-3])
    alone = fm.DepthLaw(narrow, 1.0, 1)
    y = np.array([-2.0, -1.0, -0.3])
    np.testing.assert_allclose(law.cdf(y), alone.cdf(y), rtol=1e-5)
    # next to the atom it is convolved with the normal law of the wide layer
    spread = wide.log_var() ** 0.5
    for z in (1.0, 3.0):
        expected, _ = integrate.quad(
            lambda w, z=z: 2 * w * alone.sf(-spread * w**2) * stats.norm.pdf(z + w**2), 0.0, 3.0
        )
        assert law.sf(z * spread) == pytest.approx(expected, rel=2e-2)  # its skewness is 1e-3


@pytest.mark.parametrize("width", [100, 127, 128, 200, 512, 784, 1500])
def test_one_layer_whose_break_is_far_from_everything(width):
    # All units alive, at 0, has probability 2^-d: next to nothing there, but a break.
    gain = fm.Gain("relu", width, weights="orthogonal")
    law = fm.DepthLaw(gain, 1.0)
    y = gain.log_mean() + math.sqrt(gain.log_var()) * np.linspace(-6.0, 6.0, 25)
    assert np.abs(law.cdf(y) - gain.cdf(np.exp(y))).max() < 1e-12
    deep = fm.DepthLaw(gain, gain.scale(2.0), 20)
    assert math.isclose(deep.mean(), 20 * fm.drift(gain, gain.scale(2.0)), rel_tol=1e-12)
    median = deep.ppf(0.5)
    assert math.isclose(deep.cdf(median), 0.5, rel_tol=1e-12)
    assert abs(deep.edgeworth().cdf(median) - 0.5) < 1e-4


@pytest.mark.parametrize(("width", "fan_in"), [(1, 2048), (3, 1024), (4, 512), (10, 300)])
def test_layers_that_narrow_much(width, fan_in):
    # the squares of n live of fan_in coordinates of a direction: a mixture of Beta laws
    gain = fm.ProjectedGain(fm.Gain("relu", width, weights="orthogonal"), fan_in)
    law = fm.DepthLaw([gain], 1.0)
    n = np.arange(1, width + 1)
    weights = special.comb(width, n) / (2.0**width - 1.0)
    for y in law.mean() + law.std() * np.linspace(-8.0, 4.0, 13):
        square = math.exp(2.0 * y)
        if square < 1.0:
            below = special.betainc(0.5 * n, 0.5 * (fan_in - n), square)
            above = special.betaincc(0.5 * n, 0.5 * (fan_in - n), square)
            assert law.cdf(y) == pytest.approx(weights @ below, rel=1e-10)
            assert law.sf(y) == pytest.approx(weights @ above, rel=1e-10, abs=1e-200)


@pytest.mark.parametrize(("width", "keep"), [(784, 0.8), (1024, 0.5), (2048, 0.9)])
@pytest.mark.parametrize("activation", [fm.LeakyReLU(0.01), fm.ReLU()], ids=repr)
def test_lower_tails_of_one_wide_layer_that_may_lose_units(activation, width, keep):
    # few units alive have a law of their own, too rare to matter
    gain = fm.Gain(activation, width, keep_prob=keep, weights="orthogonal")
    law = fm.DepthLaw([gain], 1.0)
    for level in (1e-4, 1e-8, 1e-15):
        y = law.ppf(level)
        assert gain.cdf(math.exp(y)) == pytest.approx(level, rel=1e-9)


@pytest.mark.parametrize(("width", "depth"), [(64, 1), (64, 40), (20, 1000), (20, 100_000)])
def test_both_sides_of_the_mean_add_up(width, depth):
    # lattices of orthogonal layers have masses of 1 to 1e-12 only, which must not add up
    gain = fm.Gain("relu", width, keep_prob=0.9, weights="orthogonal")
    law = fm.DepthLaw([gain] * depth + [fm.Gain("linear", 5)], 1.0)
    gap = 1e-3 * law.std()
    low, high = law.mean() - gap, law.mean() + gap
    between, _ = integrate.quad(law.pdf, low, high, epsabs=1e-14)
    assert law.cdf(low) + between + law.sf(high) == pytest.approx(1.0, abs=2e-13)


def test_projected_gains():
    gain = fm.ProjectedGain(fm.Gain("relu", 4, weights="orthogonal"), 9)
    assert gain == eval(
        repr(gain), {"ProjectedGain": fm.ProjectedGain, "Gain": fm.Gain, "ReLU": fm.ReLU}
    )
    assert hash(gain) == hash(fm.ProjectedGain(gain.gain, 9))
    assert gain != fm.ProjectedGain(gain.gain, 8)
    assert (gain.width, gain.fan_in) == (4, 9)
    a, b = 2.0, 2.5
    ratio = gain.gain
    for order in (0.7, 2.0, 11.0):
        beta = math.exp(special.betaln(a + order / 2, b) - special.betaln(a, b))
        assert gain.moment(order) == pytest.approx(ratio.moment(order) * beta, rel=1e-13)
        assert gain.scale(order) == pytest.approx(gain.moment(order) ** (-1 / order), rel=1e-13)
        whole = fm.init_scale("relu", 9, 4, order, preserve="norm", weights="orthogonal")
        assert gain.scale(order) == pytest.approx(whole, rel=1e-14)
    share = 0.5 * (special.digamma(a) - special.digamma(a + b))
    assert gain.log_mean() == pytest.approx(ratio.log_mean() + share, rel=1e-14)
    t = 0.9j
    assert gain.moment(t, given_alive=True) == pytest.approx(
        ratio.moment(t, given_alive=True) * gain.projection.moment(t), rel=1e-14
    )
    third = gain.projection.log_abs_third()
    sample = 0.5 * np.log(np.random.default_rng(2).beta(a, b, 400_000))
    cubes = np.abs(sample - share) ** 3
    assert abs(third - cubes.mean()) < 4.5 * cubes.std() / math.sqrt(400_000)
    assert fm.drift(gain, 1.0) == gain.log_mean()
    assert fm.prob_dead([gain, gain]) == pytest.approx(1 - (1 - 2.0**-4) ** 2, rel=1e-14)
    assert fm.tail_index([gain], [gain.scale(1.7)]) == pytest.approx(1.7, rel=1e-11)
    for bad in (4, 3, 9.5):
        with pytest.raises((ValueError, TypeError), match="fan_in"):
            fm.ProjectedGain(gain.gain, bad)
    with pytest.raises(ValueError, match="orthogonal"):
        fm.ProjectedGain(fm.Gain("relu", 4), 9)
