"""Numbers of statements, by formulas and simulations that share no code with them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import fracmoment as fm
from fracmoment import schemes
from fracmoment.activations import as_activation
from fracmoment.networks.laws import LayerLaw

# ---------------------------------------------------------------- closed formulas


def log_chi_moment(d, s):
    return 0.5 * s * math.log(2) + special.gammaln((d + s) / 2) - special.gammaln(d / 2)


def relu_moment(d, s):
    n = np.arange(1, d + 1)
    logs = 0.5 * s * math.log(2) + special.gammaln((n + s) / 2) - special.gammaln(n / 2)
    return float(stats.binom.pmf(n, d, 0.5) @ np.exp(logs))


def relu_logs(d):
    """Mean and variance of log R given R > 0."""
    n = np.arange(1, d + 1)
    weights = stats.binom.pmf(n, d, 0.5) / (1 - 0.5**d)
    means = 0.5 * (special.digamma(n / 2) + math.log(2))
    mean = float(weights @ means)
    return mean, float(weights @ (special.polygamma(1, n / 2) / 4 + (means - mean) ** 2))


LINEAR = [
    (schemes.LeCun(), "rms", lambda n, _: n**-0.5),
    (schemes.Glorot(), "rms", lambda n, d: (2 / (n + d)) ** 0.5),
    (schemes.RandomWalk("linear"), "rms", lambda n, d: math.exp(0.5 / d) * n**-0.5),
    (
        schemes.Fractional(0.7, "linear", "norm"),
        "norm",
        lambda _, d: math.exp(-log_chi_moment(d, 0.7) / 0.7),
    ),
]


@pytest.mark.parametrize(("scheme", "quantity", "scale"), LINEAR)
@pytest.mark.parametrize(("n", "d"), [(12, 12), (20, 7), (5, 30)])
def test_linear_gaussian_layers(scheme, quantity, scale, n, d):
    statement = scheme.statement(n, d, 4)
    sigma = scale(n, d) * (math.sqrt(n / d) if quantity == "rms" else 1.0)
    drift = math.log(sigma) + 0.5 * (special.digamma(d / 2) + math.log(2))
    assert statement.drift == pytest.approx(drift, abs=1e-13)
    assert statement.log_variance == pytest.approx(special.polygamma(1, d / 2) / 4, rel=1e-12)
    assert statement.prob_dead == 0.0
    assert statement.quantity == quantity
    assert statement.evidence == "exact"
    assert not statement.approximate
    if drift >= 0:
        assert statement.order == 0.0
    else:
        root = optimize.brentq(lambda s: log_chi_moment(d, s) / s + math.log(sigma), 1e-3, 1e4)
        if root < 60:
            assert statement.order == pytest.approx(root, rel=1e-9)


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "he_truncated_normal", "sparse"])
@pytest.mark.parametrize(("n", "d", "depth"), [(20, 6, 1), (16, 16, 30)])
def test_relu_layers(name, n, d, depth):
    scheme = schemes.get(name)
    if name == "sparse":
        scheme = schemes.Sparse(6)
    statement = scheme.statement(n, d, depth)
    mean, variance = relu_logs(d)
    assert statement.drift == pytest.approx(0.5 * math.log(2 / d) + mean, abs=1e-13)
    assert statement.log_variance == pytest.approx(variance, rel=1e-12)
    assert statement.order == 2.0
    assert statement.evidence == "exact"
    if name == "sparse":
        assert statement.prob_dead is None
    else:
        dead = -math.expm1(depth * math.log1p(-(0.5**d)))
        assert statement.prob_dead == pytest.approx(dead, rel=1e-12)
    exact = name == "he_normal"
    assert statement.approximate == (() if exact else ("drift", "log_variance"))


def test_tail_indices_of_other_scales():
    """He's scale with mean fan, random walk: the root of E (sigma R)^s = 1, by sums over n."""
    for scheme, n, d in [
        (schemes.He(mode="fan_avg"), 24, 20),
        (schemes.He("relu"), 9, 9),
        (schemes.RandomWalk(), 16, 16),
        (schemes.LeCun("relu"), 6, 6),
        (schemes.Glorot("relu"), 8, 4),
    ]:
        sigma = scheme.scale(n, d) * math.sqrt(n / d)

        def excess(s, sigma=sigma, d=d):
            return math.log(relu_moment(d, s)) / s + math.log(sigma)

        root = optimize.brentq(excess, 1e-4, 100)
        assert scheme.statement(n, d).order == pytest.approx(root, rel=1e-8)


