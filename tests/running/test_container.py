"""The Dockerfile: linted, and its steps carried out in a fresh Debian 12 that debootstrap makes, without any daemon."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
MIRROR = "http://deb.debian.org/debian"
LINTER = Path(sys.executable).parent / "hadolint"
# How this machine reaches the package registries, if it has its own way. Nothing of it is part of the image.
OF_THE_MACHINE = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/npmrc", "/etc/ssl/certs/ca-certificates.crt"),
    *("/root/.npmrc", "/root/.config/pip/pip.conf"),
)
NETWORK = re.compile(r"(?i)^(pip_|npm_config_|https?_proxy$|no_proxy$|ssl_cert|requests_ca|node_extra_ca)")


def test_the_linter_finds_nothing() -> None:
    told = subprocess.run(
        [LINTER, "--config", ROOT / ".hadolint.yaml", DOCKERFILE], check=False, capture_output=True, text=True
    )
    assert told.stdout + told.stderr == ""
    assert told.returncode == 0


def test_the_image_has_what_the_repository_has() -> None:
    """What is copied exists and is let through by .dockerignore; nothing else of the repository goes in."""
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {name.split("/")[0] for step in _steps() if step[0] == "COPY" for name in step[1].split()[:-1]}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_steps_make_a_system_that_runs_social_as_nobody_special() -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        _lacking("root and debootstrap are needed: apt-get install debootstrap")
    with ExitStack() as stack:
        image = _Image(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="image-"))), stack)
        image.base()
        for name, value in _steps():
            image.step(name, value)
        assert image.user == "10001"
        with image.running() as url:
            assert urllib.request.urlopen(f"{url}/health/ready", timeout=5).status == 200
            page = urllib.request.urlopen(url, timeout=5).read().decode()
            assert "<title>Social" in page
            health = next(value for name, value in _steps() if name == "HEALTHCHECK")
            image.run_listed(health.partition("CMD")[2])
            assert image.owners() == {10001}


class _Image:
    """A root folder, and what the Dockerfile said so far about how things run in it."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.folder = "/"
        self.user = "0"
        self.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.command = ""
        self.port = _free_port()
        self._stack = stack
        root.chmod(0o755)  # a temporary folder is for its maker alone
        self._network = {name: value for name, value in os.environ.items() if NETWORK.match(name)}

    def base(self) -> None:
        """What `FROM debian:12-slim` gives, near enough."""
        told = subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", self.root, MIRROR],
            check=False,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stdout[-3000:]
        named = [value for value in self._network.values() if value.startswith("/")]
        for name in {name for name in (*OF_THE_MACHINE, *named) if Path(name).is_file()}:
            self._inside(name).parent.mkdir(parents=True, exist_ok=True)
            lines = Path(name).read_bytes().splitlines(keepends=True)  # what points to other files here is left out
            self._inside(name).write_bytes(b"".join(line for line in lines if not line.startswith(b"constraint")))
        for kind, place in (("proc", "/proc"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")):
            where = self._inside(place)
            command = ["mount", "--bind", "/dev", where] if place == "/dev" else ["mount", "-t", kind, kind, where]
            subprocess.run(command, check=True)
            self._stack.callback(subprocess.run, ["umount", "--lazy", where], check=True)

    def step(self, name: str, value: str) -> None:
        """Does what one instruction says."""
        match name:
            case "RUN":
                self._shell(value)
            case "COPY":
                *sources, target = value.split()
                for source in sources:
                    self._copy(ROOT / source, target)
            case "WORKDIR":
                self.folder = value
                self._inside(value).mkdir(parents=True, exist_ok=True)
            case "ENV":
                self.env |= dict(_pairs(value))
            case "USER":
                self.user = value
            case "CMD":
                self.command = value
            case "FROM" | "VOLUME" | "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK":
                pass
            case _:
                raise AssertionError(f"{name}: teach this test what it means")

    def running(self) -> "_Running":
        """The image's own command, as its own user; ends with the block."""
        return _Running(self)

    def run_listed(self, listed: str) -> None:
        """A command in the form of a JSON list, which has to succeed."""
        command = self.prefix() + _words(listed.replace(":8080", f":{self.port}"))
        told = subprocess.run(command, check=False, env=self.environment(), capture_output=True, text=True)
        assert told.returncode == 0, told.stderr

    def prefix(self) -> list[str]:
        """What runs a command inside, as the image's user, in its folder."""
        return ["chroot", f"--userspec={self.user}:{self.user}", str(self.root), "env", "-C", self.folder]

    def environment(self) -> dict[str, str]:
        """The image's, with a port that is free here."""
        return self.env | {"SOCIAL_PORT": str(self.port), "SOCIAL_GRACE": "5"}

    def owners(self) -> set[int]:
        """Who owns what is in the volume."""
        return {path.lstat().st_uid for path in self._inside("/data").rglob("*")}

    def _shell(self, script: str) -> None:
        inside = self.env | self._network | {"HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        command = ["chroot", str(self.root), "env", "-C", self.folder, "/bin/sh", "-e", "-c", script]
        told = subprocess.run(command, check=False, env=inside, capture_output=True, text=True, timeout=600)
        assert told.returncode == 0, f"{script}\n{told.stdout[-3000:]}\n{told.stderr[-3000:]}"

    def _copy(self, source: Path, target: str) -> None:
        to = self._inside(os.path.join(self.folder, target))
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
        if source.is_dir():
            shutil.copytree(source, to, ignore=ignored, dirs_exist_ok=True)
        else:
            to = to / source.name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")


class _Running:
    def __init__(self, image: _Image) -> None:
        self._image = image
        self._log = image.root / "container.log"

    def __enter__(self) -> str:
        image = self._image
        with self._log.open("wb") as log:
            command = image.prefix() + _words(image.command)
            self._process = subprocess.Popen(
                command, env=image.environment(), stdout=log, stderr=log, start_new_session=True
            )
        url = f"http://127.0.0.1:{image.port}"
        deadline = time.monotonic() + 180
        while not _ready(url):
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < deadline, self._log.read_text()[-4000:]
            time.sleep(0.5)
        return url

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)  # STOPSIGNAL, to the first process alone
        try:
            self._process.wait(60)
        finally:
            inside = str(self._image.root)
            left = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if _root_of(pid) == inside]
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
        assert left == [], self._log.read_text()[-4000:]


def _steps() -> Iterator[tuple[str, str]]:
    parser = DockerfileParser(path=str(DOCKERFILE))
    for step in parser.structure:
        if step["instruction"] != "COMMENT":
            yield step["instruction"], step["value"]


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    for word in value.split():
        name, _, text = word.partition("=")
        yield name, text


def _words(listed: str) -> list[str]:
    found: list[str] = re.findall(r'"((?:[^"\\]|\\.)*)"', listed)
    return found


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _root_of(pid: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/root")
    except OSError:
        return None


def _lacking(what: str) -> None:
    if os.environ.get("SOCIAL_SKIPS_FAIL"):
        pytest.fail(what)
    pytest.skip(what)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
