"""Fixup and T-Fixup: the multipliers of the papers, and what they do at initialization."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fracmoment import schemes


@pytest.mark.parametrize("blocks", [1, 2, 27, 110])
def test_multipliers_of_fixup(blocks):
    """L^(-1/(2m-2)): 1/sqrt(L) for branches of two layers, L^(-1/4) for three."""
    two, three = schemes.Fixup(blocks), schemes.Fixup(blocks, 3)
    assert two.multiplier == pytest.approx(1 / math.sqrt(blocks), rel=1e-15)
    assert three.multiplier == pytest.approx(blocks**-0.25, rel=1e-15)
    assert two.scale(50, 70) == pytest.approx(math.sqrt(2 / (50 * blocks)), rel=1e-15)
    out = schemes.Fixup(blocks, mode="fan_out")
    assert out.scale(50, 70) == pytest.approx(math.sqrt(2 / (70 * blocks)), rel=1e-15)
    assert schemes.Fixup(blocks, role="outside").scale(50, 70) == schemes.He().scale(50, 70)
    for role in ("last", "classifier"):
        scheme = schemes.Fixup(blocks, role=role)
        assert scheme.scale(50, 70) == 0.0
        assert not scheme.sample((7, 5, 3), rng=1).any()
    assert not two.sample_bias(5, 4).any()


def test_fixup_networks_are_the_identity():
    rng = np.random.default_rng(1)
    x = y = rng.standard_normal(6)
    inner, last = schemes.Fixup(10), schemes.Fixup(10, role="last")
    for _ in range(10):
        branch = last.sample((6, 9), rng=rng) @ np.maximum(inner.sample((9, 6), rng=rng) @ y, 0.0)
        y = y + branch
    np.testing.assert_array_equal(y, x)
    statement = inner.statement(6, 9, 10)
    assert (statement.drift, statement.log_variance, statement.isometry_defect) == (0.0, 0.0, 0.0)
    assert schemes.Fixup(10, role="classifier").statement(6, 9).prob_dead == 1.0
    outside = schemes.Fixup(10, role="outside").statement(6, 9)
    assert outside.order == 2.0
    assert "Fixup" in outside.scheme


def test_law_of_inner_layers():
    """Kolmogorov and Smirnov's test at 1e-5."""
    scheme = schemes.Fixup(16, 3)
    w = scheme.sample((100, 50, 3), rng=2).reshape(-1)
    assert stats.kstest(w, stats.norm(scale=0.5 * math.sqrt(2 / 150)).cdf).pvalue > 1e-5


@pytest.mark.parametrize("layers", [1, 6, 12, 200])
def test_multipliers_of_t_fixup(layers):
    """0.67 N^(-1/4) in the encoder, (9 N)^(-1/4) in the decoder and for embeddings."""
    for role in ("value", "output", "feed_forward"):
        encoder = schemes.TFixup(layers, "encoder", role)
        decoder = schemes.TFixup(layers, "decoder", role)
        assert encoder.multiplier == pytest.approx(0.67 * layers**-0.25, rel=1e-15)
        assert decoder.multiplier == pytest.approx((9 * layers) ** -0.25, rel=1e-15)
        glorot = math.sqrt(2 / (64 + 256))
        assert encoder.scale(64, 256) == pytest.approx(encoder.multiplier * glorot, rel=1e-14)
    for role in ("query", "key"):
        assert schemes.TFixup(layers, role=role).scale(64, 64) == schemes.Glorot().scale(64, 64)
    for part in ("encoder", "decoder"):
        embedding = schemes.TFixup(layers, part, "embedding")
        expected = (9 * layers) ** -0.25 / math.sqrt(64)
        assert embedding.scale(64, 1000) == pytest.approx(expected, rel=1e-14)


def test_the_factor_of_the_papers_code():
    """From Glorot's uniform law with gain 1/sqrt(2) the code multiplies values by sqrt(2)."""
    code_bound = math.sqrt(6 / (64 + 64)) / math.sqrt(2) * math.sqrt(2) * 0.67 * 6**-0.25
    ours = schemes.TFixup(6)
    assert math.sqrt(3) * ours.scale(64, 64) == pytest.approx(code_bound, rel=1e-14)
    w = ours.sample((64, 64), rng=3).reshape(-1)
    uniform = stats.uniform(-code_bound, 2 * code_bound)
    assert stats.kstest(w, uniform.cdf).pvalue > 1e-5
    e = schemes.TFixup(6, role="embedding").sample((500, 64), rng=3).reshape(-1)
    assert stats.kstest(e, stats.norm(scale=54**-0.25 / 8).cdf).pvalue > 1e-5


def test_mean_squares_of_t_fixup(z_score):
    """One z-score a case below 5."""
    scheme = schemes.TFixup(6, "decoder", "output")
    rng = np.random.default_rng(4)
    x = np.ones(8)
    sample = [np.mean((scheme.sample((5, 8), rng=rng) @ x) ** 2) for _ in range(4000)]
    stated = float(scheme.statement(8, 5).preserves.split()[-1].rstrip("."))
    assert z_score(np.array(sample), stated) < 5
    embedding = schemes.TFixup(6, role="embedding")
    norms = np.sum(embedding.sample((4000, 16), rng=rng) ** 2, axis=1)
    stated = float(embedding.statement(16, 4000).preserves.split()[-1].rstrip("."))
    assert z_score(norms, stated) < 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.Fixup(0), "blocks"),
        (lambda: schemes.Fixup(4, 0), "layers"),
        (lambda: schemes.Fixup(4, 1), "layers must be 2 or more"),
        (lambda: schemes.Fixup(4, role="middle"), "role"),
        (lambda: schemes.Fixup(4, mode="fan_avg"), "mode"),
        (lambda: schemes.TFixup(0), "layers"),
        (lambda: schemes.TFixup(4, "head"), "part"),
        (lambda: schemes.TFixup(4, role="values"), "did you mean 'value'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_branches_of_one_layer_end_with_it():
    assert schemes.Fixup(4, 1, role="last").multiplier == 0.0
