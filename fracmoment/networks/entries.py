"""Statistical tests on the entries of a weight matrix: which law, and are they i.i.d.?

Every test returns its statistic and p-value. The tests of a law are Kolmogorov-Smirnov tests with
the scale fitted. For the normal and the truncated normal law the fit makes the p-values somewhat
too large (conservative). For the uniform law they are exact: given the largest modulus, the other
entries are uniform again. Laws that survive are compared by their likelihoods.

The tests of independence need no law: exchangeable entries give Kruskal-Wallis statistics of the
moduli grouped by rows or columns, and Schott's statistic adds up the squared correlations of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, special, stats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment._typing import FloatArray

#: Rows and columns beyond these are sampled. The tests are decisive long before, and with more
#: entries the gaps between the numbers of half precision would be taken for a law of their own.
MAX_ROWS = 512
MAX_COLUMNS = 512
#: A law must be this much likelier than another for the data to decide between them, or the
#: reciprocal of the significance level if that is more: if normal entries are taken for truncated
#: ones, it is because their largest modulus is small, with the reciprocal of this as probability.
LIKELIHOOD_RATIO = 1000.0
#: Exact zeros above this fraction make a matrix sparse; a continuous law has none.
SPARSE_FRACTION = 0.01
# Fewer rows, columns or entries than these say nothing about a law.
_MIN_ENTRIES = 20
_MIN_GROUPS = 2
# A matrix whose Gram matrix is this much closer to the identity than chance would have it, in
# units of the chance deviation 1/sqrt(n), is orthogonal.
_ORTHOGONAL_DEVIATION = 0.05


@dataclass(frozen=True)
class TestResult:
    """A statistical test.

    Attributes
    ----------
    name : str
        What is tested, and how.
    statistic : float
        Value of the test statistic.
    p_value : float
        Probability of a value as extreme under the hypothesis.
    """

    name: str
    statistic: float
    p_value: float


@dataclass(frozen=True)
class EntryReport:
    """What the entries of a weight matrix look like.

    Attributes
    ----------
    scale : float
        Root mean square of the entries, the standard deviation of a law of mean 0.
    standard_error : float
        Standard error of `scale` for i.i.d. entries.
    orthogonal_factor : float or None
        The factor eta if the matrix is eta times one with orthonormal columns or rows.
    mean : float
        Mean of the entries.
    excess_kurtosis : float
        Fourth moment over the squared second, minus 3: 0 for normal, -1.2 for uniform entries.
    zero_fraction : float
        Fraction of entries that are exactly zero.
    kind : str
        ``"gaussian"``, ``"uniform"``, ``"truncated_normal"``, ``"orthogonal"``,
        ``"semi_orthogonal"``, ``"constant"``, ``"zero"``, ``"sparse"``, ``"other"``, or
        ``"undecided"``: nothing is rejected and the likelihoods do not decide, or there are too
        few entries to say.
    cut : float or None
        For a truncated normal law, where it is cut in standard deviations of the parent law.
    candidates : tuple of str
        The laws that are not rejected.
    law_tests : dict
        `TestResult` by law.
    iid : bool or None
        False if a test speaks against independent, identically distributed entries of mean 0;
        None if the matrix is too small to say.
    iid_tests : dict
        `TestResult` by name: ``"mean"``, ``"rows"``, ``"columns"``, ``"correlation"``.
    significance : float
        The level of each single test.
    tested : tuple of int
        Rows and columns of the part the tests looked at.
    """

    scale: float
    standard_error: float
    orthogonal_factor: float | None
    mean: float
    excess_kurtosis: float
    zero_fraction: float
    kind: str
    cut: float | None
    candidates: tuple[str, ...]
    law_tests: Mapping[str, TestResult]
    iid: bool | None
    iid_tests: Mapping[str, TestResult]
    significance: float
    tested: tuple[int, int]

    @property
    def failed_iid_tests(self) -> tuple[TestResult, ...]:
        """The tests that speak against i.i.d. entries."""
        return tuple(t for t in self.iid_tests.values() if t.p_value < self.significance)


#: Number of tests that `examine` may make on one matrix, for a correction for multiple testing.
TESTS_PER_MATRIX = 7


def examine(weights: FloatArray, significance: float = 1e-4) -> EntryReport:
    """Examine the entries of a weight matrix.

    Parameters
    ----------
    weights : numpy.ndarray
        Matrix of finite float64 numbers with at least one row and column.
    significance : float, optional
        Level of each single test.

    Returns
    -------
    EntryReport

    Examples
    --------
    >>> import numpy as np
    >>> entries = np.random.default_rng(1).uniform(-0.1, 0.1, (64, 64))
    >>> report = examine(entries)
    >>> report.kind, report.iid
    ('uniform', True)
    """
    size = weights.size
    # Powers of two keep squares and fourth powers within the range of a double, without rounding.
    peak = float(np.max(np.abs(weights)))
    unit = math.ldexp(1.0, math.frexp(peak)[1]) if peak > 0.0 else 1.0
    scaled = weights / unit
    square = float(np.mean(np.square(scaled)))
    fourth = float(np.mean(np.square(np.square(scaled))))
    scale = math.sqrt(square)
    error = math.sqrt(max(fourth - square * square, 0.0) / size) / (2.0 * scale) if scale else 0.0
    kurtosis = fourth / (square * square) - 3.0 if scale else math.nan
    zeros = 1.0 - float(np.count_nonzero(weights)) / size

    part = _sample(weights / peak if peak > 0.0 else weights)
    law_tests: dict[str, TestResult] = {}
    iid_tests: dict[str, TestResult] = {}
    candidates: tuple[str, ...] = ()
    cut = None
    factor = None
    iid: bool | None
    if peak == 0.0:
        kind, iid = "zero", False
    elif size > 1 and np.all(weights == weights.flat[0]):
        kind, iid = "constant", False
    elif (factor := _orthogonal_factor(scaled)) is not None:
        kind = "orthogonal" if weights.shape[0] == weights.shape[1] else "semi_orthogonal"
        law_tests["haar"] = _haar_test(part * (peak / unit) / factor, max(weights.shape))
        # Entries of an orthogonal matrix are dependent, but they are those of the Haar law or not.
        iid = law_tests["haar"].p_value >= significance and zeros <= SPARSE_FRACTION
        factor *= unit
    elif zeros > SPARSE_FRACTION and size >= _MIN_ENTRIES:
        kind, iid = "sparse", False
    else:
        if size >= _MIN_ENTRIES:
            kind, candidates, cut, law_tests = _find_law(part.ravel(), significance)
        else:
            kind = "undecided"
        iid_tests = _iid_tests(part)
        iid = all(t.p_value >= significance for t in iid_tests.values()) if iid_tests else None
    return EntryReport(
        scale=scale * unit,
        standard_error=error * unit,
        orthogonal_factor=factor,
        mean=float(np.mean(scaled)) * unit,
        excess_kurtosis=kurtosis,
        zero_fraction=zeros,
        kind=kind,
        cut=cut,
        candidates=candidates,
        law_tests=law_tests,
        iid=iid,
        iid_tests=iid_tests,
        significance=significance,
        tested=(int(part.shape[0]), int(part.shape[1])),
    )


def _sample(weights: FloatArray) -> FloatArray:
    """Return at most `MAX_ROWS` rows and `MAX_COLUMNS` columns, chosen the same way every time."""
    rng = np.random.default_rng(20050)
    for axis, limit in enumerate((MAX_ROWS, MAX_COLUMNS)):
        if weights.shape[axis] > limit:
            chosen = np.sort(rng.choice(weights.shape[axis], limit, replace=False))
            weights = np.take(weights, chosen, axis=axis)
    return weights


# ---------------------------------------------------------------- laws of single entries


def _find_law(
    values: FloatArray, significance: float
) -> tuple[str, tuple[str, ...], float | None, dict[str, TestResult]]:
    size = values.size
    peak = float(np.max(np.abs(values)))
    square = float(np.mean(np.square(values)))
    std = math.sqrt(square)
    cut, parent = _fit_truncated(square / peak**2, peak)

    tests: dict[str, TestResult] = {}
    likelihood: dict[str, float] = {}  # mean log-likelihood of an entry
    tests["gaussian"] = _ks("normal", values / std, stats.norm.cdf)
    likelihood["gaussian"] = -0.5 * math.log(2.0 * math.pi * math.e) - math.log(std)
    inner = np.delete(values, int(np.argmax(np.abs(values)))) / peak
    tests["uniform"] = _ks("uniform", inner, lambda x: 0.5 + 0.5 * x)
    likelihood["uniform"] = -math.log(2.0 * peak)
    if 0.0 < cut < math.inf:
        inside = 2.0 * special.ndtr(cut) - 1.0

        def truncated(x: FloatArray) -> Any:
            return np.clip((special.ndtr(x) - special.ndtr(-cut)) / inside, 0.0, 1.0)

        tests["truncated_normal"] = _ks("truncated normal", inner * (peak / parent), truncated)
        likelihood["truncated_normal"] = (
            -0.5 * math.log(2.0 * math.pi)
            - math.log(parent)
            - 0.5 * square / parent**2
            - math.log(inside)
        )
    candidates = tuple(law for law, test in tests.items() if test.p_value >= significance)
    decisive = math.log(max(LIKELIHOOD_RATIO, 1.0 / significance)) / size
    simple = sorted(
        (law for law in candidates if law != "truncated_normal"),
        key=lambda law: -likelihood[law],
    )
    best = simple[0] if simple else None
    if "truncated_normal" in candidates and (
        best is None or likelihood["truncated_normal"] > likelihood[best] + decisive
    ):
        return "truncated_normal", candidates, cut, tests
    if best is None:
        return "other", candidates, None, tests
    if len(simple) == 2 and likelihood[simple[0]] < likelihood[simple[1]] + decisive:
        return "undecided", candidates, None, tests
    return best, candidates, None, tests


def _ks(name: str, values: FloatArray, cdf: Any) -> TestResult:
    result = stats.kstest(values, cdf)
    return TestResult(f"Kolmogorov-Smirnov, {name}", float(result.statistic), float(result.pvalue))


def _fit_truncated(ratio: float, peak: float) -> tuple[float, float]:
    """Return cut and standard deviation of the parent of a normal law truncated at `peak`.

    The largest modulus is the estimate of the end of the support, the mean square, here as
    `ratio` to the end's square, gives the cut: ratio = (1 - 2 c pdf(c) / P(|Z| < c)) / c^2.
    """

    def excess(cut: float) -> float:
        density = math.exp(-0.5 * cut * cut) / math.sqrt(2.0 * math.pi)
        inside = math.erf(cut / math.sqrt(2.0))
        return (1.0 - 2.0 * cut * density / inside) / (cut * cut) - ratio

    low, high = 0.05, 30.0
    if excess(low) <= 0.0:  # no flatter than uniform
        return 0.0, math.inf
    if excess(high) >= 0.0:
        return math.inf, peak * math.sqrt(ratio)
    cut = float(optimize.brentq(excess, low, high, xtol=1e-10))
    return cut, peak / cut


# ---------------------------------------------------------------- orthogonal matrices


def _orthogonal_factor(weights: FloatArray) -> float | None:
    """Return eta if the shorter side's vectors are orthogonal and of equal norm eta."""
    vectors = weights if weights.shape[0] <= weights.shape[1] else weights.T
    short, length = vectors.shape
    if short < 2:
        return None
    norms = np.linalg.norm(vectors, axis=1)
    factor = float(np.sqrt(np.mean(np.square(norms))))
    limit = _ORTHOGONAL_DEVIATION / math.sqrt(length)
    if factor == 0.0 or float(np.max(np.abs(norms / factor - 1.0))) > limit:
        return None
    gram = vectors[:MAX_ROWS] @ vectors[:MAX_ROWS].T / factor**2
    gram[np.diag_indices_from(gram)] = 0.0
    return factor if float(np.max(np.abs(gram))) <= limit else None


