"""SGD on least squares: polynomials, closed forms, actual SGD."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import fracmoment as fm
from fracmoment.plotting import plot_sgd_tail_index

sizes = st.one_of(st.integers(1, 12), st.integers(1, 10**6))
# Few binary digits, so that exact polynomials stay short.
steps = st.floats(-3.0, 1.0).map(lambda x: float(np.float32(10.0**x)))


@given(step=steps, batch=sizes, dimension=sizes, half=st.sampled_from([1, 2, 3, 5, 8, 32]))
def test_even_orders_are_polynomials(step, batch, dimension, half):
    law = fm.LeastSquaresSGD(batch, dimension)
    x = Fraction(step)
    exact = sum(c * x**k for k, c in enumerate(law.moment_polynomial(2 * half)))
    with mpmath.workdps(40):
        log_exact = mpmath.log(mpmath.mpf(exact.numerator) / exact.denominator)
        error = abs(float(mpmath.mpf(law.log_moment(step, 2 * half)) - log_exact))
    assert error < 1e-13 + 4e-16 * abs(float(log_exact))


def index_tolerance(law, step, order):
    """A few roundings of log h(s)/s over its slope, about Var(log C)/2."""
    return max(1e-11 * order, 32 * 2.0**-53 / law.log_var(step))


@given(batch=sizes, dimension=sizes, sigma=st.floats(0.1, 10.0))
def test_step_of_order_two(batch, dimension, sigma):
    law = fm.LeastSquaresSGD(batch, dimension, data_sigma=sigma)
    step = law.critical_step(2.0)
    assert step == pytest.approx(2 * batch / (batch + dimension + 1) / sigma**2, rel=1e-15)
    assert law.tail_index(step) == pytest.approx(2.0, abs=index_tolerance(law, step, 2.0))


@settings(max_examples=40)
@given(
    batch=st.one_of(st.integers(1, 12), st.integers(1, 2000)),
    dimension=st.one_of(st.integers(1, 12), st.integers(1, 2000)),
    order=st.floats(0.1, 40.0),
)
def test_tail_index_inverts_the_critical_step(batch, dimension, order):
    law = fm.LeastSquaresSGD(batch, dimension)
    step = law.critical_step(order)
    assert abs(law.tail_index(step) - order) < index_tolerance(law, step, order)


@pytest.mark.parametrize(
    ("step", "batch", "dimension"),
    [
        (0.47797396393487496, 194, 100),
        (0.3153846153846154, 39, 3),
        (0.34487179487179487, 47, 5),
        (0.021158382562013633, 6, 361),
        (0.016268781477878282, 57, 6863),
        (0.0018354991924676815, 2, 2040),
    ],
)
def test_two_peaks_on_one_side(step, batch, dimension):
    """The search crosses orders whose integrands have two peaks between T = 1 and 2 or beyond 2.

    Signs of log h on either side: an enclosure of the index.
    """
    law = fm.LeastSquaresSGD(batch, dimension)
    index = law.tail_index(step)
    below, above = law.log_moment(step, index * np.array([1 - 1e-11, 1 + 1e-11]))
    assert below < 0.0 < above


def test_every_stable_point_has_its_index():
    """500 random laws and steps; the same enclosure, as wide as a few roundings of log h(s)/s."""
    rng = np.random.default_rng(5)
    sizes = np.floor(10 ** rng.uniform(0, [[3.0], [5.0]], (2, 500))).astype(int)
    law = fm.LeastSquaresSGD(*sizes)
    step = law.critical_step(0.0) * 10 ** (-3 * rng.random(500) ** 2) * (1 - 1e-6)
    index = law.tail_index(step)
    width = np.maximum(1e-12 * index, 32 * 2.0**-53 / law.log_var(step))
    assert np.all(law.log_moment(step, index - width) < 0.0)
    assert np.all(law.log_moment(step, index + width) > 0.0)


@settings(max_examples=100)
@given(batch=sizes, dimension=sizes, above=st.floats(1e-6, 10.0))
def test_no_stationary_law_above_the_boundary(batch, dimension, above):
    """Phase diagrams rely on it."""
    law = fm.LeastSquaresSGD(batch, dimension)
    assert law.log_mean(law.critical_step(0.0) * (1.0 + above)) > 0.0


@settings(max_examples=30)
@given(step=st.floats(0.01, 0.6), batch=st.integers(1, 50), dimension=st.integers(1, 50))
def test_monotone_in_step_batch_and_dimension(step, batch, dimension):
    index = fm.LeastSquaresSGD(batch, dimension).tail_index(step)
    assume(index >= 1.0)
    assert fm.LeastSquaresSGD(batch, dimension).tail_index(1.05 * step) < index
    assert fm.LeastSquaresSGD(batch + 1, dimension).tail_index(step) > index
    assert fm.LeastSquaresSGD(batch, dimension + 1).tail_index(step) < index


@given(batch=sizes, dimension=sizes)
def test_critical_step_falls_with_the_order(batch, dimension):
    found = fm.LeastSquaresSGD(batch, dimension).critical_step([0.0, 0.5, 1.0, 2.0, 4.0, 16.0])
    assert np.all(np.diff(found) < 0)


@pytest.mark.parametrize("order", [-0.5, 0.5, 1.0, 3.0])
def test_one_dimension_is_one_chi_square(order):
    """d = 1: C = |1 - t X|, by mpmath's quadrature on either side of 1/t."""
    step, batch = mpmath.mpf(1) / 2, 3

    def integrand(x):
        return abs(1 - step / batch * x) ** order * x ** mpmath.mpf("0.5") * mpmath.exp(-x / 2)

    total = mpmath.quad(integrand, [0, 3, 6]) + mpmath.quad(integrand, [6, 9, 20, 60, 200])
    exact = total / (2 ** mpmath.mpf("1.5") * mpmath.gamma(1.5))
    found = fm.LeastSquaresSGD(batch, 1).moment(0.5, order)
    # near the singular point mpmath's own error is about 1e-8 for order -0.5
    assert found == pytest.approx(float(exact), rel=1e-12 if order > 0 else 1e-6)


