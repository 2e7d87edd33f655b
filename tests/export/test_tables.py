"""Tables of constants: every digit against references, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

import fracmoment as fm
from fracmoment.certified import CertificationError, init_scale
from fracmoment.certified.scales import LayerScale
from fracmoment.export import tabulate
from fracmoment.export.labels import exact_text, label

from . import references

GROUPS = sorted({tuple(row.options.items()) for row in references.rows()}, key=str)


@pytest.mark.parametrize(
    "options", GROUPS, ids=lambda options: " ".join(map(str, dict(options).values()))
)
def test_every_digit_and_double_of_the_reference_table(options):
    digits, count = 30, 0
    for row in references.rows():
        if tuple(row.options.items()) != options:
            continue
        activation = references.ACTIVATIONS[row.activation]
        table = tabulate(
            activation, [(row.fan_in, row.fan_out)], row.order, digits=digits, **row.options
        )
        (constant,) = table.constants
        expected = references.numbers(Decimal(row.value), row.fan_in, row.weights)
        assert tuple(expected) == table.quantities == tuple(constant.numbers)
        for name, value in expected.items():
            number = constant.numbers[name]
            assert references.same_decimal(number.decimal, value, digits), (row, name)
            assert number.double == float(value), (row, name)
        count += 1
    assert count >= 20


@pytest.mark.parametrize(
    ("activation", "fans", "order", "options"),
    [
        ("relu", (64, 64), "1/2", {}),
        ("linear", (784, 10), 0, {}),
        ("linear", (784, 10), 2, {}),
        ("relu", (100, 3), 1, {"weights": "orthogonal"}),
        ("relu", (5, 7), "7/3", {"keep_prob": "2/3"}),
        (fm.LeakyReLU("0.01"), (30, 20), 1, {}),
    ],
)
def test_a_thousand_digits(activation, fans, order, options):
    (constant,) = tabulate(activation, [fans], order, digits=990, **options).constants
    scale = references.exact_scale(activation, *fans, order, digits=1000, **options)
    expected = references.numbers(scale, fans[0], options.get("weights", "gaussian"))
    for name, value in expected.items():
        assert references.same_decimal(constant.numbers[name].decimal, value, 990)
        assert constant.numbers[name].double == float(value)


def test_classical_scales():
    table = tabulate(["relu", "linear"], [(128, 32)], 2, digits=12)
    relu, linear = (row.numbers for row in table.constants)
    assert relu["std"] == (0.125, "0.125000000000")
    assert relu["variance_scaling"] == (2.0, "2.00000000000")
    assert relu["torch_gain"] == (2.0**0.5, "1.41421356237")
    assert linear["variance_scaling"] == (1.0, "1.00000000000")
    (drawn,) = tabulate(fm.RandomizedLeakyReLU(-1, 1), 7, 2, digits=3).constants
    assert drawn.numbers["variance_scaling"] == (1.5, "1.50")  # 1 over (1 + 1/3)/2
    (norm,) = tabulate("relu", [(128, 32)], 2, digits=3, preserve="norm").constants
    assert norm.numbers["std"] == (0.25, "0.250")


def test_rows_are_the_product_in_order():
    table = tabulate([fm.LeakyReLU("1/3"), "relu", "relu"], [8, (8, 4), (8, 8)], [1, "0.5", 0.5, 0])
    keys = [(row.activation, row.fan_in, row.fan_out, row.order) for row in table.constants]
    assert keys == [
        (activation, 8, fan_out, Fraction(order))
        for activation in ("leaky_relu(1/3)", "relu")
        for fan_out in (8, 4)
        for order in ("1", "1/2", "0")
    ]
    assert table.labels == ("leaky_relu(1/3)", "relu")
    assert table.version == fm.__version__


@pytest.mark.parametrize(
    ("width", "digits", "text"),
    [(8192, 4, "0.01562"), (8192, 5, "0.015625"), (8192, 6, "0.0156250"), (512, 3, "0.0625")],
)
def test_numbers_in_the_middle_of_two_decimals(width, digits, text):
    # ReLU at order 2: sqrt(2/width), a dyadic number.
    (row,) = tabulate("relu", width, 2, digits=digits).constants
    assert row.numbers["std"].decimal == text
    # Linear, width 1600: 1/40 = 0.025, no binary number.
    (row,) = tabulate("linear", 1600, 2, digits=1).constants
    assert row.numbers["std"] == (0.025, "0.02")


def test_constant_gains_are_exact_at_every_order():
    table = tabulate("linear", [64, (16, 4096)], ["1/3", 0, 5], weights="orthogonal", digits=1)
    assert {row.numbers["factor"] for row in table.constants} == {(1.0, "1"), (16.0, "2e+1")}


def test_what_cannot_be_decided_is_said():
    # A single unit of slope 1: R = 1/keep with probability keep/2, sigma = 4/keep = 12.5.
    options = {"keep_prob": "8/25", "weights": "orthogonal"}
    with pytest.raises(CertificationError, match=r"middle of two numbers of 2 digits.*relu, layer"):
        tabulate("relu", 1, "1/2", digits=2, **options)
    (row,) = tabulate("relu", 1, "1/2", digits=3, **options).constants
    assert row.numbers["factor"] == (12.5, "12.5")


def test_progress_is_reported():
    seen = []
    tabulate("relu", [3, 4], [1, 2], progress=lambda done, count: seen.append((done, count)))
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


REFUSED = [
    ({"activations": []}, ValueError, "activations must not be empty"),
    ({"activations": "rellu"}, ValueError, "did you mean 'relu'"),
    ({"activations": fm.LeakyReLU([0.1, 0.2])}, ValueError, "one slope"),
    ({"activations": 3}, TypeError, "activation"),
    ({"layers": []}, ValueError, "layers must not be empty"),
    ({"layers": 0}, ValueError, r"fan_in must be an integer in \[1"),
    ({"layers": [(3, 0)]}, ValueError, "fan_out"),
    ({"layers": [(3, 4, 5)]}, ValueError, "pairs"),
    ({"layers": [2.5]}, TypeError, "fan_in"),
    ({"layers": 2**41}, ValueError, "fan_in"),
    ({"orders": []}, ValueError, "orders must not be empty"),
    ({"orders": ["1", "x"]}, ValueError, "orders must be a finite number"),
    ({"orders": float("nan")}, ValueError, "orders"),
    ({"orders": -0.5}, ValueError, "order must be >= 0 .*, got -1/2"),
    ({"orders": ["1/3", 1 / 3]}, ValueError, "differ as doubles"),
    ({"orders": "1e-400"}, ValueError, "from 0"),
    ({"orders": "1e400"}, ValueError, "range of a double"),
    ({"orders": "1e-5", "layers": 1}, ValueError, "outside the range of a double: relu, layer 1"),
    ({"orders": "1e-100"}, ValueError, "outside the range of a double"),
    ({"preserve": "mean"}, ValueError, "preserve"),
    ({"weights": "uniform"}, ValueError, "weights"),
    ({"keep_prob": 0}, ValueError, "keep_prob"),
    ({"keep_prob": "3/2"}, ValueError, "keep_prob"),
    ({"keep_prob": [0.5]}, TypeError, "keep_prob"),
    ({"inverted_dropout": 1}, TypeError, "inverted_dropout"),
    ({"given_alive": "no"}, TypeError, "given_alive"),
    ({"digits": 0}, ValueError, "digits"),
    ({"digits": 1001}, ValueError, "digits"),
    ({"layers": range(1, 100_002)}, ValueError, "100001 constants, more than 100000"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), REFUSED, ids=lambda value: str(value)[:50])
def test_bad_arguments_are_refused_before_any_work(wrong, error, message):
    begun = []
    arguments = {"activations": "relu", "layers": 64, "orders": 1, **wrong}
    with pytest.raises(error, match=message):
        tabulate(**arguments, progress=lambda done, count: begun.append(done))
    # Whether a number is within the range of a double is known once there is one.
    assert begun == ([0] if "outside" in message else [])


def test_exact_texts():
    for text in ("0", "1", "-1", "0.5", "1/3", "-7/3", "12345678901234567/3", "1/1024", "1e-9"):
        assert Fraction(exact_text(Fraction(text))) == Fraction(text)
    assert exact_text(Fraction("1e-9")) == "0.000000001"
    # The double next to 0.1 is not 0.1.
    assert exact_text(0.1) == "3602879701896397/36028797018963968"
    assert label(fm.LeakyReLU(0.25)) == "leaky_relu(0.25)"
    assert label(fm.ReLU()) == "relu"


# ---------------------------------------------------------------- fm.certified.init_scale


def test_enclosures_contain_the_references():
    for row in references.rows()[::3]:
        activation = references.ACTIVATIONS[row.activation]
        enclosure = init_scale(
            activation, row.fan_in, row.fan_out, row.order, digits=20, **row.options
        )
        assert enclosure.digits >= 20
        assert Fraction(row.value) in enclosure
        assert abs(Fraction(row.value) / Fraction(float(enclosure)) - 1) < Fraction(1, 2**53)


def test_enclosures_of_narrowing_orthogonal_layers():
    assert float(init_scale("linear", 64, 10, -9.5, weights="orthogonal")) > 1.7
    with pytest.raises(ValueError, match="order must be > -10, got -20"):
        init_scale("linear", 64, 10, -20, weights="orthogonal")
    assert init_scale("linear", 10, 10, -20, weights="orthogonal").is_exact()


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize(
    "dropout", [{}, {"keep_prob": "2/3"}, {"keep_prob": "2/3", "inverted_dropout": False}]
)
@pytest.mark.parametrize("fans", [(3, 3), (5, 2), (1, 2)])
def test_exact_squares_lie_in_the_enclosures(weights, dropout, fans):
    slopes = [fm.LeakyReLU("-1/3"), fm.RandomizedLeakyReLU("-1/3", "-1/8")]
    for activation in ["relu", "linear", *slopes]:
        layer = LayerScale.of(activation, *fans, 2, weights=weights, **dropout)
        assert layer.exact_square() in layer.enclose(18) ** 2
    for order in ("0", "1/3", "7"):
        layer = LayerScale.of("linear", *fans, order, weights=weights, **dropout)
        exact = layer.exact_square()
        # Rational at every order for isometries alone.
        assert (exact is None) == (weights == "gaussian" or fans[0] > fans[1] or bool(dropout))
        if exact is not None:
            assert exact in layer.enclose(18) ** 2
