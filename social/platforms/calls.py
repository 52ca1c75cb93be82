"""One HTTP call to a platform: a struct, or a PlatformError that says what happens next. They are made nowhere else.

A request that `commits` makes a post public. From the moment its body is handed to the transport, only an answer that
we understand ends the doubt; everything else is OutcomeUnknown. Section 3.5 of the publishing protocol.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from secrets import randbelow
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload, Payload, StringPayload
from yarl import URL

from social.backing.bucket import BucketError
from social.backing.outbound import CONNECT_WITHIN, Outbound, Redirected, TooMuch, capped
from social.errors import (
    Disconnected,
    Invalid,
    NotFound,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    PreparationLost,
    QuotaSpent,
    Rejected,
    RetryLater,
    TokenExpired,
)
from social.logs import SECRET_NAME, SECRET_TEXT
from social.moments import now
from social.platforms.contract import About, Fault, Platform, Realm, Token

T = TypeVar("T")
Reading = Callable[[str], AbstractAsyncContextManager[AsyncIterator[bytes]]]

ANSWER = 2**20  # bytes of an answer that are read
SAID = 300  # characters of a platform's words that are kept
SHORTEST_SECRET = 6  # a shorter one would be found in every text, and is none
SLOWEST_UPLOAD = 64 * 1024  # bytes a second, below which an upload is given up
QUOTA_WAIT = timedelta(minutes=5)  # where a platform does not say when its quota begins anew
QUOTA_MOST = timedelta(hours=24)  # a longer wait is asked for by mistake or by malice
QUOTA_LEAST = timedelta(seconds=5)  # clocks differ: a reset that seems past must not become a storm
NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a multipart form, read from the bucket while it is sent. `size` in bytes."""

    field: str
    key: str
    mime: str
    size: int
    name: str


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What a platform answered with a 2xx status that we understand."""

    status: int
    value: T


class Empty(msgspec.Struct, frozen=True):
    """An answer of which nothing is needed, as long as it is a JSON object."""


@dataclass(kw_only=True)
class Call:
    """One platform, as one account. Made for one piece of work and thrown away; several requests may be made with it.

    `written` tells whether a committing request was handed to the transport. A caller whose task is cancelled looks
    there: where it is true, and no answer came back, nobody knows whether the post is public.
    """

    origin: str  # scheme and host
    title: str  # of the platform
    session: aiohttp.ClientSession
    patience: float  # seconds for one request, uploads excluded
    faults: tuple[Fault, ...] = ()
    token: Token | None = None
    reading: Reading | None = None
    deadline: float | None = None  # monotonic; a committing request is not handed over after it
    on_write: Callable[[], None] | None = None  # called right before a committing request's body is handed over
    on_answer: Callable[[], None] | None = None  # called right after a committing request's answer was read
    written: bool = field(default=False, init=False)

    @classmethod
    def to(
        cls,
        platform: Platform,
        origin: str,
        realm: Realm,
        *,
        outbound: Outbound,
        patience: float,
        token: Token | None = None,
        reading: Reading | None = None,
    ) -> Self:
        """A call to `origin` in `realm`. OperatorNeeded if we do not speak to it, as when the sandbox is off."""
        try:
            session = outbound.towards(origin, sandbox=realm == "sandbox")
        except Invalid as refused:
            raise OperatorNeeded(refused.sentence, code="no-way") from refused
        return cls(
            origin=origin,
            title=platform.title,
            session=session,
            patience=patience,
            faults=platform.faults,
            token=token,
            reading=reading,
        )

    @property
    def host(self) -> str:
        """The server's name, for sentences."""
        return URL(self.origin).authority

    async def get(self, path: str, kind: type[T], *, params: Mapping[str, str] | None = None, to: About = "any") -> T:
        """What is at `path`, as a `kind`."""
        return (await self.ask("GET", path, kind, params=params, to=to)).value

    async def get_or_none(
        self, path: str, kind: type[T], *, params: Mapping[str, str] | None = None, patience: float | None = None
    ) -> T | None:
        """What is at `path`, as a `kind`; None if the server says that there is nothing (404)."""
        answer = await self._raw("GET", path, params=params, patience=patience)
        return None if answer.status == 404 else self._judged(answer, kind, to="any", commits=False).value

    async def post(self, path: str, kind: type[T], **how: Any) -> T:
        """Like `ask`, the value alone."""
        return (await self.ask("POST", path, kind, **how)).value

    async def put(self, path: str, kind: type[T], **how: Any) -> T:
        """Like `ask`, the value alone."""
        return (await self.ask("PUT", path, kind, **how)).value

    async def delete(self, path: str, *, params: Mapping[str, str] | None = None) -> bool:
        """Takes away what is at `path`. False if it was gone already."""
        answer = await self._raw("DELETE", path, params=params)
        if 200 <= answer.status < 300:
            return True  # with whatever body: some platforms send none
        if answer.status != 404:
            self._judged(answer, Empty, to="any", commits=False)
        return False

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        commits: bool = False,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        file: Upload | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        to: About = "any",
        patience: float | None = None,
    ) -> Answer[T]:
        """One request and its answer, or the PlatformError that tells what happens next. `file` goes with `form`.

        With `commits`, a request that was handed over and not answered clearly is OutcomeUnknown; one that was not
        handed over, because no connection came about or the deadline had passed, is RetryLater(answered=False).
        """
        raw = await self._raw(
            method,
            path,
            commits=commits,
            json=json,
            form=form,
            file=file,
            params=params,
            headers=headers,
            patience=patience,
        )
        about: About = "publish" if commits and to == "any" else to
        return self._judged(raw, kind, to=about, commits=commits)

    async def _raw(
        self,
        method: str,
        path: str,
        *,
        commits: bool = False,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        file: Upload | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> "_Raw":
        """The answer as it came, whatever its status."""
        secrets = self._secrets(form)
        wait = (patience or self.patience) + (file.size / SLOWEST_UPLOAD if file else 0)
        async with AsyncExitStack() as stack:
            body = await self._body(json, form, file, commits, stack)
            guarded = Guarded(body, self) if commits and body is not None else None
            try:
                async with self.session.request(
                    method,
                    URL(self.origin + path),
                    data=guarded or body,
                    params=params,
                    headers=self._headers(headers),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=wait, sock_connect=min(CONNECT_WITHIN, wait)),
                ) as answer:
                    read = await capped(answer, ANSWER)
                    if commits and self.on_answer is not None:
                        self.on_answer()
                    return _Raw(answer.status, dict(answer.headers), read, secrets)
            except (aiohttp.ClientError, OSError, TooMuch) as error:  # a TimeoutError is an OSError
                raise self._unanswered(error, guarded, body) from error
            finally:
                if guarded is not None:
                    guarded.withdraw()

    def _headers(self, given: Mapping[str, str] | None) -> dict[str, str]:
        headers = {"Accept": "application/json", **(given or {})}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.access}"
        return headers

    async def _body(
        self, json: Any, form: Mapping[str, str] | None, file: Upload | None, commits: bool, stack: AsyncExitStack
    ) -> Payload | None:
        if file is not None:
            if self.reading is None:
                raise TypeError("a call that uploads needs something to read from")
            return _multipart(form or {}, file, await self._opened(file, self.reading, stack))
        if json is not None:
            return BytesPayload(msgspec.json.encode(json), content_type="application/json")
        if form is not None:
            return BytesPayload(urlencode(form).encode(), content_type="application/x-www-form-urlencoded")
        return BytesPayload(b"") if commits else None  # without a body there is no moment at which it is handed over

    async def _opened(self, file: Upload, reading: Reading, stack: AsyncExitStack) -> AsyncIterator[bytes]:
        try:
            return await stack.enter_async_context(reading(file.key))
        except BucketError as error:
            raise _storage_away() from error
        except NotFound as error:
            raise Rejected("A picture is no longer in storage. Attach it again.", code="file-gone") from error

    def _secrets(self, form: Mapping[str, str] | None) -> tuple[str, ...]:
        sent = [value for name, value in (form or {}).items() if SECRET_NAME.search(name) or name == "code"]
        secrets = [self.token.access, *sent] if self.token else sent
        return tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def _unanswered(self, error: Exception, guarded: "Guarded | None", body: Payload | None) -> PlatformError:
        """What a request that got no whole answer comes to."""
        if guarded is not None and guarded.written:
            return OutcomeUnknown(
                f"{self.host} took the post and did not say what became of it.", code="no-answer", cause=_brief(error)
            )
        if guarded is not None and guarded.late:
            return RetryLater("It was too late to send this safely. It starts over.", answered=False, code="too-late")
        if isinstance(body, _Multipart) and body.file.failed:
            return _storage_away()
        if isinstance(error, Redirected):
            return RetryLater(f"{self.host} sends us on to another address.", code="redirected", status=error.status)
        if isinstance(error, NEVER_SENT) or guarded is not None:
            return RetryLater(
                f"{self.host} cannot be reached right now.", answered=False, code="unreachable", cause=_brief(error)
            )
        return RetryLater(f"{self.host} did not answer properly.", code="no-answer", cause=_brief(error))

    def _judged(self, raw: "_Raw", kind: type[T], *, to: About, commits: bool) -> Answer[T]:
        """The answer as a `kind`, or what its status and words mean. Nothing we do not understand is a success."""
        if 200 <= raw.status < 300:
            try:
                return Answer(raw.status, msgspec.json.decode(raw.body, type=kind))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise self._unreadable(raw, commits, str(error)) from None
        envelope = _envelope(raw.body)
        said = _said(envelope)
        fault = next((row for row in self.faults if _matches(row, raw.status, said, to)), None)
        raise self._refusal(raw, fault, envelope, _cut(said, raw.secrets), commits)

    def _refusal(
        self, raw: "_Raw", fault: Fault | None, envelope: "_Envelope | None", said: str, commits: bool
    ) -> PlatformError:
        """What an answer that is no success comes to: the platform's own row first, then what its status means to all.

        Proxies answer too, in HTML: of what they say only "too big" and "too many" is believed.
        """
        facts: dict[str, Any] = {"status": raw.status, "said": said}
        if raw.status == 429 and (fault is None or fault.then is QuotaSpent):
            until = reset_at(raw.headers, now())
            return QuotaSpent(f"{self.host} takes no more for now.", until=until, code="quota", **facts)
        if fault is not None and (envelope is not None or raw.status == 413):
            facts |= {"code": fault.code or _code(fault.then)}
            return fault.then(fault.words or self._words(fault.then, said), **facts)
        if raw.status == 401 and envelope is not None:
            then = TokenExpired if self.token is not None and self.token.refresh else Disconnected
            return then(self._words(then, said), code=_code(then), **facts)
        if commits:
            return self._unreadable(raw, commits, said)
        return RetryLater(f"{self.host} has trouble right now ({raw.status}).", code="trouble", **facts)

    def _unreadable(self, raw: "_Raw", commits: bool, said: str) -> PlatformError:
        facts: dict[str, Any] = {"status": raw.status, "said": _cut(said, raw.secrets)}
        if commits:
            sentence = f"{self.host} answered in a way that does not tell whether the post is public ({raw.status})."
            return OutcomeUnknown(sentence, code="unclear", **facts)
        sentence = f"{self.host} answered in a way we do not understand ({raw.status})."
        return RetryLater(sentence, code="unclear", **facts)

    def _words(self, then: type[PlatformError], said: str) -> str:
        quoted = f': "{said}"' if said else "."
        if then is Rejected:
            return f"{self.title} did not take this{quoted} Change the post and plan it again."
        if then in {Disconnected, TokenExpired}:
            return f"{self.title} no longer lets us use this account{quoted} Connect it again."
        if then is OperatorNeeded:
            return f"{self.title} wants something from whoever runs this installation{quoted}"
        if then is PreparationLost:
            return f"{self.title} no longer has what was uploaded for this. It is uploaded again."
        return f"{self.host} cannot do this right now{quoted}"


