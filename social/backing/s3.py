"""How an S3 server (SeaweedFS, R2, S3) is spoken to: path-style, nothing from the environment, faults in our words.

Tried with botocore 1.43 on SeaweedFS 4.48. botocore sends its checksums (aws-chunked bodies with trailers) only where
an operation demands them, and does not hash a body for the signature: it would read every file twice.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from social.errors import NotFound, Unavailable
from social.settings import Settings

GONE = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})
CLOCKS_AGREE = 14.0  # minutes apart at most; S3 takes no signature that is more than 15 off
REFUSED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})

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


class BucketError(Unavailable):
    """The bucket did not do what we asked. Nothing of ours was wrong, so the same again may work later."""


@asynccontextmanager
async def client(settings: Settings, endpoint: str) -> AsyncIterator[Any]:
    """A pool of connections to the server at `endpoint`. Asks it nothing yet."""
    async with _session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        config=CONFIG,
    ) as opened:
        yield opened


@contextmanager
def told() -> Iterator[None]:
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


class Body:
    """A stream as botocore wants to see it (it looks for `read`, and never calls it) and as aiohttp sends it."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def read(self) -> bytes:
        """A stream can be sent once and read by nobody else."""
        raise BotoCoreError

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


def clock_ahead(refused: BaseException | None) -> float:
    """By how many minutes this machine's clock is ahead of the server's that refused us; 0 if it does not say. A HEAD
    is refused without a word: its date alone tells a wrong clock from wrong keys."""
    answered = refused.response.get("ResponseMetadata", {}) if isinstance(refused, ClientError) else {}
    try:
        said = parsedate_to_datetime(answered.get("HTTPHeaders", {}).get("date", ""))
        return (datetime.now(UTC) - said) / timedelta(minutes=1)
    except (TypeError, ValueError):
        return 0.0


class OfOneService(Loader):  # type: ignore[misc]
    """Reads what botocore knows of Amazon's services, and keeps of their addresses those of S3: of the hundreds of
    others the list is 7 MB."""

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """As botocore has it in its file `name`, and where that is."""
        found, path = super().load_data_with_path(name)
        if name == "endpoints":
            for partition in found["partitions"]:
                partition["services"] = {"s3": partition["services"].get("s3", {})}
        return found, path


def _session() -> AioSession:
    """A session that knows only what it is told: a profile of the person who starts us is none of ours."""
    nothing: tuple[None, list[str], None, None] = (None, [], None, None)
    session = AioSession(session_vars={"profile": nothing, "config_file": nothing, "credentials_file": nothing})
    session.register_component("data_loader", OfOneService())
    return session
