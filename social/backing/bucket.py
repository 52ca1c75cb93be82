"""The bucket, where files rest: one bucket of an S3 server (SeaweedFS, R2, S3), path-style, everything streamed.

Tried with botocore 1.43 on SeaweedFS 4.48. botocore sends its checksums (aws-chunked bodies with trailers) only where
an operation demands them, and does not hash a body for the signature: it would read every file twice.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, Self

import aiohttp
import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from social.errors import NotFound, Unavailable
from social.settings import BadSettings, Settings

CHUNK = 128 * 1024
DELETED_AT_ONCE = 1000  # S3's limit for one request
GONE = frozenset({"404", "NoSuchKey", "NotFound"})
CLOCKS_AGREE = 14.0  # minutes apart at most; S3 takes no signature that is more than 15 off
REFUSED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


class BucketError(Unavailable):
    """The bucket did not do what we asked. Nothing of ours was wrong, so the same again may work later."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket knows about an object. `etag` without its quotes."""

    bytes: int
    mime: str
    etag: str


class Bucket:
    """One bucket. Every method raises BucketError when the server is away, slow or refuses."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._name = settings.s3_bucket
        self._endpoint = settings.s3_endpoint

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """A pool of connections to the server named in `settings`. Asks it nothing yet."""
        async with _session().create_client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key,
            config=CONFIG,
        ) as client:
            yield cls(client, settings)

    async def wait(self) -> None:
        """Returns when the bucket answers. BadSettings, in a sentence, if it is not there or refuses our keys."""
        try:
            with self._told():
                await self._client.head_bucket(Bucket=self._name)
        except NotFound:
            raise BadSettings(
                f"The S3 server at {self._endpoint} has no bucket called {self._name}: "
                "make it, or name another one in SOCIAL_S3_BUCKET."
            ) from None
        except BucketError as error:
            if error.facts.get("code") in REFUSED:
                if abs(minutes := _clock_ahead(error.__cause__)) > CLOCKS_AGREE:
                    raise BadSettings(
                        f"The S3 server at {self._endpoint} refuses us, and this machine's clock is "
                        f"{abs(minutes):.0f} minutes {'ahead of' if minutes > 0 else 'behind'} its own: "
                        "S3 lets nobody in whose clock is wrong. Set the clock, then start again."
                    ) from None
                raise BadSettings(
                    f"The S3 server at {self._endpoint} refuses our keys for the bucket {self._name}: "
                    "SOCIAL_S3_ACCESS_KEY and SOCIAL_S3_SECRET_KEY must be allowed to read, write and delete in it."
                ) from None
            raise

    async def reachable(self) -> bool:
        """Whether the bucket answers now."""
        try:
            await self.wait()
        except (BucketError, BadSettings):
            return False
        return True

    async def put(
        self, key: str, source: bytes | Path | IO[bytes] | AsyncIterator[bytes], *, mime: str, size: int
    ) -> None:
        """Stores the `size` bytes of `source` under `key`, all or nothing. Files and streams are never held whole.

        An open file is read from its beginning and left open.
        """
        with self._told():
            if isinstance(source, Path):
                with await asyncio.to_thread(source.open, "rb") as file:
                    await self._put(key, file, mime, size)
            elif isinstance(source, bytes):
                await self._put(key, source, mime, size)
            elif isinstance(source, AsyncIterator):
                await self._put(key, _Body(source), mime, size)
            else:
                await asyncio.to_thread(source.seek, 0)
                await self._put(key, source, mime, size)  # aiohttp reads files in threads

    async def stat(self, key: str) -> Stored | None:
        """What is under `key`, or None."""
        try:
            with self._told():
                found = await self._client.head_object(Bucket=self._name, Key=key)
        except NotFound:
            return None
        return Stored(bytes=found["ContentLength"], mime=found["ContentType"], etag=found["ETag"].strip('"'))

    @asynccontextmanager
    async def reading(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes from `start` up to, not including, `end`, in pieces of at most 128 KB. NotFound without the object.

        An answer that breaks off is a BucketError while iterating, never a short file.
        """
        part = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        with self._told():
            found = await self._client.get_object(Bucket=self._name, Key=key, **part)
        async with found["Body"] as body:
            yield self._pieces(body)

    async def delete(self, keys: Iterable[str]) -> None:
        """Removes the objects; one that is not there is as good as removed."""
        every = list(keys)
        for first in range(0, len(every), DELETED_AT_ONCE):
            some = [{"Key": key} for key in every[first : first + DELETED_AT_ONCE]]
            with self._told():
                answer = await self._client.delete_objects(Bucket=self._name, Delete={"Objects": some, "Quiet": True})
            if failed := answer.get("Errors"):
                raise BucketError(f"The file storage did not delete {len(failed)} files.", code=failed[0].get("Code"))

    async def _put(self, key: str, body: Any, mime: str, size: int) -> None:
        await self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=mime, ContentLength=size)

    async def _pieces(self, body: Any) -> AsyncIterator[bytes]:
        with self._told():
            async for piece in body.iter_chunks(CHUNK):
                yield piece

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the client raises, as NotFound or BucketError. The sentence names no address: a caller may see it."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in GONE:
                raise NotFound("This file is no longer in the file storage.") from None
            raise BucketError("The file storage did not accept our request. Please try again.", code=code) from error
        except (BotoCoreError, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise BucketError("The file storage cannot be reached right now. Please try again.") from error


class _Body:
    """A stream as botocore wants to see it (it looks for `read`, and never calls it) and as aiohttp sends it."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def read(self) -> bytes:
        """A stream can be sent once and read by nobody else."""
        raise BotoCoreError

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


CONFIG = AioConfig(
    connect_timeout=3,
    read_timeout=20,
    max_pool_connections=50,
    tcp_keepalive=True,
    proxies={},  # an S3 server is named, not found through the environment
    retries={"mode": "standard", "total_max_attempts": 2},
    signature_version="s3v4",
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    s3={"addressing_style": "path", "payload_signing_enabled": False},
)


def _clock_ahead(refused: BaseException | None) -> float:
    """By how many minutes this machine's clock is ahead of the server's that refused us; 0 if it does not say. A HEAD
    is refused without a word: its date alone tells a wrong clock from wrong keys."""
    answered = refused.response.get("ResponseMetadata", {}) if isinstance(refused, ClientError) else {}
    try:
        said = parsedate_to_datetime(answered.get("HTTPHeaders", {}).get("date", ""))
        return (datetime.now(UTC) - said) / timedelta(minutes=1)
    except (TypeError, ValueError):
        return 0.0


def _session() -> AioSession:
    """A session that knows only what it is told: a profile of the person who starts us is none of ours."""
    nothing: tuple[None, list[str], None, None] = (None, [], None, None)
    return AioSession(session_vars={"profile": nothing, "config_file": nothing, "credentials_file": nothing})
