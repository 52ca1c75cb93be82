"""One HTTP call to a platform: a struct, or a PlatformError that says what happens next. They are made nowhere else.

A request that `commits` makes a post public. From the moment its body is handed to the transport, only an answer that
we understand ends the doubt; everything else is OutcomeUnknown. Section 3.5 of the publishing protocol.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.payload import BytesPayload, Payload
from multidict import CIMultiDict
from yarl import URL

from social.backing.nonces import Nonces
from social.backing.outbound import CONNECT_WITHIN, Outbound, Redirected, TooMuch, capped
from social.errors import (
    Disconnected,
    Invalid,
    OperatorNeeded,
    OutcomeUnknown,
    PlatformError,
    QuotaSpent,
    RetryLater,
    TokenExpired,
)
from social.logs import SECRET_NAME
from social.moments import now
from social.platforms import dpop
from social.platforms.answers import Envelope, Raw, cut, envelope, matches, reset_at, said, told
from social.platforms.contract import About, Fault, Platform, Quota, Realm, Token, Told
from social.platforms.guard import Guarded
from social.platforms.uploads import Reading, Upload, broke_off, storage_away, uploading
from social.platforms.words import code, sentence

__all__ = ("Answer", "Call", "Empty", "Reading", "Upload", "reset_at")

T = TypeVar("T")
Params = Mapping[str, str] | Sequence[tuple[str, str]]  # pairs where a name comes more than once
Gone = Sequence[tuple[int, str | None]]  # a status, and what the answer must say besides

ANSWER = 2**20  # bytes of an answer that are read
SHORTEST_SECRET = 6  # a shorter one would be found in every text, and is none
SLOWEST_UPLOAD = 64 * 1024  # bytes a second, below which an upload is given up
NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
NONE_MORE: AbstractSet[int] = frozenset()
NOT_FOUND: Gone = ((404, None),)


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

    origin: str  # scheme and host; in the sandbox also the path under which it has the platform
    title: str  # of the platform
    session: aiohttp.ClientSession
    patience: float  # seconds for one request, uploads excluded
    faults: tuple[Fault, ...] = ()
    windows: tuple[Quota, ...] = ()  # that answers to committing requests may tell of
    token: Token | None = None
    key: str | None = None  # a private JWK that requests without a token are proven with (RFC 9449)
    reading: Reading | None = None
    deadline: float | None = None  # steady; a committing request is not handed over after it
    on_write: Callable[[], None] | None = None  # called right before a committing request's body is handed over
    on_answer: Callable[[], None] | None = None  # called right after a committing request's answer was read
    nonces: Nonces = field(default_factory=Nonces)
    towards: Callable[[str], aiohttp.ClientSession] | None = None  # the session for another server of the platform
    now: Callable[[], datetime] = now
    realm: Realm = "live"
    written: bool = field(default=False, init=False)
    told: tuple[Told, ...] = field(default=(), init=False)  # of quotas, by the last committing request's answer

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
        key: str | None = None,
        reading: Reading | None = None,
    ) -> Self:
        """A call to `origin` in `realm`. OperatorNeeded if we do not speak to it, as when the sandbox is off."""

        def towards(origin: str) -> aiohttp.ClientSession:
            try:
                return outbound.towards(origin, sandbox=realm == "sandbox", path=platform.sandbox_path)
            except Invalid as refused:
                raise OperatorNeeded(refused.sentence, code="no-way") from refused

        return cls(
            origin=origin,
            title=platform.title,
            session=towards(origin),
            patience=patience,
            faults=platform.faults,
            windows=platform.windows,
            token=token,
            key=key,
            reading=reading,
            nonces=outbound.nonces,
            towards=towards,
            now=outbound.now,
            realm=realm,
        )

    def at(self, origin: str) -> "Call":
        """A call to another server of the same platform, as nobody: a token goes only to the server it is for.

        `origin` is a stranger's word: https in the live realm, in the sandbox nothing but the sandbox. OperatorNeeded.
        """
        session = self.session if self.towards is None else self.towards(origin)
        return replace(self, origin=origin, session=session, token=None, key=None)

    def beside(self, origin: str) -> "Call":
        """A call, as nobody, to a server that the platform has for everybody; the sandbox has it where it has all."""
        return self.at(origin if self.realm == "live" else self.origin)

    @property
    def host(self) -> str:
        """The server's name, for sentences."""
        return URL(self.origin).authority

    async def get(self, path: str, kind: type[T], **how: Any) -> T:
        """What is at `path`, as a `kind`. `how` as for `ask`."""
        return (await self.ask("GET", path, kind, **how)).value

    async def get_or_none(
        self,
        path: str,
        kind: type[T],
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        gone: Gone = NOT_FOUND,
    ) -> T | None:
        """What is at `path`, as a `kind`; None if the server says that there is nothing, in one of the ways of `gone`.

        Each of those is a status and, where one status means other things too, a part of what the answer says.
        """
        answer = await self._raw("GET", path, params=params, headers=headers, patience=patience)
        return None if _says_gone(answer, gone) else self._judged(answer, kind, to="any", commits=False).value

    async def post(self, path: str, kind: type[T], **how: Any) -> T:
        """Like `ask`, the value alone."""
        return (await self.ask("POST", path, kind, **how)).value

    async def put(self, path: str, kind: type[T], **how: Any) -> T:
        """Like `ask`, the value alone."""
        return (await self.ask("PUT", path, kind, **how)).value

    async def delete(self, path: str, *, params: Params | None = None, gone: Gone = NOT_FOUND) -> bool:
        """Takes away what is at `path`. False if it was gone already."""
        answer = await self._raw("DELETE", path, params=params)
        if 200 <= answer.status < 300:
            return True  # with whatever body: some platforms send none
        if not _says_gone(answer, gone):
            self._judged(answer, Empty, to="any", commits=False)
        return False

    async def send(self, path: str, **how: Any) -> None:
        """A POST of whose answer only the status counts: some platforms send an empty body. `how` as for `ask`."""
        answer = await self._raw("POST", path, **how)
        if not 200 <= answer.status < 300:
            self._judged(answer, Empty, to="any", commits=False)

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
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        to: About = "any",
        patience: float | None = None,
        also: AbstractSet[int] = NONE_MORE,
    ) -> Answer[T]:
        """One request and its answer, or the PlatformError that tells what happens next.

        A `file` with a field goes with `form`; one without is the body. `headers` win over ours, Authorization too, and
        nothing they hold is repeated anywhere. With `commits`, a request that was handed over and not answered clearly
        is OutcomeUnknown; one that was not handed over, because no connection came about or the deadline had passed, is
        RetryLater(answered=False). A status of `also` comes with an answer like that of a 2xx.
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
        return self._judged(raw, kind, to=about, commits=commits, also=also)

    async def _raw(self, method: str, path: str, *, commits: bool = False, **how: Any) -> Raw:
        """The answer as it came, whatever its status. One that only asks for a nonce is followed by the real one."""
        answer = await self._once(method, path, commits=commits, **how)
        if self._proof_key is not None and dpop.asks_for_nonce(answer):
            self.written = False  # a definite no: whatever was handed over was not looked at
            answer = await self._once(method, path, commits=commits, **how)
        if commits:
            self.told = told(answer.headers, self.windows, self.now())
            if self.on_answer is not None:
                self.on_answer()
        return answer

    async def _once(
        self,
        method: str,
        path: str,
        *,
        commits: bool,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        file: Upload | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> Raw:
        wait = (patience or self.patience) + (file.size / SLOWEST_UPLOAD if file else 0)
        about = (params, headers, wait, partial(self._secrets, json, form, headers))
        if file is None:
            return await self._exchanged(method, path, self._body(json, form, commits), commits, *about)
        if self.reading is None:
            raise TypeError("a call that uploads needs something to read from")
        async with AsyncExitStack() as stack:
            body = await uploading(form, file, self.reading, stack)
            return await self._exchanged(method, path, body, commits, *about)

    async def _exchanged(
        self,
        method: str,
        path: str,
        body: Payload | None,
        commits: bool,
        params: Params | None,
        headers: Mapping[str, str] | None,
        wait: float,
        secrets: Callable[[], tuple[str, ...]],
    ) -> Raw:
        url = URL(self.origin + path)
        guarded = Guarded(body, self) if commits and body is not None else None
        try:
            async with self.session.request(
                method,
                url,
                data=guarded or body,
                params=params,
                headers=self._headers(method, url, headers),
                allow_redirects=False,
                timeout=_timeout(wait),
            ) as answer:
                read = await capped(answer, ANSWER)
                heads = {name.lower(): value for name, value in answer.headers.items()}
                self.nonces.remember(self.origin, heads.get("dpop-nonce"), grants=self.token is None)
                return Raw(answer.status, heads, read, secrets)
        except (aiohttp.ClientError, OSError, TooMuch) as error:  # a TimeoutError is an OSError
            raise self._unanswered(error, guarded, body) from error
        finally:
            if guarded is not None:
                guarded.withdraw()

    @property
    def _proof_key(self) -> str | None:
        return self.token.key if self.token is not None and self.token.kind == "dpop" else self.key

    def _headers(self, method: str, url: URL, given: Mapping[str, str] | None) -> CIMultiDict[str]:
        headers = CIMultiDict({"Accept": "application/json"})
        ours = self.token is not None and "authorization" not in map(str.lower, given or ())
        if self.token is not None and ours:
            scheme = "DPoP" if self.token.kind == "dpop" else "Bearer"
            headers["Authorization"] = f"{scheme} {self.token.access}"
        if self._proof_key is not None and (ours or self.token is None):
            headers["DPoP"] = dpop.proof(
                self._proof_key,
                method,
                url,
                at=self.now(),
                access=self.token.access if self.token is not None else None,
                nonce=self.nonces.of(self.origin, grants=self.token is None),
            )
        headers.update(given or {})
        return headers

    def _body(self, json: Any, form: Mapping[str, str] | None, commits: bool) -> Payload | None:
        if json is not None:
            return BytesPayload(msgspec.json.encode(json), content_type="application/json")
        if form is not None:
            return BytesPayload(urlencode(form).encode(), content_type="application/x-www-form-urlencoded")
        return BytesPayload(b"") if commits else None  # without a body there is no moment at which it is handed over

    def _secrets(self, json: Any, form: Mapping[str, str] | None, headers: Mapping[str, str] | None) -> tuple[str, ...]:
        """What must not be repeated if the platform repeats it."""
        named = dict(form or {})
        if isinstance(json, dict | msgspec.Struct):
            named |= {name: value for name, value in msgspec.to_builtins(json).items() if isinstance(value, str)}
        secrets = [value for name, value in named.items() if SECRET_NAME.search(name) or name == "code"]
        for value in (headers or {}).values():
            secrets += _held(value)
        if self.token is not None:
            secrets += [self.token.access, self.token.refresh or ""]
        return tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    def _unanswered(self, error: Exception, guarded: Guarded | None, body: Payload | None) -> PlatformError:
        """What a request that got no whole answer comes to."""
        if guarded is not None and guarded.written:
            return OutcomeUnknown(
                f"{self.host} took the post and did not say what became of it.", code="no-answer", cause=_brief(error)
            )
        if guarded is not None and guarded.late:
            return RetryLater("It was too late to send this safely. It starts over.", answered=False, code="too-late")
        if broke_off(body):
            return storage_away()
        if isinstance(error, Redirected):
            return RetryLater(f"{self.host} sends us on to another address.", code="redirected", status=error.status)
        if isinstance(error, NEVER_SENT) or guarded is not None:
            return RetryLater(
                f"{self.host} cannot be reached right now.", answered=False, code="unreachable", cause=_brief(error)
            )
        return RetryLater(f"{self.host} did not answer properly.", code="no-answer", cause=_brief(error))

    def _judged(
        self, raw: Raw, kind: type[T], *, to: About, commits: bool, also: AbstractSet[int] = NONE_MORE
    ) -> Answer[T]:
        """The answer as a `kind`, or what its status and words mean. Nothing we do not understand is a success."""
        if 200 <= raw.status < 300 or raw.status in also:
            try:
                return Answer(raw.status, msgspec.json.decode(raw.body, type=kind))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise self._unreadable(raw, commits, str(error)) from None
        refusal = envelope(raw.body)
        words = said(refusal)
        fault = next((row for row in self.faults if matches(row, raw.status, words, to)), None)
        raise self._refusal(raw, fault, refusal, commits)

    def _refusal(self, raw: Raw, fault: Fault | None, refusal: Envelope | None, commits: bool) -> PlatformError:
        """What an answer that is no success comes to: the platform's own row first, then what its status means to all.

        Proxies answer too, in HTML: of what they say only "too big" and "too many" is believed.
        """
        words, quoted = cut(said(refusal), raw.secrets()), cut(said(refusal, kind=False), raw.secrets())
        facts: dict[str, Any] = {"status": raw.status, "said": words}
        if raw.status == 429 and (fault is None or fault.then is QuotaSpent):
            return self._spent(raw, fault, facts)
        if fault is not None and (refusal is not None or raw.status == 413):
            if fault.then is QuotaSpent:
                return self._spent(raw, fault, facts)
            facts |= {"code": fault.code or code(fault.then)}
            return fault.then(fault.words or sentence(fault.then, self.title, self.host, quoted), **facts)
        if raw.status == 401 and refusal is not None:
            then = TokenExpired if self.token is not None and self.token.refresh else Disconnected
            return then(sentence(then, self.title, self.host, quoted), code=code(then), **facts)
        if commits:
            return self._unreadable(raw, commits, words)
        return RetryLater(f"{self.host} has trouble right now ({raw.status}).", code="trouble", **facts)

    def _spent(self, raw: Raw, fault: Fault | None, facts: dict[str, Any]) -> QuotaSpent:
        told = (fault.words if fault else None) or f"{self.host} takes no more for now."
        named = (fault.code if fault else None) or "quota"
        return QuotaSpent(told, until=reset_at(raw.headers, self.now()), code=named, **facts)

    def _unreadable(self, raw: Raw, commits: bool, words: str) -> PlatformError:
        facts: dict[str, Any] = {"status": raw.status, "said": cut(words, raw.secrets())}
        if commits:
            return OutcomeUnknown(
                f"{self.host} answered in a way that does not tell whether the post is public ({raw.status}).",
                code="unclear",
                **facts,
            )
        return RetryLater(
            f"{self.host} answered in a way we do not understand ({raw.status}).", code="unclear", **facts
        )


@lru_cache(maxsize=64)
def _timeout(wait: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=wait, sock_connect=min(CONNECT_WITHIN, wait))


def _says_gone(answer: Raw, gone: Gone) -> bool:
    sayings = [saying for status, saying in gone if status == answer.status]
    if not sayings:
        return False
    words = said(envelope(answer.body)).casefold()
    return any((saying or "").casefold() in words for saying in sayings)


def _held(header: str) -> list[str]:
    """The secrets a header's value may hold: itself, what follows its scheme, and what Basic only wraps."""
    scheme, _, credentials = header.partition(" ")
    secrets = [header, credentials]
    if scheme.lower() == "basic":
        with suppress(ValueError):
            secrets += b64decode(credentials, validate=True).decode().split(":", 1)
    return secrets


def _brief(error: Exception) -> str:
    return cut(f"{type(error).__name__}: {error}", ())
