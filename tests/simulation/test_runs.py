"""Long runs: the same bits whatever happens on the way, and files that cannot be mistaken."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation import chains, pieces, rare_events, runs, stationary
from fracmoment.simulation.checkpoints import Checkpoint
from fracmoment.simulation.summaries import LogNormSummary, SummaryPlan

GAIN = fm.Gain("relu", 4)
ARGUMENTS = (GAIN, 0.6, 30)


@pytest.fixture
def short_pieces(monkeypatch):
    """Cut runs into pieces of 1,000 replicas, no shorter ones, and save after each."""
    monkeypatch.setattr(chains.Chain, "piece", lambda *_: 1000)
    monkeypatch.setattr(runs, "_LEAST_SHARE", 1)
    monkeypatch.setattr(runs, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(runs, "_SHARE_OF_SAVING", 1e9)


# ---------------------------------------------------------------- summaries


def exact_digits(values):
    digits, *_ = _core.summarize(np.array(values), 0.0, 1.0, [], [])
    return sum(int(d) << (32 * i) for i, d in enumerate(digits[0]))


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False, width=64, max_value=1e77, min_value=-1e77),
        max_size=30,
    )
)
def test_sums_are_exact(values):
    exact = sum((Fraction(v) for v in values), Fraction(0)) * 2**1074
    assert exact_digits(values) == exact


@given(st.lists(st.integers(0, 400), min_size=0, max_size=6))
def test_merging_is_associative(cuts):
    y = fm.simulate_log_norms(*ARGUMENTS, 400, rng=1)
    plan = SummaryPlan(-3.0, 2.0, (1.0, -0.5), (0.3, 0.1))
    whole = LogNormSummary.of(plan, y)
    parts = [LogNormSummary.of(plan, part) for part in np.split(y, sorted(cuts))]
    forwards, backwards = LogNormSummary(plan), LogNormSummary(plan)
    for part in parts:
        forwards.merge(part)
    for part in parts[::-1]:
        backwards.merge(part)
    assert forwards == whole == backwards
    assert LogNormSummary.from_json(whole.to_json()) == whole


def test_summary_against_its_samples():
    n = 50_000
    y = fm.simulate_log_norms(*ARGUMENTS, n, rng=2)
    s = fm.summarize_log_norms(*ARGUMENTS, n, rng=2, orders=[1.0, 0.5])
    alive = y[np.isfinite(y)]
    assert (s.n_samples, s.dead, s.alive) == (n, n - alive.size, alive.size)
    assert (s.least, s.most) == (alive.min(), alive.max())
    assert s.mean.value == pytest.approx(alive.mean(), rel=1e-13)
    assert s.variance.value == pytest.approx(alive.var(ddof=1), rel=1e-12)
    assert s.mean.standard_error == pytest.approx(alive.std() / np.sqrt(alive.size), rel=1e-12)
    centred = alive - alive.mean()
    assert s.skewness == pytest.approx((centred**3).mean() / alive.std() ** 3, rel=1e-10)
    assert s.excess_kurtosis == pytest.approx((centred**4).mean() / alive.var() ** 2 - 3, rel=1e-9)
    counts, edges = s.histogram()
    assert counts.sum() == alive.size
    np.testing.assert_array_equal(counts, np.histogram(alive, edges)[0])
    levels = np.array([0.0, 0.01, 0.5, 0.99, 1.0])
    width = edges[1] - edges[0]
    alive.sort()
    found = s.quantile(levels)
    assert np.all(np.searchsorted(alive, found - width) <= levels * alive.size)
    assert np.all(np.searchsorted(alive, found + width, "right") >= levels * alive.size)
    for order, log_moment in zip(s.plan.orders, s.plan.log_moments, strict=True):
        weights = np.exp(order * alive - log_moment)
        assert s.moment(order).value == pytest.approx(weights.mean(), rel=1e-12)
        assert s.moment(order).standard_error == pytest.approx(
            weights.std() / np.sqrt(alive.size), rel=1e-9
        )


def test_summary_against_the_exact_law():
    gains = [fm.Gain("relu", 6), fm.Gain("rrelu", 9, keep_prob=0.7), fm.Gain("linear", 5)]
    sigmas = [0.5, 0.6, 0.4]
    s = fm.summarize_log_norms(gains, sigmas, None, 400_000, rng=5, orders=[0.7, -0.3])
    mean = sum(np.log(x) + g.log_mean() for x, g in zip(sigmas, gains, strict=True))
    assert abs(s.mean.z(mean)) < 5
    assert abs(s.variance.z(sum(g.log_var() for g in gains))) < 5
    assert abs(s.prob_dead.z(fm.prob_dead(gains))) < 5
    assert abs(s.moment(0.7).z(1.0)) < 5
    assert abs(s.moment(-0.3).z(1.0)) < 5


def test_summary_of_nothing():
    s = fm.summarize_log_norms(*ARGUMENTS, 0, orders=[1.0])
    assert s.n_samples == 0
    assert np.isnan(s.mean.value)
    assert np.isnan(s.quantile(0.5))


# ---------------------------------------------------------------- pieces


def test_memory_does_not_grow(short_pieces):
    def peak(n):
        tracemalloc.start()
        fm.summarize_log_norms(GAIN, 0.6, 1, n, rng=1, threads=2)
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    assert peak(400_000)[0] < peak(40_000)[0] + 1_000_000


def test_executors_give_the_same_bits(short_pieces):
    samples = fm.simulate_log_norms(*ARGUMENTS, 40_500, rng=9)
    summary = fm.summarize_log_norms(*ARGUMENTS, 40_500, rng=9, orders=[1.0])
    for pool in (ThreadPoolExecutor(3), ProcessPoolExecutor(2)):
        with pool:
            options = {"rng": 9, "executor": pool}
            np.testing.assert_array_equal(
                fm.simulate_log_norms(*ARGUMENTS, 40_500, **options), samples
            )
            found = fm.summarize_log_norms(*ARGUMENTS, 40_500, orders=[1.0], **options)
            assert found == summary


def test_progress(short_pieces, capsys):
    seen = []
    fm.simulate_log_norms(*ARGUMENTS, 3500, rng=1, progress=lambda *p: seen.append(p))
    assert seen == [(k, 3500) for k in (0, 1000, 2000, 3000, 3500)]
    fm.simulate_log_norms(*ARGUMENTS, 3500, rng=1, progress=True)
    assert "3500/3500" in capsys.readouterr().err
    with pytest.raises(TypeError, match="progress"):
        fm.simulate_log_norms(*ARGUMENTS, 3500, progress="yes")
    with pytest.raises(TypeError, match="executor"):
        fm.simulate_log_norms(*ARGUMENTS, 3500, executor="dask")


RUNS = {
    "rare event": lambda **o: fm.rare_event_probability(
        fm.Gain("relu", 16), 0.4, 20, 30.0, n_samples=20_000, rng=4, **o
    ),
    "rare event with jumps": lambda **o: fm.rare_event_probability(
        fm.Gain("relu", 16), 0.4, 20, -40.0, side="below", n_samples=20_000, rng=4, **o
    ),
    "stationary norms": lambda **o: fm.simulate_stationary_norms(
        fm.Gain("relu", 8), 0.4, 0.1, 20_000, rng=4, **o
    ).tolist(),
    "stationary tail": lambda **o: fm.stationary_tail(
        fm.Gain("relu", 8), 0.4, 0.1, 20.0, n_samples=20_000, rng=4, **o
    ),
}


@pytest.fixture
def pieces_of_1000(monkeypatch):
    """Cut the runs above into pieces of about 1,000 replicas, and save after each."""
    for kind in (rare_events._LogWeights, stationary._Norms, stationary._TailWeights):
        monkeypatch.setattr(kind, "piece", lambda _: 1000)
    monkeypatch.setattr(runs, "_LEAST_SHARE", 1)
    monkeypatch.setattr(runs, "_PIECES_OF_A_TASK", 1)
    monkeypatch.setattr(runs, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(runs, "_SHARE_OF_SAVING", 1e9)


@pytest.mark.parametrize("name", RUNS)
def test_estimates_on_executors_with_progress_and_checkpoints(name, pieces_of_1000, tmp_path):
    run, path, seen = RUNS[name], tmp_path / "run", []
    whole = run(threads=1, progress=lambda *p: seen.append(p))
    done, total = zip(*seen, strict=True)
    assert done[0] == 0
    assert list(done) == sorted(done)
    assert done[-1] == total[0]
    assert run(threads=3) == whole
    with ProcessPoolExecutor(2) as pool:
        assert run(executor=pool) == whole
    for count in (total[0] // 3, total[0] // 2):
        with pytest.raises(StoppedError):
            run(threads=1, checkpoint=path, progress=stop_after(count))
    first = []
    assert run(checkpoint=path, progress=lambda d, _: first.append(d)) == whole
    assert total[0] // 2 <= first[0] < total[0]
    for other, other_run in RUNS.items():
        if other != name:
            with pytest.raises(fm.CheckpointError, match="another run"):
                other_run(checkpoint=path)


@pytest.mark.parametrize("name", RUNS)
def test_estimates_keep_what_is_done(name, pieces_of_1000):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background

    def progress(done, total):
        if done >= 0.8 * total:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(fm.Interrupted) as stop:
        RUNS[name](threads=1, progress=progress)
    signal.signal(signal.SIGINT, before)
    whole, partial = RUNS[name](), stop.value.partial
    if name == "stationary norms":
        assert partial.tolist() == whole[: stop.value.done]
        return
    if name == "stationary tail":
        gap = partial.log_probability - whole.log_probability
        error = partial.relative_error + whole.relative_error
    else:
        gap = partial.log_probability_given_alive - whole.log_probability_given_alive
        error = partial.relative_error_given_alive + whole.relative_error_given_alive
    assert abs(gap) < 5 * error


def test_an_estimate_of_too_few_samples_is_none(pieces_of_1000):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def progress(done, _total):
        if done >= 1000:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(fm.Interrupted) as stop:  # in the middle of the jumps
        RUNS["rare event with jumps"](threads=1, progress=progress)
    signal.signal(signal.SIGINT, before)
    assert stop.value.partial is None


# ---------------------------------------------------------------- checkpoints


class StoppedError(Exception):
    pass


def stop_after(count):
    def progress(done, _total):
        if done >= count:
            raise StoppedError

    return progress


@pytest.mark.parametrize("simulate", [fm.simulate_log_norms, fm.summarize_log_norms])
def test_a_stopped_run_goes_on_to_the_same_bits(simulate, short_pieces, tmp_path):
    path = tmp_path / "run"
    whole = simulate(*ARGUMENTS, 10_000, rng=4)
    for count in (2000, 2000, 5000):  # the second goes nowhere
        with pytest.raises(StoppedError):
            simulate(*ARGUMENTS, 10_000, rng=4, checkpoint=path, progress=stop_after(count))
    first = []
    found = simulate(
        *ARGUMENTS, 10_000, rng=None, checkpoint=path, progress=lambda d, _: first.append(d)
    )
    assert first[0] == 5000  # what was done is not done again, and the seed is that of the file
    assert np.array_equal(found, whole) if simulate is fm.simulate_log_norms else found == whole
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run"
    fm.simulate_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)
    before = path.read_bytes()
    for change, name in [
        ({"rng": 5}, "seed"),
        ({"n_samples": 101}, "n_samples"),
        ({"sigma": 0.61}, "log_sigma"),
        ({"depth": 31}, "layers"),
        ({"gain": fm.Gain("relu", 5)}, "laws"),
        ({"method": "vector"}, "method"),
    ]:
        arguments = {"gain": GAIN, "sigma": 0.6, "depth": 30, "n_samples": 100, "rng": 4, **change}
        with pytest.raises(fm.CheckpointError, match=f"another run: .*{name}"):
            fm.simulate_log_norms(**arguments, checkpoint=path)
    with pytest.raises(fm.CheckpointError, match=r"another run: .*result"):
        fm.summarize_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)
    assert path.read_bytes() == before


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    fm.summarize_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"", good[:30], good[:-1], good + b" ", good[::-1]]
    damaged += [
        good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in rng.integers(0, len(good), 40)
    ]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(fm.CheckpointError, match=r"damaged|not a checkpoint"):
            fm.summarize_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)


def test_a_well_formed_checkpoint_of_nonsense_is_refused(tmp_path):
    path = tmp_path / "run"
    fm.summarize_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)
    header = json.loads(path.read_bytes().split(b"\n")[2])
    for done, state in [(50, b"{}"), (50, b"\xff"), (101, None)]:
        file = Checkpoint(path, header["run"])
        good = LogNormSummary(SummaryPlan(0.0, 1.0, (), ())).state()
        file.save(done, good if state is None else state)
        with pytest.raises(fm.CheckpointError, match="damaged"):
            fm.summarize_log_norms(*ARGUMENTS, 100, rng=4, checkpoint=path)


def test_checkpoint_needs_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "run"):
        with pytest.raises(ValueError, match="checkpoint"):
            fm.simulate_log_norms(*ARGUMENTS, 10, checkpoint=path)


SCRIPT = """
import signal, sys
import fracmoment as fm
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from fracmoment.simulation import runs
runs._SECONDS_BETWEEN_SAVES = 0.05
runs._SHARE_OF_SAVING = 1.0
gain = fm.Gain("relu", 4)
try:
    s = fm.summarize_log_norms(gain, 0.6, 300, 2_000_000, rng=4, checkpoint=sys.argv[1],
                               orders=[0.5], threads=1)
