"""Tests of the tests: laws are recognized, false alarms keep their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fracmoment.networks import examine

LEVEL = 1e-4


def draw(law: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if law == "gaussian":
        return rng.normal(0, 0.3, shape)
    if law == "uniform":
        return rng.uniform(-0.2, 0.2, shape)
    return stats.truncnorm.rvs(-2, 2, scale=0.1, size=shape, random_state=rng)


@pytest.mark.parametrize("law", ["gaussian", "uniform", "truncated_normal"])
@pytest.mark.parametrize("shape", [(64, 64), (10, 64), (64, 784), (600, 700)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_laws_are_recognized(law, shape, dtype):
    weights = draw(law, shape).astype(dtype).astype(np.float64)
    report = examine(weights, LEVEL)
    assert report.kind == law
    assert report.iid is True
    assert law in report.candidates
    assert report.scale == pytest.approx(np.sqrt(np.mean(weights**2)), rel=1e-12)
    if law == "truncated_normal":
        assert report.cut == pytest.approx(2, abs=0.25)
    # The law's own variance of a squared entry gives the standard error.
    kurtosis = {"gaussian": 3.0, "uniform": 1.8}.get(law)
    if kurtosis:
        expected = report.scale * np.sqrt((kurtosis - 1) / (4 * weights.size))
        assert report.standard_error == pytest.approx(expected, rel=0.15)


def test_standard_errors_cover_the_scale():
    # 200 intervals of two standard errors hold the scale 95 % of the time: fewer than 175 or more
    # than 200 do with probability below 1e-5.
    covered = 0
    for seed in range(200):
        report = examine(draw("gaussian", (20, 30), seed))
        covered += abs(report.scale - 0.3) < 2 * report.standard_error
    assert 175 <= covered <= 200


def test_false_alarms_keep_their_level():
    # At level 0.02 a test rejects 4 of 200 true hypotheses; more than 14 has probability below
    # 1e-4 for each of the five tests.
    counts = dict.fromkeys(("gaussian", "mean", "rows", "columns", "correlation"), 0)
    for seed in range(200):
        report = examine(draw("gaussian", (24, 30), seed), 0.02)
        tests = {**report.law_tests, **report.iid_tests}
        for name in counts:
            counts[name] += tests[name].p_value < 0.02
    assert max(counts.values()) <= 14, counts


def haar(n: int, seed: int = 1) -> np.ndarray:
    return stats.ortho_group.rvs(n, random_state=seed)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_orthogonal_matrices(dtype):
    report = examine((1.4 * haar(64)).astype(dtype).astype(np.float64), LEVEL)
    assert report.kind == "orthogonal"
    assert report.iid is True
    assert report.orthogonal_factor == pytest.approx(1.4, rel=1e-3)
    for part in (haar(64)[:20], haar(64)[:, :20]):
        report = examine(part.astype(dtype).astype(np.float64), LEVEL)
        assert report.kind == "semi_orthogonal"
        assert report.orthogonal_factor == pytest.approx(1, rel=1e-3)


def test_orthogonal_matrices_that_are_no_random_rotations():
    for weights in (np.eye(40), np.eye(40)[np.random.default_rng(1).permutation(40)]):
        report = examine(weights, LEVEL)
        assert report.kind == "orthogonal"
        assert report.iid is False


def test_degenerate_matrices():
    assert examine(np.zeros((3, 3))).kind == "zero"
    assert examine(np.full((3, 3), 0.1)).kind == "constant"
    assert examine(np.full((3, 3), 0.1)).iid is False
    tiny = examine(np.array([[2.0]]))
    assert (tiny.kind, tiny.iid, tiny.scale) == ("undecided", None, 2.0)
    sparse = draw("gaussian", (40, 40)) * (np.random.default_rng(9).random((40, 40)) < 0.3)
    assert examine(sparse).kind == "sparse"
    assert examine(sparse).zero_fraction == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("factor", [1e-290, 1e290])
def test_extreme_scales_neither_overflow_nor_underflow(factor):
    plain, report = (
        examine(draw("gaussian", (64, 64))),
        examine(factor * draw("gaussian", (64, 64))),
    )
    assert report.kind == "gaussian"
    assert report.scale == pytest.approx(factor * plain.scale, rel=1e-12)
    assert report.standard_error == pytest.approx(factor * plain.standard_error, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "test"),
    [
        (lambda w: w + 0.05, "mean"),
        (lambda w: w * np.linspace(0.5, 1.5, 64)[:, None], "rows"),
        (lambda w: w * np.linspace(0.5, 1.5, 64), "columns"),
        (lambda w: np.vstack([w[:32], -w[:32]]), "correlation"),
        (lambda w: w[:, :4] @ np.random.default_rng(7).normal(size=(4, 64)), "correlation"),
    ],
)
def test_dependence_is_found(change, test):
    report = examine(change(draw("gaussian", (64, 64))), LEVEL)
    assert report.iid is False
    assert test in {name for name, t in report.iid_tests.items() if t.p_value < LEVEL}
    assert report.failed_iid_tests


@pytest.mark.parametrize("law", [stats.laplace, stats.t(4), stats.cauchy])
def test_other_laws(law):
    weights = law.rvs(size=(64, 64), random_state=np.random.default_rng(4))
    assert examine(weights, LEVEL).kind == "other"


def test_two_point_weights():
    signs = np.random.default_rng(5).choice([-1.0, 1.0], size=(30, 30))
    assert examine(signs, LEVEL).kind == "other"


def test_small_matrices_do_not_decide():
    kinds = {examine(draw("uniform", (5, 5), seed), LEVEL).kind for seed in range(20)}
    assert kinds <= {"undecided", "uniform"}
