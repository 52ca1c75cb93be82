"""A relay as a process of its own, to be killed: its settings come as JSON, and it says when it starts."""

import asyncio
import sys

import msgspec
from beanie import init_beanie

from social.backing import opened
from social.outbox import relay
from social.outbox.documents import Relay, Row
from social.settings import Settings


async def main() -> None:
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    async with opened(settings) as backing:
        await init_beanie(database=backing.db, document_models=[Row, Relay], skip_indexes=True)
        sys.stdout.write("relaying\n")
        sys.stdout.flush()
        await relay.run(backing, asyncio.Event())


asyncio.run(main())