@pytest.mark.parametrize("order", [0.3, 1.0, 2.0, 3.7])
@pytest.mark.parametrize(("n", "d"), [(30, 30), (9, 40), (50, 6)])
def test_orders_by_definition_are_tail_indices(n, d, order):
    """What is stated because the scale was made so, found again from the scale."""
    for activation in ("relu", "linear", fm.LeakyReLU(0.2), "rrelu"):
        for options in ({}, {"keep_prob": 0.7}, {"weights": "orthogonal"}, {"preserve": "norm"}):
            scheme = schemes.Fractional(order, activation, **options)
            statement = scheme.statement(n, d)
            if statement.order is None:  # an isometry
                assert activation == "linear"
                assert statement.log_variance == 0.0
                continue
            law = LayerLaw(as_activation(activation), n, d, scheme.keep_prob, scheme.weights)
            size = 1.0 if scheme.preserve == "norm" else math.sqrt(n / d)
            found = law.tail_index(scheme.scale(n, d) * size)
            assert statement.order == order == pytest.approx(found, rel=1e-7)
    if d % 2 == 0 and n % 2 == 0:
        pairs = schemes.GaussianSubmatrix(order=order)
        found = fm.Gain("linear", d // 2).tail_index(pairs.scale(n, d) * math.sqrt(n / d))
        assert pairs.statement(n, d).order == order == pytest.approx(found, rel=1e-7)


@pytest.mark.parametrize("scheme", [schemes.Orthogonal(0.9), schemes.Unitary(0.9)], ids=str)
def test_orthogonal_layers_that_narrow(scheme):
    n, d = 14, 6
    statement = scheme.statement(n, d)
    drift = math.log(0.9) + 0.5 * (special.digamma(d / 2) - special.digamma(n / 2))
    variance = (special.polygamma(1, d / 2) - special.polygamma(1, n / 2)) / 4
    assert statement.drift == pytest.approx(drift, abs=1e-13)
    assert statement.log_variance == pytest.approx(variance, rel=1e-11)
    # J J^T = 0.81 on d of n dimensions
    assert statement.isometry_defect == pytest.approx((d * 0.19**2 + (n - d)) / n, rel=1e-12)


def test_orthogonal_layers_that_do_not():
    for scheme in (schemes.Orthogonal(), schemes.Unitary(), schemes.DeltaOrthogonal()):
        statement = scheme.statement(6, 10, 50)
        assert statement.drift == 0.0
        assert statement.log_variance == 0.0
        assert statement.prob_dead == 0.0
        assert statement.order is None
        assert statement.isometry_defect < 1e-12
        assert statement.preserves == "|x| itself, of every input."
    relu = schemes.Fractional(1.0, weights="orthogonal").statement(8, 8, 3)
    n = np.arange(1, 9)
    # R^2 is a Beta variate given the number of live units
    weights, a, b = stats.binom.pmf(n, 8, 0.5), n / 2, (8 - n) / 2
    moment = float(weights @ np.exp(special.gammaln(a + 0.5) - special.gammaln(a))) * math.exp(
        special.gammaln((a + b)[0]) - special.gammaln((a + b)[0] + 0.5)
    )
    assert schemes.Fractional(1.0, weights="orthogonal").scale(8, 8) == pytest.approx(1 / moment)
    assert relu.order == 1.0
    assert relu.prob_dead == pytest.approx(1 - (1 - 2**-8) ** 3)


def test_fixed_weights():
    constant = schemes.Constant(0.1).statement(6, 4, 3)
    first, other = np.full((4, 6), 0.1), np.full((4, 4), 0.1)
    j = other @ other @ first
    expected = np.sum((j.T @ j - np.eye(6)) ** 2) / 6
    assert constant.isometry_defect == pytest.approx(expected, rel=1e-13)
    identity = schemes.Identity(0.9).statement(6, 4, 3)
    j = 0.9**3 * np.eye(4, 6)
    expected = np.sum((j.T @ j - np.eye(6)) ** 2) / 6
    assert identity.isometry_defect == pytest.approx(expected, rel=1e-13)
    assert schemes.Identity(0.9).statement(4, 6, 3).drift == math.log(0.9)
    assert schemes.Zero().statement(6, 4).isometry_defect == 1.0
    assert schemes.Constant(0.0).statement(6, 4).isometry_defect == 1.0
    assert schemes.Constant(2.0).statement(64, 64, 100).isometry_defect is None
    assert schemes.Identity(10.0).statement(4, 4, 100_000).isometry_defect is None


def test_moments_of_jacobians_beyond_doubles_are_left_out():
    statement = schemes.LeCun().statement(64, 64, 100_000)
    assert statement.isometry_defect is None
    assert statement.order == 2.0


# ---------------------------------------------------------------- simulations


def relu(z):
    return np.maximum(z, 0.0)


def defects(scheme, widths, activation, n_samples, seed):
    """|J^T J - 1|^2/n for the Jacobians of sampled networks at a random input."""
    rng = np.random.default_rng(seed)
    values = np.empty(n_samples)
    for index in range(n_samples):
        x, j = rng.standard_normal(widths[0]), np.eye(widths[0])
        for n, d in pairwise(widths):
            z = scheme.sample((d, n), rng=rng)
            j, x = z @ j, z @ x
            if activation == "relu":
                j, x = j * (x > 0)[:, np.newaxis], relu(x)
        values[index] = np.sum((j.T @ j - np.eye(widths[0])) ** 2) / widths[0]
    return values


@pytest.mark.parametrize(
    ("scheme", "activation"),
    [
        (schemes.He(), "relu"),
        (schemes.He(entries="uniform"), "relu"),
        (schemes.LeCun(entries="truncated"), "linear"),
        (schemes.FrameworkDefault("torch"), "relu"),
        (schemes.Sparse(2), "relu"),
        (schemes.Sparse(1, "linear"), "linear"),
        (schemes.Orthogonal(1.3, "relu"), "relu"),
        (schemes.Unitary(), "linear"),
    ],
    ids=str,
)
def test_defects_of_isometry_by_simulation(scheme, activation, z_score):
    """One z-score a case below 5: one failure in 200,000 seeds."""
    sample = defects(scheme, [6, 4, 4, 4], activation, 2500, seed=3)
    expected = scheme.statement(6, 4, 3).isometry_defect
    if np.ptp(sample) < 1e-12:
        assert sample == pytest.approx(expected)
    else:
        assert z_score(sample, expected) < 5


def test_the_defect_of_one_unitary_layer_with_relu(z_score):
    scheme = schemes.Unitary(1.2, "relu")
    sample = defects(scheme, [6, 4], "relu", 4000, seed=1)
    assert z_score(sample, scheme.statement(6, 4).isometry_defect) < 5
    assert scheme.statement(4, 6).isometry_defect is None
    assert scheme.statement(4, 4, 2).isometry_defect is None


def ratios(scheme, shape, phi, x, quantity, n_samples, seed):
    """Factors by which sampled layers multiply the quantity."""
    rng = np.random.default_rng(seed)
    size = math.sqrt(x.size / shape[0]) if quantity == "rms" else 1.0
    images = (
        phi(scheme.sample(shape, rng=rng).reshape(shape[0], -1) @ x) for _ in range(n_samples)
    )
    return size * np.array([np.linalg.norm(y) for y in images]) / np.linalg.norm(x)


def leaky(slope):
    return lambda z: np.where(z > 0, z, slope * z)


def randomized(lower, upper, seed):
    rng = np.random.default_rng(seed)
    return lambda z: np.where(z > 0, z, rng.uniform(lower, upper, z.shape) * z)


PRESERVING = [
    (schemes.Fractional(0.8), relu, (7, 12)),
    (schemes.Fractional(1.0, preserve="norm"), relu, (12, 7)),
    (schemes.Fractional(1.5, "linear"), lambda z: z, (3, 9)),
    (schemes.Fractional(1.0, fm.LeakyReLU(0.3)), leaky(0.3), (5, 4)),
    (schemes.Fractional(1.0, weights="orthogonal"), relu, (9, 5)),
    (schemes.Fractional(1.0, weights="orthogonal"), relu, (5, 9)),
    (schemes.Fractional(0.5, "linear", weights="orthogonal"), lambda z: z, (4, 9)),
    (schemes.He(), relu, (6, 11)),
    (schemes.He(mode="fan_out"), relu, (6, 11)),
    (schemes.He(entries="uniform"), relu, (6, 3)),
    (schemes.He(fm.LeakyReLU(0.5), "truncated"), leaky(0.5), (6, 3)),
    (schemes.LeCun(entries="uniform"), lambda z: z, (5, 2)),
    (schemes.Glorot(), lambda z: z, (5, 5)),
    (schemes.Sparse(3), relu, (5, 8)),
    (schemes.RandomizedSlope(1.0, 0.0, 1.0), randomized(0, 1, 5), (4, 4)),
    (schemes.RandomizedSlope(1.0, 0.0, 1.0, mode="evaluation"), leaky(0.5), (4, 4)),
    (
        schemes.RandomizedSlope(1.0, 0.0, 1.0, preserved_in="evaluation", mode="evaluation"),
        leaky(0.5),
        (4, 4),
    ),
    (schemes.Fractional(1.0), relu, (6, 3, 2, 2)),  # one output position of a convolution
    (schemes.He(entries="uniform"), relu, (6, 3, 3)),
    (schemes.RandomWalk(), relu, (3, 6)),
    (schemes.Unitary(1.5, "relu"), relu, (8, 8)),
]


@pytest.mark.parametrize(("scheme", "phi", "shape"), PRESERVING)
def test_the_stated_moment_is_preserved(scheme, phi, shape, z_score):
    """One z-score a case below 5 with weights as drawn: one failure in 80,000 seeds for all."""
    x = np.random.default_rng(1).standard_normal(math.prod(shape[1:]))
    statement = scheme.statement_for(shape)
    assert statement.evidence == "exact"
    sample = ratios(scheme, shape, phi, x, statement.quantity, 4000, seed=4)
    assert 0.0 < statement.order < 4.0
    assert z_score(sample**statement.order, 1.0) < 5


def test_zero_drift_and_its_variance(z_score):
    """Two z-scores below 5."""
    scheme = schemes.Lyapunov("linear")
    x = np.ones(9)
    logs = np.log(ratios(scheme, (4, 9), lambda z: z, x, "rms", 10_000, seed=6))
    assert z_score(logs, 0.0) < 5
    assert scheme.statement(9, 4).drift == pytest.approx(0.0, abs=1e-15)
    assert z_score(logs**2, scheme.statement(9, 4).log_variance) < 5


def test_other_entries_keep_mean_squares_for_every_input(z_score):
    """What is called exact is so even for an input of one entry: two z-scores below 5."""
    x = np.zeros(8)
    x[2] = 1.0
    scheme = schemes.FrameworkDefault("torch")
    sample = ratios(scheme, (4, 8), relu, x, "rms", 4000, seed=2) ** 2
    assert z_score(6 * sample, 1.0) < 5
    assert "E rms^2 is multiplied by 0.166667" in scheme.statement(8, 4).preserves
    # while the order of the limit is not there: the drift of this input is another
    he = schemes.He(entries="uniform")
    logs = ratios(he, (1, 8), lambda z: z, x, "rms", 4000, seed=2)
    assert z_score(np.log(logs), schemes.He("relu").statement(8, 1).drift) > 5


def test_orders_of_limits_are_given_where_they_are_near():
    far = schemes.FrameworkDefault("torch").statement(64, 64)
    assert far.order is None
    assert far.evidence == "exact"
    close = schemes.He("relu", "uniform", "fan_avg").statement(400, 404)
    assert close.order == schemes.He("relu", mode="fan_avg").statement(400, 404).order
    assert close.evidence == "asymptotic"
    assert close.approximate == ("order", "drift", "log_variance")
    assert "for s about" in close.preserves


def test_gradients_of_backward_random_walks(z_score):
    """|D W^T v| behind a layer of independent normal weights: one z-score below 5."""
    scheme = schemes.RandomWalk(direction="backward")
    n, d = 12, 7
    rng = np.random.default_rng(8)
    logs = []
    for _ in range(10_000):
        before = rng.standard_normal((n, 5)) @ np.ones(5)  # pre-activations below
        gradient = (before > 0) * (scheme.sample((d, n), rng=rng).T @ np.ones(d))
        norm = np.linalg.norm(gradient)
        if norm > 0:
            logs.append(math.log(norm) - 0.5 * math.log(n))
    assert z_score(np.array(logs), scheme.statement(n, d).drift) < 5
    # He's scale with fan_out preserves the mean square of gradients
    he = schemes.He(mode="fan_out")
    squares = [
        np.sum(((rng.standard_normal(n) > 0) * (he.sample((d, n), rng=rng).T @ np.ones(d))) ** 2)
        for _ in range(10_000)
    ]
    assert z_score(np.array(squares) / n, 1.0) < 5


# ---------------------------------------------------------------- activations not homogeneous


def test_self_normalizing_layers_at_unit_inputs(z_score):
    """Mean 0 and mean square 1 at any width, for an input of mean square 1: two z-scores."""
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    rng = np.random.default_rng(3)
    x = np.sign(rng.standard_normal(6))
    z = np.concatenate([schemes.SelfNormalizing().sample((5, 6), rng=rng) @ x for _ in range(4000)])
    units = scale * np.where(z > 0, z, alpha * np.expm1(z))
    assert z_score(units, 0.0) < 5
    assert z_score(units**2, 1.0) < 5


def test_numbers_of_lecuns_tanh():
    def second(q):
        return integrate.quad(
            lambda z: (1.7159 * np.tanh(2 * math.sqrt(q) * z / 3)) ** 2 * stats.norm.pdf(z), -12, 12
        )[0]

    statement = schemes.LeCunTanh().statement(64, 64)
    assert f"mean square {second(1.0):.3f}" in statement.reason
    assert (
        f"tends to {optimize.brentq(lambda q: second(q) - q, 0.05, 2):.3f}" in statement.preserves
    )


def test_the_evidence_of_all_kinds():
    asymptotic = ("selu", "lecun_tanh")
    assert all(schemes.get(name).statement(8, 8).evidence == "asymptotic" for name in asymptotic)
    assert schemes.LSUV().statement(8, 8).evidence == "empirical"
    assert schemes.TFixup(6).statement(8, 8).evidence == "asymptotic"


# ---------------------------------------------------------------- kernels


def test_statements_about_kernels_are_those_of_one_position():
    kernel = schemes.Fractional(1.0).statement_for((6, 3, 2, 2))
    dense = schemes.Fractional(1.0).statement(12, 6)
    assert kernel.drift == dense.drift
    assert kernel.prob_dead == dense.prob_dead
    assert kernel.isometry_defect is None
    assert "one output position" in kernel.reason
    assert (kernel.fan_in, kernel.fan_out) == (12, 24)
    assert schemes.He().statement_for((6, 12)) == schemes.He().statement(12, 6)
    grouped = schemes.He().statement_for((6, 3, 2, 2), groups=2)
    assert grouped.drift == schemes.He().statement(12, 3).drift


def test_gains_are_those_of_the_layers():
    assert schemes.He().gain(7) == fm.Gain("relu", 7)
    assert schemes.He(entries="uniform").gain(7) is None
    assert schemes.Orthogonal(activation="relu").gain(7) == fm.Gain("relu", 7, weights="orthogonal")
    assert schemes.Orthogonal().gain(7, 8) is None
    assert schemes.Orthogonal().gain(7, 7) == fm.Gain("linear", 7, weights="orthogonal")
    assert schemes.Fractional(1.0, keep_prob=0.5).gain(4) == fm.Gain("relu", 4, keep_prob=0.5)
    assert schemes.He().gain([4, 8]).shape == (2,)
    for name in ("zero", "selu", "lsuv", "sparse", "identity"):
        assert schemes.get(name).gain(8) is None
