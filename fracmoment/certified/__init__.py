"""Constants of one layer with a proof: enclosures by ball arithmetic.

The functions have the names of `Gain`'s methods and return an `Enclosure` that provably contains
the exact value, of at least the digits asked for. They share no numerical code with the compiled
core: what they rest on is FLINT's ball arithmetic and the lemmas in docs/algorithms/certified.md.
Orders, slopes and scales may be an `Interval`; the enclosure is then one of all the values.

May be called from several threads, which take turns: python-flint's precision is global. Code of
your own that uses python-flint in other threads meanwhile sees that precision.

Examples
--------
>>> import fracmoment as fm
>>> sigma = fm.certified.scale(fm.Gain("relu", 64), "0.8", digits=20)
>>> sigma.digits >= 20
True
>>> fm.Gain("relu", 64).scale(0.8) == float(sigma)
True
"""

import importlib
from typing import TYPE_CHECKING, Any

from fracmoment.certified.certificates import (
    Verdict,
    check_certificate,
    make_certificate,
    parse_certificate,
)
from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.interval import Interval
from fracmoment.certified.precision import CertificationError
from fracmoment.certified.proofs import (
    STATEMENTS,
    Box,
    Inequality,
    Progress,
    Result,
    Statement,
    Witness,
    prove,
)
from fracmoment.certified.quantities import (
    cdf,
    cumulant,
    log_mean,
    log_var,
    moment,
    scale,
    scale_remainder,
    sf,
    tail_index,
)
from fracmoment.certified.scales import init_scale

if TYPE_CHECKING:
    from fracmoment.certified import nonlinear

__all__ = [
    "STATEMENTS",
    "Box",
    "CertificationError",
    "Enclosure",
    "Inequality",
    "Interval",
    "Progress",
    "Result",
    "Statement",
    "Verdict",
    "Witness",
    "cdf",
    "check_certificate",
    "cumulant",
    "init_scale",
    "log_mean",
    "log_var",
    "make_certificate",
    "moment",
    "nonlinear",
    "parse_certificate",
    "prove",
    "scale",
    "scale_remainder",
    "sf",
    "tail_index",
]


def __getattr__(name: str) -> Any:
    """Import on first use what needs SciPy."""
    if name == "nonlinear":
        return importlib.import_module("fracmoment.certified.nonlinear")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
