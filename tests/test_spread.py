"""Which test process takes what: shown by a run of pytest itself, on tests that do nothing."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

FILES = {
    "tests/api/test_small.py": 4,
    "tests/api/test_many.py": 6,
    "tests/faults/test_storm.py": 1,
    "tests/faults/test_others.py": 3,
    "tests/journeys/test_long.py": 3,
    "tests/model/test_orders.py": 4,
}
TEST = "import time\nimport pytest\n\n@pytest.mark.parametrize('n', range({}))\ndef test_it(n):\n    time.sleep(0.1)\n"
CONFTEST = """
import pathlib
import pytest
from tests_spread import Spread

def pytest_xdist_make_scheduler(config, log):
    return Spread(config, log)

@pytest.fixture(autouse=True)
def noted(request, worker_id):
    with pathlib.Path("taken").open("a") as taken:
        taken.write(f"{worker_id} {request.node.nodeid}\\n")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with tests of every kind, and our way of spreading them."""
    for name, count in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TEST.format(count))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests_spread.py").write_text(Path(__file__).with_name("spread.py").read_text())
    return tmp_path


def taken(project: Path, count: int) -> dict[str, list[str]]:
    """What each of so many processes has run, in order."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(count), "-p", "no:cacheprovider"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(command, cwd=project, env=ours, capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    by_process: dict[str, list[str]] = defaultdict(list)
    for line in (project / "taken").read_text().splitlines():
        process, nodeid = line.split(" ", 1)
        by_process[process].append(nodeid)
    assert sum(map(len, by_process.values())) == sum(FILES.values())
    return by_process


def test_each_process_begins_with_work_of_another_kind_and_the_longest_of_it(project: Path) -> None:
    began = {process: nodeids[0].split("::")[0] for process, nodeids in taken(project, 3).items()}

    assert began == {
        "gw0": "tests/faults/test_storm.py",
        "gw1": "tests/journeys/test_long.py",
        "gw2": "tests/model/test_orders.py",
    }


def test_what_breaks_servers_meets_no_other_of_its_kind_and_files_stay_together(project: Path) -> None:
    by_process = taken(project, 2)

    of_file = defaultdict(set)
    for process, nodeids in by_process.items():
        for nodeid in nodeids:
            of_file[nodeid.split("::")[0]].add(process)
    assert of_file["tests/faults/test_storm.py"] == of_file["tests/faults/test_others.py"] == {"gw0"}
    assert all(len(processes) == 1 for file, processes in of_file.items() if file != "tests/model/test_orders.py")
    orders = [nodeid for nodeids in by_process.values() for nodeid in nodeids[-2:] if "test_orders" in nodeid]
    assert orders, "what shares nothing fills the end"
