"""Activations: names, exact slopes, equality and representation."""

from __future__ import annotations

import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import fracmoment as fm
from fracmoment.activations import as_activation

SCALARS = [
    fm.Linear(),
    fm.ReLU(),
    fm.LeakyReLU(),
    fm.LeakyReLU(-0.5),
    fm.LeakyReLU("1/3"),
    fm.RandomizedLeakyReLU(),
    fm.RandomizedLeakyReLU("0.1", Fraction(1, 3)),
]


@pytest.mark.parametrize("activation", SCALARS, ids=repr)
def test_repr_evaluates_to_an_equal_activation(activation):
    names = {name: getattr(fm, name) for name in fm.__all__}
    copy = eval(repr(activation), {**names, "Fraction": Fraction})
    assert copy == activation
    assert hash(copy) == hash(activation)
    assert pickle.loads(pickle.dumps(activation)) == activation


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("linear", fm.Linear()),
        ("relu", fm.ReLU()),
        ("leaky_relu", fm.LeakyReLU(0.01)),
        ("rrelu", fm.RandomizedLeakyReLU(1 / 8, 1 / 3)),
    ],
)
def test_names_mean_the_defaults(name, activation):
    assert as_activation(name) == activation
    assert as_activation(np.str_(name)) == activation


def test_unknown_name_suggests_the_closest():
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        fm.Gain("RELU", 3)
    with pytest.raises(ValueError, match="did you mean 'leaky_relu'"):
        fm.Gain("leakyrelu", 3)
    with pytest.raises(ValueError, match="activation must be one of 'linear'"):
        fm.Gain("q", 3)


@pytest.mark.parametrize("value", [None, 3, fm.ReLU, fm.Activation()])
def test_what_is_not_an_activation_is_refused(value):
    with pytest.raises(TypeError, match="activation must be an activation or one of"):
        as_activation(value)


def test_class_instead_of_instance_gets_a_hint():
    with pytest.raises(TypeError, match=r"did you mean ReLU\(\)\?"):
        as_activation(fm.ReLU)


def test_base_class_has_no_slopes():
    with pytest.raises(TypeError, match="base class"):
        _ = fm.Activation().slopes


def test_exact_forms_of_a_slope():
    exact = fm.LeakyReLU(Fraction(1, 10))
    assert fm.LeakyReLU("0.1") == exact == fm.LeakyReLU("1/10") == fm.LeakyReLU("1e-1")
    assert exact != fm.LeakyReLU(0.1)
    assert exact.slopes == fm.LeakyReLU(0.1).slopes
    assert fm.LeakyReLU(mpmath.mpf("0.25")) == fm.LeakyReLU(0.25) == fm.LeakyReLU(np.float32(0.25))
    assert fm.LeakyReLU(2) == fm.LeakyReLU(2.0)
    assert fm.LeakyReLU(np.array(2)) == fm.LeakyReLU(2.0)


def test_activations_are_frozen():
    with pytest.raises(AttributeError):
        fm.LeakyReLU().negative_slope = 1.0


def test_array_slopes():
    activation = fm.LeakyReLU(np.array([0.1, 0.2]))
    assert activation == fm.LeakyReLU([0.1, 0.2])
    assert activation != fm.LeakyReLU([0.1, 0.3])
    assert activation != fm.LeakyReLU(0.1)
    assert activation.slopes[0].tolist() == [0.1, 0.2]
    with pytest.raises(TypeError, match="unhashable"):
        hash(activation)
    with pytest.raises(ValueError, match="read-only"):
        activation.negative_slope[0] = 1.0
    exact = fm.LeakyReLU(["0.1", Fraction(1, 4)])
    assert exact.exact_slopes[0].tolist() == [Fraction(1, 10), 0.25]


def test_different_classes_are_not_equal():
    assert fm.LeakyReLU(0) != fm.ReLU()
    assert fm.ReLU() != "relu"


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.5, 0.25), ("1/3", 1 / 3 - 1e-9), ([0.1, 0.5], 0.25)]
)
def test_randomized_slopes_must_be_in_order(lower, upper):
    with pytest.raises(ValueError, match="lower must be <= upper"):
        fm.RandomizedLeakyReLU(lower, upper)


def test_randomized_slopes_must_broadcast():
    with pytest.raises(ValueError, match="must broadcast"):
        fm.RandomizedLeakyReLU([0.1, 0.2], [0.3, 0.4, 0.5])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "1/0", "x", mpmath.inf])
def test_non_finite_slopes_are_refused(value):
    with pytest.raises(ValueError, match="negative_slope must be"):
        fm.LeakyReLU(value)


@pytest.mark.parametrize("value", [None, True, 1j, {}, [[0.1], [0.2, 0.3]]])
def test_slopes_of_a_wrong_type_are_refused(value):
    with pytest.raises(TypeError, match="negative_slope must be"):
        fm.LeakyReLU(value)
