"""Certificates: what is exported is accepted by both checkers, and nothing that was changed is."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import flint
import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment.certified import check_certificate, make_certificate, parse_certificate
from fracmoment.certified.certificates import _digest
from fracmoment.cli import main

CHECKER = Path(__file__).parents[2] / "examples" / "check_certificate.py"


def load_checker():
    spec = importlib.util.spec_from_file_location("check_certificate", CHECKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checker = load_checker()


@pytest.fixture(autouse=True)
def _flint_settings():
    """Undo what the stand-alone checker sets: it is a program, and owns python-flint's settings."""
    before = flint.ctx.prec, flint.ctx.cap
    yield
    flint.ctx.prec, flint.ctx.cap = before


def alone_accepts(data) -> bool:
    """Return whether the stand-alone checker accepts."""
    try:
        checker.check(data)
    except (ValueError, ArithmeticError, LookupError, TypeError):
        return False
    return True


def signed(data):
    """Return a changed certificate with a digest that fits."""
    rest = {key: value for key, value in data.items() if key != "sha256"}
    return rest | {"sha256": _digest(rest)}


CASES = [
    (fm.Gain("relu", 64), "1/2", "scale", False),
    (fm.Gain("relu", 5), "-1/2", "moment", True),
    (fm.Gain("relu", 5), 0, "scale", True),
    (fm.Gain("linear", 9), 3, "moment", False),
    (fm.Gain("linear", 10**6), "0.7", "scale", False),
    (fm.Gain("linear", 6, keep_prob="0.8"), "1.5", "scale", False),
    (fm.Gain(fm.LeakyReLU("0.01"), 48), "0.3", "scale", False),
    (fm.Gain(fm.LeakyReLU(-3), 7, keep_prob="1/3", inverted_dropout=False), 1, "moment", True),
    (fm.Gain(fm.LeakyReLU("1e-6"), 3), 0, "log_mean", True),
    (fm.Gain(fm.RandomizedLeakyReLU(), 12), 1, "scale", False),
    (fm.Gain(fm.RandomizedLeakyReLU("-1/8", "1/3"), 4), "0.5", "scale", False),
    (fm.Gain("relu", 7, weights="orthogonal"), "1.5", "scale", False),
    (fm.Gain(fm.LeakyReLU("1/4"), 20, weights="orthogonal"), 0, "log_var", True),
    (fm.Gain("relu", 16), 0, "log_var", True),
    (fm.Gain("linear", 1000), -128, "scale", False),
    (fm.Gain(fm.LeakyReLU("1/10"), 20), "-37/2", "moment", False),
    (fm.Gain(fm.LeakyReLU("1/4"), 20, weights="orthogonal"), -7, "scale", False),
    (fm.Gain(fm.RandomizedLeakyReLU("-1/8", "1/3"), 4), "-5/2", "scale", False),
]


AROUND_ZERO = fm.RandomizedLeakyReLU("-1/8", "1/3")
EDGES = [
    (fm.Gain("relu", 5), "-9999999/10000000", "moment", True),
    (fm.Gain("linear", 1, keep_prob="1/2"), "-999/1000", "scale", True),
    (fm.Gain(fm.LeakyReLU("1/100"), 5, keep_prob="1/2"), "-0.9999", "scale", True),
    (fm.Gain(fm.LeakyReLU("1/100"), 5), "-4.999999999", "scale", False),
    (fm.Gain(fm.RandomizedLeakyReLU("1/8", "1/3"), 4), "-3.999", "moment", False),
    (fm.Gain(fm.LeakyReLU("1/4"), 20, weights="orthogonal"), "-19.999", "scale", False),
    (fm.Gain("relu", 10**6, weights="orthogonal"), "-0.9999", "scale", True),
]
CUMULANTS = [
    (fm.Gain("relu", 16), 3, "cumulant", True),
    (fm.Gain("linear", 5), 8, "cumulant", True),
    (fm.Gain(AROUND_ZERO, 4), 5, "cumulant", True),
    (fm.Gain(fm.LeakyReLU("1/10"), 20, weights="orthogonal"), 6, "cumulant", True),
]


