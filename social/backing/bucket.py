"""The bucket, where files rest: one bucket of an S3 server, everything streamed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from social.backing.parts import Parts
from social.backing.s3 import CLOCKS_AGREE, REFUSED, Body, BucketError, client, clock_ahead, told
from social.errors import NotFound
from social.settings import BadSettings, Settings

CHUNK = 128 * 1024
DELETED_AT_ONCE = 1000  # S3's limit for one request


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket knows about an object. `etag` without its quotes."""

    bytes: int
    mime: str
    etag: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a list."""

    key: str
    stored_at: datetime


class Bucket:
    """One bucket. Every method raises BucketError when the server is away, slow or refuses."""

    def __init__(self, client: Any, settings: Settings, public: Any | None = None) -> None:
        self._client = client
        self._name = settings.s3_bucket
        self._endpoint = settings.s3_endpoint
        self._public = public
        self.parts = Parts(client, settings.s3_bucket, public)

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """A pool of connections to the server named in `settings`. Asks it nothing yet."""
        async with AsyncExitStack() as stack:
            inside = await stack.enter_async_context(client(settings, settings.s3_endpoint))
            public = settings.s3_public_url
            yield cls(inside, settings, await stack.enter_async_context(client(settings, public)) if public else None)

    async def wait(self) -> None:
        """Returns when the bucket answers. BadSettings, in a sentence, if it is not there or refuses our keys."""
        try:
            with told():
                await self._client.head_bucket(Bucket=self._name)
        except NotFound:
            raise BadSettings(
                f"The S3 server at {self._endpoint} has no bucket called {self._name}: "
                "make it, or name another one in SOCIAL_S3_BUCKET."
            ) from None
        except BucketError as error:
            if error.facts.get("code") in REFUSED:
                if abs(minutes := clock_ahead(error.__cause__)) > CLOCKS_AGREE:
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
        with told():
            if isinstance(source, Path):
                with await asyncio.to_thread(source.open, "rb") as file:
                    await self._put(key, file, mime, size)
            elif isinstance(source, bytes):
                await self._put(key, source, mime, size)
            elif isinstance(source, AsyncIterator):
                await self._put(key, Body(source), mime, size)
            else:
                await asyncio.to_thread(source.seek, 0)
                await self._put(key, source, mime, size)  # aiohttp reads files in threads

    async def stat(self, key: str) -> Stored | None:
        """What is under `key`, or None."""
        try:
            with told():
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
        with told():
            found = await self._client.get_object(Bucket=self._name, Key=key, **part)
        async with found["Body"] as body:
            yield self._pieces(body)

    async def address(self, key: str, *, mime: str, lasts: timedelta) -> str:
        """Where anybody may read the object for so long. Only where browsers reach the bucket (`parts.direct`)."""
        assert self._public is not None
        with told():
            address: str = await self._public.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._name, "Key": key, "ResponseContentType": mime},
                ExpiresIn=int(lasts.total_seconds()),
            )
        return address

    async def listed(self, prefix: str) -> AsyncIterator[Listed]:
        """Every object whose key begins with `prefix`, a thousand at a time."""
        more: dict[str, Any] = {}
        while True:
            with told():
                page = await self._client.list_objects_v2(Bucket=self._name, Prefix=prefix, **more)
            for each in page.get("Contents", ()):
                yield Listed(key=each["Key"], stored_at=each["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def delete(self, keys: Iterable[str]) -> None:
        """Removes the objects; one that is not there is as good as removed."""
        every = list(keys)
        for first in range(0, len(every), DELETED_AT_ONCE):
            some = [{"Key": key} for key in every[first : first + DELETED_AT_ONCE]]
            with told():
                answer = await self._client.delete_objects(Bucket=self._name, Delete={"Objects": some, "Quiet": True})
            if failed := answer.get("Errors"):
                raise BucketError(f"The file storage did not delete {len(failed)} files.", code=failed[0].get("Code"))

    async def _put(self, key: str, body: Any, mime: str, size: int) -> None:
        await self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=mime, ContentLength=size)

    async def _pieces(self, body: Any) -> AsyncIterator[bytes]:
        with told():
            async for piece in body.iter_chunks(CHUNK):
                yield piece