def _haar_test(entries: FloatArray, length: int) -> TestResult:
    """Test entries of a matrix with orthonormal vectors against the law of a unit vector's."""
    law = stats.beta(0.5, 0.5 * (length - 1))

    def cdf(x: FloatArray) -> Any:
        return 0.5 + 0.5 * np.sign(x) * law.cdf(np.square(np.clip(x, -1.0, 1.0)))

    return _ks("entry of a Haar matrix", entries.ravel(), cdf)


# ---------------------------------------------------------------- independence


def _iid_tests(weights: FloatArray) -> dict[str, TestResult]:
    rows, columns = weights.shape
    tests: dict[str, TestResult] = {}
    if weights.size < _MIN_ENTRIES:
        return tests
    std = math.sqrt(float(np.mean(np.square(weights))))
    z = float(np.mean(weights)) * math.sqrt(weights.size) / std
    tests["mean"] = TestResult(
        "mean 0, normal approximation", z, 2.0 * float(special.ndtr(-abs(z)))
    )
    ranks = stats.rankdata(np.abs(weights)).reshape(weights.shape)
    # Fewer than five entries a group are too few for the chi-squared approximation.
    if rows >= _MIN_GROUPS and columns >= 5:
        tests["rows"] = _kruskal(ranks, "rows")
    if columns >= _MIN_GROUPS and rows >= 5:
        tests["columns"] = _kruskal(ranks.T, "columns")
    if rows >= _MIN_GROUPS and columns >= 5:
        tests["correlation"] = _schott(weights)
    return tests