@pytest.mark.parametrize(("gain", "order", "quantity", "alive"), [*CASES, *EDGES, *CUMULANTS])
def test_both_checkers_accept_every_law(gain, order, quantity, alive):
    data = make_certificate(gain, order, quantity=quantity, digits=16, given_alive=alive)
    data = parse_certificate(json.dumps(data))
    assert check_certificate(data).reason == ""
    checker.check(data)
    other = data["law"]["width"] + (1 if data["law"]["width"] < 10**6 else -1)
    wrong = signed(data | {"law": data["law"] | {"width": other}})
    assert "does not contain" in check_certificate(wrong).reason


@pytest.mark.parametrize(
    ("gain", "sigma"),
    [
        (fm.Gain("relu", 64), "0.2"),
        (fm.Gain("linear", 2), "0.7"),
        (fm.Gain("relu", 8), 1),
        (fm.Gain("linear", 1000, keep_prob="0.9"), "0.03"),  # exactly 2
        (fm.Gain(AROUND_ZERO, 90), "0.14"),
        (fm.Gain(fm.LeakyReLU(3), 6, weights="orthogonal"), "0.4"),
    ],
)
def test_both_checkers_accept_tail_indices(gain, sigma):
    data = make_certificate(gain, quantity="tail_index", sigma=sigma, digits=16)
    data = parse_certificate(json.dumps(data))
    assert float(data["decimal"]) == pytest.approx(gain.tail_index(float(Fraction(sigma))), 1e-9)
    assert check_certificate(data).reason == ""
    checker.check(data)
    exact = Fraction(data["sigma"])
    for other in (exact + Fraction(1, 10**14), exact - Fraction(1, 10**14)):
        wrong = signed(data | {"sigma": str(other)})
        assert "does not contain" in check_certificate(wrong).reason
        with pytest.raises(ValueError, match="does not contain"):
            checker.check(wrong)


def test_orders_that_no_checker_serves():
    for gain, order, beyond in [
        (fm.Gain("linear", 4), "-15/4", "-4"),
        (fm.Gain(AROUND_ZERO, 4), "-15/4", "-31/8"),
        (fm.Gain("linear", 4), "128", "257/2"),
    ]:
        data = make_certificate(gain, order, digits=12)
        wrong = signed(data | {"order": beyond})
        assert "order must be in" in check_certificate(wrong).reason
        with pytest.raises(ValueError, match="order"):
            checker.check(wrong)


@pytest.mark.parametrize("digits", [1, 15, 30, 200, 960])
def test_the_claim_is_the_interval_around_the_exact_value(digits):
    """The any-precision route of the compiled core knows nothing of certificates."""
    data = make_certificate(fm.Gain("relu", 33), "2/3", digits=digits)
    assert check_certificate(data).accepted
    bits = data["precision"]
    ends = [int(m, 16) * Fraction(2) ** int(e)
            for m, e in (data[key].split("p") for key in ("lower", "upper"))]  # fmt: skip
    exact = fm.Gain("relu", 33).scale(Fraction(2, 3), digits=digits + 40)
    with mpmath.workdps(digits + 40):
        lower, upper = (mpmath.mpf(x.numerator) / x.denominator for x in ends)
        assert abs((lower + upper) / 2 / exact - 1) <= mpmath.mpf(2) ** -bits
        assert mpmath.mpf(2) ** (1 - bits) <= (upper - lower) / exact <= mpmath.mpf(2) ** (2 - bits)
        assert (upper - lower) / exact <= mpmath.mpf(10) ** -digits
        assert mpmath.nstr(exact, digits) == mpmath.nstr(mpmath.mpf(data["decimal"]), digits)


def test_a_thousand_digits():
    data = make_certificate(fm.Gain("relu", 33), "2/3", digits=1000)
    assert check_certificate(data).accepted
    shorter = make_certificate(fm.Gain("relu", 33), "2/3", digits=950)
    assert data["decimal"].startswith(shorter["decimal"][:-1])


BASE = make_certificate(fm.Gain(fm.LeakyReLU("1/10"), 8, keep_prob="4/5"), "3/2", digits=25)