@pytest.mark.parametrize(("step", "batch", "order"), [(2.0, 5, -2.5)])
def test_orders_next_to_the_edge(step, batch, order):
    """d = 3: E (c + Z)^p for an exponential Z is an incomplete gamma function; then one sum."""
    p, t, half = mpmath.mpf(order) / 2, mpmath.mpf(step) / batch, mpmath.mpf(batch) / 2

    def term(w, left):  # in w, |1 - t x| = exp(w) or its like on the left
        e = mpmath.exp(w)
        distance = e / (1 + e) if left else e
        total = 1 - distance if left else 1 + e
        x, c = total / t, distance**2 / (t * total)
        inner = mpmath.exp(c / 2) * 2**p * mpmath.gammainc(p + 1, c / 2) * (t * total) ** p
        speed = distance if left else distance / total
        return x**half * mpmath.exp(-x / 2) * inner * speed

    with mpmath.workdps(20):
        h = mpmath.mpf("0.1")
        sides = ((True, -90, 40), (False, -90, 5))
        total = sum(term(i * h, left) for left, a, b in sides for i in range(10 * a, 10 * b))
        exact = total * h / (2**half * mpmath.gamma(half))
    found = fm.LeastSquaresSGD(batch, 3).moment(step, order)
    assert found == pytest.approx(float(exact), rel=1e-12)


def test_large_batches_are_gradient_descent():
    """For b to infinity C tends to |1 - step|, with variance 2 step^2/b + step^2 (d - 1)/b."""
    for step in (0.3, 1.7):
        law = fm.LeastSquaresSGD(10**6, 2)
        assert law.log_mean(step) == pytest.approx(math.log(abs(1 - step)), abs=1e-4)
        slope = step / (1 - step)
        assert law.log_var(step) == pytest.approx(2e-6 * slope**2, rel=1e-3)


@pytest.mark.parametrize(("step", "batch", "dimension"), [(0.4, 3, 4), (0.2, 1, 5), (1.5, 8, 1)])
def test_against_gradient_steps(step, batch, dimension):
    """z-scores of 6 means below 5 in 3 laws: a correct library fails with probability 1e-5."""
    rng = np.random.default_rng(11)
    n = 200_000
    data = rng.standard_normal((n, batch, dimension))
    x = rng.standard_normal(dimension)
    moved = x - step / batch * np.einsum("nbi,nb->ni", data, data @ x)
    contraction = np.linalg.norm(moved, axis=1) / np.linalg.norm(x)
    law = fm.LeastSquaresSGD(batch, dimension)
    logs = np.log(contraction)
    checks = [(contraction**s, law.moment(step, s)) for s in (-0.3, 0.5, 1.0, 2.0)]
    checks.append((logs, law.log_mean(step)))
    checks.append(((logs - law.log_mean(step)) ** 2, law.log_var(step)))
    for sample, exact in checks:
        assert abs(sample.mean() - exact) < 5 * sample.std() / math.sqrt(n)


