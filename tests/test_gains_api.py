"""The interface of Gain: shapes, types, identities of the methods among themselves."""

from __future__ import annotations

import copy
import math
import pickle
import threading
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

GAINS = [
    fm.Gain("linear", 5),
    fm.Gain("relu", 5),
    fm.Gain("leaky_relu", 5),
    fm.Gain("rrelu", 5),
    fm.Gain("relu", 5, keep_prob=0.8),
    fm.Gain("linear", 5, keep_prob=0.5, inverted_dropout=False),
    fm.Gain("rrelu", 5, keep_prob=0.5),
    fm.Gain("relu", 5, weights="orthogonal"),
    fm.Gain("leaky_relu", 5, weights="orthogonal"),
    fm.Gain("rrelu", 5, weights="orthogonal"),
]


@pytest.fixture(params=GAINS, ids=repr)
def gain(request):
    return request.param


# ---------------------------------------------------------------- parameters


def test_repr_evaluates_to_an_equal_gain(gain):
    names = {name: getattr(fm, name) for name in fm.__all__}
    again = eval(repr(gain), {**names, "Fraction": Fraction})
    assert again == gain
    assert hash(again) == hash(gain)
    assert pickle.loads(pickle.dumps(gain)) == gain
    assert copy.deepcopy(gain) == gain


def test_gains_differ_by_every_parameter():
    base = fm.Gain("relu", 5, keep_prob=0.5)
    others = [
        fm.Gain("linear", 5, keep_prob=0.5),
        fm.Gain("relu", 6, keep_prob=0.5),
        fm.Gain("relu", 5, keep_prob=0.6),
        fm.Gain("relu", 5, keep_prob=0.5, inverted_dropout=False),
        fm.Gain("relu", 5, keep_prob=0.5, weights="orthogonal"),
        fm.Gain("relu", [5, 5], keep_prob=0.5),
    ]
    assert all(base != other for other in others)
    assert base != "relu"
    assert len({base, *others[:-1]}) == len(others)


def test_parameters_are_read_only(gain):
    for name in ("activation", "width", "keep_prob", "inverted_dropout", "weights", "shape"):
        assert getattr(gain, name) is not None
        with pytest.raises(AttributeError):
            setattr(gain, name, 1)


def test_array_parameters():
    g = fm.Gain(fm.LeakyReLU([0.1, 0.2]), [[3], [4]], keep_prob=0.5)
    assert g.shape == (2, 2)
    assert g == fm.Gain(fm.LeakyReLU([0.1, 0.2]), [[3], [4]], keep_prob=0.5)
    assert g[1, 0] == fm.Gain(fm.LeakyReLU(0.1), 4, keep_prob=0.5)
    assert [row.shape for row in g] == [(2,), (2,)]
    assert pickle.loads(pickle.dumps(g)) == g
    assert "array" in repr(g)
    with pytest.raises(TypeError, match="unhashable"):
        hash(g)
    with pytest.raises(ValueError, match="read-only"):
        g.width[0] = 7


def test_a_scalar_gain_has_no_elements(gain):
    with pytest.raises(TypeError, match="no elements"):
        gain[0]
    with pytest.raises(TypeError, match="no elements"):
        iter(gain)


# ---------------------------------------------------------------- shapes and types


SCALAR_METHODS = [
    lambda g: g.moment(1.5),
    lambda g: g.moment(1),
    lambda g: g.moment(np.float32(1.5)),
    lambda g: g.moment(np.array(1.5)),
    lambda g: g.moment("3/2"),
    lambda g: g.moment(mpmath.mpf(1.5)),
    lambda g: g.moment(0.0, given_alive=True),
    lambda g: g.scale(1.5),
    lambda g: g.scale(0),
    lambda g: g.log_mean(),
    lambda g: g.log_var(),
    lambda g: g.log_cumulant(3),
    lambda g: g.log_abs_third(),
    lambda g: g.prob_zero(),
    lambda g: g.cdf(0.5),
    lambda g: g.sf(np.float64(0.5)),
    lambda g: g.ppf(0.5),
    lambda g: g.rvs(),
    lambda g: g.tail_index(0.5),
    lambda g: g.mean(),
    lambda g: g.var(),
    lambda g: g.std(),
]