def shifted(text: str, by: int) -> str:
    mantissa, exponent = text.split("p")
    return f"{int(mantissa, 16) + by:#x}p{exponent}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lower": shifted(BASE["lower"], -1)}, "wider"),
        ({"upper": shifted(BASE["upper"], 1)}, "wider"),
        ({"lower": "0x0p+0"}, "wider"),
        ({"lower": shifted(BASE["lower"], 1)}, "narrower"),
        ({"lower": BASE["upper"], "upper": BASE["lower"]}, "lower is above upper"),
        ({k: shifted(BASE[k], 1) for k in ("lower", "upper")}, "other than the one to claim"),
        ({k: shifted(BASE[k], 1 << 40) for k in ("lower", "upper")}, "does not contain"),
        ({"lower": BASE["lower"].replace("0x", "0x0")}, "lower must be"),
        ({"lower": 0.5}, "lower must be a hexadecimal number"),
        ({"upper": "0x1p+9999999"}, "upper must be a hexadecimal number"),
        ({"decimal": BASE["decimal"][:-1] + "0"}, "decimal must be"),
        ({"decimal": BASE["decimal"] + "0"}, "decimal must be"),
        ({"precision": BASE["precision"] + 1}, "precision must be"),
        ({"precision": float(BASE["precision"])}, "precision must be"),
        ({"digits": 40}, "the claimed interval is wider"),
        ({"digits": 20}, "the claimed interval is narrower"),
        ({"digits": True}, "digits must be an integer"),
        ({"quantity": "moment"}, "does not contain"),
        ({"quantity": "mean"}, "quantity must be one of"),
        ({"order": "1"}, "does not contain"),
        ({"order": "6/4"}, "lowest terms"),
        ({"order": "1e5"}, "lowest terms"),
        ({"order": "-1", "given_alive": True}, "order must be in"),
        ({"sigma": "1/2"}, "missing or unknown: sigma"),
        ({"quantity": "tail_index"}, "missing or unknown: order, sigma"),
        ({"quantity": "cumulant"}, "given_alive must be True"),
        ({"quantity": "cumulant", "given_alive": True}, "integer from 3 to 8"),
        ({"quantity": "cumulant", "given_alive": True, "order": "3"}, "does not contain"),
        ({"quantity": ["scale"]}, "quantity must be"),
        ({"given_alive": True}, "does not contain"),
        ({"given_alive": 1}, "given_alive must be"),
        ({"format": "certificate"}, "format must be"),
        ({"version": "2"}, "format must be"),
        ({"more": 1}, "missing or unknown: more"),
    ],
)
def test_every_change_is_rejected_with_its_reason(changes, words):
    changed = signed(BASE | changes)
    verdict = check_certificate(changed)
    assert not verdict.accepted
    assert words in verdict.reason
    assert "\n" not in verdict.reason
    assert not alone_accepts(changed)
    assert not check_certificate(BASE | changes).accepted  # nor with the old digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation": "relu"}, "lower_slope must be '0' for relu"),
        ({"activation": "relu", "lower_slope": "0", "upper_slope": "0"}, "does not contain"),
        ({"activation": "linear", "lower_slope": "1", "upper_slope": "1"}, "does not contain"),
        ({"activation": "rrelu", "upper_slope": "1/9"}, "does not contain"),
        ({"activation": "rrelu", "upper_slope": "1/11"}, "lower must be <= upper"),
        ({"activation": "gelu"}, "activation must be one of"),
        ({"upper_slope": "1/9"}, "upper_slope must be '1/10'"),
        ({"lower_slope": "0.1"}, "lowest terms"),
        ({"keep_prob": "1"}, "does not contain"),
        ({"keep_prob": "9/5"}, "keep_prob must be in"),
        ({"inverted_dropout": False}, "does not contain"),
        ({"weights": "orthogonal"}, "does not contain"),
        ({"weights": "uniform"}, "weights must be one of"),
        ({"width": 9}, "does not contain"),
        ({"width": "8"}, "width must be"),
        ({"width": 10**7}, "width must be an integer in"),
        ({"width": [8]}, "scalar parameters"),
        ({"lower_slope": "-1/10", "upper_slope": "-1/10"}, "lower_slope must be '1/10'"),
        ({"activation": "rrelu"}, "activation must be 'leaky_relu'"),
        ({"lower_slope": "0", "upper_slope": "0"}, "activation must be 'relu'"),
        ({"activation": "rrelu", "lower_slope": "-1/5"}, "lower_slope must be '-1/10'"),
        ({"keep_prob": "1", "inverted_dropout": False}, "inverted_dropout must be True"),
        ({"more": 1}, "law must have the fields"),
    ],
)
def test_a_wrong_law_is_rejected_with_its_reason(changes, words):
    changed = signed(BASE | {"law": BASE["law"] | changes})
    verdict = check_certificate(changed)
    assert not verdict.accepted
    assert words in verdict.reason
    assert not alone_accepts(changed)