def test_iterates_of_sgd_have_the_tail_index():
    """Hill's estimate on 20,000 chains of SGD itself, with noisy targets.

    4.5 standard errors: a correct library fails with probability 1e-5 by chance; the bias at so few
    of the largest is below one standard error.
    """
    rng = np.random.default_rng(12)
    batch, dimension, n = 1, 2, 20_000
    law = fm.LeastSquaresSGD(batch, dimension)
    step = law.critical_step(1.2)
    x = np.zeros((n, dimension))
    for _ in range(400):
        a = rng.standard_normal((n, batch, dimension))
        residual = np.einsum("nbi,ni->nb", a, x) - rng.standard_normal((n, batch))
        x -= step / batch * np.einsum("nbi,nb->ni", a, residual)
    estimate = fm.hill_estimate(np.log(np.linalg.norm(x, axis=1)), 500)
    assert abs(estimate.z(law.tail_index(step))) < 4.5


def test_scale_of_the_data():
    plain, scaled = fm.LeastSquaresSGD(5, 7), fm.LeastSquaresSGD(5, 7, data_sigma=2.0)
    assert scaled.moment(0.1, 1.5) == plain.moment(0.4, 1.5)
    assert scaled.tail_index(0.1) == plain.tail_index(0.4)
    assert scaled.critical_step(1.0) == plain.critical_step(1.0) / 4


def test_arrays_are_elementwise():
    step = np.geomspace(0.05, 0.5, 6)[:, None]
    batch = np.array([1, 4, 30])
    grid = fm.LeastSquaresSGD(batch, 10)
    for name in ("tail_index", "log_mean", "log_var"):
        table = getattr(grid, name)(step)
        assert table.shape == (6, 3)
        for i, j in [(0, 0), (3, 1), (5, 2)]:
            one = getattr(fm.LeastSquaresSGD(int(batch[j]), 10), name)(float(step[i, 0]))
            assert table[i, j] == one
    assert grid.critical_step([[1.0], [3.0]]).shape == (2, 3)
    assert grid.tail_index(np.empty((0, 3))).shape == (0, 3)


