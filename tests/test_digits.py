"""The any-precision route of the compiled core against mpmath, from other definitions.

The core sums a trapezoid rule over the Mellin integral (or a window of the binomial sum); the
references here are finite sums of hypergeometric functions, full binomial sums, tanh-sinh
quadrature of the undifferentiated Laplace integral, and closed forms.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import flint
import mpmath
import pytest
from mpmath import mp

from fracmoment import _core


def evaluate(
    quantity,
    width,
    lower,
    upper,
    order=0,
    digits=50,
    *,
    keep_prob=1,
    inverted=False,
    orthogonal=False,
    given_alive=False,
):
    """Call the core with exact rationals and return an mpf, unrounded."""
    mantissa, exponent = _core.digits_evaluate(
        quantity,
        width,
        str(Fraction(lower)),
        str(Fraction(upper)),
        str(Fraction(keep_prob)),
        inverted,
        orthogonal,
        given_alive,
        str(Fraction(order)),
        digits,
    )
    return mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa, 16), exponent))


def gamma_ratio(numerators, denominators, base, exponent, digits):
    mantissa, exponent = _core.digits_gamma_ratio(numerators, denominators, base, exponent, digits)
    return mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa, 16), exponent))


def ball(x):
    """Return a rational as a ball of python-flint."""
    x = Fraction(x)
    return flint.arb(x.numerator) / x.denominator


def real(x):
    """Return a rational in the working precision of mpmath."""
    x = Fraction(x)
    return mp.mpf(x.numerator) / x.denominator


def number(order):
    """Return a real order, or a pair as a complex one, in the working precision of mpmath."""
    if isinstance(order, tuple):
        return mp.mpc(real(order[0]), real(order[1]))
    return real(order)


def assert_digits(value, reference, digits):
    """Fail unless ``value`` has ``digits`` correct digits, and say how many it has."""
    error = abs(value - reference) / abs(reference)
    assert error < mp.mpf(10) ** -digits, (
        f"relative error {mp.nstr(error, 3)}, asked for {digits} digits: "
        f"{mp.nstr(value, digits)} against {mp.nstr(reference, digits)}"
    )


def chi_square_moment(n, p):
    return mp.mpf(2) ** p * mp.gammaprod([mp.mpf(n) / 2 + p], [mp.mpf(n) / 2])


def binomial(n, k, q):
    return mp.binomial(n, k) * q**k * (1 - q) ** (n - k)


def ratio_leaky(width, slope, p):
    """E B^p, B = X/|g|^2, a finite sum over the number of positive units (theory.md section 2)."""
    slope = real(slope)
    total = mp.mpf(0)
    for n in range(width + 1):
        if n == width:
            term = mp.mpf(1)
        elif n == 0:
            term = abs(slope) ** (2 * p)
        else:
            term = mp.hyp2f1(-p, mp.mpf(width - n) / 2, mp.mpf(width) / 2, 1 - slope**2)
        total += mp.binomial(width, n) * term
    return total / mp.mpf(2) ** width


def leaky_moment(width, slope, order, keep_prob=1):
    """E[R^order; R > 0] before the division by keep_prob, over the number of kept units."""
    p, q = number(order) / 2, real(keep_prob)
    return mp.fsum(
        binomial(width, k, q) * chi_square_moment(k, p) * ratio_leaky(k, slope, p)
        for k in range(1, width + 1)
        if binomial(width, k, q) != 0
    )


def alive_units_moment(width, order, alive):
    """E[R^order; R > 0] where every unit is N(0,1) with probability ``alive``, else 0."""
    p, q = number(order) / 2, real(alive)
    return mp.fsum(binomial(width, n, q) * chi_square_moment(n, p) for n in range(1, width + 1))


def laplace(t, lower, upper, keep_prob):
    """L(t) of one unit (theory.md section 1)."""
    lower, upper, keep_prob = real(lower), real(upper), real(keep_prob)
    root = mp.sqrt(2 * t)
    if lower == upper:
        negative = 1 / mp.sqrt(1 + 2 * lower**2 * t)
    else:
        negative = (mp.asinh(upper * root) - mp.asinh(lower * root)) / ((upper - lower) * root)
    return 1 - keep_prob + keep_prob * (1 / mp.sqrt(1 + 2 * t) + negative) / 2


V_POINTS = [-150, -70, -30, -15, -7, -3, 0, 3, 7, 15, 30, 70, 150]


def integral_moment(width, lower, upper, order, keep_prob=1):
    """E[R^order; R > 0] for order < 2 by quadrature of the two integrals of theory.md section 2."""
    p = number(order) / 2
    dead = (1 - real(keep_prob)) ** width
    with mp.workdps(mp.dps + 80):  # 1 - L cancels at the left end
        if p.real < 0:
            return mp.quad(
                lambda v: (
                    mp.exp(-p * v) * (laplace(mp.exp(v), lower, upper, keep_prob) ** width - dead)
                ),
                V_POINTS,
            ) / mp.gamma(-p)
        return (
            p
            / mp.gamma(1 - p)
            * mp.quad(
                lambda v: (
                    mp.exp(-p * v) * (1 - laplace(mp.exp(v), lower, upper, keep_prob) ** width)
                ),
                V_POINTS,
            )
        )


def integral_logs(width, lower, upper, keep_prob=1):
    """Mean and variance of log R given R > 0 by the integrals of theory.md section 3."""
    dead = (1 - real(keep_prob)) ** width

    def integrand(v):
        t = mp.exp(v)
        return (1 - dead) * mp.exp(-t) - (laplace(t, lower, upper, keep_prob) ** width - dead)

    with mp.workdps(mp.dps + 80):
        first = mp.quad(integrand, V_POINTS) / (1 - dead)
        moved = mp.quad(lambda v: v * integrand(v), V_POINTS) / (1 - dead)
        second = -2 * (moved + mp.euler * first)
        return first / 2, (second - first**2) / 4


@pytest.mark.parametrize("keep_prob", [1, Fraction(1, 2), Fraction(0.9), Fraction(1, 10**6)])
@pytest.mark.parametrize("width", [1, 2, 3, 30, 300])
@pytest.mark.parametrize("slope", [0, 1])
def test_relu_and_linear_moments(width, slope, keep_prob):
    mp.dps = 75
    alive = Fraction(keep_prob) * (1 if slope else Fraction(1, 2))
    survival = 1 - (1 - real(alive)) ** width
    for order in (Fraction(-9, 10), Fraction(1, 3), 1, 2, Fraction(127, 2)):
        reference = alive_units_moment(width, order, alive) / survival
        reference *= real(keep_prob) ** -real(order)
        value = evaluate(
            "moment",
            width,
            slope,
            slope,
            order,
            keep_prob=keep_prob,
            inverted=True,
            given_alive=True,
        )
        assert_digits(value, reference, 50)


def alive_units_ball(width, order, alive, bits):
    """The binomial sum from n = 1 on in balls, gamma functions by their recurrence."""
    with flint.ctx.workprec(bits):
        p, odds = ball(order) / 2, ball(alive) / (1 - ball(alive))
        weight, total = (1 - ball(alive)) ** width, flint.arb(0)
        chi = [(flint.arb(1) / 2 + p).gamma() / flint.arb.pi().sqrt(), (1 + p).gamma()]
        for n in range(1, width + 1):
            weight = weight * odds * (width - n + 1) / n
            total += weight * chi[0]
            chi = [chi[1], chi[0] * (n + 2 * p) / n]
        return total * flint.arb(2) ** p


def test_binomial_sums_in_one_run():
    """Sums of proved error, to every digit asked for and no more, of any width they serve."""
    rng = random.Random(11)
    for case in range(30):
        width = round(20000 ** rng.random()) + 1
        alive = rng.choice([Fraction(1, 2), Fraction(1, 3), Fraction(0.9), Fraction(1, 10**4)])
        order = Fraction(rng.choice([-0.9375, 0.001, 1.3, 7.5, 63.7, 500.25])) - Fraction(
            case, 10**4
        )
        digits = rng.choice([15, 40, 120, 350])
        reference = alive_units_ball(width, order, alive, 4 * digits + 200)
        assert reference.rel_accuracy_bits() > 3.33 * digits + 40
        mp.dps = digits + 30
        given = order < 0
        value = evaluate("moment", width, 1, 1, order, digits, keep_prob=alive, given_alive=given)
        if given:
            value *= 1 - (1 - real(alive)) ** width
        assert_digits(value, mp.mpf(reference.mid().str(digits + 25, radius=False)), digits + 2)


def random_leaky_cases(n_cases):
    rng = random.Random(2)
    slopes = [Fraction(1, 10**8), Fraction(0.01), Fraction(-2, 5), 1 - Fraction(1, 10**8), 10]
    for _ in range(n_cases):
        width = rng.choice([1, 2, 3, 5, 9])
        keep_prob = rng.choice([1, 1, Fraction(1, 2), Fraction(9, 10), 1 - Fraction(1, 10**12)])
        edge = -width if keep_prob == 1 else -1
        order = rng.choice(
            [
                Fraction(rng.uniform(edge, 4)),
                Fraction(rng.uniform(0, 64)),
                edge + Fraction(1, 10**10),
                Fraction(1, 10**9),
                4,
            ]
        )
        yield width, rng.choice(slopes), order, keep_prob, rng.random() < 0.3


@pytest.mark.parametrize(
    ("width", "slope", "order", "keep_prob", "orthogonal"), list(random_leaky_cases(30))
)
def test_leaky_moments(width, slope, order, keep_prob, orthogonal):
    mp.dps = 80
    value = evaluate(
        "moment",
        width,
        slope,
        slope,
        order,
        keep_prob=keep_prob,
        inverted=True,
        orthogonal=orthogonal,
        given_alive=True,
    )
    reference = leaky_moment(width, slope, order, keep_prob)
    reference *= real(keep_prob) ** -real(order) / (1 - (1 - real(keep_prob)) ** width)
    if orthogonal:
        reference /= chi_square_moment(width, real(order) / 2)
    assert_digits(value, reference, 50)


@pytest.mark.parametrize(
    ("width", "lower", "upper", "order", "keep_prob"),
    [
        (3, "1/8", "1/3", 1, 1),
        (40, "-1/4", "1/3", 1, 1),
        (3, 0, "1/3", 1, 1),
        (4, 0, 1, -2, 1),
        (20, "1/8", "1/3", -12, 1),
        (4, "-1/100000000", 1, 1, "9/10"),
        (5, "-1/2", 2, 1, "1/2"),
        (9, "-5", "-3", -3, 1),
        (7, "1/3", Fraction(1, 3) + Fraction(1, 10**12), 1, 1),
    ],
)
def test_randomized_moments(width, lower, upper, order, keep_prob):
    mp.dps = 32
    value = evaluate("moment", width, lower, upper, order, 25, keep_prob=keep_prob)
    assert_digits(value, integral_moment(width, lower, upper, order, keep_prob), 25)


@pytest.mark.parametrize(
    ("width", "lower", "upper", "keep_prob"),
    [
        (1, "-1/2", 1, "1/2"),
        (2, "1/8", "1/3", 1),
        (3, 0, "1/3", 1),
        (3, "-1/100", "1/3", "9/10"),
        (64, "1/100", "1/100", 1),
        (6, "1/100000000", "1/100000000", 1),
    ],
)
def test_log_moments(width, lower, upper, keep_prob):
    mp.dps = 32
    mean, variance = integral_logs(width, lower, upper, keep_prob)
    half = mp.mpf(width) / 2
    for orthogonal in (False, True):
        shift = (mp.digamma(half) + mp.log(2)) / 2 if orthogonal else 0
        less = mp.polygamma(1, half) / 4 if orthogonal else 0
        options = {"keep_prob": keep_prob, "orthogonal": orthogonal, "digits": 25}
        assert_digits(evaluate("log_cumulant", width, lower, upper, 1, **options), mean - shift, 24)
        assert_digits(
            evaluate("log_cumulant", width, lower, upper, 2, **options), variance - less, 24
        )


@pytest.mark.parametrize("width", [1, 2, 7, 300])
def test_relu_log_moments(width):
    mp.dps = 75
    weights = [mp.binomial(width, n) for n in range(1, width + 1)]
    psi = [mp.digamma(mp.mpf(n) / 2) for n in range(1, width + 1)]
    psi1 = [mp.polygamma(1, mp.mpf(n) / 2) for n in range(1, width + 1)]
    total = mp.fsum(weights)
    mean = mp.fdot(weights, psi) / total
    second = mp.fsum(w * (a * a + b) for w, a, b in zip(weights, psi, psi1, strict=True)) / total
    assert_digits(evaluate("log_cumulant", width, 0, 0, 1), (mean + mp.log(2)) / 2, 50)
    assert_digits(evaluate("log_cumulant", width, 0, 0, 2), (second - mean**2) / 4, 50)
    assert_digits(evaluate("scale", width, 0, 0, 0), mp.exp(-(mean + mp.log(2)) / 2), 50)


@pytest.mark.parametrize(
    ("width", "slope", "order"),
    [(2, "1/5", "-5/2"), (3, "1/100", -3), (3, "1/100", -30), (16, "9/10", -16), (16, 2, -40)],
)
def test_ratio_law_below_minus_width(width, slope, order):
    mp.dps = 80
    value = evaluate("moment", width, slope, slope, order, orthogonal=True)
    assert_digits(value, ratio_leaky(width, slope, real(order) / 2), 50)


@pytest.mark.parametrize("width", [2, 50, 10**6, 10**9])
def test_dual_moment_of_great_widths(width):
    """Order -(d+2) of the ratio law is E[b^(-1/2)]^(d-1) E[b^(-3/2)], at every width."""
    mp.dps = 90
    lower, upper = mp.mpf(1) / 8, mp.mpf(1) / 3
    half = (1 + mp.log(upper / lower) / (upper - lower)) / 2
    three_halves = (1 + (lower**-2 - upper**-2) / (2 * (upper - lower))) / 2
    value = evaluate("moment", width, "1/8", "1/3", -(width + 2), orthogonal=True)
    assert_digits(value, half ** (width - 1) * three_halves, 50)


@pytest.mark.parametrize("width", [64, 10**6, 10**9])
@pytest.mark.parametrize(
    ("lower", "upper", "keep_prob"),
    [(0, 0, 1), ("1/5", "1/5", "9/10"), (-1, 1, 1), ("1/8", "1/3", 1)],
)
def test_integral_meets_polynomial_at_integer_orders(width, lower, upper, keep_prob):
    """Order 2 is exact arithmetic; order 2 + 1e-40 takes the integral."""
    mp.dps = 60
    low, high, keep = real(lower), real(upper), real(keep_prob)
    mean = keep * (1 + (low**2 + low * high + high**2) / 3) / 2
    near = evaluate("moment", width, lower, upper, 2 + Fraction(1, 10**40), 30, keep_prob=keep_prob)
    assert_digits(evaluate("moment", width, lower, upper, 2, keep_prob=keep_prob), width * mean, 50)
    assert_digits(near, width * mean, 30)


def test_finite_sum_meets_integral():
    """The two routes for ReLU, on both sides of the width where one hands over to the other."""
    mp.dps = 60
    for order in (Fraction(-1, 2), Fraction(1, 3), Fraction(21, 2)):
        scaled = []
        for width in range(19998, 20004):
            moment = evaluate("moment", width, 0, 0, order, 50, given_alive=True)
            scaled.append(moment / mp.mpf(width) ** (real(order) / 2))
        # The fifth difference of a smooth function of 1/d is below 1e-20; a jump is not.
        fifth = sum((-1) ** k * mp.binomial(5, k) * scaled[k] for k in range(6))
        assert abs(fifth) < mp.mpf(10) ** -22 * max(1, abs(scaled[0]))


def test_pole_of_vanishing_slopes():
    """Close to order -d the moment of slopes on (0, 1) is that of its leading pole."""
    mp.dps = 60
    width = 2
    for exponent in (12, 13, 20):  # by double exponential quadrature, then in closed form
        delta = mp.mpf(10) ** -exponent / 2
        value = evaluate("moment", width, 0, 1, -width + Fraction(1, 10**exponent), 30)
        rate = 1 / (4 * mp.sqrt(2))
        shift = (1 / (2 * mp.sqrt(2)) * (1 + mp.log(mp.sqrt(8)))) / rate
        leading = (
            rate**width * mp.exp(delta * shift) * 2 / delta ** (width + 1) / mp.gamma(1 - delta)
        )
        assert_digits(value, leading, min(2 * exponent, 30))


def scaled_laplace(v, low, high, analytic):
    """sqrt(t) L(t) at t = e^v for a slope on (low, high), in ball arithmetic."""
    root = (2 * v.exp()).sqrt(analytic=analytic)

    def arc(slope):
        x = abs(slope) * root
        value = (x + (x * x + 1).sqrt(analytic=analytic)).log(analytic=analytic)
        return -value if slope < 0 else value

    negative = (arc(high) - arc(low)) / ((high - low) * root)
    transform = ((1 + root * root).rsqrt(analytic=analytic) + negative) / 2
    return (v / 2).exp() * transform


@flint.ctx.workprec(220)
def split_moment(width, lower, upper, order):
    """E R^order for slopes around 0 and order < 0: a rigorous integral up to v = 160 and a sum.

    Beyond, (sqrt(t) L)^d = (A + c x)^d to 45 digits, x = v - 160, and the integral of
    e^(-delta x) x^j is j!/delta^(j+1).
    """
    split, low, high, delta = 160, ball(lower), ball(upper), ball((width + order) / 2)
    root_eight = flint.arb(8).sqrt()

    def body(v, analytic):
        return scaled_laplace(v, low, high, analytic) ** width * (-delta * v).exp()

    ends = [slope for slope in (high, -low) if slope > 0]
    share = 1 / (root_eight * (high - low))
    c = share * len(ends) / 2
    start = 1 / root_eight + share * sum((root_eight * x).log() for x in ends) + c * split
    tail = flint.arb(0)
    for j in range(width + 1):
        choose = flint.arb.bin_uiui(width, j)
        tail += choose * start ** (width - j) * c**j * flint.arb(j).fac() / delta ** (j + 1)
    value = flint.acb.integral(body, -100, split).real + tail * (-delta * split).exp()
    value = value / ball(-order / 2).gamma()
    assert value.rel_accuracy_bits() > 120
    return mp.mpf(value.mid().str(40, radius=False))


@pytest.mark.parametrize(
    ("width", "lower", "upper", "distance"),
    [
        (2, Fraction(-7.308094830672827e-08), Fraction(6.565890767532223e-08), Fraction(1, 2**52)),
        (5, "-1/2", 1, Fraction(1, 10**30)),
        (300, 0, "1/3", Fraction(5, 2)),  # a narrow peak far out
        (40, "-1/1000000", 3, Fraction(1, 3)),
    ],
)
def test_vanishing_slopes_at_the_edge(width, lower, upper, distance):
    mp.dps = 50
    value = evaluate("moment", width, lower, upper, -width + distance, 30)
    assert_digits(value, split_moment(width, lower, upper, -width + distance), 30)


def evaluate_complex(
    width, lower, upper, order, digits, *, keep_prob=1, orthogonal=False, given_alive=False
):
    """Call the core with a pair of exact rationals and return an mpc, unrounded."""
    law = (width, str(Fraction(lower)), str(Fraction(upper)), str(Fraction(keep_prob)))
    parts = _core.digits_complex_moment(
        *law, False, orthogonal, given_alive, *[str(Fraction(x)) for x in order], digits
    )
    re, im = (mpmath.libmp.from_man_exp(int(m, 16), e) for m, e in parts)
    return mp.make_mpc((re, im))


@pytest.mark.parametrize("imaginary", [Fraction(1, 10**30), Fraction(5, 7), 40, -1000])
@pytest.mark.parametrize(
    ("width", "slope", "keep_prob", "order"),
    [
        (1, "1/5", 1, Fraction(-1, 2)),
        (4, 0, 1, Fraction(1, 3)),
        (3, 1, Fraction(3, 10), 2),
        (5, "1/5", 1, Fraction(-9, 2)),
        (2, "10", "3/4", 1),
        (40, 0, Fraction(9, 10), -1 + Fraction(1, 10**9)),
    ],
)
def test_complex_moments(width, slope, keep_prob, order, imaginary):
    mp.dps = 60 + int(1.4 * abs(imaginary))
    order = (Fraction(order), Fraction(imaginary))
    alive = real(1 - (1 - Fraction(keep_prob) * Fraction(1, 1 if slope else 2)) ** width)
    value = evaluate_complex(width, slope, slope, order, 50, keep_prob=keep_prob, given_alive=True)
    if slope in (0, 1):
        share = Fraction(keep_prob) * (1 if slope else Fraction(1, 2))
        assert_digits(value, alive_units_moment(width, order, share) / alive, 50)
    else:
        assert_digits(value, leaky_moment(width, slope, order, keep_prob) / alive, 50)


def test_complex_moments_of_ratio_laws():
    """Orders below -width too: hypergeometric functions are entire in the order."""
    mp.dps = 120
    for order in [(-9, 30), (Fraction(1, 2), -60), (-4, Fraction(1, 3))]:
        value = evaluate_complex(4, "1/5", "1/5", order, 50, orthogonal=True)
        assert_digits(value, ratio_leaky(4, Fraction(1, 5), number(order) / 2), 50)


@pytest.mark.parametrize(
    ("width", "lower", "upper", "keep_prob", "order"),
    [
        (3, "1/8", "1/3", 1, (1, 7)),
        (2, "-1/4", "1/3", 1, (-1, 5)),
        (3, 0, "1/3", "1/2", (1, -4)),
        (1, "1/3", Fraction(1, 3) + Fraction(1, 10**9), 1, (1, 3)),
    ],
)
def test_complex_moments_of_randomized_slopes(width, lower, upper, keep_prob, order):
    mp.dps = 32
    value = evaluate_complex(width, lower, upper, order, 25, keep_prob=keep_prob)
    assert_digits(value, integral_moment(width, lower, upper, order, keep_prob), 22)


def test_complex_orders_of_wide_layers():
    """log M is smooth in the order: a difference of high degree tells a wrong digit."""
    mp.dps = 40
    values = [evaluate_complex(10**9, "1/5", "1/5", (1, Fraction(k, 8)), 35) for k in range(8)]
    seventh = mp.fprod(v ** ((-1) ** k * mp.binomial(7, k)) for k, v in enumerate(values))
    assert abs(seventh - 1) < mp.mpf(10) ** -31


@pytest.mark.parametrize(
    ("width", "slope", "keep_prob", "order", "imaginary"),
    [
        (2, "1/100", 1, Fraction(-3, 2), 1000),
        (5, "1/100000000", 1, 7, -150),
        (6, "2", "2/3", Fraction(1, 3), 300),
        (16, 0, 1, Fraction(81, 2), 1000),
        (100, 0, 1, 1, -500),
    ],
)
def test_great_imaginary_parts(width, slope, keep_prob, order, imaginary):
    """Along contours, where a real path would lose 1.1 bits with every unit of |Im s|."""
    mp.dps = 60 + int(1.4 * abs(imaginary))
    order = (Fraction(order), Fraction(imaginary))
    value = evaluate_complex(width, slope, slope, order, 40, keep_prob=keep_prob)
    if slope == 0:
        reference = alive_units_moment(width, order, Fraction(1, 2))
    else:
        reference = leaky_moment(width, slope, order, keep_prob)
    assert_digits(value, reference, 40)


@flint.ctx.workprec(330)
def oscillating_moment(width, lower, upper, order, imaginary):
    """E R^s, Re s < 0, by a rigorous integral along the real line between v = -130 and 130."""
    low, high = ball(lower), ball(upper)
    p = flint.acb(ball(order), ball(imaginary)) / 2

    def body(v, analytic):
        power = scaled_laplace(v, low, high, analytic) ** width
        return power * (-(p + flint.arb(width) / 2) * v).exp()

    value = flint.acb.integral(body, -130, 130) / (-p).gamma()
    assert value.rel_accuracy_bits() > 120
    return mp.mpc(*[mp.mpf(part.mid().str(40, radius=False)) for part in (value.real, value.imag)])


@pytest.mark.parametrize("imaginary", [40, -60])
@pytest.mark.parametrize(
    ("lower", "upper"), [("1/8", "1/3"), ("-1/4", "1/3"), (0, "1/3"), ("3/10", "301/1000")]
)
def test_great_imaginary_parts_of_randomized_slopes(lower, upper, imaginary):
    """Between -130 and 130 the integrand falls to e^-195 on both sides."""
    mp.dps = 45
    value = evaluate_complex(6, lower, upper, (-3, imaginary), 30)
    assert_digits(value, oscillating_moment(6, lower, upper, -3, imaginary), 30)


@pytest.mark.parametrize(("width", "keep_prob"), [(2, 1), (9, "2/3"), (1000, 1), (10**6, "1/2")])
@pytest.mark.parametrize(
    ("lower", "upper"), [(0, 0), ("1/5", "1/5"), ("1/8", "1/3"), ("1/2", 3), ("-1/4", "1/3")]
)
def test_great_orders_next_to_even_integers(width, lower, upper, keep_prob):
    """Along a contour within 10^-30 of an order whose moment is a finite sum."""
    mp.dps = 60
    exact = evaluate("moment", width, lower, upper, 60, 40, keep_prob=keep_prob)
    order = 60 + Fraction(1, 10**30)
    value = evaluate("moment", width, lower, upper, order, 40, keep_prob=keep_prob)
    growth = evaluate("moment", width, lower, upper, 62, 40, keep_prob=keep_prob) / exact
    assert value > exact * (1 - mp.mpf(10) ** -39)
    assert_digits(value, exact, 26)
    # log-convexity bounds the growth: E R^(60+e)/E R^60 <= (E R^62/E R^60)^(e/2)
    assert value <= exact * (growth ** (mp.mpf(10) ** -30 / 2) + mp.mpf(10) ** -39)


def test_great_orders_of_the_ratio_law():
    """Far below -width, and far above 0."""
    mp.dps = 60
    for width, order in [(2, -1001), (7, Fraction(-901, 2)), (20, -90)]:
        value = evaluate("moment", width, "1/5", "1/5", order, orthogonal=True)
        assert_digits(value, ratio_leaky(width, Fraction(1, 5), real(order) / 2), 50)
    mp.dps = 230
    value = evaluate("moment", 3, "1/5", "1/5", Fraction(401, 2), 200)
    assert_digits(value, leaky_moment(3, "1/5", Fraction(401, 2)), 200)


def test_imaginary_parts_have_a_bound():
    with pytest.raises(_core.ConvergenceError, match="imaginary part"):
        evaluate_complex(4, 0, 0, (1, 5000), 20)


@pytest.mark.parametrize("digits", [1, 15, 300])
def test_digits_asked_for(digits):
    mp.dps = digits + 40
    for width, slope, order, keep_prob in [
        (4, Fraction(1, 5), 1, 1),
        (3, 2, Fraction(-1, 3), 0.75),
    ]:
        value = evaluate(
            "moment", width, slope, slope, order, digits, keep_prob=keep_prob, given_alive=True
        )
        survival = 1 - (1 - real(keep_prob)) ** width
        assert_digits(value, leaky_moment(width, slope, order, keep_prob) / survival, digits)


def test_a_thousand_digits():
    mp.dps = 1040
    value = evaluate("moment", 40, 0, 0, Fraction(1, 3), 1000)
    assert_digits(value, alive_units_moment(40, Fraction(1, 3), Fraction(1, 2)), 1000)
    # By the dual integral; in closed form E[b^(-1/2)]^(d-1) E[b^(-3/2)].
    value = evaluate("moment", 6, "1/5", "1/5", -8, 1000, orthogonal=True)
    assert_digits(value, mp.mpf(3) ** 5 * 63, 1000)
    # By the direct integral at an order where a polynomial is near.
    value = evaluate("moment", 6, "1/5", "1/5", 2 + Fraction(1, 10**1010), 1000)
    assert_digits(value, mp.mpf(6) * 26 / 50, 1000)


def test_scale_where_a_first_moment_has_no_right_digit():
    """It may be negative, and then has no logarithm."""
    mp.dps = 80
    law = 25927242, 0, Fraction(3.652790113416823e-08), Fraction(41.99217369512638)
    moment = evaluate("moment", *law, 40)
    assert_digits(evaluate("scale", *law, 30), moment ** (-1 / real(law[-1])), 30)


def test_scale_is_a_power_of_the_moment():
    mp.dps = 80
    for order in (Fraction(1, 10**25), Fraction(1, 3), 2, -1):
        moment = evaluate("moment", 6, "1/5", "1/5", order, 78 if abs(order) < 0.1 else 60)
        value = evaluate("scale", 6, "1/5", "1/5", order, 50)
        assert_digits(value, moment ** (-1 / real(order)), 50)


def test_slopes_reduce_to_each_other():
    linear = evaluate("moment", 9, 1, 1, "1/3")
    assert evaluate("moment", 9, -1, -1, "1/3") == linear
    assert evaluate("moment", 9, "-1/3", "-1/8", "1/3") == evaluate(
        "moment", 9, "1/8", "1/3", "1/3"
    )
    assert evaluate("moment", 9, 1, 1, "1/3", orthogonal=True) == 1
    assert evaluate("log_cumulant", 9, 1, 1, 2, orthogonal=True) == 0


def test_cumulants_of_closed_forms():
    mp.dps = 60
    for n in (1, 2, 7, 12):
        value = evaluate("log_cumulant", 9, 1, 1, n)
        chi = (mp.polygamma(n - 1, mp.mpf(9) / 2) + (mp.log(2) if n == 1 else 0)) / 2**n
        assert_digits(value, chi, 50)
    # One unit, orthogonal: log R is 0 or log|a|, a fair coin.
    half = mp.log(mp.mpf(1) / 5) / 2
    for n, coin in ((2, 1), (4, -2), (6, 16), (12, -353792)):  # of +-1
        value = evaluate("log_cumulant", 1, "1/5", "1/5", n, orthogonal=True)
        assert_digits(value, coin * half**n, 50)
    assert evaluate("log_cumulant", 1, "1/5", "1/5", 5, orthogonal=True) == 0
    options = {"keep_prob": "1/2", "inverted": True, "orthogonal": True}
    assert evaluate("log_cumulant", 1, "1/4", "1/4", 1, **options) == 0
    assert evaluate("log_cumulant", 1, 0, 0, 2, **options) == 0
    with pytest.raises(ValueError, match="1 to 12"):
        evaluate("log_cumulant", 9, 1, 1, 13)


@pytest.mark.parametrize(
    "law",
    [(5, 0, 0), (30, "1/5", "1/5"), (3, "1/8", "1/3"), (4, "-1/3", "1/2"), (40, 0, 0, "1/10")],
    ids=repr,
)
def test_cumulants_are_taylor_coefficients(law):
    """Of log E[R^s | R > 0] at s = 0, from moments on a circle of complex orders."""
    mp.dps = 60
    width, lower, upper, *keep = law
    n_points, radius = 64, Fraction(1, 16)
    logs = []
    for k in range(n_points):
        z = mp.expjpi(mp.mpf(2 * k) / n_points) * real(radius)
        order = [Fraction(int(mp.floor(x * 2**200)), 2**200) for x in (z.real, z.imag)]
        options = {"keep_prob": keep[0] if keep else 1, "given_alive": True}
        logs.append(mp.log(evaluate_complex(width, lower, upper, order, 55, **options)))
    for n in (1, 2, 3, 6, 12):
        turns = (mp.expjpi(-mp.mpf(2 * k * n) / n_points) for k in range(n_points))
        value = mp.fsum(a * b for a, b in zip(logs, turns, strict=True)).real / n_points
        value *= mp.factorial(n) / real(radius) ** n
        options = {"keep_prob": keep[0] if keep else 1}
        assert_digits(evaluate("log_cumulant", width, lower, upper, n, 40, **options), value, 30)


def test_gamma_ratio():
    mp.dps = 70
    third = mp.mpf(1) / 3
    value = gamma_ratio(["7/3", "1/7"], ["5/2", "1000001/3"], "3/7", "22/7", 50)
    reference = mp.gammaprod([7 * third, mp.mpf(1) / 7], [mp.mpf(5) / 2, 1000001 * third])
    assert_digits(value, reference * (mp.mpf(3) / 7) ** (mp.mpf(22) / 7), 50)
    # The chi moment of width 10^9 and order 2, from gamma values beyond 2^(10^10).
    assert_digits(gamma_ratio(["500000001"], ["500000000"], "2", "1", 50), mp.mpf(10**9), 50)


def test_threads_give_the_same_bits():
    calls = [("moment", 20, "1/8", "1/3", Fraction(k, 7), 20 + 9 * k) for k in range(1, 12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda call: evaluate(*call), calls)) == [evaluate(*c) for c in calls]


def test_what_cannot_be_computed_is_an_error():
    with pytest.raises(_core.ConvergenceError, match="edge of the domain"):
        evaluate("moment", 2, 0, 1, -2 + Fraction(1, 10**300), 1000)
    for arguments in [("moment", 0, 0, 0, 1), ("moment", 5, 1, 1, -5), ("moment", 5, 0, 0, -1, 20)]:
        with pytest.raises(ValueError, match="outside"):
            evaluate(*arguments)
    with pytest.raises(ValueError, match="digits"):
        evaluate("moment", 5, 0, 0, 1, 1101)
    with pytest.raises(ValueError, match="rational"):
        _core.digits_evaluate("moment", 5, "0", "x", "1", False, False, False, "1", 20)


def remote_tail(width, upper, order):
    """E R^order for slopes on (0, upper) near order -width: the right tail, integrated by terms.

    sqrt(t) L(t) = lambda (v + mu) + A/t + B/t^2 + ..., t = e^v; the d-th power to the second order
    in 1/t, each term a gamma function.
    """
    p, u = number(order) / 2, real(upper)
    delta = p + mp.mpf(width) / 2
    rate = 1 / (4 * mp.sqrt(2) * u)
    shift = (1 / (2 * mp.sqrt(2)) + 2 * rate * mp.log(mp.sqrt(8) * u)) / rate
    first = (-mp.mpf(1) / 4 + 1 / (8 * u**3)) / mp.sqrt(8)
    second = (mp.mpf(3) / 32 - 3 / (128 * u**5)) / mp.sqrt(8)

    def term(power, k):
        logarithm = power * mp.log(rate) + (delta + k) * shift + mp.loggamma(power + 1)
        return mp.exp(logarithm - (power + 1) * mp.log(delta + k) - mp.loggamma(-p))

    return (
        term(width, 0)
        + width * first * term(width - 1, 1)
        + width * second * term(width - 1, 2)
        + mp.binomial(width, 2) * first**2 * term(width - 2, 2)
    )


@pytest.mark.parametrize(("imaginary", "digits"), [(Fraction(1163, 100), 40), (40, 25)])
def test_remote_tail_away_from_the_real_line(imaginary, digits):
    """The closed form of the tail is right to 2 (|delta|/|delta+1|)^d; beyond, the contour."""
    mp.dps = 60
    width, upper = 13840, Fraction(187, 10000)
    order = (Fraction(-1383937, 100), imaginary)
    value = evaluate_complex(width, 0, upper, order, digits)
    assert_digits(value, remote_tail(width, upper, order), digits)
