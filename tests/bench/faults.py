"""Faults of the list of faults, injected for real, one row after another; counted at the platforms.

Each row is one or more tests of `tests/faults`, which this runs and whose figures it adds up. They are run with every
change as well; `--full` runs them in sizes that are too large for that: thousands of kills, minutes without Redis.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ADDED_UP = (
    "faults",
    "accepted",
    "lost",
    "doubled",
    "stuck",
    "failed_but_live",
    "early",
    "unknown",
    "settled",
    "parked",
)
FULL, ROWS, KILLS, MINUTES = "FAULTS_FULL", "FAULTS_ROWS", "FAULTS_KILLS", "FAULTS_MINUTES"
STORM = "tests/faults/test_storm.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rows, and how large."""
    parser.add_argument("--rows", default="", help="F1,F2,... (all)")
    parser.add_argument("--full", action="store_true", help="the sizes that are run by hand")
    parser.add_argument("--kills", type=int, default=0, help="nothing but so many SIGKILLs at named points")
    parser.add_argument("--minutes", type=float, default=0, help="as many of them as come in this time")


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """The figures of all rows added up, and under `rows` those of each: `passed`, and its tests' own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        env = {ROWS: args.rows} | ({FULL: "1"} if args.full else {})
        env |= {KILLS: str(args.kills), MINUTES: str(args.minutes)} if args.kills else {}
        await _tested(STORM if args.kills else "tests/faults", report, env)
        cases = list(ET.parse(report).getroot().iter("testcase"))
    return summed(cases) | {"seconds": round(time.monotonic() - began, 1)}


async def _tested(tests: str, report: Path, env: dict[str, str]) -> None:
    """Runs the `tests`; what they say goes to stderr. Interrupts them when cancelled, and waits until they have cleaned
    up."""
    words = ["-m", "pytest", tests, "-n", "0", "-s", "-o", "junit_family=xunit1", f"--junitxml={report}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env={**os.environ, **env}, stdout=sys.stderr, start_new_session=True
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()


def summed(cases: list[ET.Element]) -> dict[str, Any]:
    """The figures of the tests `cases`, as pytest's report has them."""
    total: dict[str, float] = dict.fromkeys(ADDED_UP, 0)
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"passed": True})
    failed = 0
    for case in cases:
        said = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        passed = not any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        failed += not passed
        for name in ADDED_UP:
            total[name] += int(said.get(name, 0))
        for row in filter(None, said.get("rows", "").split(",")):
            rows[row]["passed"] = rows[row]["passed"] and passed
            for name, value in said.items():
                if name != "rows":
                    rows[row][name] = _worse(rows[row].get(name), name, float(value))
    askable = total["unknown"] - total["parked"]
    share = total["settled"] / askable if askable else 1.0
    ordered = dict(sorted(rows.items(), key=lambda row: int(row[0][1:])))
    return total | {"tests": len(cases), "failed": failed, "settled_share": round(share, 4), "rows": ordered}


def _worse(before: float | None, name: str, value: float) -> float:
    """Counts of several tests of a row add up; of times and sizes the greatest is told."""
    if before is None:
        return value
    return before + value if name in ADDED_UP else max(before, value)