class Guarded(Payload):
    """The body of a committing request. It is handed over once, before the deadline, or not at all.

    aiohttp keeps the headers back until the body's first bytes are written, so that until `written` is true nothing of
    the request has left: the check, the mark and the transport's write are one step without an await between them.
    """

    _autoclose = True

    def __init__(self, inner: Payload, call: Call) -> None:
        super().__init__(inner, headers=dict(inner.headers), content_type=inner.content_type)
        self._size = inner.size
        self._inner = inner
        self._call = call
        self.written = False
        self.late = False
        self._withdrawn = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The inner body's text."""
        return self._inner.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Hands the body over. NotHandedOver if that must not happen."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Hands the body over. NotHandedOver if that must not happen."""
        self._hand_over(writer)
        await self._inner.write_with_length(writer, content_length)

    def withdraw(self) -> None:
        """From here on it cannot be handed over any more, should a writer still wait for its turn."""
        self._withdrawn = True

    def _hand_over(self, writer: AbstractStreamWriter) -> None:
        transport = getattr(writer, "transport", None)
        if self._withdrawn or self.written or transport is None or transport.is_closing():
            raise NotHandedOver
        if self._call.deadline is not None and time.monotonic() >= self._call.deadline:
            self.late = True
            raise NotHandedOver
        if self._call.on_write is not None:
            self._call.on_write()
        self.written = self._call.written = True


