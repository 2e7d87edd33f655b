"""Distributions where scales mix, slopes surround 0, or points lie next to ends and atoms."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from mpmath import mp

import fracmoment as fm
from fracmoment import certified

TOLERANCE = 1e-13


def one_unit(lower, upper, r):
    """P(R <= r), P(R > r) and the density of one unit, b = 1 or b = A^2 with A uniform.

    The integrals over 0 < x < a of erf(c/x) and of exp(-c^2/x^2)/x are a erf(c/a) + c
    E_1(c^2/a^2)/sqrt(pi) and E_1(c^2/a^2)/2.
    """
    c = mp.mpf(r) / mp.sqrt(2)
    below, density = mp.erf(c), 2 * mp.npdf(mp.mpf(r))
    for end, sign in ((mp.mpf(upper), 1), (mp.mpf(lower), -1)):
        if end == 0:
            continue
        a, share = abs(end), sign * mp.sign(end) / (mp.mpf(upper) - mp.mpf(lower))
        e1 = mp.e1((c / a) ** 2)
        below += share * (a * mp.erf(c / a) + c * e1 / mp.sqrt(mp.pi))
        density += share * e1 / mp.sqrt(2 * mp.pi)
    return below / 2, 1 - below / 2, density / 2


@pytest.mark.parametrize("keep_prob", [1.0, 0.04])
@pytest.mark.parametrize(
    ("lower", "upper"),
    [(0.2, 1.9), (0.03, 8.4), (-6.0, -0.5), (-4.0, 1e-6), (0.0, 3e-8), (-1e-4, 5e-3)],
)
def test_one_unit_of_random_slope(lower, upper, keep_prob):
    gain = fm.Gain(
        fm.RandomizedLeakyReLU(lower, upper), 1, keep_prob=keep_prob, inverted_dropout=False
    )
    for r in (1e-290, 1e-120, 1e-30, 1e-15, 1e-9, 1e-8, 1e-5, 1e-3, 0.03, 0.7, 3.0, 9.0, 30.0):
        with mp.workdps(700):  # tails are differences
            below, above, density = one_unit(lower, upper, r)
        assert abs(gain.cdf(r, given_alive=True) - below) <= TOLERANCE * below
        if above > 1e-290:
            assert abs(gain.sf(r, given_alive=True) - above) <= TOLERANCE * above
        if density > 1e-290:
            assert abs(gain.pdf(r, given_alive=True) - density) <= TOLERANCE * density


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize(
    "activation", [fm.LeakyReLU(0.01), fm.RandomizedLeakyReLU(0.1, 0.7)], ids=repr
)
def test_one_live_unit_far_below(activation, weights):
    """For r to 0 all but one of d units are dead: the density tends to a constant."""
    width, keep = 40, mp.mpf(0.25)
    gain = fm.Gain(activation, width, keep_prob=0.25, inverted_dropout=False, weights=weights)
    with mp.workdps(40):
        if isinstance(activation, fm.LeakyReLU):
            inverse_slope = 1 + 1 / mp.mpf(activation.negative_slope)
        else:
            low, high = mp.mpf(activation.lower), mp.mpf(activation.upper)
            inverse_slope = 1 + mp.log(high / low) / (high - low)
        one_live = width * (1 - keep) ** (width - 1) * keep / (1 - (1 - keep) ** width)
        # of |z|, or of the square root of a Beta(1/2, (d-1)/2) variable
        at_zero = (
            mp.sqrt(2 / mp.pi)
            if weights == "gaussian"
            else 2 / mp.beta(mp.mpf(1) / 2, mp.mpf(width - 1) / 2)
        )
        density = one_live * at_zero * inverse_slope / 2
        for r in (1e-300, 1e-200, 1e-61, 1e-40):
            assert abs(gain.cdf(r, given_alive=True) / (density * r) - 1) < TOLERANCE
            assert abs(gain.pdf(r, given_alive=True) / density - 1) < TOLERANCE
        for level in (1e-300, 1e-100, 1e-50):
            assert abs(gain.ppf(level, given_alive=True) * density / level - 1) < TOLERANCE


# Laws and levels of P(R <= r) at which contours are hard to find.
HARD = [
    # between scales
    (fm.LeakyReLU(1e-7), 24, 0.9, "gaussian", [3e-15, 0.01, 0.6]),
    (fm.RandomizedLeakyReLU(-1e-4, 5e-3), 3, 1.0, "gaussian", [1e-9, 0.1, 0.4, 0.9]),
    (fm.RandomizedLeakyReLU(-2e-5, -1e-7), 3, 1.0, "orthogonal", [6e-6, 0.1, 0.4, 0.9]),
    # next to the ends of the support
    (fm.RandomizedLeakyReLU(0.03, 0.7), 3, 1.0, "orthogonal", [1e-20, 1e-6, 0.2]),
    (fm.RandomizedLeakyReLU(-1.1, -0.5), 5, 1.0, "orthogonal", [1e-14, 1e-3, 0.9999]),
    (fm.LeakyReLU(-7e-4), 15, 0.996, "orthogonal", [1e-6, 0.5, 0.9]),
    # an atom inside it
    (fm.RandomizedLeakyReLU(-6.0, -0.5), 2, 0.99, "orthogonal", [0.02, 0.05, 0.7]),
    # narrow ranges of slopes
    (fm.RandomizedLeakyReLU(0.5, 0.5 + 1e-5), 63, 1.0, "orthogonal", [1e-14, 0.1, 0.99]),
    (fm.RandomizedLeakyReLU(3.0, 3.0 + 1e-14), 10**5, 0.4, "gaussian", [1e-9, 0.5]),
    # nearly all units dead, or nearly none
    (fm.ReLU(), 16805, 2e-6, "orthogonal", [0.99, 0.999]),
    (fm.Linear(), 10**5, 0.99999, "orthogonal", [1e-9, 0.1]),
]


@pytest.mark.parametrize(
    ("activation", "width", "keep_prob", "weights", "levels"),
    [
        # enclosures of orthogonal layers take seconds
        pytest.param(*case, marks=() if case[3] == "gaussian" else pytest.mark.slow)
        for case in HARD
    ],
)
def test_hard_laws_against_the_certified_route(activation, width, keep_prob, weights, levels):
    gain = fm.Gain(activation, width, keep_prob=keep_prob, inverted_dropout=False, weights=weights)
    for level in levels:
        r = gain.ppf(level)
        below, above = certified.cdf(gain, r, digits=17), certified.sf(gain, r, digits=17)
        assert gain.cdf(r) == pytest.approx(float(below), rel=TOLERANCE)
        assert gain.sf(r) == pytest.approx(float(above), rel=TOLERANCE)
        nearby = [Fraction(r) * (1 + sign * Fraction(1, 10**13)) for sign in (-1, 1)]
        low, high = (certified.cdf(gain, x, digits=20) for x in nearby)
        assert low.lower <= level <= high.upper


@pytest.mark.parametrize(
    ("gain", "r"),
    [
        (fm.Gain(fm.RandomizedLeakyReLU(-4.0, 0.03), 30, keep_prob=0.07), 30.0),
        (fm.Gain(fm.LeakyReLU(1e-7), 3), 1e-4),
        (fm.Gain(fm.LeakyReLU(1e-3), 3, keep_prob=0.5, weights="orthogonal"), 0.01),
        pytest.param(
            fm.Gain(fm.RandomizedLeakyReLU(0.05, 0.7), 3, weights="orthogonal"),
            0.9999,
            marks=pytest.mark.slow,
        ),
    ],
    ids=repr,
)
def test_density_is_the_derivative_of_the_certified_distribution(gain, r):
    step = Fraction(r) / 10**15
    with mp.workdps(80):
        left, right = (certified.cdf(gain, Fraction(r) + k * step, digits=60) for k in (-1, 1))
        slope = (right.mid - left.mid) / mpmath.mpf(2 * step.numerator) * step.denominator
        assert abs(gain.pdf(r) - slope) <= TOLERANCE * slope


def test_levels_in_the_jump_of_an_atom_inside_the_support():
    """Both units have slope 1, among random slopes below and above, with probability 1/4."""
    gain = fm.Gain(fm.RandomizedLeakyReLU(-6.0, -0.5), 2, weights="orthogonal")
    below = gain.cdf(1.0) - 0.25
    assert gain.ppf([below + 0.01, below + 0.1, below + 0.24]).tolist() == [1.0, 1.0, 1.0]
    assert gain.ppf(below - 1e-3) < 1.0 < gain.ppf(below + 0.251)
    assert gain.cdf(1.0 - 1e-15) == pytest.approx(below, rel=1e-6)
    dropped = fm.Gain(
        fm.LeakyReLU(4e-8), 16, keep_prob=0.999, inverted_dropout=False, weights="orthogonal"
    )
    below, level = dropped.cdf(3.999999e-8), 0.4995**16  # all live on the negative side
    assert dropped.ppf([2 * below, below + level / 2]).tolist() == [4e-8, 4e-8]
    assert dropped.ppf(below / 2) < 4e-8 < dropped.ppf(1.01 * (below + level))
