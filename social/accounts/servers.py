"""What people type when they are asked for their server, made into an origin. Pure."""

import ipaddress
import re

import idna

from social.errors import Invalid, Wrong

LONGEST = 300
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def origin(given: str) -> str:
    """`https://` and the server's name in ASCII, out of a name, an address or a handle. Invalid if it is none.

    Takes mastodon.example, https://mastodon.example/@anna, @anna@mastodon.example and names in any script.
    """
    name = given.strip()
    if len(name) > LONGEST:
        raise _refused("This is too long for the name of a server.")
    name = re.sub(r"^[a-z][a-z0-9+.-]*://", "", name, flags=re.IGNORECASE)
    name = re.split(r"[/?#\\]", name, maxsplit=1)[0].rpartition("@")[2].removesuffix(":443").removesuffix(".")
    if not name:
        raise _refused("Please give the server's name, like mastodon.example.")
    if ":" in name:
        raise _refused("A server is named without a port, like mastodon.example.")
    return f"https://{_ascii(name)}"


def _ascii(name: str) -> str:
    try:
        host = idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        raise _refused("This is not the name of a server. It looks like mastodon.example.") from None
    labels = host.split(".")
    if _is_address(host) or labels[-1].isdigit():
        raise _refused("Please give the server's name, not its number.")
    if len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels) or labels[-1] in {"local", "localhost"}:
        raise _refused("This is not the name of a server on the internet. It looks like mastodon.example.")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, [Wrong(pointer="/server", detail=sentence, code="server")])
