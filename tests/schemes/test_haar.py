"""Haar's laws: moments of entries, joint moments, traces, and the directions of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fracmoment.schemes import DeltaOrthogonal, Fractional, LooksLinear, Orthogonal, Unitary

DRAWS = 20_000


def z_score(sample, value):
    """Distance of the sample's mean from its expectation in standard errors."""
    error = sample.std(ddof=1) / math.sqrt(sample.size)
    return abs(sample.mean() - value) / error


def orthogonal_matrices(rows, columns, seed):
    # groups of a convolution are independent matrices
    stacked = Orthogonal().sample((DRAWS * rows, columns), rng=seed, groups=DRAWS)
    return stacked.reshape(DRAWS, rows, columns)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 3), (2, 5), (1, 4), (3, 1)])
def test_joint_moments_of_orthogonal_entries(rows, columns):
    """Up to 8 z-scores a case below 5: one failure in 40,000 seeds for all five cases."""
    q = orthogonal_matrices(rows, columns, seed=rows)
    n = max(rows, columns)
    pairs = [
        (q[:, 0, 0], 0.0),
        (q[:, 0, 0] ** 2, 1 / n),
        (q[:, 0, 0] ** 4, 3 / (n * (n + 2))),
    ]
    if rows > 1:
        pairs.append((q[:, 0, 0] ** 2 * q[:, 1, 0] ** 2, 1 / (n * (n + 2))))
    if columns > 1:
        pairs.append((q[:, 0, 0] ** 2 * q[:, 0, 1] ** 2, 1 / (n * (n + 2))))
    if min(rows, columns) > 1:
        w = 1 / (n * (n - 1) * (n + 2))
        pairs.append((q[:, 0, 0] ** 2 * q[:, 1, 1] ** 2, (n + 1) * w))
        pairs.append((q[:, 0, 0] * q[:, 0, 1] * q[:, 1, 0] * q[:, 1, 1], -w))
    assert all(z_score(sample, value) < 5 for sample, value in pairs)


def test_traces_of_orthogonal_matrices():
    """E tr Q = 0 fails without the signs of R's diagonal; 4 z-scores below 5."""
    q = orthogonal_matrices(4, 4, seed=11)
    trace = np.trace(q, axis1=1, axis2=2)
    of_square = np.trace(q @ q, axis1=1, axis2=2)
    for sample, value in [(trace, 0.0), (trace**2, 1.0), (trace**4, 3.0), (of_square, 1.0)]:
        assert z_score(sample, value) < 5
    # both components of the group are equally likely
    assert z_score(np.linalg.det(q), 0.0) < 5


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (6, 4), (3, 7)])
def test_images_of_a_vector_are_uniform_directions(rows, columns):
    """Kolmogorov and Smirnov's test at 1e-5 of a squared coordinate, a Beta variate."""
    x = np.arange(1.0, columns + 1.0)
    y = orthogonal_matrices(rows, columns, seed=3) @ (x / np.linalg.norm(x))
    n = max(rows, columns)
    assert stats.kstest(y[:, 0] ** 2, stats.beta(0.5, (n - 1) / 2).cdf).pvalue > 1e-5


def unitary_matrices(size, seed):
    rng = np.random.default_rng(seed)
    return np.array([Unitary().sample_complex((size, size), rng=rng) for _ in range(DRAWS // 4)])


def test_joint_moments_of_unitary_entries():
    """10 z-scores below 5: one failure in 170,000 seeds."""
    n = 3
    u = unitary_matrices(n, seed=5)
    a, b, c, d = u[:, 0, 0], u[:, 0, 1], u[:, 1, 0], u[:, 1, 1]
    cross = a * d * np.conj(b * c)
    trace = np.trace(u, axis1=1, axis2=2)
    for sample, value in [
        (a.real, 0.0),
        ((a**2).real, 0.0),
        (abs(a) ** 2, 1 / n),
        (abs(a) ** 4, 2 / (n * (n + 1))),
        (abs(a) ** 2 * abs(b) ** 2, 1 / (n * (n + 1))),
        (abs(a) ** 2 * abs(d) ** 2, 1 / (n**2 - 1)),
        (cross.real, -1 / (n * (n**2 - 1))),
        (trace.real, 0.0),
        (abs(trace) ** 2, 1.0),
        (abs(trace) ** 4, 2.0),
    ]:
        assert z_score(sample, value) < 5


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 7), (200, 150), (150, 200), (300, 1)])
def test_semi_orthogonality(rows, columns):
    q = Orthogonal().sample((rows, columns), rng=1)
    u = Unitary().sample_complex((rows, columns), rng=1)
    for matrix in (q, u):
        tall = matrix if rows >= columns else matrix.T
        gram = tall.conj().T @ tall
        assert np.max(np.abs(gram - np.eye(min(rows, columns)))) < 1e-12