@pytest.mark.parametrize("method", SCALAR_METHODS)
def test_scalars_give_python_floats(gain, method):
    assert type(method(gain)) is float


def test_complex_scalars_give_python_complex(gain):
    value = gain.moment(1 + 0.5j)
    assert type(value) is complex
    assert type(gain.moment(np.complex64(1 + 0.5j))) is complex
    assert value == gain.moment(np.array([[1 + 0.5j]]))[0, 0]
    assert gain.moment(1 - 0.5j) == value.conjugate()
    assert gain.moment(1.5 + 0j).real == pytest.approx(gain.moment(1.5), rel=1e-14)


@pytest.mark.parametrize("orders", [[], [1.0], [[1, 2], [3, 4]], np.empty((0, 3)), range(1, 4)])
def test_arrays_of_orders(gain, orders):
    values = gain.moment(orders)
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float64
    assert values.shape == np.shape(orders)
    expected = [gain.moment(float(s)) for s in np.ravel(orders)]
    assert values.ravel().tolist() == expected
    assert gain.scale(orders).ravel().tolist() == [gain.scale(float(s)) for s in np.ravel(orders)]


@pytest.mark.parametrize(
    "orders",
    [
        np.array([0.5, 1.0, 2.0, 3.0])[::2],
        np.asfortranarray([[0.5, 1.0], [2.0, 3.0]]),
        np.array([1, 2], dtype=np.int8),
        np.array([1, 2], dtype=np.float32),
        np.array([1.0, 2.0], dtype=">f8"),
        np.broadcast_to(1.5, (2, 3)),
        np.array([Fraction(1, 2), "2"], dtype=object),
        ["1/2", "2"],
    ],
    ids=repr,
)
def test_layouts_and_types_of_orders(gain, orders):
    expected = [gain.moment(float(Fraction(str(s)))) for s in np.ravel(orders)]
    values = gain.moment(orders)
    assert values.ravel().tolist() == expected
    assert values.shape == np.shape(orders)


def test_arguments_are_not_changed(gain):
    orders = np.array([0.5, 1.0])
    gain.moment(orders)
    gain.scale(orders)
    gain.cdf(orders)
    assert orders.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    "build",
    [
        lambda d, a, q: fm.Gain("linear", d),
        lambda d, a, q: fm.Gain("linear", d, keep_prob=q),
        lambda d, a, q: fm.Gain("relu", d, keep_prob=q, inverted_dropout=False),
        lambda d, a, q: fm.Gain(fm.LeakyReLU(a), d),
        lambda d, a, q: fm.Gain(fm.LeakyReLU(a), d, weights="orthogonal"),
        lambda d, a, q: fm.Gain(fm.RandomizedLeakyReLU(a, 0.5), d, keep_prob=q),
    ],
)
def test_arrays_of_laws_equal_scalar_laws(build):
    d = np.array([1, 2, 70])[:, None, None]
    a = np.array([0.0, 0.25])[:, None]
    q = np.array([0.5, 1.0])
    orders = np.array([0.75, 2.0])
    many = build(d, a, q)
    methods = [
        lambda g, s: g.moment(s),
        lambda g, s: g.moment(s + 0.5j),
        lambda g, s: g.moment(s, given_alive=True),
        lambda g, s: g.scale(s),
        lambda g, s: g.cdf(s),
        lambda g, s: g.sf(s, given_alive=True),
        lambda g, s: g.ppf(s / 4),
        lambda g, s: g.tail_index(s),
        lambda g, s: g.log_mean() + 0 * s,
        lambda g, s: g.log_var() + 0 * s,
        lambda g, s: g.log_cumulant(3) + 0 * s,
        lambda g, s: g.log_abs_third() + 0 * s,
        lambda g, s: g.prob_zero() + 0 * s,
        lambda g, s: g.support()[0] + 0 * s,
        lambda g, s: np.minimum(g.support()[1], 9.0) + 0 * s,
        lambda g, s: g.mean() + 0 * s,
        lambda g, s: g.var() + 0 * s,
    ]
    shape = np.broadcast_shapes(many.shape, (2,))
    index = np.indices(shape)
    for method in methods:
        values = np.broadcast_to(method(many, orders), shape)
        for i, j, k in zip(*(axis.ravel() for axis in index), strict=True):
            one = build(int(d[i, 0, 0]), float(a[j, 0]), float(q[k]))
            assert values[i, j, k] == method(one, float(orders[k]))