# ---------------------------------------------------------------- fuzzing

positive = st.fractions("1/50", 3, max_denominator=60).map(str)
junk = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip
mantissas = st.integers(-(1 << 120), 1 << 120).map(lambda m: f"{m:#x}p-90")
FIELDS = {
    "quantity": st.sampled_from(["scale", "moment", "log_mean", "log_var"]),
    "order": positive,
    "given_alive": st.booleans(),
    "digits": st.integers(1, 60),
    "precision": st.integers(50, 200),
    "lower": st.one_of(mantissas, st.integers(-99, 99).map(lambda k: shifted(BASE["lower"], k))),
    "upper": st.one_of(mantissas, st.integers(-99, 99).map(lambda k: shifted(BASE["upper"], k))),
    "decimal": st.from_regex(r"\A0\.[0-9]{25}\Z"),
    "law": junk,
    "format": junk,
    "version": junk,
}
LAW_FIELDS = {
    "activation": st.sampled_from(["linear", "relu", "rrelu"]),
    "width": st.integers(1, 40),
    "lower_slope": positive,
    "upper_slope": positive,
    "keep_prob": st.fractions("1/20", 1, max_denominator=40).map(str),
    "inverted_dropout": st.booleans(),
    "weights": st.sampled_from(["gaussian", "orthogonal"]),
}
slopes = positive.map(lambda a: {"lower_slope": a, "upper_slope": a})
changes_of_the_law = st.one_of(
    *(values.map(lambda v, key=key: {key: v}) for key, values in LAW_FIELDS.items()), slopes
)


BASES = [
    BASE,
    make_certificate(fm.Gain(fm.LeakyReLU("1/10"), 5), "-9/2", digits=25),
    make_certificate(fm.Gain("relu", 3), "-99/100", quantity="moment", digits=20, given_alive=True),
    make_certificate(fm.Gain("relu", 6, keep_prob="1/2"), 3, quantity="cumulant", digits=20),
    make_certificate(fm.Gain("relu", 9), quantity="tail_index", sigma="1/2", digits=20),
]
both_signs = st.fractions(-6, 9, max_denominator=60).map(str)
FIELDS |= {"order": st.one_of(positive, both_signs, st.integers(0, 9).map(str)), "sigma": positive}


def drawn_change(data, changed):
    """Change one field, of the claim or of the law."""
    if data.draw(st.booleans()):
        if isinstance(changed["law"], dict):
            changed["law"] |= data.draw(changes_of_the_law)
        return
    key = data.draw(st.sampled_from(sorted(FIELDS)))
    values = FIELDS[key]
    if key in ("lower", "upper") and isinstance(changed.get(key), str):
        near = st.integers(-99, 99).map(lambda k, text=changed[key]: shifted(text, k))
        values = st.one_of(mantissas, near)
    changed[key] = data.draw(st.one_of(values, junk))


@given(st.data())
@settings(max_examples=150)
def test_a_changed_claim_is_rejected_even_with_a_digest_that_fits(data):
    base = data.draw(st.sampled_from(BASES))
    changed = copy.deepcopy(base)
    for _ in range(data.draw(st.integers(1, 3))):
        try:
            drawn_change(data, changed)
        except ValueError:  # a number whose text is junk by now cannot be shifted
            break
    assume(changed != base)
    changed = signed(changed)
    assert not check_certificate(changed).accepted
    if data.draw(st.integers(0, 3)) == 0:
        assert not alone_accepts(changed)


