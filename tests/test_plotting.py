"""Plot functions: what they draw is what the library computes, and nothing else changes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy import stats

import fracmoment as fm
from fracmoment import plotting
from fracmoment.plotting import style

GAIN = fm.Gain("relu", 16)
LAW = fm.DepthLaw(GAIN, GAIN.scale(1), 20)
DRAWS = fm.simulate_log_norms(GAIN, GAIN.scale(1), 20, 200, rng=1)
JACOBIANS = fm.simulate_jacobian(8, 0.5, 10, 51, rng=1)


def laws(samples: bool = True) -> list[plotting.LawCurve]:
    he = fm.DepthLaw(GAIN, GAIN.scale(2), 20)
    return [
        plotting.LawCurve("one", LAW, DRAWS if samples else None),
        plotting.LawCurve("two", he),
    ]


def fan() -> plotting.QuantileFan:
    return plotting.QuantileFan.exact(GAIN, GAIN.scale(2), [0, 1, 10, 50])


def width_depth() -> plotting.WidthDepthMap:
    widths, depths = np.array([4, 16, 64]), np.array([1, 10, 100, 1000])
    return plotting.WidthDepthMap(widths, depths, depths[:, None] / widths, "depth over width")


PLOTS = {
    "curves": lambda ax: plotting.plot_curves(
        [
            plotting.Curve("a", [1, 2], [1, 2], [0, 1], [2, 3]),
            plotting.Curve("b", [1, 2], [1, 2], [0, 1], [2, 3], "simulated"),
            plotting.Curve("c", [1, 2], [3, 4], role="reference"),
        ],
        ax,
        xlabel="x",
        ylabel="y",
    ),
    "densities": lambda ax: plotting.plot_densities(laws(), ax, xlabel="y"),
    "norms": lambda ax: plotting.plot_densities(laws(), ax, xlabel="y", exponential=True),
    "distributions": lambda ax: plotting.plot_distributions(laws(), ax, xlabel="y"),
    "fan": lambda ax: plotting.plot_quantile_fan(fan(), ax),
    "map": lambda ax: plotting.plot_width_depth(
        width_depth(), ax, levels=[0.1, 1.0, 10.0], ratios={1.0: "depth = width"}
    ),
    "sgd": lambda ax: plotting.plot_sgd_tail_index(
        fm.sgd_phase_diagram([0.05, 0.1, 0.5], [1, 4, 16], 5), ax
    ),
    "correlation": lambda ax: plotting.plot_correlation_map(
        [plotting.CorrelationMap.exact("d = 16", GAIN, np.linspace(-1, 1, 5))], ax
    ),
    "spectra": lambda ax: plotting.plot_spectra([plotting.Spectrum.of("He", JACOBIANS)], ax),
}


@pytest.mark.parametrize("name", PLOTS)
def test_draws_into_the_axes_given_and_changes_nothing_else(name):
    before = dict(rcParams)
    pyplot = "matplotlib.pyplot" in sys.modules and sys.modules["matplotlib.pyplot"].get_fignums()
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert PLOTS[name](left) is left
    assert not right.has_data()
    figure.draw_without_rendering()
    assert left.get_xlabel()
    assert left.get_ylabel()
    assert dict(rcParams) == before
    if pyplot is not False:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == pyplot


@pytest.mark.parametrize("name", PLOTS)
def test_makes_its_own_figure_without_pyplot(name):
    ax = PLOTS[name](None)
    assert isinstance(ax.figure, Figure)
    # pyplot gives the figures that it knows a number.
    assert not hasattr(ax.figure, "number")


@pytest.mark.parametrize("name", PLOTS)
def test_says_what_is_missing(name, monkeypatch):
    # Data first, so that only the drawing is without matplotlib.
    for module in [key for key in sys.modules if key.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'fracmoment\[plot\]'"):
        PLOTS[name](None)


# ---------------------------------------------------------------- exact data


def drawn(ax, place: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, y = ax.get_lines()[place].get_data()
    return np.asarray(x), np.asarray(y)


def test_lines_are_library_values():
    x, y = drawn(plotting.plot_densities(laws(False), xlabel="y"))
    np.testing.assert_array_equal(y, LAW.pdf(x))
    x, y = drawn(plotting.plot_densities(laws(False), xlabel="y", exponential=True))
    np.testing.assert_array_equal(y, LAW.pdf(np.log(x)) / x)
    assert x[0] > 0.0
    x, y = drawn(plotting.plot_distributions(laws(False), xlabel="y"))
    np.testing.assert_array_equal(y, LAW.cdf(x))

    quantiles = fan().quantiles
    np.testing.assert_array_equal(quantiles[0], 0.0)
    np.testing.assert_array_equal(quantiles[2], fm.DepthLaw(GAIN, GAIN.scale(2), 10).ppf(
        fan().levels
    ))  # fmt: skip
    x, y = drawn(plotting.plot_quantile_fan(fan()))
    np.testing.assert_array_equal(x, [0, 1, 10, 50])
    np.testing.assert_array_equal(y, quantiles[:, 3])

    grid = np.linspace(-1, 1, 5)
    moments = fm.cosine_moments(GAIN, grid)
    ax = plotting.plot_correlation_map([plotting.CorrelationMap.exact("d = 16", GAIN, grid)])
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_array_equal(lines["d = 16"], moments.mean)
    np.testing.assert_array_equal(
        lines["mean field"], fm.MeanField(GAIN, 1.0).correlation_map(grid, variance=1.0)
    )

    np.testing.assert_array_equal(
        drawn(plotting.plot_spectra([plotting.Spectrum.of("He", JACOBIANS[:, :2])]), -1)[1],
        np.median(JACOBIANS[:, :2], axis=0),
    )


def test_shades_of_ranges_are_between_quantiles():
    ax = plotting.plot_quantile_fan(fan())
    outer = ax.collections[0].get_paths()[0].vertices
    assert outer[:, 1].min() == fan().quantiles.min()
    assert outer[:, 1].max() == fan().quantiles.max()


def test_shares_of_samples_are_counted():
    ax = plotting.plot_densities(laws(), xlabel="y", xlim=(-4.0, 4.0), bins=8)
    (container,) = ax.containers
    centres, heights = container.lines[0].get_data()
    np.testing.assert_allclose(centres, np.arange(-3.5, 4.5))
    counts = np.histogram(DRAWS, np.arange(-4.0, 5.0))[0]
    np.testing.assert_allclose(heights * len(DRAWS), counts)


def test_singular_values_that_are_zero_are_left_out():
    logs = np.array([[1.0, 0.0, -np.inf]] * 20 + [[1.0, -np.inf, -np.inf]] * 5)
    spectrum = plotting.Spectrum.of("x", logs)
    np.testing.assert_array_equal(spectrum.median, [1.0, 0.0, -np.inf])
    x, y = drawn(plotting.plot_spectra([spectrum]), -1)
    np.testing.assert_array_equal((x, y), [[1, 2], [1.0, 0.0]])


# ---------------------------------------------------------------- bands


@pytest.mark.parametrize("count", [0, 1, 7, 50, 99, 100])
def test_ends_of_the_binomial_band_are_where_the_count_is_just_unlikely(count):
    low, high = plotting.binomial_band(count, 100)
    if count > 0:
        assert stats.binom.sf(count - 1, 100, low) == pytest.approx(0.005, rel=1e-9)
    else:
        assert low == 0.0
    if count < 100:
        assert stats.binom.cdf(count, 100, high) == pytest.approx(0.005, rel=1e-9)
    else:
        assert high == 1.0


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_quantile_band_covers_and_no_shorter_one_does(p):
    n, level = 200, 0.99
    # On the samples 1, ..., n the band is the pair of ranks; P(X_(r) <= q) is a binomial tail.
    low, high = (int(x) for x in plotting.quantile_band(np.arange(1, n + 1), p, level))
    missed_below = stats.binom.cdf(low - 1, n, p)
    missed_above = stats.binom.sf(high - 1, n, p)
    assert max(missed_below, missed_above) <= 0.005
    assert stats.binom.cdf(low, n, p) > 0.005
    assert stats.binom.sf(high - 2, n, p) > 0.005


def test_quantile_band_without_enough_samples_is_open():
    low, high = plotting.quantile_band([1.0, 2.0], 0.5)
    assert (low, high) == (-np.inf, np.inf)


def test_mean_band_is_symmetric():
    samples = np.random.default_rng(1).normal(size=(500, 3))
    low, high = plotting.mean_band(samples, 0.95)
    np.testing.assert_allclose(0.5 * (low + high), samples.mean(axis=0))
    error = stats.sem(samples, axis=0)
    np.testing.assert_allclose((high - low) / error, 2 * stats.norm.ppf(0.975))


# ---------------------------------------------------------------- what is refused, and looks


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: plotting.Curve("a", [1, 2], [1]), "y must have"),
        (lambda: plotting.Curve("a", [[1]], [[1]]), "x must have"),
        (lambda: plotting.Curve("a", [1], [1], low=[0]), "low and high"),
        (lambda: plotting.Curve("a", [1], [1], role="real"), "role must be"),
        (lambda: plotting.LawCurve("a", LAW, [0.0, -np.inf]), "samples must be finite"),
        (lambda: plotting.QuantileFan.exact(GAIN, 1.0, [1], [0.1, 0.5]), "levels must be"),
        (lambda: plotting.WidthDepthMap([1], [1], np.ones((2, 1)), "q"), "values must have"),
        (lambda: plotting.binomial_band(3, 2), "successes must be"),
        (lambda: plotting.binomial_band(0, 0), "trials must be"),
        (lambda: plotting.binomial_band(0, 1, 1.0), "level must be"),
        (lambda: plotting.quantile_band([1.0], 1.0), "probability must be"),
    ],
)
def test_errors_name_the_argument(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_series_differ_in_everything():
    looks = [style.series(index) for index in range(6)]
    assert len({look.color for look in looks}) == 6
    assert len({str(look.linestyle) for look in looks}) == 6
    assert len({look.marker for look in looks}) == 6
    # The first three differ in lightness too, for prints in grey.
    grey = [np.dot(to_rgb(look.color), (0.299, 0.587, 0.114)) for look in looks[:3]]
    assert np.diff(grey).min() > 0.05


def test_ticks_and_legends_are_inside_the_figure():
    figure = Figure(layout="constrained")
    ax = PLOTS["curves"](figure.subplots())
    style.plain_ticks(ax.xaxis, (1, 1.5, 2))
    figure.draw_without_rendering()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "1.5", "2"]
    whole = figure.bbox
    for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_legend().get_texts()):
        box = text.get_window_extent()
        assert Bbox.intersection(whole, box).bounds == pytest.approx(box.bounds)