def test_empty_arrays_of_laws():
    g = fm.Gain("relu", np.empty((0, 2), dtype=int))
    for value in (g.moment(1.0), g.moment(1j + 1), g.scale(0.0), g.log_mean(), g.cdf(1.0), g.var()):
        assert value.shape == (0, 2)
    assert fm.Gain("relu", []).moment(2).shape == (0,)


def test_threads_share_a_law():
    g = fm.Gain("rrelu", 100)
    orders = np.linspace(0.1, 8.0, 200)
    expected = fm.Gain("rrelu", 100).moment(orders)
    results = []

    def work():
        results.append([g.moment(float(s)) for s in orders])
        results.append(g.moment(orders).tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == expected.tolist() for result in results)


# ---------------------------------------------------------------- any precision


def test_digits_agree_with_doubles(gain):
    for quantity in (
        lambda n: gain.moment(1.5, digits=n),
        lambda n: gain.scale(1.5, digits=n),
        lambda n: gain.scale(0, digits=n),
        lambda n: gain.log_mean(digits=n),
        lambda n: gain.log_var(digits=n),
    ):
        exact = quantity(40)
        assert isinstance(exact, mpmath.mpf)
        assert quantity(None) == pytest.approx(float(exact), rel=3e-16, abs=1e-300)
        with mpmath.workdps(60):
            assert mpmath.almosteq(quantity(20), exact, rel_eps=mpmath.mpf("1e-20"))


def test_digits_broadcast():
    g = fm.Gain(fm.LeakyReLU(["0.1", 0.25]), [[3], [4]])
    values = g.moment(["1/3", "2"], digits=25)
    assert values.shape == (2, 2)
    assert values.dtype == object
    assert values[1, 0] == fm.Gain(fm.LeakyReLU("0.1"), 4).moment("1/3", digits=25)
    assert g.log_mean(digits=25).shape == (2, 2)


def test_digits_take_text_exactly():
    g = fm.Gain("linear", 3)
    assert g.moment("0.1", digits=30) == g.moment(Fraction(1, 10), digits=30)
    assert g.moment("0.1", digits=30) != g.moment(0.1, digits=30)
    with mpmath.workdps(60):
        tenth = mpmath.mpf("0.1")
    assert g.moment(tenth, digits=30) != g.moment("0.1", digits=80)


def test_digits_leave_the_global_precision_alone():
    mpmath.mp.dps = 21
    fm.Gain("relu", 9).moment(1, digits=50)
    fm.init_scale("relu", 9, 7, 1, digits=50)
    assert mpmath.mp.dps == 21


# ---------------------------------------------------------------- the law


def test_atom(gain):
    dead = gain.prob_zero()
    assert gain.cdf(-1e-300) == 0.0
    assert gain.sf(-1.0) == 1.0
    assert gain.cdf(0.0) == dead
    assert gain.pdf(-1.0) == 0.0
    assert gain.cdf(0.0, given_alive=True) == 0.0
    assert gain.sf(0.0, given_alive=True) == 1.0
    assert gain.ppf(dead) == 0.0 == gain.ppf(0.0)
    assert dead == pytest.approx(
        (1 - gain.keep_prob * (0.5 if gain.activation == fm.ReLU() else 1.0)) ** gain.width
    )


