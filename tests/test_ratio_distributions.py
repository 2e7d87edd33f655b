"""Orthogonal layers of two slopes next to the ends of their support, against mixtures of Betas."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp

import fracmoment as fm

LEVELS = [1e-300, 1e-100, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-15]


def mixture(width, low, theta, r):
    """P(R <= r), P(R > r) and the density given R > 0: slope 1 with probability theta, or low."""
    low, theta = mp.mpf(low), mp.mpf(theta)
    span = 1 - low**2
    x, y = (mp.mpf(r) ** 2 - low**2) / span, (1 - mp.mpf(r) ** 2) / span
    below, above, density = mp.mpf(0), mp.mpf(0), mp.mpf(0)
    for n in range(width + 1):
        weight = mp.binomial(width, n) * theta**n * (1 - theta) ** (width - n)
        a, b = mp.mpf(n) / 2, mp.mpf(width - n) / 2
        if n == 0:
            below += weight if low > 0 else 0
        elif n == width:
            above += weight
        else:
            below += weight * mp.betainc(a, b, 0, x, regularized=True)
            above += weight * mp.betainc(b, a, 0, y, regularized=True)
            density += weight * x ** (a - 1) * y ** (b - 1) / mp.beta(a, b) * 2 * mp.mpf(r) / span
    alive = 1 if low > 0 else 1 - (1 - theta) ** width
    return below / alive, above / alive, density / alive


@pytest.mark.parametrize("width", [2, 3, 8, 33])
@pytest.mark.parametrize(
    ("activation", "keep_prob", "low", "theta"),
    [
        (fm.ReLU(), 1.0, 0.0, 0.5),
        (fm.Linear(), 0.75, 0.0, 0.75),
        (fm.LeakyReLU(0.25), 1.0, 0.25, 0.5),
        (fm.LeakyReLU(1e-8), 1.0, 1e-8, 0.5),
    ],
    ids=repr,
)
def test_next_to_the_ends(activation, keep_prob, low, theta, width):
    mp.dps = 50
    gain = fm.Gain(
        activation, width, keep_prob=keep_prob, inverted_dropout=False, weights="orthogonal"
    )
    for level in LEVELS:
        # P(R <= r) = level, where R = 0 is left out if it has positive probability.
        q = level if low > 0 else gain.prob_zero() + level * (1 - gain.prob_zero())
        if q == gain.prob_zero() or q == 1:
            continue
        r = gain.ppf(q)
        if not low < r < 1:  # an atom: the level lies in its jump
            edge = math.nextafter(r, 2.0 if r < 0.5 else 0.0)
            below = mixture(width, low, theta, edge)[0]
            assert below >= level if r < 0.5 else below <= level
            continue
        below, above, density = mixture(width, low, theta, r)
        dead = mpmath.mpf(gain.prob_zero())
        excess = (dead + (1 - dead) * below - mp.mpf(q)) / (1 - dead)
        assert abs(excess) < 1e-13 * density * r
        assert abs(gain.cdf(r, given_alive=True) / below - 1) < 1e-13
        assert abs(gain.sf(r, given_alive=True) / above - 1) < 1e-13
        assert abs(gain.pdf(r, given_alive=True) / density - 1) < 1e-13


def test_atoms_at_the_ends():
    relu = fm.Gain("relu", 2, weights="orthogonal")
    assert relu.ppf([0.2, 0.9]).tolist() == [0.0, 1.0]
    eight = fm.Gain("relu", 8, weights="orthogonal")
    assert eight.ppf([1e-6, 1 - 1e-9]).tolist() == [0.0, 1.0]
    leaky = fm.Gain(fm.LeakyReLU(0.25), 4, weights="orthogonal")
    assert leaky.ppf([1e-6, 1 / 16, 1 - 1 / 32]).tolist() == [0.25, 0.25, 1.0]
    assert leaky.cdf([0.2, 0.25, 1.0]).tolist() == [0.0, 1 / 16, 1.0]
    assert leaky.sf([0.2, math.nextafter(1.0, 0.0), 1.0])[[0, 2]].tolist() == [1.0, 0.0]
    randomized = fm.Gain("rrelu", 2, weights="orthogonal")
    assert randomized.ppf([0.75, 0.9, 1 - 1e-9]).tolist() == [1.0, 1.0, 1.0]
    assert 0.9 < randomized.ppf(0.7) < 1.0
    steep = fm.Gain(fm.LeakyReLU(-4.0), 4, weights="orthogonal")
    assert steep.ppf([1e-6, 0.5, 0.99]) == pytest.approx(
        4 * leaky.ppf([1e-6, 0.5, 0.99]), rel=1e-15
    )


INNER_ATOMS = [  # activation, keep_prob, position of the atom
    (fm.LeakyReLU(0.5), 0.5, 1.0),
    (fm.LeakyReLU(0.3), 0.8, 0.3 / 0.8),
    (fm.RandomizedLeakyReLU(0, 2), 1.0, 1.0),
]


@pytest.mark.parametrize("width", [2, 3, 5])
@pytest.mark.parametrize(("activation", "keep_prob", "atom"), INNER_ATOMS, ids=repr)
def test_density_at_an_inner_atom(activation, keep_prob, atom, width):
    """Infinite: towards the atom it grows like the distance to the power -1/2, on both sides."""
    gain = fm.Gain(activation, width, keep_prob=keep_prob, weights="orthogonal")
    assert gain.pdf(atom) == math.inf
    assert gain.pdf(np.array([0.9, 1.0, 1.1]) * atom)[1] == math.inf
    distance = np.array([-4e-12, -1e-12, 4e-12, 1e-12]) * atom
    far_below, below, far_above, above = gain.pdf(atom + distance)
    assert below / far_below == pytest.approx(2, rel=1e-3)
    assert above / far_above == pytest.approx(2, rel=1e-3)


def test_density_at_an_atom_too_light_to_show():
    """The density there is what the probability of a short interval says without the atom."""
    gain = fm.Gain(fm.LeakyReLU(0.5), 64, keep_prob=0.5, weights="orthogonal")
    nearby = (gain.cdf(1 + 1e-4) - gain.cdf(1 - 1e-4)) / 2e-4  # the atom has 3e-39
    assert gain.pdf(1.0) == pytest.approx(nearby, rel=1e-5)
    assert gain.pdf(1.0) == pytest.approx(gain.pdf(math.nextafter(1.0, 2.0)), rel=1e-12)
