"""The compiled core. Its arguments are valid when they reach it: see _validation.py.

Arrays are C-contiguous. The free functions on laws take one-dimensional arrays of one length and
return a new array of it; the methods of a law return an array of the shape of their argument.
"""

from typing import Final

from fracmoment._typing import (
    BitsArray,
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    SingleArray,
)

__version__: Final[str]

class ConvergenceError(RuntimeError): ...

class GainLaw:
    def __init__(
        self,
        width: int,
        lower: float,
        upper: float,
        keep_prob: float,
        inverted: bool,
        orthogonal: bool,
    ) -> None: ...
    def moment_scalar(self, order: float, given_alive: bool) -> float: ...
    def moment_complex(self, order: complex, given_alive: bool) -> complex: ...
    def moments(self, order: FloatArray, given_alive: bool) -> FloatArray: ...
    def moments_complex(self, order: ComplexArray, given_alive: bool) -> ComplexArray: ...
    def scale_scalar(self, order: float, given_alive: bool) -> float: ...
    def scales(self, order: FloatArray, given_alive: bool) -> FloatArray: ...
    def log_mean(self) -> float: ...
    def log_var(self) -> float: ...
    def log_cumulant(self, n: int) -> float: ...
    def log_abs_third(self) -> float: ...
    def prob_zero(self) -> float: ...
    def prob_alive(self) -> float: ...
    def pdf(self, r: FloatArray) -> FloatArray: ...
    def cdf(self, r: FloatArray) -> FloatArray: ...
    def sf(self, r: FloatArray) -> FloatArray: ...
    def ppf(self, q: FloatArray) -> FloatArray: ...
    def isf(self, q: FloatArray) -> FloatArray: ...
    def tail_indices(self, sigma: FloatArray) -> FloatArray: ...

def law_moments(
    order: FloatArray,
    given_alive: bool,
    width: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
) -> FloatArray: ...
def law_scales(
    order: FloatArray,
    given_alive: bool,
    width: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
) -> FloatArray: ...
def init_scales(
    order: FloatArray,
    given_alive: bool,
    fan_in: IntArray,
    root_mean_square: BoolArray,
    width: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
) -> FloatArray: ...
def init_scale(
    order: float,
    given_alive: bool,
    fan_in: int,
    root_mean_square: bool,
    width: int,
    lower: float,
    upper: float,
    keep_prob: float,
    inverted: bool,
    orthogonal: bool,
) -> float: ...
def law_log_means(
    width: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
) -> FloatArray: ...
def law_log_vars(
    width: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
) -> FloatArray: ...
def chi_moments(width: FloatArray, order: FloatArray) -> FloatArray: ...
def chi_ratio_moments(m: FloatArray, n: FloatArray, order: FloatArray) -> FloatArray: ...
def beta_moments(a: FloatArray, b: FloatArray, order: FloatArray) -> FloatArray: ...
def f_moments(m: FloatArray, n: FloatArray, order: FloatArray) -> FloatArray: ...
def digits_evaluate(
    quantity: str,
    width: int,
    lower: str,
    upper: str,
    keep_prob: str,
    inverted: bool,
    orthogonal: bool,
    given_alive: bool,
    order: str,
    digits: int,
) -> tuple[str, int]: ...
def digits_complex_moment(
    width: int,
    lower: str,
    upper: str,
    keep_prob: str,
    inverted: bool,
    orthogonal: bool,
    given_alive: bool,
    order: str,
    imaginary: str,
    digits: int,
) -> tuple[tuple[str, int], tuple[str, int]]: ...
def digits_gamma_ratio(
    numerators: list[str],
    denominators: list[str],
    base: str,
    exponent: str,
    digits: int,
) -> tuple[str, int]: ...
def active_isa() -> str: ...
def force_isa(name: str) -> None: ...

stream_format: Final[int]

def random_bits(
    seed: int, purpose: int, replica: int, n: int, out: BitsArray | None = None
) -> BitsArray: ...
def random_normals(
    seed: int, purpose: int, replica: int, n: int, out: FloatArray | None = None
) -> FloatArray: ...
def random_float_normals(
    seed: int, purpose: int, replica: int, n: int, out: SingleArray | None = None
) -> SingleArray: ...

class QuantileTable:
    def __init__(self, law: GainLaw) -> None: ...
    @staticmethod
    def chi(width: int) -> QuantileTable: ...
    def variates(self, seed: int, purpose: int, replica: int, n: int) -> FloatArray: ...
    @staticmethod
    def normal() -> QuantileTable: ...
    def quantiles(self, bits: BitsArray) -> FloatArray: ...
    def hard_cells(self) -> int: ...

class AliasTable:
    def __init__(self, n: int, p: float) -> None: ...
    @staticmethod
    def fits(n: int, p: float) -> bool: ...
    def first(self) -> int: ...
    def probabilities(self) -> FloatArray: ...
    def variates(
        self, seed: int, replica: int, n: int, out: IntArray | None = None
    ) -> IntArray: ...

