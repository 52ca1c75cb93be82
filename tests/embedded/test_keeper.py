"""The servers of the tests themselves: shared while needed, gone when nobody is left, however they left."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests.embedded.commands import ROOT, eventually, gone

GUEST = """
import pathlib, sys, time
from tests.servers import running_servers
with running_servers(pathlib.Path(sys.argv[1])) as servers:
    print(servers.mongo_url, flush=True)
    time.sleep(60)
"""


def test_killed_test_processes_leave_no_servers_behind(tmp_path: Path) -> None:
    asking = [sys.executable, "-c", GUEST, str(tmp_path)]
    with (
        subprocess.Popen(asking, cwd=ROOT, stdout=subprocess.PIPE) as one,
        subprocess.Popen(asking, cwd=ROOT, stdout=subprocess.PIPE) as other,
    ):
        assert one.stdout
        assert other.stdout
        assert one.stdout.readline() == other.stdout.readline()
        keepers = [process for process in psutil.process_iter() if str(tmp_path) in cmdline(process)[-1:]]
        (keeper,) = [process for process in keepers if "tests.servers.keeper" in cmdline(process)]
        family = [keeper, *keeper.children(recursive=True)]
        assert len(family) == 4

        one.kill()
        one.wait()
        assert keeper.is_running()
        other.kill()
        eventually(lambda: gone(family), "the servers are gone")
    assert not (tmp_path / "servers.json").exists()


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
