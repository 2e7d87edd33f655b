"""Independent high-precision definitions of every gain law, for the reference tables.

Nothing here is shared with the package.  Two definitions are used, and every value that is
written to a table is computed by both (or by one of them and a finite sum) and compared.

Inversion integral
    ``E X^p = Gamma(p + 1) / (2 pi i) * int L(-z)^d z^(-p - 1) dz`` over a vertical line between
    0 and the first singularity of ``L(-z)``, where ``X = R^2`` and ``L(t) = E exp(-t Y)`` is the
    Laplace transform of one neuron.  It needs no derivative of ``L`` and holds for ``Re p > -1``.
Laplace integral
    ``E X^p = 1 / Gamma(m - p) * int t^(m - p - 1) F_m(t) dt`` with ``F_0 = L^d`` (``p < 0``, no
    atom at zero) or ``F_1 = -(L^d)'`` (``p < 1``).

Both are summed by the trapezoid rule after a change of variable, in ball arithmetic
(python-flint) with many guard digits.  ``L(t)^d`` always enters with the atom removed.
Everything here returns the *plain* law: inverted dropout multiplies ``R`` by ``1 / keep_prob``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flint import acb, arb, arb_series, ctx

__all__ = ["Law", "decimal", "relative_gap"]

WORK_BITS = 420
LOG_BITS = 720
IMAGINARY = acb(0, 1)


def decimal(value: arb, digits: int = 42) -> str:
    """Decimal string of ``value`` with ``digits`` significant digits, or an error."""
    if value.is_exact() and value == 0:
        return "0"
    # Ask for all digits that are known, to see that there are enough of them.
    if value.rel_accuracy_bits() < digits * 3.33:
        message = f"only {value.rel_accuracy_bits()} bits known of {value}"
        raise ArithmeticError(message)
    return value.str(digits, radius=False)


def relative_gap(first: acb | arb, second: acb | arb) -> float:
    """|first - second| / |first|, as a float; 0 when both are exactly equal."""
    difference = abs(acb(first) - acb(second))
    if difference == 0:
        return 0.0
    return float((difference.mid() / abs(acb(first)).mid()).mid())


def log_size(value: acb) -> float:
    size = abs(value).mid()
    # Far out a ball may contain everything; such points lie outside every range of use.
    return float(size.log().mid()) if size > 0 else float("-inf")


def support(function: Callable[[float], acb], low: float, high: float, nats: float, step: float):
    """The part of [low, high] outside which ``function`` is below exp(-nats) of its maximum."""
    count = round((high - low) / step)
    grid = [low + step * k for k in range(count + 1)]
    sizes = [log_size(function(u)) for u in grid]
    floor = max(sizes) - nats
    inside = [k for k, size in enumerate(sizes) if size > floor]
    return grid[max(inside[0] - 1, 0)], grid[min(inside[-1] + 1, count)]


def trapezoid(function, low: float, high: float, step: float, digits: int):
    """Sum with the step halved until two sums agree to ``digits`` digits."""

    def total(start: arb, h: arb, count: int):
        result = function(start)
        for k in range(1, count):
            result = result + function(start + k * h)
        return result

    h = arb(step)
    count = int((high - low) / step) + 1
    value = total(arb(low), h, count) * h
    for _ in range(10):
        half = h / 2
        finer = (value + total(arb(low) + half, h, count) * h) / 2
        first, second = _lead(value), _lead(finer)
        if abs(first - second).mid() <= abs(second).mid() * arb(10) ** (-digits):
            return finer
        value, h, count = finer, half, 2 * count
    raise ArithmeticError("the trapezoid rule did not converge")


def _lead(value) -> acb:
    return value.total() if isinstance(value, Vector) else acb(value)


def _chi_moment(width: int, p: arb) -> arb:
    """E X^p of chi-square with ``width`` degrees of freedom."""
    half = arb(width) / 2
    return arb(2) ** p * (half + p).gamma() / half.gamma()


def _asinh(x: arb, root):
    """asinh(x root) for Re root >= 0; the ball function loses digits at large arguments."""
    if x < 0:
        return -_asinh(-x, root)
    w = x * root
    return (w + (w * w + 1).sqrt()).log() if abs(w).mid() > 1 else w.asinh()


def _stretch(w: arb) -> tuple[arb, arb]:
    """An odd map of the line, exponential at both ends, for integrands with algebraic tails."""
    small = 2 * arb(-4).exp()
    return w + small * w.sinh(), 1 + small * w.cosh()


class Vector(list):
    """A list of numbers that adds and scales; the sum of sizes decides convergence."""

    def __add__(self, other):
        return Vector(a + b for a, b in zip(self, other, strict=True))

    def __mul__(self, factor):
        return Vector(a * factor for a in self)

    def __truediv__(self, divisor):
        return Vector(a / divisor for a in self)

    def total(self) -> acb:
        # Distinct weights, so that errors of the entries cannot cancel each other.
        return sum((acb(a) * (3 * k + 1) for k, a in enumerate(self)), acb(0))


@dataclass(frozen=True)
class Law:
    """Plain (not inverted) gain law with Gaussian weights."""

    lower: float
    upper: float
    width: int
    keep: float = 1.0

    # ---- one neuron ---------------------------------------------------------------------

    @property
    def kind(self) -> str:
        if self.lower < self.upper:
            return "randomized"
        return {0.0: "relu", 1.0: "linear"}.get(abs(self.lower), "leaky")

    def bare(self, t):
        """L(t) of one neuron without dropout."""
        one = (1 + 2 * t).rsqrt()
        if self.kind == "linear":
            return one
        if self.kind == "relu":
            return (1 + one) / 2
        if self.kind == "leaky":
            return (one + (1 + 2 * arb(self.lower) ** 2 * t).rsqrt()) / 2
        if isinstance(t, arb) and t.mid() < 0:
            return self.bare(acb(t)).real  # the root is imaginary, the value real
        root = (2 * t).sqrt()
        low, high = arb(self.lower), arb(self.upper)
        mean = (_asinh(high, root) - _asinh(low, root)) / (root * (high - low))
        return (one + mean) / 2

    def bare_slope(self, t):
        """-L'(t) of one neuron without dropout."""
        one = (1 + 2 * t).rsqrt() ** 3
        if self.kind == "linear":
            return one
        if self.kind == "relu":
            return one / 2
        if self.kind == "leaky":
            square = arb(self.lower) ** 2
            return (one + square * (1 + 2 * square * t).rsqrt() ** 3) / 2
        if isinstance(t, arb) and t.mid() < 0:
            return self.bare_slope(acb(t)).real
        # 2 t F' + F = x (1 + 2 x^2 t)^(-1/2) for F(x) = asinh(x sqrt(2t))/sqrt(2t).
        root = (2 * t).sqrt()
        low, high = arb(self.lower), arb(self.upper)

        largest = max(abs(self.lower), abs(self.upper))
        if float(abs(acb(t)).mid()) * largest**2 < 1e-3:
            # The closed form cancels here; the power series of asinh does not.
            total, factor, k = acb(0), -arb(1), 1
            while k < 2 or 3.0 * k < ctx.prec / 2.5:
                # factor = (-1)^k C(2k, k)/4^k * (2t)^(k-1)
                factor = factor * (2 * k - 1) / (2 * k)
                ends = high ** (2 * k + 1) - low ** (2 * k + 1)
                total -= 2 * k * factor * ends / (2 * k + 1)
                factor = -factor * 2 * t
                k += 1
            mean = total / (high - low)
            return (one + (mean.real if isinstance(t, arb) else mean)) / 2

        def part(x):
            return _asinh(x, root) / root - x * (1 + 2 * x * x * t).rsqrt()

        mean = (part(high) - part(low)) / (2 * t * (high - low))
        return (one + mean) / 2

    def neuron(self, t):
        keep = arb(self.keep)
        return self.bare(t) if self.keep == 1.0 else (1 - keep) + keep * self.bare(t)

    def slope(self, t):
        return self.bare_slope(t) if self.keep == 1.0 else arb(self.keep) * self.bare_slope(t)

    @property
    def zero(self) -> arb:
        """P(R = 0)."""
        if self.kind == "relu":
            return (1 - arb(self.keep) / 2) ** self.width
        return (1 - arb(self.keep)) ** self.width if self.keep < 1.0 else arb(0)

    @property
    def has_atom(self) -> bool:
        return self.kind == "relu" or self.keep < 1.0

    def live(self, t):
        """E[exp(-t X); X > 0]."""
        return (self.width * self.neuron(t).log()).exp() - self.zero

    def live_slope(self, t):
        """-(L^d)'(t)."""
        return self.width * ((self.width - 1) * self.neuron(t).log()).exp() * self.slope(t)

    @property
    def radius(self) -> arb:
        """First singularity of L(-z) on the positive axis."""
        largest = max(1.0, abs(self.lower), abs(self.upper))
        return 1 / (2 * arb(largest) ** 2)

    # ---- saddle point of the inversion integrals ------------------------------------------

    def _balance(self, function: Callable[[arb], arb], low: arb, high: arb) -> arb:
        """Root of an increasing function, to about 12 digits (the contour needs no more)."""
        for _ in range(60):
            middle = ((low + high) / 2).mid()
            if function(middle).mid() < 0:
                low = middle
            else:
                high = middle
        return ((low + high) / 2).mid()

    def tilt(self, x: arb) -> arb:
        """d/dx log E[exp(x X); X > 0]."""
        return self.live_slope(-x) / self.live(-x)

    # ---- moments ------------------------------------------------------------------------

    def inversion(
        self, p, shift: float = 1.0, slant: float = 0.6, step: float = 0.2, digits: int = 52
    ) -> acb:
        """E[X^p; X > 0] by the inversion integral; p real or complex with Re p > -1."""
        p = acb(p)
        real = p.imag == 0
        a = p.real + 1

        def rate(logarithm: arb) -> arb:
            x = self.radius / (1 + (-logarithm).exp())
            return self.tilt(x) * x - a

        logit = self._balance(rate, arb(-90), arb(40))
        c = self.radius / (1 + (-logit).exp()) * arb(shift)
        c = c.mid()
        eps = (self.radius - c) * arb(2) ** -30
        bend = (self.tilt(c + eps) - self.tilt(c - eps)) / (2 * eps) + a / c**2
        width = bend.rsqrt().mid()
        lead = (c.log() * a).exp() / self.live(-c)

        def term(w: arb) -> acb:
            # The line is bent to the left, where E exp(z X) decays for every width.
            w, jacobian = _stretch(w)
            z = c + width * (slant * (1 - w.cosh()) + IMAGINARY * w.sinh())
            power = (-(p + 1) * z.log()).exp()
            return (
                self.live(-z) * power * (w.cosh() + IMAGINARY * slant * w.sinh()) * jacobian * lead
            )

        nats = 2.31 * (digits + 30)
        span = 11.0
        if real:
            _, high = support(lambda w: term(arb(w)), 0.0, span, nats, 0.25)
            half = trapezoid(lambda w: term(w).real / (2 if w == 0 else 1), 0.0, high, step, digits)
            total = 2 * half
        else:
            low, high = support(lambda w: term(arb(w)), -span, span, nats, 0.25)
            total = trapezoid(term, low, high, step, digits)
        return (p + 1).gamma() * total * width / (2 * arb.pi() * lead)

    def centre(self) -> arb:
        mean = (
            1
            + (arb(self.lower) ** 2 + arb(self.lower) * arb(self.upper) + arb(self.upper) ** 2) / 3
        ) / 2
        return -(self.width * mean * arb(self.keep)).log().mid()

    def _path(self, u: arb, right: float, left: float):
        """log t and its derivative: linear in the middle, exponential at both ends."""
        up, down = (u - right).exp(), (-u - left).exp()
        return self.centre() + u + up - down, 1 + up + down

    def laplace(
        self, p, m: int, right: float = 7.0, left: float = 3.0, step: float = 0.1, digits: int = 52
    ) -> acb:
        """E[X^p; X > 0] by the Laplace integral with F_m; Re p < m."""
        p = acb(p)
        if m == 0 and self.has_atom:
            raise ValueError("F_0 needs a law without an atom")
        function = self.live if m == 0 else self.live_slope

        def term(u: arb) -> acb:
            v, jacobian = self._path(u, right, left)
            return function(v.exp()) * ((m - p) * v).exp() * jacobian

        if p.imag == 0:
            p = p.real
        nats = 2.31 * (digits + 30)
        low, high = support(lambda u: term(arb(u)), -30.0, 60.0, nats, 0.5)
        return acb(trapezoid(term, low, high, step, digits)) / acb(m - p).gamma()

    def finite_sum(self, p) -> arb:
        """E[X^p; X > 0] as a sum over the number of units on each side of zero.

        ReLU, and linear with dropout: a binomial mixture of chi moments (terms beyond 75 digits
        left out).  Leaky: given n positive units the share of the positive side is
        Beta(n/2, (d-n)/2), whose moments are values of 2F1.
        """
        if self.kind == "leaky":
            if self.keep < 1.0:
                keep, d = arb(self.keep), self.width
                return sum(
                    (
                        arb.bin_uiui(d, k)
                        * keep**k
                        * (1 - keep) ** (d - k)
                        * Law(self.lower, self.upper, k).finite_sum(p)
                        for k in range(1, d + 1)
                    ),
                    arb(0),
                )
            d, gap = self.width, 1 - arb(self.lower) ** 2
            total = 2 * _chi_moment(d, p) * 0
            for n in range(d + 1):
                if n == 0:
                    factor = (arb(self.lower) ** 2) ** p
                else:
                    factor = gap.hypgeom_2f1(-p, arb(d - n) / 2, arb(d) / 2)
                total += arb.bin_uiui(d, n) * factor
            return total * _chi_moment(d, p) / arb(2) ** d
        if self.kind == "randomized":
            raise ValueError("no finite sum for randomized slopes")
        share = arb(self.keep) / (2 if self.kind == "relu" else 1)
        if share == 1:
            return _chi_moment(self.width, p)
        d = self.width
        odds = share / (1 - share)
        mode = min(max(int(float((d + 1) * share.mid())), 1), d)
        total = arb(0)
        for direction in (1, -1):
            n = mode if direction == 1 else mode - 1
            if n < 1:
                continue
            weight = (
                (arb(d + 1).lgamma() - arb(n + 1).lgamma() - arb(d - n + 1).lgamma()).exp()
                * share**n
                * (1 - share) ** (d - n)
            )
            # The two parities follow each other by Gamma(x + 1) = x Gamma(x).
            chi = [_chi_moment(n, p), _chi_moment(max(n + direction, 1), p)]
            while 1 <= n <= d:
                term = weight * chi[0]
                total += term
                if abs(term).mid() < abs(total).mid() * arb(10) ** -75:
                    break
                if direction == 1:
                    weight = weight * odds * (d - n) / (n + 1)
                    chi = [chi[1], chi[0] * (arb(n) / 2 + p) / (arb(n) / 2)]
                else:
                    weight = weight * n / (odds * (d - n + 1))
                    below = arb(n - 2) / 2
                    chi = [chi[1], chi[0] * below / (below + p) if n > 2 else arb(0)]
                n += direction
        return total

    # ---- logarithms ----------------------------------------------------------------------

    def log_cumulants_laplace(self, count: int = 8, step: float = 0.08, digits: int = 95):
        """Cumulants 1..count of log R given R > 0, from the integral with F_1."""
        centre = self.centre()

        def term(u: arb) -> Vector:
            v, jacobian = self._path(u, 7.0, 3.0)
            value = self.live_slope(v.exp()) * v.exp() * jacobian
            result = Vector()
            for j in range(count + 1):
                result.append(value)
                value = value * (centre - v) / (j + 1)
            return result

        low, high = support(lambda u: acb(term(arb(u))[0]), -30.0, 60.0, 2.31 * (digits + 30), 0.5)
        sums = trapezoid(term, low, high, step, digits)
        series = arb_series([s / (1 - self.zero) for s in sums], prec=count + 1)
        series = series * arb_series([1, -1], prec=count + 1).rgamma()
        return self._cumulants(series, -centre, count)

    def log_cumulants_inversion(
        self, count: int = 8, slant: float = 0.6, step: float = 0.16, digits: int = 95
    ):
        """The same from the inversion integral at p = 0."""

        def rate(logarithm: arb) -> arb:
            x = self.radius / (1 + (-logarithm).exp())
            return self.tilt(x) * x - 1

        logit = self._balance(rate, arb(-90), arb(40))
        c = (self.radius / (1 + (-logit).exp())).mid()
        centre = c.log()

        def term(w: arb) -> Vector:
            start = w == 0
            w, jacobian = _stretch(w)
            z = c * (1 + slant * (1 - w.cosh()) + IMAGINARY * w.sinh())
            log_z = z.log() - centre
            value = self.live(-z) / z * (w.cosh() + IMAGINARY * slant * w.sinh()) * c * jacobian
            result = Vector()
            for j in range(count + 1):
                result.append(value.real / (2 if start else 1))
                value = value * (-log_z) / (j + 1)
            return result

        nats = 2.31 * (digits + 30)
        _, high = support(lambda w: acb(term(arb(w))[0]), 0.0, 11.0, nats, 0.25)
        sums = trapezoid(term, 0.0, high, step, digits)
        series = arb_series([s / (arb.pi() * (1 - self.zero)) for s in sums], prec=count + 1)
        series = series * arb_series([1, 1], prec=count + 1).gamma()
        return self._cumulants(series, -centre, count)

    def _cumulants(self, series: arb_series, shift: arb, count: int) -> list[arb]:
        logarithm = series.log()
        cumulants = []
        factorial = arb(1)
        for j in range(1, count + 1):
            factorial *= j
            value = logarithm[j] * factorial
            if j == 1:
                value += shift
            cumulants.append(value / arb(2) ** j)
        return cumulants

    # ---- third absolute central moment ------------------------------------------------------

    def abs_third(self, mean: arb, variance: arb, third: arb, nodes: int, panel: float) -> arb:
        """E|log R - mean|^3 = 2 E (log R - mean)_+^3 - kappa_3, by Gauss-Legendre panels."""
        width = variance.sqrt() * arb(panel)
        total, left, value = arb(0), 0, None
        while value is None or value > total * arb(10) ** -54:
            value = arb(0)
            for k in range(nodes):
                root, weight = arb.legendre_p_root(nodes, k, weight=True)
                y = width * (left + (root + 1) / 2)
                r = (mean + y).exp().mid()
                value += weight * width / 2 * y**3 * self.distribution(r, "pdf") * r
            total += value
            left += 1
        return 2 * total - third

    # ---- distribution --------------------------------------------------------------------

    def distribution(
        self, r, what: str, offset: float = 0.0, slant: float = 0.6, digits: int = 52
    ) -> arb:
        """pdf, cdf or sf of R given R > 0 at r > 0, by the inverse Laplace transform."""
        x = arb(r) ** 2
        radius = self.radius

        def rate(y: arb) -> arb:
            # y runs over the real line; z = radius - exp(-y) covers (-inf, radius).
            return self.tilt(radius - (-y).exp()) - x

        # With an atom the transform loses digits far out, where it is all atom.
        y = self._balance(rate, arb(-260 if self.has_atom else -2000), arb(200))
        saddle = (radius - (-y).exp()).mid()
        side = "cdf" if saddle < 0 else "sf"
        if what not in ("pdf", side):
            # Of the two tails the one on this side of the pole of 1/z is computed.
            return 1 - self.distribution(r, side, offset, slant, digits)

        def scale(z: arb) -> arb:
            eps = min(abs(radius - z).mid(), (1 / self.tilt(z)).mid()) * arb(2) ** -30
            return ((2 * eps) / (self.tilt(z + eps) - self.tilt(z - eps))).sqrt().mid()

        width = scale(saddle)
        c = (saddle - arb(offset) * width).mid()
        if what == "sf":
            c = max(c, min(width / 2, radius / 2).mid())
        elif what == "cdf":
            c = min(c, -width / 2).mid()
        lead = (x * c).exp() / self.live(-c)

        def term(w: arb) -> arb:
            z = c + width * (slant * (w.cosh() - 1) + IMAGINARY * w.sinh())
            value = self.live(-z) * (-z * x).exp() * lead
            value = value * (slant * w.sinh() + IMAGINARY * w.cosh())
            if what == "sf":
                value = value / z
            elif what == "cdf":
                value = -value / z
            return (value / IMAGINARY).real / (2 if w == 0 else 1)

        nats = 2.31 * (digits + 30)
        _, high = support(lambda w: acb(term(arb(w))), 0.0, 40.0, nats, 0.125)
        total = trapezoid(term, 0.0, high, 0.1, digits)
        value = total * width / (arb.pi() * lead * (1 - self.zero))
        return value * 2 * arb(r) if what == "pdf" else value

    # ---- distribution of the ratio law -----------------------------------------------------

    def ratio_distribution(self, r, what: str, offset: float = 0.0, digits: int = 50) -> arb:
        """pdf, cdf or sf of R/|g| with its atom at 0 left out, for slopes that are one number.

        R/|g| <= r where the quadratic form Q = sum z^2 (phi^2 - r^2) is not positive, and
        ``P(Q < 0) = 1/(2 pi i) int E exp(-t Q) dt/t`` over a line to the right of 0.
        """
        w, half_keep, d = arb(r) ** 2, arb(self.keep) / 2, self.width
        parts = [(arb(1), half_keep), (arb(self.lower) ** 2, half_keep)]
        if self.keep < 1.0:
            parts.append((arb(0), 1 - arb(self.keep)))

        def transform(t) -> tuple:
            value = sum((share * (1 + 2 * (b - w) * t).rsqrt() for b, share in parts), acb(0))
            slope = sum((share * (1 + 2 * (b - w) * t).rsqrt() ** 3 for b, share in parts), acb(0))
            power = ((d - 1) * value.log()).exp()
            dead = self.zero * (-arb(d) / 2 * acb(1 - 2 * w * t).log()).exp()
            # E exp(-t Q) of the live layers, and its derivative in w divided by t.
            all_dead = dead * d / (1 - 2 * w * t)
            return power * value - dead, d * power * slope - all_dead

        largest = max((b for b, _ in parts), key=float)
        smallest = min((b for b, _ in parts), key=float)
        low, high = -1 / (2 * (largest - w)), 1 / (2 * (w - smallest))

        def log_transform(t: arb) -> arb:
            return transform(acb(t))[0].real.log()

        step = (high - low) * arb(2) ** -60

        def rate(x: arb) -> arb:
            t = (low + (high - low) * x).mid()
            return log_transform(t + step) - log_transform(t - step)

        x = self._balance(rate, arb(2) ** -30, 1 - arb(2) ** -30)
        saddle = (low + (high - low) * x).mid()
        side = "cdf" if saddle > 0 else "sf"
        if what not in ("pdf", side):
            whole = 1 - self.zero
            return whole - self.ratio_distribution(r, side, offset, digits)
        near = min(high - saddle, saddle - low).mid() / 2
        if what == "pdf":
            c = (saddle + arb(offset) * near).mid()
        elif what == "cdf":
            c = (max(saddle, high / 4) * (1 + arb(offset) / 4)).mid()
        else:
            c = (min(saddle, low / 4) * (1 + arb(offset) / 4)).mid()
        scale = min((high - c).mid(), (c - low).mid(), key=float) / arb(d).sqrt()

        def term(u: arb) -> arb:
            start = u == 0
            u, jacobian = _stretch(u)
            t = c + IMAGINARY * scale * u.sinh()
            value, slope = transform(t)
            integrand = {"pdf": lambda: slope, "cdf": lambda: value / t, "sf": lambda: -value / t}
            return (integrand[what]() * u.cosh() * jacobian).real / (2 if start else 1)

        nats = 2.31 * (digits + 25)
        _, top = support(lambda u: acb(term(arb(u))), 0.0, 11.0, nats, 0.125)
        total = trapezoid(term, 0.0, top, 0.1, digits) * scale / arb.pi()
        return total * 2 * arb(r) if what == "pdf" else total


ctx.prec = WORK_BITS
