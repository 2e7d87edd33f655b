"""Write pair_kernels.csv: moments of one unit's outputs for two inputs, 25 digits.

``python -m tests.reference.make_pair_kernels``. In polar coordinates: with u = r cos w and
v = r cos(w - t), cos t the correlation, phi(u)^m phi(v)^n is r^(m+n) times a function of the angle
w, which mpmath integrates between the angles where u or v change sign. E r^(m+n) is a gamma
function. No closed form of the kernels is used. Columns: slope, cosine (both as hexadecimal
floats), and the four values.
"""

from __future__ import annotations

import csv
from pathlib import Path

import mpmath
from mpmath import mp

SLOPES = (0.0, 0.01, 0.3, 1.0, -0.5, 2.0, -1.0)
COSINES = (-1 + 2**-40, -0.999, -0.7, -0.1, -(2**-30), 0.0, 1e-6, 0.45, 0.9, 1 - 2**-50, 1.0)


def moment(slope: mpmath.mpf, cosine: mpmath.mpf, m: int, n: int) -> mpmath.mpf:
    """Return E phi(u)^m phi(v)^n."""
    t = mpmath.acos(cosine)

    def power(x: mpmath.mpf, k: int) -> mpmath.mpf:
        return (x if x > 0 else slope * x) ** k

    full = 2 * mpmath.pi
    turns = {(end + mpmath.pi / 2) % full for end in (0, mpmath.pi, t, t + mpmath.pi)}
    ends = sorted({mpmath.mpf(0), full, *turns})
    angular = mpmath.quad(lambda w: power(mpmath.cos(w), m) * power(mpmath.cos(w - t), n), ends)
    half = mpmath.mpf(m + n) / 2
    return 2**half * mpmath.gamma(half + 1) * angular / full


def main() -> None:
    path = Path(__file__).parent / "pair_kernels.csv"
    names = ["mean", "variance", "square_covariance", "mixed_covariance"]
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["slope", "cosine", *names])
        for slope in SLOPES:
            for cosine in COSINES:
                with mp.workdps(60):
                    a, c = mpmath.mpf(slope), mpmath.mpf(cosine)
                    square, mean = moment(a, c, 2, 0), moment(a, c, 1, 1)
                    fourth = moment(a, c, 2, 2)
                    values = [
                        mean,
                        fourth - mean**2,
                        fourth - square**2,
                        moment(a, c, 3, 1) - square * mean,
                    ]
                    texts = [mpmath.nstr(mpmath.chop(v, 1e-50), 25) for v in values]
                table.writerow([slope.hex(), cosine.hex(), *texts])


if __name__ == "__main__":
    main()
