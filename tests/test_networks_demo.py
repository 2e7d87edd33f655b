"""The picture of measured log-norms, and the demonstration as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from fracmoment.networks import Layer, Network, audit_network, measure
from fracmoment.plotting import plot_log_norms

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("preserve", ["rms", "norm"])
def test_picture_shows_law_and_measurement(biased, preserve):
    rng = np.random.default_rng(1)
    layers = tuple(
        Layer(f"l{i}", rng.normal(size=(6, 6)), rng.normal(size=6) if biased else None, "float64")
        for i in range(4)
    )
    network = Network("test", layers, "torch", ())
    audit = audit_network(network, preserve=preserve)
    measurement = measure(network, audit, rng.normal(size=(20, 6)))
    ax = Figure().subplots()
    assert plot_log_norms(measurement, ax) is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == 4 + biased
    law = next(line for line in ax.get_lines() if line.get_label() == "law, mean")
    assert law.get_ydata().tolist() == [0.0, *(x.law_mean for x in measurement.layers)]
    assert preserve in ax.get_ylabel()
    assert ax.get_xlabel()


def test_pictures_say_what_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    rng = np.random.default_rng(1)
    network = Network("t", (Layer("l", rng.normal(size=(3, 3)), None, "float64"),), "torch", ())
    measurement = measure(network, audit_network(network), rng.normal(size=(2, 3)))
    with pytest.raises(ImportError, match=r"fracmoment\[plot\]"):
        plot_log_norms(measurement)


def test_demonstration(tmp_path):
    done = subprocess.run(
        [sys.executable, DEMO, tmp_path / "out"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "$ fracmoment plan" in done.stdout
    assert "$ fracmoment audit" in done.stdout
    assert "uniform" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "digits.npy",
        "log_norms.png",
    ]
    picture = (tmp_path / "out" / "log_norms.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert "log_norms.png" in done.stdout.splitlines()[-1]