def test_distribution_and_quantiles_are_inverse(gain):
    q = np.linspace(0.0, 1.0, 9)[1:-1]
    alive = gain.ppf(q, given_alive=True)
    assert np.all(np.diff(alive) >= 0)
    below, above = gain.cdf(alive, given_alive=True), gain.sf(alive, given_alive=True)
    assert np.allclose(below + above, 1.0, rtol=1e-12)
    assert np.allclose(gain.cdf(alive), gain.prob_zero() + (1 - gain.prob_zero()) * below)
    # Orthogonal layers have further atoms, at 1 and at the slope, outside these quantiles.
    assert np.allclose(below, q, rtol=1e-10)


def test_density_is_the_derivative_of_the_distribution(gain):
    low, high = gain.ppf([0.3, 0.4], given_alive=True)
    points, weights = np.polynomial.legendre.leggauss(40)
    nodes = low + (high - low) * (points + 1) / 2
    integral = (gain.pdf(nodes) * weights).sum() * (high - low) / 2
    assert integral == pytest.approx(gain.cdf(high) - gain.cdf(low), rel=1e-9)
    ratio = gain.pdf(nodes, given_alive=True) / gain.pdf(nodes)
    assert np.allclose(ratio, 1 / (1 - gain.prob_zero()))


def test_support(gain):
    low, high = gain.support()
    sample = gain.rvs(1000, rng=3)
    assert sample.min() >= low * (1 - 1e-15)
    assert sample.max() <= high * (1 + 1e-15)
    assert math.isinf(high) == (gain.weights == "gaussian")


def test_mean_and_variance(gain):
    assert gain.mean() == gain.moment(1.0)
    assert gain.var() == pytest.approx(gain.moment(2.0) - gain.moment(1.0) ** 2, rel=1e-10)
    assert gain.std() == math.sqrt(gain.var())


def test_variance_at_large_width():
    # E R^2 - (E R)^2 in doubles has no correct digit here.
    assert fm.Gain("linear", 10**9).var() == pytest.approx(0.5 - 1 / (8 * 10**9), rel=1e-15)
    assert fm.Gain("relu", 10**9).var() == pytest.approx(1.25 / 2, rel=1e-8)


def test_tail_index_cases():
    g = fm.Gain("leaky_relu", 16)
    assert g.tail_index(g.scale(2.0)) == pytest.approx(2.0, rel=1e-12)
    assert g.tail_index(1e3) == 0.0
    orthogonal = fm.Gain("leaky_relu", 16, weights="orthogonal")
    assert orthogonal.tail_index([0.5, 1.0, 100.0]).tolist() == [math.inf, math.inf, 0.0]
    # With an atom there is a root whatever the scale; far above the drift's zero it is negligible.
    narrow = fm.Gain("relu", 2)
    assert narrow.moment(narrow.tail_index(100.0)) * 100.0 ** narrow.tail_index(
        100.0
    ) == pytest.approx(1.0, rel=1e-13)
    assert narrow.tail_index(narrow.scale(0.01)) == pytest.approx(0.01, rel=1e-12)
    assert fm.Gain("relu", 64).tail_index(100.0) == 0.0


# ---------------------------------------------------------------- random variates


@pytest.mark.parametrize("seed", [11])
def test_variates_follow_the_law(gain, seed):
    # Kolmogorov-Smirnov: the bound fails with probability 2 exp(-2 * 2.5^2) < 8e-6 a gain.
    # Points inside the support: orthogonal layers with every unit alive sit on its ends.
    n = 20000
    sample = np.sort(gain.rvs(n, rng=seed))
    points = np.linspace(sample[0], sample[-1], 100)[1:-1]
    empirical = np.searchsorted(sample, points, side="right") / n
    assert np.max(abs(empirical - gain.cdf(points))) < 2.5 / math.sqrt(n)


def test_variates_are_reproducible(gain):
    sample = gain.rvs((2, 3), rng=5)
    assert sample.shape == (2, 3)
    assert np.array_equal(sample, gain.rvs((2, 3), rng=np.random.default_rng(5)))
    assert gain.rvs(0).shape == (0,)


def test_variates_of_arrays_of_laws():
    g = fm.Gain("rrelu", [4, 400, 40000])
    sample = g.rvs((50, 3), rng=2)
    assert np.allclose(sample.mean(axis=0), g.mean(), rtol=0.2)
    assert g.rvs(rng=2).shape == (3,)


