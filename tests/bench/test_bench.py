"""The bench, small: nothing is lost, doubled or early, in a burst, over a kill, beside a crowd. Figures are by hand."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from tests.bench.__main__ import INTERRUPTED
from tests.bench.sink.asked import ROOT

WITHIN = 150

pytestmark = pytest.mark.slow


def bench(name: str, *options: str) -> dict[str, Any]:
    """The figures of one bench: the last line it prints. It leaves nothing running."""
    with started(name, *options, "--json") as running:
        children = of(running)
        deadline = time.monotonic() + WITHIN
        while running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            children |= of(running)
        said, complaints = running.communicate(timeout=1)
    assert running.returncode == 0, complaints[-3000:]
    assert still(children) == set()
    figures: dict[str, Any] = json.loads(said.splitlines()[-1])
    return figures


def test_a_burst_arrives_whole_once_and_not_before_its_time() -> None:
    figures = bench("burst", "--posts", "200")
    assert figures["publications"] == 600
    assert (figures["lost"], figures["doubled"], figures["early"]) == (0, 0, 0)
    assert "not_online" not in figures
    assert "requests_the_sink_did_not_know" not in figures
    assert 0 < figures["late_ms_p50"] <= figures["late_ms_p99"] <= figures["late_ms_max"]
    assert figures["cpu_x_client"] > 1
    assert {"drain_s", "cpu_s_per_1000", "mongo_cpu_s_per_1000", "redis_cpu_s_per_1000", "rss_mb_peak"} <= set(figures)


def test_a_burst_that_is_cut_off_by_sigkill_arrives_whole_and_once() -> None:
    figures = bench("kill", "--posts", "150", "--latency-ms", "200")
    assert (figures["publications"], figures["lost"], figures["doubled"], figures["early"]) == (450, 0, 0, 0)
    assert "not_online" not in figures
    assert figures["in_flight"] > 0


def test_a_crowd_is_no_reason_for_others_to_lose_a_post() -> None:
    figures = bench("fairness", "--crowd", "300", "--others", "20")
    assert (figures["lost"], figures["doubled"], figures["early"]) == (0, 0, 0)
    assert "not_online" not in figures
    assert figures["extra_late_ms_p99"] < 5_000


def test_one_that_is_told_to_stop_leaves_nothing_running() -> None:
    with started("idle") as running:
        deadline = time.monotonic() + WITHIN
        while len(children := of(running)) < len(("mongod", "valkey", "weed", "sink", "social")):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.terminate()
        assert running.wait(timeout=20) == INTERRUPTED
        running.communicate()
    assert still(children) == set()


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m tests.bench WORDS`, killed with the block if it still runs."""
    command = [sys.executable, "-m", "tests.bench", *words]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as running:
        try:
            yield running
        finally:
            running.kill()


def of(running: subprocess.Popen[str]) -> set[psutil.Process]:
    """The processes that it has started and that run."""
    try:
        return set(psutil.Process(running.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def still(processes: set[psutil.Process]) -> set[psutil.Process]:
    """Those that still run."""
    running = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                running.add(process)
    return running
