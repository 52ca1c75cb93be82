"""What comes from outside, piece by piece: as long as it keeps coming, and what is done with the name it came by."""

import asyncio
import re
import time
import unicodedata
from collections.abc import AsyncIterator

from social.errors import Refused

SILENCE = 30.0  # seconds without a byte, after which the sender is taken for gone
LONGEST = 1800.0  # seconds for one request's body: 20 MB at 12 KB/s
NAME_MOST = 200  # characters
INVISIBLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories
TURNERS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # turn the writing: "gpj.exe" reads as "exe.jpg"


class Stopped(Refused):
    """The upload ended before the file did."""

    status, kind, title = 408, "invalid", "The upload stopped"


async def steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`chunks`, as long as they keep coming. Stopped."""
    end = time.monotonic() + LONGEST
    while True:
        try:
            async with asyncio.timeout(min(SILENCE, end - time.monotonic())):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise Stopped("The upload stopped before the whole file was here. Please try again.") from None
        if chunk is None:
            return
        yield chunk


def tidy(name: str) -> str:
    """What can be shown of a file's name: no folders, nothing invisible, nothing that turns the writing around."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(sign for sign in unicodedata.normalize("NFC", last) if unicodedata.category(sign) not in INVISIBLE)
    return TURNERS.sub("", seen).strip(" .")[:NAME_MOST] or "picture"