def test_variates_of_wide_randomized_layers_come_in_parts():
    g = fm.Gain("rrelu", 3_000_000)
    sample = g.rvs(2, rng=4)
    assert np.all(abs(sample - g.mean()) < 6 * g.std())


# ---------------------------------------------------------------- properties

widths = st.integers(1, 10**6)
slopes = st.floats(-3, 3)


@given(width=widths, order=st.floats(-0.9, 12.0))
def test_slope_one_is_linear(width, order):
    linear = fm.Gain("linear", width).moment(order)
    assert fm.Gain(fm.LeakyReLU(1.0), width).moment(order) == linear
    assert fm.Gain(fm.LeakyReLU(-1.0), width).moment(order) == linear
    assert fm.Gain(fm.RandomizedLeakyReLU(1.0, 1.0), width).moment(order) == linear


@given(width=widths, order=st.floats(-0.9, 12.0), slope=slopes.map(lambda x: round(x, 9)))
def test_only_the_square_of_the_slope_matters(width, order, slope):
    for weights in ("gaussian", "orthogonal"):
        one = fm.Gain(fm.LeakyReLU(slope), width, weights=weights)
        other = fm.Gain(fm.LeakyReLU(-slope), width, weights=weights)
        both = fm.Gain(fm.RandomizedLeakyReLU(slope, slope), width, weights=weights)
        values = {g.moment(order, given_alive=True) for g in (one, other, both)}
        assert len(values) == 1


@given(width=widths, order=st.floats(0.1, 12.0), keep=st.floats(0.1, 1.0))
def test_inverted_dropout_divides(width, order, keep):
    inverted = fm.Gain("relu", width, keep_prob=keep).moment(order)
    plain = fm.Gain("relu", width, keep_prob=keep, inverted_dropout=False).moment(order)
    assert inverted == pytest.approx(plain / keep**order, rel=1e-14)


def test_complex_orders_to_many_digits():
    gain = fm.Gain("leaky_relu", 5)
    value = gain.moment(1 + 2j, digits=30)
    assert type(value) is mpmath.mpc
    assert abs(complex(value) - gain.moment(1 + 2j)) < 1e-15 * abs(value)
    # A real order of complex type stays complex; an mpc is exact and need not be a double.
    assert gain.moment(2 + 0j, digits=20) == gain.moment(2, digits=20)
    assert type(gain.moment(np.complex128(2), digits=20)) is mpmath.mpc
    with mpmath.workdps(50):
        third = mpmath.mpc(1, mpmath.mpf(1) / 3)
    near = gain.moment(1 + 1j / 3, digits=30)
    assert 0 < abs(gain.moment(third, digits=30) - near) < 1e-15 * abs(near)
    assert gain.moment(third) == gain.moment(complex(third))
    values = fm.Gain("relu", [[2], [4]]).moment([1 + 1j, 2, third], digits=15)
    assert values.shape == (2, 3)
    assert values[1, 0] == fm.Gain("relu", 4).moment(1 + 1j, digits=15)
    with pytest.raises(ValueError, match="order must be > 0"):
        fm.Gain("relu", 4).moment(-1 + 1j, digits=15)
    with pytest.raises(ValueError, match="finite"):
        gain.moment(complex(1, float("inf")), digits=15)


def test_large_imaginary_parts_are_rounded_from_digits():
    gain = fm.Gain("leaky_relu", 64)
    orders = np.array([1 + 15.9j, 1 + 16.1j, -3 - 200j])
    values = gain.moment(orders)
    for order, value in zip(orders, values, strict=True):
        exact = gain.moment(order, digits=30)
        assert abs(exact - value) <= math.ulp(float(abs(exact)))


