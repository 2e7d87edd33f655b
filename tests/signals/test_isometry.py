"""Spectral moments of Jacobians: simulation, limits, isometries."""

import itertools
import math

import numpy as np
import pytest

import fracmoment as fm

CASES = [
    {"width": [3, 6, 4, 5], "sigma": [0.7, 0.5, 0.9]},
    {"width": [3, 6, 4, 5], "sigma": [0.7, 0.5, 0.9], "weights": "orthogonal"},
    {"width": 4, "sigma": 1.0, "weights": "orthogonal", "activation": "leaky_relu"},
    {"width": [3, 6, 4], "sigma": 0.8, "looks_linear": True},
    {"width": [3, 5, 4], "sigma": 0.6, "keep_prob": 0.7, "activation": "linear"},
    {
        "width": [3, 5, 4],
        "sigma": 0.6,
        "keep_prob": 0.7,
        "weights": "orthogonal",
        "activation": "rrelu",
        "inverted_dropout": False,
    },
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_simulated_singular_values(case):
    """Three z-scores a case below 5; the masks are those of a random input."""
    n = 100_000
    depth = 3 if isinstance(case["width"], int) else None
    masks = "independent" if case.get("looks_linear") else "forward"
    x = fm.simulate_jacobian(depth=depth, n_samples=n, rng=11, masks=masks, **case)
    squares = np.exp(2 * x)
    exact = fm.jacobian_moments(depth=depth, **case)
    traces = squares.sum(axis=1)
    for sample, value in [
        (traces, exact.trace[-1]),
        ((squares**2).sum(axis=1), exact.trace_of_square[-1]),
        (traces**2, exact.square_of_trace[-1]),
    ]:
        assert abs(sample.mean() - value) < 5 * sample.std() / math.sqrt(n)


@pytest.mark.parametrize("activation", ["linear", fm.LeakyReLU(0.4)])
def test_looks_linear_weights_are_isometries(activation):
    """With orthogonal submatrices, up to the known factor of the slope; ReLU needs none."""
    slope = fm.LeakyReLU(0.4).slopes[0] if activation != "linear" else 1.0
    x = fm.jacobian_moments(
        8, 1.0, 5, activation=activation, weights="orthogonal", looks_linear=True
    )
    # the first submatrix has 4 rows for 8 inputs: 4 singular values are 0, 4 are equal
    factor = (1 + slope**2) * (1 + slope) ** 8
    assert x.trace[-1] == pytest.approx(4 * factor, rel=1e-12)
    assert x.trace_of_square[-1] == pytest.approx(4 * factor**2, rel=1e-12)
    relu = fm.jacobian_moments([4] + [8] * 6, 1.0, weights="orthogonal", looks_linear=True)
    np.testing.assert_allclose(relu.defect, 0.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(relu.square_of_trace, 16.0, rtol=1e-13)


def test_a_gaussian_submatrix_is_a_linear_network_of_half_the_width():
    wide = fm.jacobian_moments([6] + [16] * 4, 0.3, looks_linear=True)
    linear = fm.jacobian_moments([6] + [8] * 4, 0.3, activation="linear")
    np.testing.assert_allclose(wide.trace_of_square, linear.trace_of_square, rtol=1e-14)
    np.testing.assert_allclose(wide.defect, linear.defect, rtol=1e-13)


def test_orthogonal_linear_layers_are_isometries():
    square = fm.jacobian_moments(7, 1.0, 30, activation="linear", weights="orthogonal")
    np.testing.assert_allclose(square.defect, 0.0, rtol=0, atol=1e-13)
    widening = fm.jacobian_moments([3, 5, 9], 1.0, activation="linear", weights="orthogonal")
    np.testing.assert_allclose(widening.defect, 0.0, rtol=0, atol=1e-14)
    narrow = fm.jacobian_moments([9, 5], 1.0, activation="linear", weights="orthogonal")
    assert narrow.trace[-1] == pytest.approx(5.0, rel=1e-14)
    assert narrow.defect[-1] == pytest.approx(4 / 9, rel=1e-13)


def test_one_unit_is_its_gain():
    """1 x 1 matrices: S is a product of squares of independent scalars."""
    for weights in ("gaussian", "orthogonal"):
        gain = fm.Gain(fm.LeakyReLU(0.5), 1, weights=weights)
        x = fm.jacobian_moments(1, 0.8, 6, activation=fm.LeakyReLU(0.5), weights=weights)
        k = np.arange(7)
        np.testing.assert_allclose(x.trace, (0.64 * gain.moment(2)) ** k, rtol=1e-13)
        np.testing.assert_allclose(x.trace_of_square, (0.8**4 * gain.moment(4)) ** k, rtol=1e-13)
        np.testing.assert_allclose(x.square_of_trace, x.trace_of_square, rtol=1e-13)


def test_a_column_of_the_jacobian_follows_the_gain():
    """One input: tr S is |J u|^2, the law of |x_k|^2 without biases."""
    for keep in (1.0, 0.6):
        gain = fm.Gain("relu", 9, keep_prob=keep)
        x = fm.jacobian_moments([1] + [9] * 5, 0.4, keep_prob=keep)
        y = fm.norm_moments(gain, 0.4, 5)
        np.testing.assert_allclose(x.trace, y.mean, rtol=1e-13)
        np.testing.assert_allclose(x.square_of_trace, y.fourth, rtol=1e-13)
        np.testing.assert_allclose(x.trace_of_square, x.square_of_trace, rtol=1e-13)


def test_fuss_catalan_limit():
    for depth in (1, 2, 7):
        previous = math.inf
        for width in (10**2, 10**4, 10**6):
            x = fm.jacobian_moments(width, width**-0.5, depth, activation="linear")
            gap = abs(x.trace_of_square[-1] / width - fm.fuss_catalan(2, depth))
            assert gap < 3 * depth**3 / width < previous
            previous = gap + 3 * depth**3 / width
    assert [fm.fuss_catalan(3, k) for k in (1, 2, 3)] == [5, 12, 22]  # (3k+2)(k+1)/2 is pentagonal


def test_wide_relu_layers():
    """E tr S^2/d tends to 1 + 2k for Gaussian and 1 + k for orthogonal weights."""
    width, depth = 10**7, 12
    gaussian = fm.jacobian_moments(width, math.sqrt(2 / width), depth)
    orthogonal = fm.jacobian_moments(width, math.sqrt(2), depth, weights="orthogonal")
    k = np.arange(depth + 1)
    np.testing.assert_allclose(gaussian.spread, 2.0 * k, rtol=0, atol=1e-3)
    np.testing.assert_allclose(orthogonal.spread, 1.0 * k, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: fm.jacobian_moments(0, 1.0), ValueError, "width"),
        (lambda: fm.jacobian_moments([3], 1.0), ValueError, "width must hold"),
        (lambda: fm.jacobian_moments([3, 4], 1.0, 2), ValueError, "depth must be None or 1"),
        (lambda: fm.jacobian_moments(3, [1.0, 2.0], 3), ValueError, "one for each of 3 layers"),
        (lambda: fm.jacobian_moments(3, -1.0), ValueError, "sigma must be > 0"),
        (lambda: fm.jacobian_moments(3, 1.0, weights="haar"), ValueError, "weights must be"),
        (lambda: fm.jacobian_moments(3, 1.0, looks_linear=True), ValueError, "even"),
        (lambda: fm.jacobian_moments(4, 1.0, looks_linear=1), TypeError, "looks_linear"),
        (
            lambda: fm.jacobian_moments(4, 1.0, looks_linear=True, keep_prob=0.5),
            ValueError,
            "no dropout",
        ),
        (
            lambda: fm.jacobian_moments(4, 1.0, looks_linear=True, activation="rrelu"),
            ValueError,
            "fixed slope",
        ),
        (lambda: fm.jacobian_moments(100, 10.0, 200), OverflowError, "200 layers"),
        (lambda: fm.fuss_catalan(-1, 2), ValueError, "order"),
        (lambda: fm.fuss_catalan(2, 0), ValueError, "depth"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


# ---------------------------------------------------------------- entries of other laws


def all_rows(fan_in, nonzero):
    """Every row with `nonzero` entries 1 or -1; all equally likely."""
    rows = itertools.product((-1.0, 0.0, 1.0), repeat=fan_in)
    return [row for row in rows if np.count_nonzero(row) == nonzero]


@pytest.mark.parametrize("nonzero", [1, 2, None])
def test_signs_by_enumeration(nonzero):
    """Two layers of two rows each: the mean over all networks of signs, without rounding."""
    first = all_rows(3, nonzero or 3)
    second = all_rows(2, nonzero or 2)
    sums, count = np.zeros(3), 0
    for rows in itertools.product(first, first, second, second):
        j = np.array(rows[2:]) @ np.array(rows[:2])
        s = j @ j.T
        sums += (np.trace(s), np.trace(s @ s), np.trace(s) ** 2)
        count += 1
    law = fm.SymmetricEntries(1.0, nonzero)
    x = fm.jacobian_moments([3, 2, 2], 1.0, activation="linear", weights=law)
    found = (x.trace[-1], x.trace_of_square[-1], x.square_of_trace[-1])
    np.testing.assert_allclose(found, sums / count, rtol=1e-14)


def test_normal_entries_are_gaussian_weights():
    case = {"width": [3, 6, 4, 5], "sigma": [0.7, 0.5, 0.9], "keep_prob": 0.8}
    a = fm.jacobian_moments(weights=fm.SymmetricEntries(3.0), **case)
    b = fm.jacobian_moments(**case)
    np.testing.assert_allclose(a.trace_of_square, b.trace_of_square, rtol=1e-14)
    np.testing.assert_allclose(a.square_of_trace, b.square_of_trace, rtol=1e-14)
    full = fm.SymmetricEntries(3.0, 4)
    same = fm.jacobian_moments(4, 0.5, 3, weights=full)
    plain = fm.jacobian_moments(4, 0.5, 3)
    np.testing.assert_allclose(same.trace_of_square, plain.trace_of_square, rtol=1e-14)


def test_uniform_entries_by_simulation():
    """Masks of a random input; three z-scores below 5."""
    rng = np.random.default_rng(5)
    n = 100_000
    widths, bound = [3, 6, 4], math.sqrt(3) * 0.6
    x, j = np.broadcast_to([1.0, -2.0, 0.5], (n, 3)), np.broadcast_to(np.eye(3), (n, 3, 3))
    for a, b in itertools.pairwise(widths):
        w = rng.uniform(-bound, bound, (n, b, a))
        z = np.einsum("nij,nj->ni", w, x)
        j = (z > 0)[:, :, np.newaxis] * (w @ j)
        x = np.maximum(z, 0.0)
    s = j @ np.swapaxes(j, 1, 2)
    traces = np.trace(s, axis1=1, axis2=2)
    exact = fm.jacobian_moments(widths, 0.6, weights=fm.SymmetricEntries(9 / 5))
    for sample, value in [
        (traces, exact.trace[-1]),
        (np.sum(s * s, axis=(1, 2)), exact.trace_of_square[-1]),
        (traces**2, exact.square_of_trace[-1]),
    ]:
        assert abs(sample.mean() - value) < 5 * sample.std() / math.sqrt(n)


def test_bad_laws_of_entries():
    with pytest.raises(ValueError, match="kurtosis"):
        fm.SymmetricEntries(0.9)
    with pytest.raises(ValueError, match="nonzero"):
        fm.SymmetricEntries(3.0, 0)
    with pytest.raises(ValueError, match="nonzero must be <= 4 inputs"):
        fm.jacobian_moments(4, 1.0, 2, weights=fm.SymmetricEntries(3.0, 5))