def random_uniforms(
    seed: int, replica: int, n: int, out: FloatArray | None = None
) -> FloatArray: ...
def random_float_uniforms(
    seed: int, replica: int, n: int, out: SingleArray | None = None
) -> SingleArray: ...
def random_gains(
    table: QuantileTable,
    log_mean: float,
    seed: int,
    replica: int,
    n: int,
    out: FloatArray | None = None,
) -> FloatArray: ...
def random_gammas(
    shape: FloatArray, seed: int, first: int, n: int, out: FloatArray | None = None
) -> FloatArray: ...
def random_binomials(
    trials: IntArray,
    p: FloatArray,
    seed: int,
    replica: int,
    n: int,
    out: IntArray | None = None,
) -> IntArray: ...
def binomial_quantiles(trials: IntArray, p: FloatArray, bits: BitsArray) -> IntArray: ...
def norm_chain(
    tables: list[QuantileTable],
    layers: IntArray,
    seed: int,
    first: int,
    n: int,
    purpose: int = ...,
) -> FloatArray: ...
def variate_sums(
    table: QuantileTable, depth: int, block: int, seed: int, purpose: int, first: int, n: int
) -> FloatArray: ...
def product_exponents(
    widths: IntArray,
    lower: float,
    upper: float,
    factors: int,
    keep_prob: float,
    orthogonal: bool,
    seed: int,
    purpose: int,
    first: int,
    n: int,
) -> FloatArray: ...
def product_singular_values(
    widths: IntArray,
    lower: float,
    upper: float,
    factors: int,
    keep_prob: float,
    orthogonal: bool,
    seed: int,
    purpose: int,
    first: int,
    n: int,
) -> FloatArray: ...
def vector_chain(
    fan_in: IntArray,
    fan_out: IntArray,
    lower: FloatArray,
    upper: FloatArray,
    keep_prob: FloatArray,
    inverted: BoolArray,
    orthogonal: BoolArray,
    seed: int,
    first: int,
    n: int,
) -> FloatArray: ...
def summarize(
    y: FloatArray, center: float, scale: float, orders: list[float], log_moments: list[float]
) -> tuple[IntArray, IntArray, int, float, float]: ...

class LogDensity:
    def __init__(self, law: GainLaw) -> None: ...
    def __call__(self, y: float) -> float: ...
    def valley(self, order: float) -> float: ...
    def lowest(self) -> float: ...
    def highest(self) -> float: ...
    def lower_slope(self) -> float: ...
    def power_below(self) -> bool: ...

class TiltedGain:
    def __init__(self, density: LogDensity, order: float, cut: float, reach: float) -> None: ...
    def log_mass(self) -> float: ...
    def mean(self) -> float: ...
    def variance(self) -> float: ...
    def log_tails(self, y: FloatArray, upper: bool) -> FloatArray: ...
    def table(self) -> QuantileTable: ...

class DepthLaw:
    def __init__(
        self,
        gains: list[tuple[GainLaw, float]],
        projections: list[tuple[int, int, float]],
        scales: list[tuple[float, float]],
    ) -> None: ...
    def mean(self) -> float: ...
    def pdf(self, y: FloatArray) -> FloatArray: ...
    def tail(self, y: FloatArray, upper: bool) -> FloatArray: ...
    def log_tail(self, y: FloatArray, upper: bool) -> FloatArray: ...
    def quantile(self, q: FloatArray, upper: bool) -> FloatArray: ...
    def characteristic(self, t: FloatArray) -> ComplexArray: ...
    def cumulant_function(self, s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]: ...

def factor_table(law: TiltedGain, dead: float) -> QuantileTable: ...
def log_perpetuities(
    table: QuantileTable,
    log_factor: float,
    log_bound: float,
    seed: int,
    purpose: int,
    first: int,
    n: int,
) -> FloatArray: ...
def log_tail_weights(
    tilted: QuantileTable,
    tilted_log_factor: float,
    plain: QuantileTable,
    plain_log_factor: float,
    power: float,
    log_mass: float,
    log_level: float,
    log_reach: float,
    log_bound: float,
    seed: int,
    purpose: int,
    first: int,
    n: int,
) -> FloatArray: ...
def sgd_growth(
    step: FloatArray, batch: FloatArray, dimension: FloatArray, order: FloatArray
) -> FloatArray: ...
def sgd_tail_indices(step: FloatArray, batch: FloatArray, dimension: FloatArray) -> FloatArray: ...
def sgd_tail_index_row(
    step: FloatArray, batch: float, dimension: float, boundary: float
) -> FloatArray: ...
def sgd_critical_steps(
    batch: FloatArray, dimension: FloatArray, order: FloatArray
) -> FloatArray: ...

class Signals:
    def __init__(
        self,
        layers: list[tuple[int, int, float, float, float, bool, float, float]],
        index: IntArray,
        inputs: FloatArray,
        exponents: FloatArray,
        every_layer: bool,
        cosines: bool,
    ) -> None: ...
    def matrix(
        self,
        law: int,
        parameter: float,
        single: bool,
        seed: int,
        purpose: int,
        first: int,
        n: int,
    ) -> tuple[FloatArray, FloatArray]: ...
    def gram(
        self, seed: int, purpose: int, first: int, n: int
    ) -> tuple[FloatArray, FloatArray]: ...