# Laws and orders where the terms of the sums are up to 2^60 times the moment.
CANCELLING = [
    ((0.0, 10.0), 2, 0.5, "orthogonal", -0.04888582422011867 - 15.900001425834342j),
    ((0.0, 2.5), 4, 0.9, "orthogonal", -0.5947220284129022 + 14.719391984061106j),
    ((-2.5, 1.0), 4, 0.9, "gaussian", -0.04962710489027411 - 15.688910670263866j),
    ((1e-8, 1.0), 2, 0.05, "gaussian", -0.46385638852751987 - 15.891875886258594j),
    ((0.01, 0.01), 2, 0.05, "orthogonal", -0.099523839636807 + 15.333598398146362j),
    ((0.01, 1.0), 3, 0.5, "orthogonal", -0.9549709732363518 - 14.632675870044684j),
    ((-0.25, 0.01), 6, 1.0, "gaussian", -5.828114489947422 - 13.059153570903366j),
    ((-0.25, 10.0), 64, 1.0, "gaussian", -63.73942122721725 + 10.006033994192432j),
    ((-2.5, -0.25), 3, 1.0, "orthogonal", -2.4548669541171253 + 15.633179347562809j),
    ((1e-8, 2.5), 16, 1.0, "orthogonal", -35.199056300028566 - 13.651248521512345j),
    ((0.0, 0.0), 64, 1.0, "gaussian", 1 + 300j),
    ((0.2, 0.2), 8, 1.0, "gaussian", 400 + 3j),
]


@pytest.mark.parametrize(("slopes", "width", "keep_prob", "weights", "order"), CANCELLING)
def test_complex_moments_whose_terms_cancel(slopes, width, keep_prob, weights, order):
    activation = fm.RandomizedLeakyReLU(*slopes)
    gain = fm.Gain(activation, width, keep_prob=keep_prob, weights=weights)
    exact = gain.moment(order, digits=25, given_alive=True)
    value = gain.moment(order, given_alive=True)
    assert abs(exact - value) <= math.ulp(float(abs(exact)))
    both = gain.moment([order, order.conjugate()], given_alive=True)
    assert both.tolist() == [value, value.conjugate()]


@pytest.mark.parametrize(
    ("slopes", "width"),
    [
        ((0.999, 0.999), 15000),  # rules below, expansion above d/v = 2,500
        ((0.99, 0.99), 3000),
        ((1.0018, 1.0018), 9609),
        ((0.999, 1.001), 100),
        ((0.9966, 1.0), 8308),
        ((1.0 + 1e-10, 1.0 + 1e-10), 1),
    ],
)
def test_cumulants_of_ratio_laws_next_to_the_constant_one(slopes, width):
    """Differences from the cumulants of log chi, of which few digits are left."""
    gain = fm.Gain(fm.RandomizedLeakyReLU(*slopes), width, weights="orthogonal")
    deviation = float(mpmath.sqrt(gain.log_var(digits=20)))
    for n in (2, 3, 4):
        truth = gain.log_cumulant(n, digits=20)
        unit = max(deviation**n, float(abs(truth)))
        assert abs(truth - gain.log_cumulant(n)) <= math.ulp(unit)


def test_high_cumulants_are_rounded_from_digits():
    gain = fm.Gain("relu", [3, 64])
    for n in (4, 5, 12):
        exact = gain.log_cumulant(n, digits=25)
        unit = gain.log_var() ** (n / 2)
        for value, truth, scale in zip(gain.log_cumulant(n), exact, unit, strict=True):
            assert abs(truth - value) <= math.ulp(max(scale, float(abs(truth))))


def test_complex_moments_beyond_the_range_of_doubles_are_infinite():
    """Each part keeps its sign; a product of a huge and a tiny factor is in range."""
    gain = fm.Gain("relu", 4)
    overflow = gain.moment(complex(400, 3))
    exact = gain.moment(mpmath.mpc(400, 3), digits=20)
    signs = [math.copysign(math.inf, part) for part in (exact.real, exact.imag)]
    assert [overflow.real, overflow.imag] == signs
    gain = fm.Gain("leaky_relu", 1, keep_prob=1e-150)  # keep^-2.1 alone overflows
    exact = gain.moment(mpmath.mpc(2.1, 1), digits=20)
    assert abs(gain.moment(complex(2.1, 1)) - exact) <= 1e-15 * abs(exact)
