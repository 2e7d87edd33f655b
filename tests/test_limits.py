"""Drift, spread and death over depth."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fracmoment as fm


def test_drift_of_a_gain():
    g = fm.Gain("relu", 16)
    assert fm.drift(g, 0.5) == math.log(0.5) + g.log_mean()
    assert type(fm.drift(g, 0.5)) is float
    assert fm.drift(g, [0.5, 1.0]).shape == (2,)
    assert fm.drift(g, g.scale(0)) == pytest.approx(0.0, abs=1e-15)


def test_drift_of_layers():
    widths = [16, 64, 10]
    many = fm.Gain("relu", widths)
    sigmas = many.scale(2.0)
    layers = [fm.Gain("relu", d) for d in widths]
    assert np.array_equal(fm.drift(layers, sigmas), fm.drift(many, sigmas))
    assert np.array_equal(fm.log_variance(layers), many.log_var())
    assert fm.log_variance(layers[0]) == layers[0].log_var()
    assert np.all(fm.drift(many, sigmas) < 0)  # Jensen


def test_depth_limit_of_equal_layers():
    g = fm.Gain("leaky_relu", 16)
    limit = fm.depth_limit(g, 0.3, 50)
    assert limit.mean == pytest.approx(50 * fm.drift(g, 0.3), rel=1e-14)
    assert limit.std == pytest.approx(math.sqrt(50 * g.log_var()), rel=1e-14)
    assert limit.prob_dead == 0.0
    assert limit.median == math.exp(limit.mean)
    assert fm.depth_limit(g, 0.3) == fm.depth_limit(g, 0.3, 1)


def test_depth_limit_of_different_layers():
    layers = [fm.Gain("relu", 16), fm.Gain("relu", 8), fm.Gain("linear", 4)]
    sigmas = [0.3, 0.4, 0.5]
    limit = fm.depth_limit(layers, sigmas)
    assert limit.mean == pytest.approx(fm.drift(layers, sigmas).sum(), rel=1e-14)
    assert limit.std == pytest.approx(math.sqrt(fm.log_variance(layers).sum()), rel=1e-14)
    assert limit.prob_dead == pytest.approx(1 - (1 - 2**-16) * (1 - 2**-8), rel=1e-12)
    same = fm.depth_limit(layers[0], [0.3, 0.3, 0.3])
    assert same.mean == pytest.approx(fm.depth_limit(layers[0], 0.3, 3).mean, rel=1e-15)
    assert fm.depth_limit(layers, 0.3).mean == pytest.approx(fm.drift(layers, 0.3).sum())
    assert fm.depth_limit(fm.Gain("relu", [16, 8]), 0.3).std == pytest.approx(
        fm.depth_limit(layers[:2], 0.3).std
    )


def test_what_he_does_to_a_narrow_deep_network():
    # 100 ReLU layers of width 16: the second moment is kept, the typical output is not.
    g = fm.Gain("relu", 16)
    limit = fm.depth_limit(g, g.scale(2), 100)
    gains = g.rvs((4000, 100), rng=1)
    sample = np.log(g.scale(2) * gains[(gains > 0).all(axis=1)]).sum(axis=1)
    error = limit.std / math.sqrt(sample.size)
    assert abs(sample.mean() - limit.mean) < 6 * error
    assert abs(sample.std() - limit.std) < 6 * error


def test_death():
    g = fm.Gain("relu", 3)
    assert fm.prob_dead(g) == pytest.approx(1 / 8, rel=1e-15)
    assert fm.prob_dead(g, 10) == pytest.approx(1 - (7 / 8) ** 10, rel=1e-14)
    assert fm.prob_dead([g, fm.Gain("linear", 3)]) == pytest.approx(1 / 8, rel=1e-15)
    assert fm.prob_dead(fm.Gain("linear", 3), 1000) == 0.0
    # Tiny probabilities are not lost against 1.
    assert fm.prob_dead(fm.Gain("relu", 200), 3) == pytest.approx(3 * 2.0**-200, rel=1e-14)
    certain = fm.Gain("relu", 1, keep_prob=1e-200)
    assert fm.prob_dead(certain, 2) == 1.0


def test_layers_must_agree():
    layers = [fm.Gain("relu", 3)] * 2
    with pytest.raises(ValueError, match=r"must agree .* gain: 2, sigma: 3"):
        fm.depth_limit(layers, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"must agree .* gain: 2, depth: 3"):
        fm.prob_dead(layers, 3)
    with pytest.raises(ValueError, match="at least one layer"):
        fm.depth_limit([], 1.0)
    with pytest.raises(ValueError, match="depth must be"):
        fm.depth_limit(layers[0], 1.0, 0)
    with pytest.raises(TypeError, match="depth must be"):
        fm.prob_dead(layers[0], 2.5)
    with pytest.raises(TypeError, match="gain must be a Gain or a sequence"):
        fm.drift("relu", 1.0)
    with pytest.raises(TypeError, match="gain must hold gains"):
        fm.depth_limit(["relu"], 1.0)
    with pytest.raises(ValueError, match="sigma must be a number or a sequence"):
        fm.depth_limit(layers[0], [[1.0]])
    with pytest.raises(ValueError, match="one entry a layer"):
        fm.depth_limit(fm.Gain("relu", [[3]]), 1.0)