except fm.Interrupted as stop:
    print("interrupted", stop.done, stop.partial.n_samples)
else:
    print(s.to_json())
"""


def start(path):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True
    )


def wait_for_checkpoint(process, path):
    """Wait until the process has saved twice."""
    for _ in range(2):
        before = path.stat().st_mtime_ns if path.exists() else None
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert process.poll() is None
            time.sleep(0.01)


def test_kill_and_resume(tmp_path):
    path = tmp_path / "run"
    for signal_number in (signal.SIGKILL, signal.SIGINT):
        process = start(path)
        wait_for_checkpoint(process, path)
        asked = time.monotonic()
        os.kill(process.pid, signal_number)
        output, _ = process.communicate(timeout=60)
        if signal_number == signal.SIGINT:
            assert time.monotonic() - asked < 5.0  # a second, and slow machines
            word, done, kept = output.split()
            assert word == "interrupted"
            assert int(done) == int(kept) > 0
        else:
            assert process.returncode == -signal.SIGKILL
    output, _ = start(path).communicate(timeout=120)
    whole = fm.summarize_log_norms(GAIN, 0.6, 300, 2_000_000, rng=4, orders=[0.5])
    assert LogNormSummary.from_json(output) == whole


def test_interrupt_keeps_samples(short_pieces):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background

    def progress(done, _total):
        if done == 3000:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(fm.Interrupted) as stop:
        fm.simulate_log_norms(*ARGUMENTS, 9000, rng=1, progress=progress)
    assert stop.value.done >= 3000
    whole = fm.simulate_log_norms(*ARGUMENTS, 9000, rng=1)
    np.testing.assert_array_equal(stop.value.partial, whole[: stop.value.done])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_request_to_stop_is_seen_when_results_are_ready_before_they_are_taken():
    asked = []
    parts = pieces.each_piece(lambda start, n: n, 0, 100, 1, 4, lambda: len(asked) > 0)
    taken = []
    for start, _ in parts:
        taken.append(start)
        if len(taken) == 10:
            asked.append(True)
        time.sleep(0.001)  # the pieces under way are done by now
    assert taken == list(range(10))


def test_from_another_thread():
    out = []
    thread = threading.Thread(
        target=lambda: out.append(fm.simulate_log_norms(*ARGUMENTS, 100, rng=1))
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(out[0], fm.simulate_log_norms(*ARGUMENTS, 100, rng=1))


def test_dask_with_a_worker_killed(short_pieces):
    """Shards on a cluster of processes, one of which is killed in the middle."""
    distributed = pytest.importorskip("distributed")
    summary = fm.summarize_log_norms(*ARGUMENTS, 600_000, rng=9, orders=[1.0])
    killed = []
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def progress(done, total):
            if done > total // 3 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        found = fm.summarize_log_norms(
            *ARGUMENTS,
            600_000,
            rng=9,
            orders=[1.0],
            executor=client.get_executor(),
            progress=progress,
        )
    assert killed
    assert found == summary
