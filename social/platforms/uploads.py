"""Files on their way from the bucket to a platform: streamed, never held whole, their length said beforehand."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload, StringPayload

from social.backing.s3 import BucketError
from social.errors import NotFound, Rejected, RetryLater

# Opens an object of the bucket: its key, the first byte that is wanted and the one after the last.
Reading = Callable[[str, int, int], AbstractAsyncContextManager[AsyncIterator[bytes]]]


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """`size` bytes of the bucket's object `key`, from `offset` on, read while they are sent. Sizes in bytes.

    With a `field`, they are that part of a multipart form, called `name` there; without one, they are the whole body.
    """

    field: str | None = None
    key: str
    mime: str
    size: int
    name: str = "file"
    offset: int = 0


class Streamed(Payload):
    """A file's bytes as a body or a part of one. Cannot be sent twice. `failed`: our storage broke off, not they."""

    _autoclose = True

    def __init__(self, pieces: AsyncIterator[bytes], file: Upload) -> None:
        super().__init__(pieces, content_type=file.mime)
        self._size = file.size
        self.failed = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """TypeError: a file that is streamed has no text."""
        raise TypeError("a file that is streamed has no text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Sends the file, piece by piece. BucketError if it cannot be read to its end."""
        try:
            async for piece in self._value:
                await writer.write(piece)
        except BucketError:
            self.failed = True
            raise


class Multipart(aiohttp.MultipartWriter):
    """A form with one file."""

    file: Streamed


async def uploading(
    form: Mapping[str, str] | None, file: Upload, reading: Reading, stack: AsyncExitStack
) -> Streamed | Multipart:
    """The body that sends `file`, open until `stack` ends. RetryLater or Rejected if it cannot be read."""
    streamed = Streamed(await _opened(file, reading, stack), file)
    if file.field is None:
        if form:
            raise TypeError("a file that is the whole body leaves no room for a form")
        return streamed
    writer = Multipart("form-data")
    for name, value in (form or {}).items():
        part = StringPayload(value, content_type="text/plain; charset=utf-8")
        part.set_content_disposition("form-data", name=name)
        writer.append_payload(part)
    writer.file = streamed
    streamed.set_content_disposition("form-data", name=file.field, filename=file.name)
    writer.append_payload(streamed)
    return writer


def broke_off(body: Payload | None) -> bool:
    """Whether our own storage failed while `body` was sent."""
    file = body.file if isinstance(body, Multipart) else body
    return isinstance(file, Streamed) and file.failed


def storage_away() -> RetryLater:
    """The error for a bucket that does not answer: not the platform's fault."""
    return RetryLater("The picture could not be read from storage.", answered=False, code="storage-away")


async def _opened(file: Upload, reading: Reading, stack: AsyncExitStack) -> AsyncIterator[bytes]:
    try:
        return await stack.enter_async_context(reading(file.key, file.offset, file.offset + file.size))
    except BucketError as error:
        raise storage_away() from error
    except NotFound as error:
        raise Rejected("A picture is no longer in storage. Attach it again.", code="file-gone") from error
