"""Everything we ask of other people's servers: three aiohttp sessions that differ in where they may connect to.

`platforms` carries tokens to the platforms' own hosts and to the servers that users registered with; `sandbox` carries
the sandbox's tokens to one exact origin; `outside` fetches addresses that users give and never carries a credential.

Where a connection goes is decided at the socket, on the address it is really made to: a resolver that checks is never
asked about IP literals, and a name may mean something else the second time it is asked for.
"""

import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from typing import Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from social.backing.nonces import Nonces
from social.errors import Invalid, Wrong
from social.moments import now
from social.settings import Settings

REUSED_FOR = 2.0  # seconds a connection may have been idle; an older one is likelier to be reset with our request on it
CONNECT_WITHIN = 10.0
FETCH_WITHIN = 10.0
SILENT = 30.0  # seconds without a byte of a large file, after which its server is taken for gone
HOPS = 5  # addresses that a large file may be behind
WEB_PORTS = frozenset({80, 443})
PIECE = 2**16

# What Python's `is_global` may call global (tried on 3.11) and must not be reached all the same, each with its reason.
SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "::/96",  # IPv4-compatible: an IPv4 address in disguise
            "::ffff:0:0:0/96",  # IPv4-translated (SIIT)
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",  # NAT64, local use
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "fec0::/10",  # site-local, deprecated
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
        ),
    )
)

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, SocketAddress]
Opener = Callable[[AddrInfo], socket.socket]


class Blocked(OSError):
    """The address a name stands for is none we connect to."""


class Lost(aiohttp.ClientError):
    """The connection ended after it was made, and before the whole answer was there."""


class Redirected(aiohttp.ClientError):
    """The answer points elsewhere, to `to`. Nobody follows it unasked."""

    def __init__(self, status: int, to: str = "") -> None:
        super().__init__(f"redirected with {status}")
        self.status = status
        self.to = to


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What an address outside answered with 200."""

    mime: str  # as the server says, without parameters, lower case
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Coming:
    """A large file on its way from an address outside. `announced`: its length in bytes, if its server tells."""

    name: str  # the address's last piece
    announced: int | None
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, kw_only=True)
class Outbound:
    """The open sessions. `towards` picks one for a platform's server, `fetched` uses the one for users' addresses."""

    platforms: aiohttp.ClientSession
    outside: aiohttp.ClientSession
    sandbox: aiohttp.ClientSession | None
    sandbox_origin: str | None
    nonces: Nonces = field(default_factory=Nonces)  # of the servers that want proofs of possession
    now: Callable[[], datetime] = now  # the instant that platforms are told

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        settings: Settings,
        *,
        now: Callable[[], datetime] = now,
        resolver: AbstractResolver | None = None,
    ) -> AsyncIterator[Self]:
        """Sessions that end with the block. `resolver` is for tests that play a name server."""
        origin = settings.sandbox_url
        async with AsyncExitStack() as stack:

            async def session(to: Opener, total: float, *, decompress: bool = True) -> aiohttp.ClientSession:
                return await stack.enter_async_context(
                    aiohttp.ClientSession(
                        connector=_connector(to, resolver),
                        cookie_jar=aiohttp.DummyCookieJar(),
                        timeout=aiohttp.ClientTimeout(total=total, sock_connect=min(CONNECT_WITHIN, total)),
                        headers={"User-Agent": agent(settings), "Accept-Encoding": "identity"},
                        auto_decompress=decompress,
                        middlewares=(once,),
                    )
                )

            patience = settings.times.http_timeout
            yield cls(
                platforms=await session(_to_public({443}), patience),
                outside=await session(_to_public(WEB_PORTS, but_not=ours), FETCH_WITHIN, decompress=False),
                sandbox=await session(_to_port_of(origin), patience) if origin else None,
                sandbox_origin=str(URL(origin).origin()) if origin else None,
                now=now,
            )

    def towards(self, origin: str, *, sandbox: bool, path: str = "") -> aiohttp.ClientSession:
        """The session for a platform's server at `origin` (scheme and host). Invalid if we do not speak to it.

        A sandbox account's origin must be the sandbox's and the `path` at which it has the platform, to the letter; any
        other must be https on its own port, and none but a name: no user, no path.
        """
        if sandbox:
            if self.sandbox is None or origin != f"{self.sandbox_origin}{path}":
                raise Invalid("The sandbox is not at this address, or is switched off.", code="sandbox-away")
            return self.sandbox
        if not live(origin):
            raise Invalid("A platform's server is spoken to over https only.", code="not-https")
        return self.platforms

    async def fetched(self, url: str, *, at_most: int) -> Fetched:
        """What is at an address a user gave, up to `at_most` bytes.

        Invalid, with what is wrong in words, if the address is none for us, does not answer 200 in 10 s, or sends more.
        """
        address = checked(url)
        with _said():
            async with self.outside.get(address, allow_redirects=False) as answer:
                _must_be_plain(answer)
                try:
                    return Fetched(mime=answer.content_type.lower(), body=await capped(answer, at_most))
                except TooMuch:
                    words = f"More than the {at_most} bytes that are taken are at this address."
                    raise _unfetchable(words, "large") from None

    @asynccontextmanager
    async def streamed(self, url: str) -> AsyncIterator[Coming]:
        """The file at an address a user gave, however large, behind a few redirections, each checked as the first.

        Invalid, with what is wrong in words, also while its pieces are read.
        """
        address = checked(url)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN, sock_read=SILENT)
        for _ in range(HOPS):
            try:
                with _said(but=Redirected):
                    answer = await self.outside.get(address, allow_redirects=False, timeout=patience)
            except Redirected as redirected:
                address = checked(str(address.join(_as_url(redirected.to))))
                continue
            async with answer:
                _must_be_plain(answer)
                yield Coming(name=address.name, announced=answer.content_length, pieces=_pieces(answer))
            return
        raise _unfetchable("The address leads on to another one, and that to another, and so on.", "redirect")


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _said():
        while piece := await answer.content.read(PIECE):
            yield piece


def _must_be_plain(answer: aiohttp.ClientResponse) -> None:
    if answer.status != 200:
        raise _unfetchable(f"The address answered with {answer.status}.", "status")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _unfetchable("The address sends its answer packed, although we asked for it plain.", "packed")


@contextmanager
def _said(*, but: type[Exception] | None = None) -> Iterator[None]:
    """What goes wrong at an address a user gave, as Invalid in words; `but` for one that the caller can take."""
    try:
        yield
    except Redirected:
        if but is Redirected:
            raise
        raise _unfetchable("The address leads on to another one. Please give that one.", "redirect") from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, Blocked):
            raise _unfetchable("This address is not on the public internet.", "not-public") from None
        raise _unfetchable("Nothing answers at this address.", "unreachable") from None
    except aiohttp.InvalidURL:
        raise _unfetchable("This is not a web address.", "malformed") from None
    except (aiohttp.ClientError, TimeoutError):
        raise _unfetchable("The address did not answer properly in time.", "no-answer") from None


def _as_url(said: str) -> URL:
    try:
        return URL(said)
    except ValueError:
        raise _unfetchable("The address leads on to something that is no address.", "malformed") from None


def checked(url: str) -> URL:
    """`url` as an address on the web: http or https, ports 80 and 443, no user or password. Invalid if it is none."""
    try:
        address = URL(url)
        host, port = address.host, address.port
    except ValueError:
        raise _unfetchable("This is not a web address.", "malformed") from None
    if address.scheme not in {"http", "https"} or not host:
        raise _unfetchable("A web address begins with https:// or http://.", "scheme")
    if address.user is not None or address.password is not None:
        raise _unfetchable("The address holds a user name or password. Please remove it.", "credentials")
    if port not in WEB_PORTS:
        raise _unfetchable("Only the usual ports of the web, 80 and 443, are asked.", "port")
    return address


def live(origin: str) -> bool:
    """Whether `origin` is https, a host and nothing else, as it is written. Where it leads is decided at the socket."""
    try:
        url = URL(origin)
        return url.scheme == "https" and url.port == 443 and str(url.origin()) == origin
    except ValueError:
        return False


def public(address: str) -> bool:
    """Whether `address` (IPv4 or IPv6, a zone is allowed) is one that anybody on the internet could mean by it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in SPECIAL if net.version == ip.version)


