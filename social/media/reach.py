"""Can platforms that fetch files by themselves reach ours? Asked over the internet, at the address they would get."""

import secrets

import aiohttp
import msgspec
from yarl import URL

from social.backing import Backing
from social.backing.outbound import Blocked, Redirected, TooMuch, capped
from social.media.links import outside

PROBE = "reach/"  # what the keys of probes begin with
CONTENT = 32  # bytes
HTTPS = "Platforms fetch files over https only, on its usual port. Set SOCIAL_PUBLIC_URL to an address that has it."


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """`address`: where files are fetched from; `problem`: why they cannot be, None where they can."""

    address: str
    problem: str | None


async def reach(backing: Backing) -> Reach:
    """Puts a few bytes into the bucket and fetches them back as a platform would."""
    key, content = f"{PROBE}{secrets.token_hex(16)}", secrets.token_bytes(CONTENT)
    await backing.bucket.put(key, content, mime="image/gif", size=CONTENT)
    try:
        url = URL(await outside(key, "image/gif", "probe.gif", backing))
        return Reach(address=str(url.origin()), problem=await _problem(url, content, backing))
    finally:
        await backing.bucket.delete([key])


async def _problem(url: URL, content: bytes, backing: Backing) -> str | None:
    if url.scheme != "https" or url.port != 443:
        return HTTPS
    try:
        async with backing.outbound.platforms.get(url, allow_redirects=False) as answer:
            found = await capped(answer, 10 * CONTENT) if answer.status == 200 else b""
            if answer.status == 200 and found == content:
                return None
            return f"Something else answers at {url.origin()}, with status {answer.status}."
    except Redirected as redirected:
        return f"{url.origin()} leads on to another address, with status {redirected.status}."
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, Blocked):
            return f"{url.host} is not an address on the public internet."
        return f"Nothing answers at {url.origin()}."
    except TooMuch:
        return f"Something else answers at {url.origin()}."
    except (aiohttp.ClientError, TimeoutError):
        return f"{url.origin()} did not answer properly in time."