@given(st.data())
def test_a_changed_text_is_rejected(data):
    base = data.draw(st.sampled_from(BASES))
    text = json.dumps(base, indent=1)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        kind = data.draw(st.sampled_from(["replace", "insert", "delete", "cut", "double"]))
        new = data.draw(st.characters(max_codepoint=127))
        text = {
            "replace": text[:at] + new + text[at + 1 :],
            "insert": text[:at] + new + text[at:],
            "delete": text[:at] + text[at + 1 :],
            "cut": text[:at],
            "double": text[:at] + text[max(0, at - 30) :],
        }[kind]
        if not text:
            return
    try:
        changed = parse_certificate(text)
    except ValueError:
        return
    if changed != base:  # else the change was of white space
        assert not check_certificate(changed).accepted
        assert not alone_accepts(changed)


# ---------------------------------------------------------------- making


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: make_certificate(g, "1", quantity="mean"), "quantity must be one of"),
        (lambda g: make_certificate(g, -1, given_alive=True), "order must be in"),
        (lambda g: make_certificate(g, 1, sigma=1), "sigma is for tail_index only"),
        (lambda g: make_certificate(g, quantity="tail_index"), "tail_index needs sigma"),
        (lambda g: make_certificate(g, 1, quantity="tail_index", sigma=1), "no order"),
        (lambda g: make_certificate(g, quantity="tail_index", sigma=0), "sigma must be > 0"),
        (lambda g: make_certificate(g, 2, quantity="cumulant"), "integer from 3 to 8"),
        (lambda g: make_certificate(g, 129), "order must be in"),
        (lambda g: make_certificate(g, "-1/2"), "order must be positive"),
        (lambda _: make_certificate(fm.Gain("linear", 4), -4), r"in \(-4, 128\]"),
        (lambda _: make_certificate(fm.Gain(AROUND_ZERO, 4), "-31/8"), r"in \[-15/4, 128\]"),
        (lambda _: make_certificate(fm.Gain("linear", 999), -129), r"in \[-128, 128\]"),
        (lambda g: make_certificate(g, 1, quantity="log_mean"), "has order 0"),
        (lambda g: make_certificate(g, 0, quantity="moment"), "order 0 is trivial"),
        (lambda g: make_certificate(g, 1, digits=1001), "digits must be"),
        (lambda g: make_certificate(fm.Gain("relu", [2, 3]), 1), "scalar parameters"),
        (lambda g: make_certificate(fm.Gain("relu", 10**7), 1), "width must be"),
    ],
)
def test_bad_requests(call, words):
    with pytest.raises(ValueError, match=words):
        call(fm.Gain("relu", 4))


def test_one_law_has_one_certificate():
    same = [
        (fm.Gain(fm.LeakyReLU(-2), 3, inverted_dropout=False), False),
        (fm.Gain(fm.RandomizedLeakyReLU(2, 2), 3), True),
    ]
    expected = make_certificate(fm.Gain(fm.LeakyReLU(2), 3), 1)
    assert all(make_certificate(g, 1, given_alive=alive) == expected for g, alive in same)
    left, right = (
        make_certificate(fm.Gain(fm.RandomizedLeakyReLU(low, high), 2), 1, digits=12)
        for low, high in ((-3, "-1/2"), ("1/2", 3))
    )
    assert left == right
    assert make_certificate(fm.Gain(fm.LeakyReLU(0), 3), 1)["law"]["activation"] == "relu"


def test_a_constant_that_is_zero_has_no_certificate():
    still = fm.Gain("linear", 4, weights="orthogonal")
    with pytest.raises(fm.certified.CertificationError):
        make_certificate(still, quantity="log_mean")
    for gain, sigma in ((fm.Gain("linear", 4), 1), (fm.Gain("relu", 4, weights="orthogonal"), 1)):
        with pytest.raises(fm.certified.CertificationError, match="no certificate"):
            make_certificate(gain, quantity="tail_index", sigma=sigma)
    with pytest.raises(fm.certified.CertificationError, match="above 128"):
        make_certificate(fm.Gain("linear", 64), quantity="tail_index", sigma="0.05")
    with pytest.raises(fm.certified.CertificationError, match="too far from 1"):
        make_certificate(fm.Gain("relu", 2), "1e-9")


# ---------------------------------------------------------------- commands