def _kruskal(ranks: FloatArray, groups: str) -> TestResult:
    """Kruskal-Wallis test that the moduli have the same law in every row of `ranks`."""
    count, members = ranks.shape
    size = ranks.size
    spread = float(np.sum(np.square(ranks - (size + 1) / 2.0)))
    name = f"equal spread of {groups}, Kruskal-Wallis"
    if spread == 0.0:  # all moduli are equal
        return TestResult(name, 0.0, 1.0)
    between = members * float(np.sum(np.square(ranks.mean(axis=1) - (size + 1) / 2.0)))
    statistic = (size - 1) * between / spread
    return TestResult(name, statistic, float(stats.chi2.sf(statistic, count - 1)))


def _schott(weights: FloatArray) -> TestResult:
    """Test for correlations between rows: the sum of their squares, as a standard score.

    For independent rows of n entries of mean 0 the squared cosine of two rows has mean 1/n and
    variance about 2 (n - 1) / (n^2 (n + 2)), and different pairs are uncorrelated. The sum is
    compared with a gamma law of these moments, in both directions.
    """
    rows, n = weights.shape
    norms = np.linalg.norm(weights, axis=1)
    norms[norms == 0.0] = 1.0
    unit = weights / norms[:, np.newaxis]
    total = (float(np.sum(np.square(unit @ unit.T))) - rows) / 2.0
    pairs = rows * (rows - 1) / 2.0
    mean = pairs / n
    var = pairs * 2.0 * (n - 1.0) / (n * n * (n + 2.0))
    shape, unit_scale = mean * mean / var, var / mean
    upper = float(stats.gamma.sf(total, shape, scale=unit_scale))
    lower = float(stats.gamma.cdf(total, shape, scale=unit_scale))
    return TestResult(
        "uncorrelated rows, sum of squared cosines",
        (total - mean) / math.sqrt(var),
        min(1.0, 2.0 * min(upper, lower)),
    )
