"""What a bench stands on: real servers, the sink, and `social serve` as in production, each on the core it may have."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from social import app
from social.backing import Backing, mongo, opened
from social.embedded import mongod, seaweed, valkey
from social.embedded.child import Process, end, spawn
from social.embedded.folder import Folder
from social.embedded.program import Program
from social.settings import Settings
from tests.bench.cores import Cores, on
from tests.bench.sink import asked
from tests.bench.sink.asked import ROOT, Sink
from tests.bench.usage import Used

READY_WITHIN = 60.0
GRACE = 40.0  # longer than the product's own from SIGTERM to its end
PUBLIC_URL = "https://social.example"  # of all instances, as behind a proxy


@dataclass(eq=False)
class Instance:
    """One `social serve` on the product's core. Started and killed as often as a bench likes."""

    number: int
    port: int
    env: Mapping[str, str]
    log: Path
    cores: frozenset[int]
    process: Process | None = None

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process's id."""
        assert self.process is not None, "not started"
        return self.process.pid

    async def start(self, **env: str) -> float:
        """Starts it, with more of the environment for this start alone. The seconds until it was ready."""
        program = Program(
            name=f"social serve {self.number}",
            command=[sys.executable, "-m", "social", "serve"],
            cwd=ROOT,
            env={**self.env, **env},
            log=self.log,
            ready=self._ready,
        )
        began = time.monotonic()
        with on(self.cores):
            self.process = await spawn(program)
        async with asyncio.timeout(READY_WITHIN):
            await program.ready(self.process.pid)
        return time.monotonic() - began

    async def kill(self) -> None:
        """SIGKILL: no farewell."""
        assert self.process is not None, "not started"
        await _killed(self.process)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it does not end in its grace."""
        if self.process is not None:
            await end(self.process, GRACE)

    async def _ready(self, _: int) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                if self.process is not None and self.process.returncode is not None:
                    said = self.log.read_text()[-2000:]
                    raise RuntimeError(
                        f"social serve ended with {self.process.returncode} before it was ready:\n{said}"
                    )
                try:
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything a bench acts on. `backing` is the bench's own connection to the product's servers."""

    cores: Cores
    folder: Path
    backing: Backing
    session: aiohttp.ClientSession
    sink: Sink
    instances: list[Instance]
    pids: dict[str, int] = field(default_factory=dict)  # of the servers, by name

    def used(self) -> Used:
        """What product, MongoDB and Valkey have used so far."""
        running = [each.pid for each in self.instances if each.process and each.process.returncode is None]
        return Used.by(product=running, mongo=self.pids["mongo"], redis=self.pids["redis"])


@asynccontextmanager
async def staged(
    *, instances: int = 1, times: Mapping[str, float] | None = None, start: bool = True, **env: str
) -> AsyncIterator[Stage]:
    """A stage with so many instances, started unless told otherwise, and nothing left of it afterwards.

    `times`: the protocol's that differ from production's, in seconds. `env`: more of the product's environment.
    """
    cores = Cores.of_this_machine()
    async with AsyncExitStack() as stack:
        stack.enter_context(on(cores.rest))
        root = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="social-bench-", ignore_cleanup_errors=True))
        )
        folder = Folder.opened(root)
        port = free_port()
        programs = {
            "mongo": mongod.program(folder),
            "redis": valkey.program(folder),
            "s3": seaweed.program(folder),
            "sink": asked.program(port, folder.log("sink")),
        }
        processes = await _started(programs, stack)
        settings = _settings(folder, f"http://127.0.0.1:{port}", times or {}, env)
        backing = await stack.enter_async_context(opened(Settings.read(settings)))
        await app.bind(backing)
        await mongo.index(app.DOCUMENTS)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stage = Stage(
            cores=cores,
            folder=root,
            backing=backing,
            session=session,
            sink=Sink(f"http://127.0.0.1:{port}", session),
            instances=[_instance(number, settings, folder, cores) for number in range(instances)],
            pids={name: process.pid for name, process in processes.items()},
        )
        for instance in stage.instances:
            stack.push_async_callback(_ended, instance)
            if start:
                await instance.start()
        yield stage


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _started(programs: Mapping[str, Program], stack: AsyncExitStack) -> dict[str, Process]:
    processes: dict[str, Process] = {}
    for name, program in programs.items():
        processes[name] = await spawn(program)
        stack.push_async_callback(_gone, processes[name], program)
    async with asyncio.timeout(max(program.patience for program in programs.values())):
        await asyncio.gather(*(program.ready(processes[name].pid) for name, program in programs.items()))
    return processes


async def _gone(process: Process, program: Program) -> None:
    await _killed(process)
    for path in program.litter:
        path.unlink(missing_ok=True)


async def _ended(instance: Instance) -> None:
    if instance.process is not None:
        await _killed(instance.process)


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)  # its own `kill` looks first, and may take the end from who waits
    await process.wait()


def _settings(folder: Folder, sink: str, times: Mapping[str, float], env: Mapping[str, str]) -> dict[str, str]:
    return {
        **mongod.env(folder),
        **valkey.env(folder),
        **seaweed.env(folder),
        "SOCIAL_MASTER_KEY": folder.secrets().master_key,
        "SOCIAL_SANDBOX_URL": sink,
        "SOCIAL_PUBLIC_URL": PUBLIC_URL,
        **{f"SOCIAL_TEST_{name.upper()}": str(value) for name, value in times.items()},
        "SOCIAL_TEST_QUOTA_SCALE": "1000",  # quotas that are asked as always, and never met
        **env,
    }


def _instance(number: int, settings: Mapping[str, str], folder: Folder, cores: Cores) -> Instance:
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    env = {**inherited, **settings, "SOCIAL_PORT": str(port)}
    return Instance(number=number, port=port, env=env, log=folder.log(f"social-{number}"), cores=cores.product)
