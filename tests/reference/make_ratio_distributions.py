"""Distribution of R for orthogonal weights: ``python -m tests.reference.make_ratio_distributions``.

The two contours of the inversion integral are compared; where no dropout is involved the
distribution function is compared with a finite sum of incomplete beta functions as well.
"""

from __future__ import annotations

from flint import arb, ctx

from .generate import WORK_BITS, Config, Table, agree, cumulants

CONFIGS = [
    Config(0.0, 0.0, 2),
    Config(0.0, 0.0, 5),
    Config(0.0, 0.0, 64),
    Config(0.0, 0.0, 300),
    Config(0.25, 0.25, 3),
    Config(0.01, 0.01, 10),
    Config(0.25, 0.25, 300),
    Config(10.0, 10.0, 5),
    Config(2.0, 2.0, 64),
    Config(1.0, 1.0, 3, 0.5),
    Config(1.0, 1.0, 64, 0.9, inverted=False),
]


def beta_sum(config: Config, r: arb) -> arb:
    """P(0 < R <= r): given n positive units the share of their side is Beta(n/2, (d-n)/2)."""
    d, square = config.width, arb(config.lower) ** 2
    share = (r**2 - square) / (1 - square)
    total = arb(0)
    for n in range(1 if config.lower == 0 else 0, d):
        if n == 0:
            below = arb(1) if config.lower**2 < 1 else arb(0)
        else:
            a, b = arb(n) / 2, arb(d - n) / 2
            below = share.beta_lower(a, b, regularized=True)
        total += arb.bin_uiui(d, n) * below
    return total / arb(2) ** d


def main() -> None:
    table = Table("ratio_distributions")
    for gaussian in CONFIGS:
        config = Config(
            *(getattr(gaussian, k) for k in ("lower", "upper", "width", "keep", "inverted")),
            weights="orthogonal",
        )
        law, plain = (
            config.law,
            Config(
                config.lower,
                config.upper,
                config.width,
                config.keep,
                inverted=False,
                weights="orthogonal",
            ),
        )
        mean, variance = cumulants(plain)[:2]
        ctx.prec = WORK_BITS
        low = 0.0 if law.has_atom else min(1.0, abs(config.lower))
        high = max(1.0, abs(config.lower))

        def value(r: arb, what: str, law=law) -> arb:
            first = law.ratio_distribution(r, what)
            agree(f"ratio {what}", first, law.ratio_distribution(r, what, offset=0.3))
            return first

        for k in (-3.0, -1.0, 0.0, 0.7, 2.0):
            r = float((mean + arb(k) * variance.sqrt()).exp().mid() * config.factor.mid())
            scaled = arb(r) / config.factor
            if not low * 1.001 < float(scaled.mid()) < high * 0.999:
                continue
            for what in ("pdf", "cdf", "sf"):
                number = value(scaled, what)
                if what == "cdf" and config.keep == 1.0 and config.lower < 1.0:
                    agree("beta sum", number, beta_sum(config, scaled))
                if what == "pdf":
                    number = number / config.factor
                table.add(config, what, r.hex(), number + law.zero if what == "cdf" else number)
        for level in (0.3, 0.5, 0.7):
            # Newton's method on r after some bisections. Levels inside an atom are left out.
            if float(law.zero) > level - 0.01 or law.width < 3:
                continue
            left, right = arb(low), arb(high)
            for _ in range(12):
                middle = ((left + right) / 2).mid()
                if law.ratio_distribution(middle, "cdf", digits=15) + law.zero < level:
                    left = middle
                else:
                    right = middle
            r = ((left + right) / 2).mid()
            for _ in range(12):
                gap = law.ratio_distribution(r, "cdf") + law.zero - arb(level)
                step = gap / law.ratio_distribution(r, "pdf")
                r = (r - step).mid()
                if abs(step).mid() < arb(10) ** -30:
                    break
            agree("ratio ppf", arb(level) - law.zero, value(r, "cdf"))
            table.add(config, "ppf", level.hex(), (r * config.factor).mid())
        print(config, len(table.rows), flush=True)
    table.write()


if __name__ == "__main__":
    main()