def test_export_and_check(tmp_path, capsys):
    path = tmp_path / "scale.json"
    arguments = ["--activation", "leaky_relu", "--slope", "0.1", "--width", "20", "--order", "0.5"]
    assert main(["export", "--certificate", *arguments, "--digits", "20", "-o", str(path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["scale.json"]
    data = parse_certificate(path.read_text())
    assert data == make_certificate(fm.Gain(fm.LeakyReLU("0.1"), 20), "0.5", digits=20)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"accepted: scale = {data['decimal']}\n"
    assert main(["check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] is True
    path.write_text(json.dumps(signed(data | {"order": "1"})))
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out.startswith("rejected: the claimed interval does not contain")
    assert main(["check", "--json", str(path)]) == 1
    assert "does not contain" in json.loads(capsys.readouterr().out)["reason"]


def test_export_to_standard_output(capsys):
    arguments = ["--quantity", "log_var", "--activation", "linear", "--width", "9"]
    assert main(["export", "--certificate", *arguments]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == make_certificate(fm.Gain("linear", 9), quantity="log_var")
    assert math.isclose(float(data["decimal"]), fm.Gain("linear", 9).log_var(), rel_tol=1e-15)
    assert main(["export", "--certificate", "--width", "9", "--dropout", "0.2",
                 "--plain-dropout"]) == 0  # fmt: skip
    law = json.loads(capsys.readouterr().out)["law"]
    assert (law["keep_prob"], law["inverted_dropout"]) == ("4/5", False)
    arguments = ["--quantity", "tail_index", "--sigma", "1/2", "--width", "9", "--digits", "20"]
    assert main(["export", "--certificate", *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == BASES[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--width", "4"],
        ["export", "--certificate"],
        ["export", "--certificate", "--width", "0"],
        ["export", "--certificate", "--width", "4", "--order", "x"],
        ["export", "--certificate", "--width", "4", "--quantity", "mode"],
        ["export", "--certificate", "--width", "4", "--digits", "1001"],
        ["export", "--certificate", "--width", "4", "--sigma", "1"],
        ["export", "--certificate", "--width", "4", "--quantity", "tail_index"],
        ["check"],
    ],
)
def test_bad_usage(arguments, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 50_000, b" " * 70_000, b'{"a": 1, "a": 2}',
     b"1" * 6000, b'{"format": NaN}'],
)  # fmt: skip
def test_hostile_files_are_rejected(content, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main(["check", str(path)]) == 1
    output = capsys.readouterr()
    assert output.out.startswith("rejected: ")
    assert (output.out.count("\n"), output.err) == (1, "")


def test_a_missing_file_is_an_error(tmp_path, capsys):
    assert main(["check", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
    assert main(["export", "--certificate", "--width", "4", "-o", str(tmp_path / "no" / "a")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_stand_alone_program(tmp_path):
    source = CHECKER.read_text()
    assert source.count("\n") < 200
    assert "fracmoment" not in [line.split()[1] for line in source.splitlines()
                                if line.startswith(("import", "from"))]  # fmt: skip
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(BASE))
    bad.write_text(json.dumps(signed(BASE | {"order": "1"})))
    cases = [(good, 0, "accepted"), (bad, 1, "rejected: "), (tmp_path / "none", 1, "rejected: "),
             (None, 2, "usage")]  # fmt: skip
    for path, status, words in cases:
        # -I: neither the folder of the script nor the environment can bring fracmoment in.
        command = [sys.executable, "-I", str(CHECKER), *([str(path)] if path else [])]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == status
        assert words in result.stdout + result.stderr


# ---------------------------------------------------------------- fracmoment prove


def test_prove_command(capsys):
    assert main(["prove", "--only", "he_exponent_negative", "--widths", "1:3", "--json"]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["statements"]
    assert (statement["status"], statement["remaining"]) == ("proved", [])
    assert statement["boxes"] > 3
    assert main(["prove", "--only", "above_he", "--widths", "64", "--time-limit", "0.01"]) == 1
    output = capsys.readouterr().out
    assert "undecided" in output
    assert "time limit" in output
    assert main(["prove", "--list"]) == 0
    assert capsys.readouterr().out.count("\n") == len(fm.certified.STATEMENTS)
    for bad in (["--widths", "3:1"], ["--widths", "x"], ["--only", "scales"], ["--time-limit", "0"],
                ["--jobs", "0"]):  # fmt: skip
        assert main(["prove", *bad]) == 2
        assert capsys.readouterr().err.count("\n") == 1