def test_factors_groups_and_kernels():
    kernel = Fractional(1.0, weights="orthogonal").sample((6, 4, 3, 3), rng=2, groups=2)
    scale = Fractional(1.0, weights="orthogonal").scale(36, 3)
    for group in np.split(kernel, 2):
        rows = group.reshape(3, -1)
        np.testing.assert_allclose(rows @ rows.T, scale**2 * np.eye(3), rtol=0, atol=1e-12)
    transposed = Orthogonal(2.0).sample((6, 4, 5), rng=2, groups=2, transposed=True)
    for group in np.split(transposed, 2):
        rows = np.swapaxes(group, 0, 1).reshape(4, -1)
        np.testing.assert_allclose(rows @ rows.T, 4.0 * np.eye(4), rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [(3,), (4,), (3, 5), (2, 3, 4)])
def test_delta_orthogonal_kernels(taps):
    kernel = DeltaOrthogonal().sample((8, 3, *taps), rng=4, groups=2)
    centre = kernel[(..., *((n - 1) // 2 for n in taps))]
    assert np.count_nonzero(kernel) == centre.size
    for group in np.split(centre, 2):
        np.testing.assert_allclose(group.T @ group, np.eye(3), rtol=0, atol=1e-12)


def test_a_delta_orthogonal_convolution_keeps_every_norm():
    """The Fourier transform of a circular convolution is an isometry at every frequency."""
    kernel = DeltaOrthogonal().sample((5, 3, 4), rng=6)
    symbol = np.fft.fft(kernel, n=16, axis=2)  # one matrix for every frequency
    for k in range(16):
        gram = symbol[:, :, k].conj().T @ symbol[:, :, k]
        np.testing.assert_allclose(gram, np.eye(3), rtol=0, atol=1e-12)


def test_the_real_form_of_a_unitary_matrix():
    w = Unitary(1.5).sample((8, 6), rng=7)
    np.testing.assert_allclose(w.T @ w, 2.25 * np.eye(6), rtol=0, atol=1e-12)
    z = np.random.default_rng(0).standard_normal((2, 3))
    u = w[:4, :3] + 1j * w[4:, :3]
    image = u @ (z[0] + 1j * z[1])
    np.testing.assert_allclose(w @ z.reshape(-1), np.concatenate([image.real, image.imag]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeltaOrthogonal().sample((4, 4)), "1 to 3 axes"),
        (lambda: DeltaOrthogonal().sample((3, 4, 3)), "as many outputs"),
        (lambda: DeltaOrthogonal().sample((4, 3, 3), groups=2), "as many outputs"),
        (lambda: DeltaOrthogonal().sample((4, 4, 1, 1, 1, 1)), "1 to 3 axes"),
        (lambda: DeltaOrthogonal().statement(5, 4), "at least fan_in"),
        (lambda: Unitary().sample((3, 4)), "even"),
        (lambda: Unitary().sample((4, 4, 3)), "dense"),
        (lambda: Unitary().sample_complex((4, 4, 3)), "matrix"),
        (lambda: Unitary().statement(3, 4), "even"),
        (lambda: Unitary().statement_for((4, 4, 3)), "dense"),
        (lambda: Orthogonal(0.0), "factor"),
        (lambda: Orthogonal(math.inf), "factor"),
        (lambda: LooksLinear().sample((4, 3)), "fan_in must be even"),
        (lambda: LooksLinear("first").sample((3, 4)), "fan_out must be even"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