class NotHandedOver(Exception):
    """A committing request stays where it is: it is too late, the connection has gone, or it went out before."""


def reset_at(headers: Mapping[str, str], at: datetime) -> datetime:
    """When a spent quota begins anew, with a little jitter so that not everything comes back at once. Never raises.

    X-RateLimit-Reset as ISO 8601 or epoch seconds (Mastodon's sheet names both), Retry-After as seconds or a date;
    measured from the server's own clock where it tells the time.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    server = _date(named.get("date", "")) or at
    wait = _seconds(named.get("retry-after", ""), server) or _seconds(named.get("x-ratelimit-reset", ""), server)
    wait = min(max(wait or QUOTA_WAIT, QUOTA_LEAST), QUOTA_MOST)
    return at + wait + timedelta(milliseconds=randbelow(5_000))


class _Raw(msgspec.Struct, frozen=True):
    """An answer as it came, and what must not be repeated of it."""

    status: int
    headers: dict[str, str]
    body: bytes
    secrets: tuple[str, ...]


class _Envelope(msgspec.Struct, frozen=True):
    """How platforms wrap what they refuse. Anything but a JSON object is somebody else's answer."""

    error: Any = None
    error_description: Any = None
    message: Any = None


class _Streamed(Payload):
    """A file on its way from the bucket, its length known beforehand. Cannot be sent twice."""

    _autoclose = True

    def __init__(self, pieces: AsyncIterator[bytes], file: Upload) -> None:
        super().__init__(pieces, content_type=file.mime)
        self._size = file.size
        self.failed = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a file that is streamed has no text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        try:
            async for piece in self._value:
                await writer.write(piece)
        except BucketError:
            self.failed = True
            raise