def ours(address: str) -> bool:
    """Whether `address` is one of this machine's: only those can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class TooMuch(Exception):
    """An answer is longer than what we are ready to read."""


async def capped(answer: aiohttp.ClientResponse, at_most: int) -> bytes:
    """The whole body of `answer`, unpacked. TooMuch as soon as it passes `at_most` bytes; the rest is not read."""
    pieces, length = [], 0
    while piece := await answer.content.read(PIECE):
        length += len(piece)
        if length > at_most:
            answer.close()
            raise TooMuch
        pieces.append(piece)
        if answer.content.at_eof():
            break
    return b"".join(pieces)


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """One request, one answer: aiohttp repeats a GET, PUT or DELETE that met a reset, and follows redirects."""
    try:
        answer = await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # never sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Lost(str(error)) from error
    if answer.status in {301, 302, 303, 307, 308}:
        status, to = answer.status, answer.headers.get("Location", "")
        answer.close()
        raise Redirected(status, to)
    return answer


def agent(settings: Settings) -> str:
    """How we introduce ourselves."""
    version = "0"
    with suppress(metadata.PackageNotFoundError):
        version = metadata.version("social")
    return f"Social/{version} (+{settings.public_url})"


def _connector(opener: Opener, resolver: AbstractResolver | None) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        socket_factory=opener,
        resolver=resolver,
        keepalive_timeout=REUSED_FOR,
        limit=0,  # how much we do at once is decided above; waiting here would eat a send's deadline
    )


def _to_public(ports: AbstractSet[int], *, but_not: Callable[[str], bool] = lambda _: False) -> Opener:
    """Opens sockets to public addresses only.

    This machine's own public addresses are let through for platforms, as one may well live on it, and for nobody else.
    """

    def opened(info: AddrInfo) -> socket.socket:
        host, port = info[4][:2]
        if not public(host) or but_not(host):
            raise Blocked(f"{host} is not on the public internet")
        if port not in ports:
            raise Blocked(f"port {port} is not one of the web's")
        return socket.socket(*info[:3])

    return opened


def _to_port_of(origin: str) -> Opener:
    """Opens sockets to the port of `origin` only, wherever its name leads: the instance's owner gave it."""
    port = URL(origin).port

    def opened(info: AddrInfo) -> socket.socket:
        if info[4][1] != port:
            raise Blocked("this is not the sandbox's port")
        return socket.socket(*info[:3])

    return opened


def _unfetchable(sentence: str, code: str) -> Invalid:
    return Invalid(sentence, [Wrong(pointer="/url", detail=sentence, code=code)])
