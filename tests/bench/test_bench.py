"""The bench, small: nothing is lost, doubled or early, in a burst, over a kill, beside a crowd. Figures are by hand."""

import json
import subprocess
import sys
from typing import Any

import psutil
import pytest

from tests.bench.sink.asked import ROOT

WITHIN = 150

pytestmark = pytest.mark.slow


def bench(name: str, *options: str) -> dict[str, Any]:
    """The figures of one bench: the last line it prints."""
    command = [sys.executable, "-m", "tests.bench", name, *options, "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
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
    figures = bench("kill", "--posts", "150")
    assert (figures["publications"], figures["lost"], figures["doubled"], figures["early"]) == (450, 0, 0, 0)
    assert "not_online" not in figures
    assert figures["in_flight"] > 0
    assert figures["first_s"] > 0


def test_a_crowd_is_no_reason_for_others_to_lose_a_post() -> None:
    figures = bench("fairness", "--crowd", "300", "--others", "20")
    assert (figures["lost"], figures["doubled"], figures["early"]) == (0, 0, 0)
    assert "not_online" not in figures
    assert figures["beside_late_ms_p99"] < figures["crowd_late_ms_p99"]


def test_nothing_is_left_running() -> None:
    ours = [process for process in psutil.process_iter() if "social-bench-" in " ".join(_command(process))]
    assert ours == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
