"""Programs of this package that run beside the bench, each on the cores it may have, and end with it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from social.embedded.child import dies_with
from tests.bench.cores import on
from tests.bench.sink.asked import ROOT

Process = asyncio.subprocess.Process
LONGEST_LINE = 2**20
GRACE = 2.0


@asynccontextmanager
async def beside(module: str, *words: str, cores: frozenset[int]) -> AsyncIterator[Process]:
    """`python -m tests.bench.MODULE WORDS`, spoken to through its standard input and output. When the block ends it is
    given GRACE seconds to end by itself."""
    with on(cores):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"tests.bench.{module}", *words),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            preexec_fn=dies_with(os.getpid(), signal.SIGKILL),
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(module: str, *words: str, cores: frozenset[int], given: bytes = b"", within: float) -> bytes:
    """All that the program prints when it is given `given`. RuntimeError if it fails, TimeoutError if it takes longer
    than `within` seconds."""
    async with beside(module, *words, cores=cores) as process, asyncio.timeout(within):
        answer, _ = await process.communicate(given)
    if process.returncode:
        raise RuntimeError(f"tests.bench.{module} ended with {process.returncode}")
    return answer
