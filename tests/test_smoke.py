"""What any build of the package must pass, in an environment that has pytest and no other tool.

A few numbers that can be checked by hand, from each part that is compiled or needs a library.
"""

from __future__ import annotations

import importlib.resources
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath
import pytest

import fracmoment as fm


def test_order_two_is_he_and_lecun():
    assert fm.init_scale("relu", 128, 64, 2) == 0.125
    assert fm.init_scale("linear", 64, 7, 2) == 0.125


def test_chi():
    g = fm.Gain("linear", 1)
    assert g.moment(1.0) == pytest.approx(math.sqrt(2 / math.pi), rel=2e-16)
    assert g.moment(4.0) == 3.0
    assert g.log_mean() == pytest.approx(-(math.log(2) + 0.57721566490153286) / 2, rel=1e-15)


def test_relu_of_width_two():
    # One live unit with probability 1/2, two with 1/4.
    one, two = math.sqrt(2 / math.pi), math.sqrt(math.pi / 2)
    assert fm.Gain("relu", 2).moment(1.0) == pytest.approx(one / 2 + two / 4, rel=4e-16)
    assert fm.Gain("relu", 2).prob_zero() == 0.25


def test_fifty_digits():
    value = fm.Gain("linear", 2).moment(1, digits=50)
    with mpmath.workdps(60):
        assert abs(value - mpmath.sqrt(mpmath.pi / 2)) < mpmath.mpf("1e-50")


def test_tail_index():
    g = fm.Gain("relu", 64)
    assert fm.tail_index(g, g.scale(1.5)) == pytest.approx(1.5, rel=1e-12)


def test_enclosure():
    mean = fm.certified.moment(fm.Gain("linear", 2), 1, digits=40)
    with mpmath.workdps(50):
        assert mean.lower <= mpmath.sqrt(mpmath.pi / 2) <= mean.upper


def test_simulation_of_a_rotation():
    # Orthogonal linear layers keep every norm; two threads give the bits of one.
    layer = fm.Gain("linear", 8, weights="orthogonal")
    assert abs(fm.simulate_log_norms(layer, 1.0, 5, 10, rng=1)).max() < 1e-14
    relu = fm.Gain("relu", 8)
    one, two = (fm.simulate_log_norms(relu, 0.5, 5, 9999, rng=1, threads=n) for n in (1, 2))
    assert (one == two).all()


def test_law_of_a_network():
    # |x_2| of a linear network of width 1 is |g h|, of density (2 / pi) K_0: its median.
    median = fm.Network([1, 1, 1], "linear", scales=[1.0, 1.0], last=None).law().median()
    assert math.exp(median) == pytest.approx(0.36516801183493482, rel=1e-12)


def test_many_threads_at_once():
    layer = fm.Gain("relu", 64)
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda k: layer.moment(1.0 + (k % 4)), range(64)))
    assert values == [layer.moment(1.0 + (k % 4)) for k in range(64)]


def test_the_core_leaves_the_global_lock_off():
    enabled = getattr(sys, "_is_gil_enabled", None)
    if enabled is None:
        pytest.skip("an interpreter that always has the lock")
    code = "import sys; was = sys._is_gil_enabled(); import fracmoment"
    code += "; print(was == sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_command():
    arguments = ["scale", "--activation", "relu", "--fan-in", "128", "--fan-out", "64"]
    command = [sys.executable, "-m", "fracmoment", *arguments, "--order", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(json.loads(done.stdout)["scale"]) == 0.125


def test_types_are_shipped():
    files = importlib.resources.files(fm)
    assert (files / "py.typed").is_file()
    assert (files / "_core.pyi").is_file()