def test_extreme_steps():
    law = fm.LeastSquaresSGD(10, 10)
    assert law.tail_index(1e80) == 0.0
    assert law.log_mean(1e-90) == pytest.approx(-1e-90, rel=1e-12)
    assert law.moment(1e20, 64.0) == math.inf
    assert law.tail_index(1e-9) == pytest.approx(1.7955607298e10, rel=1e-9)
    with pytest.raises(fm.ConvergenceError, match="step size"):
        law.tail_index(1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fm.LeastSquaresSGD(0, 1), ValueError, "batch_size"),
        (lambda: fm.LeastSquaresSGD(1, 1.5), TypeError, "dimension"),
        (lambda: fm.LeastSquaresSGD(1, 10**7), ValueError, "dimension"),
        (lambda: fm.LeastSquaresSGD(1, 1, data_sigma=0.0), ValueError, "data_sigma"),
        (lambda: fm.LeastSquaresSGD([1, 2], [1, 2, 3]), ValueError, "batch_size"),
        (lambda: fm.LeastSquaresSGD(1, 1).tail_index(-1.0), ValueError, "step"),
        (lambda: fm.LeastSquaresSGD(1, 1).tail_index(math.nan), ValueError, "step"),
        (lambda: fm.LeastSquaresSGD(1, 1).tail_index(1e300), ValueError, "step"),
        (lambda: fm.LeastSquaresSGD(1, 2).moment(0.5, -2.0), ValueError, "order"),
        (lambda: fm.LeastSquaresSGD(1, 2).critical_step(-1.0), ValueError, "order"),
        (lambda: fm.LeastSquaresSGD(1, 2).moment_polynomial(3), ValueError, "even"),
        (lambda: fm.LeastSquaresSGD([1, 2], 2).moment_polynomial(2), TypeError, "scalar"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr():
    law = fm.LeastSquaresSGD(4, 3, data_sigma=0.5)
    assert repr(law) == "LeastSquaresSGD(4, 3, data_sigma=0.5)"
    assert repr(fm.LeastSquaresSGD(4, 3)) == "LeastSquaresSGD(4, 3)"


def test_random_negative_orders_converge():
    """3,000 random laws, a third of the orders within 1 of the edge; moments are log-convex."""
    rng = np.random.default_rng(21)
    size, n = np.repeat([1.0, 2.0, 3.0], 1000), 3000
    batch, dimension = np.floor(10 ** (size * rng.random((2, n)))).astype(int)
    near = -dimension + 10 ** rng.uniform(-4, 0, n)
    order = np.where(np.arange(n) % 3 == 0, near, -dimension * rng.uniform(0.001, 0.999, n))
    order = np.minimum(order, -1e-3)
    law = fm.LeastSquaresSGD(batch, dimension)
    step = 10 ** rng.uniform(-3, 1, n)
    values = law.log_moment(step, order)
    middle = law.log_moment(step, 0.5 * order)
    assert np.all(np.isfinite(values))
    assert np.all(middle <= 0.5 * values + 1e-12 * (1.0 + np.abs(values)))


def test_the_pole_at_the_edge():
    """Next to -d the moment is the density of the image at 0, times the sphere, over s + d."""
    law = fm.LeastSquaresSGD(4, 3)
    above = 10.0 ** np.arange(-12, -5)
    order = -3.0 + above
    residue = law.log_moment(0.5, order) + np.log(order + 3.0)
    np.testing.assert_allclose(residue, residue[0], atol=2e-5)
    assert np.abs(np.diff(residue[:4])).max() < 1e-8


@pytest.mark.parametrize(("batch", "dimension", "order"), [(3, 2, -0.9), (20, 5, -2.2)])
def test_negative_orders_against_gradient_steps(batch, dimension, order):
    """z-scores below 5 of means whose variance is finite (2 order > -dimension)."""
    rng = np.random.default_rng(22)
    n, step = 200_000, 0.4
    data = rng.standard_normal((n, batch, dimension))
    moved = -step / batch * np.einsum("nbi,nb->ni", data, data[:, :, 0])
    moved[:, 0] += 1.0
    sample = np.linalg.norm(moved, axis=1) ** order
    exact = fm.LeastSquaresSGD(batch, dimension).moment(step, order)
    assert abs(sample.mean() - exact) < 5 * sample.std() / math.sqrt(n)


@pytest.mark.parametrize("dimension", [1, 2, 6, 100])
def test_rows_of_a_phase_diagram_are_roots(dimension):
    """Signs of log h on either side of every index; unsorted and repeated steps too."""
    steps = np.concatenate([np.linspace(0.02, 1.9, 40), [0.05, 0.05, 3.0]])
    batches = np.array([1, 12, 200])
    diagram = fm.sgd_phase_diagram(steps, batches, dimension)
    law = fm.LeastSquaresSGD(batches[:, np.newaxis], dimension)
    exact = law.tail_index(steps)
    stable = exact > 0
    np.testing.assert_array_equal(diagram.tail_index > 0, stable)
    index = diagram.tail_index
    np.testing.assert_allclose(index[stable], exact[stable], rtol=1e-12)
    width = np.maximum(1e-12 * index, 32 * 2.0**-53 / law.log_var(steps))
    assert np.all((law.log_moment(steps, np.maximum(index - width, 1e-9)) < 0.0)[stable])
    assert np.all((law.log_moment(steps, index + width) > 0.0)[stable])
    np.testing.assert_array_equal(index[:, 40], index[:, 41])


def test_phase_diagram_and_its_picture():
    diagram = fm.sgd_phase_diagram(np.geomspace(0.02, 2.0, 8), [1, 3, 10, 30], 5)
    assert diagram.tail_index.shape == (4, 8)
    # zero exactly from the stability boundary on, below 2 exactly beyond the line of index 2
    stable = diagram.steps < diagram.stability[:, None]
    np.testing.assert_array_equal(diagram.tail_index > 0, stable)
    heavy = diagram.steps > diagram.finite_variance[:, None]
    np.testing.assert_array_equal(diagram.tail_index < 2, heavy)
    assert np.all(diagram.finite_variance < diagram.finite_mean)
    assert np.all(diagram.finite_mean < diagram.stability)

    ax = Figure().subplots()
    assert plot_sgd_tail_index(diagram, ax) is ax
    mesh = ax.collections[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(mesh).reshape(4, 8), ~stable)
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), diagram.stability)
    assert "index 0" in ax.get_legend().get_texts()[0].get_text()
    ax.figure.canvas.draw()

    with pytest.raises(ValueError, match="steps"):
        fm.sgd_phase_diagram([], [1], 5)
    with pytest.raises(ValueError, match="batch_sizes"):
        fm.sgd_phase_diagram([0.1], [[1, 2]], 5)
