"""Names of schemes, and what all schemes have in common."""

from __future__ import annotations

import json
import math
import pickle

import pytest

import fracmoment as fm
from fracmoment import schemes
from fracmoment.schemes import Scheme, Statement

PARAMETERS = {"constant": {"value": 0.25}, "fixup": {"blocks": 9}, "t_fixup": {"layers": 6}}
NUMBERS = ("order", "drift", "log_variance", "prob_dead", "isometry_defect")


def by_name(name):
    return schemes.get(name, **PARAMETERS.get(name, {}))


@pytest.mark.parametrize("name", schemes.names())
def test_schemes_by_name(name):
    scheme = by_name(name)
    assert isinstance(scheme, Scheme)
    assert by_name(scheme.name) == scheme
    places = vars(schemes) | vars(fm)
    assert eval(repr(scheme), dict(places)) == scheme
    assert hash(scheme) == hash(by_name(name))
    assert pickle.loads(pickle.dumps(scheme)) == scheme


def test_names_that_users_know():
    for ours, theirs in [
        ("he_normal", "kaiming_normal"),
        ("he_uniform", "kaiming_uniform"),
        ("glorot_normal", "xavier_normal"),
        ("glorot_uniform", "xavier_uniform"),
        ("identity", "irnn"),
    ]:
        assert schemes.get(ours) == schemes.get(theirs)
    assert len({by_name(name) for name in schemes.names()}) >= 34
    assert schemes.get("he_normal", mode="fan_out") == schemes.He(mode="fan_out")


@pytest.mark.parametrize("name", schemes.names())
def test_statements_are_complete(name):
    scheme = by_name(name)
    statement = scheme.statement(16, 24, 3) if name != "lsuv" else scheme.statement(16, 24)
    assert statement.scheme == repr(scheme)
    assert statement.evidence in ("exact", "asymptotic", "empirical")
    assert statement.preserves.endswith(".")
    assert statement.reason.endswith(".")
    for field in NUMBERS:
        value = getattr(statement, field)
        assert value is None or (isinstance(value, float) and not math.isnan(value))
        assert field not in statement.approximate or value is not None
    assert statement.prob_dead is None or 0.0 <= statement.prob_dead <= 1.0
    assert statement.isometry_defect is None or statement.isometry_defect >= 0.0
    values = json.loads(json.dumps(statement.to_dict(), allow_nan=False))
    again = Statement(**(values | {"approximate": tuple(values["approximate"])}))
    assert again == statement or math.isinf(statement.order)
    text = str(statement)
    assert max(map(len, text.splitlines())) <= 80
    assert statement.evidence in text


@pytest.mark.parametrize(
    ("name", "message"),
    [("kaiming", "kaiming"), ("he-normal", "did you mean 'he_normal'"), ("", "name")],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        schemes.get(name)


def test_wrong_parameters():
    with pytest.raises(TypeError, match="blocks"):
        schemes.get("fixup")
    with pytest.raises(TypeError, match="slope"):
        schemes.get("he_normal", slope=3)
    with pytest.raises(TypeError, match="name"):
        schemes.get(3)


@pytest.mark.parametrize("name", ["constant", "identity", "lsuv"])
def test_schemes_without_a_scale_say_so(name):
    with pytest.raises(TypeError, match="no scale"):
        by_name(name).scale(4, 4)


def test_infinite_orders_are_null_in_json():
    statement = schemes.Orthogonal(0.5, "relu").statement(8, 8)
    assert math.isinf(statement.order)
    assert statement.to_dict()["order"] is None
    assert "No moment: all shrink" in statement.preserves