class _Multipart(aiohttp.MultipartWriter):
    """A form with one file."""

    file: _Streamed


def _storage_away() -> RetryLater:
    return RetryLater("The picture could not be read from storage.", answered=False, code="storage-away")


def _multipart(form: Mapping[str, str], file: Upload, pieces: AsyncIterator[bytes]) -> _Multipart:
    writer = _Multipart("form-data")
    for name, value in form.items():
        part = StringPayload(value, content_type="text/plain; charset=utf-8")
        part.set_content_disposition("form-data", name=name)
        writer.append_payload(part)
    writer.file = _Streamed(pieces, file)
    writer.file.set_content_disposition("form-data", name=file.field, filename=file.name)
    writer.append_payload(writer.file)
    return writer


def _matches(row: Fault, status: int, said: str, to: About) -> bool:
    return (
        row.status == status
        and row.to in ("any", to)
        and (row.saying is None or row.saying.casefold() in said.casefold())
    )


def _envelope(body: bytes) -> _Envelope | None:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _said(envelope: _Envelope | None) -> str:
    """A platform's words about a refusal: its code and its text, as far as they are texts."""
    if envelope is None:
        return ""
    texts = (envelope.error, envelope.error_description, envelope.message)
    return ": ".join(text for text in texts if isinstance(text, str) and text)


def _cut(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    text = SECRET_TEXT.sub(r"\1***", " ".join(text.split()))
    return text if len(text) <= SAID else text[: SAID - 1] + "…"


def _brief(error: Exception) -> str:
    return _cut(f"{type(error).__name__}: {error}", ())


def _code(then: type[PlatformError]) -> str:
    codes = {
        Rejected: "rejected",
        Disconnected: "disconnected",
        TokenExpired: "token-expired",
        OperatorNeeded: "operator",
        PreparationLost: "preparation-lost",
        OutcomeUnknown: "unclear",
    }
    return codes.get(then, "trouble")


def _seconds(text: str, server: datetime) -> timedelta | None:
    """A wait out of seconds from now, seconds since 1970, ISO 8601 or an HTTP date."""
    try:
        number = float(text)
    except ValueError:
        moment = _date(text)
        return moment - server if moment else None
    if not 0 <= number < 1e11:  # also not a number at all
        return None
    return timedelta(seconds=number - server.timestamp() if number > 1e9 else number)


def _date(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
