"""Whose the bucket is. Two installations on one would each take the other's files for nobody's, and sweep them away.

So the first one leaves its name in the bucket, and whoever finds another's there sweeps nothing that has no document.
An installation is its database: all its instances share the name, and so does what is restored from a backup.
"""

import secrets
from typing import Any, ClassVar

import structlog
from beanie import Document
from pymongo import ReturnDocument

from social.backing import Backing
from social.errors import NotFound

log = structlog.get_logger()

MARK = "installation"  # the object that bears the name
MIME = "text/plain"
MOST = 100  # bytes
ADVICE = (
    "Another installation, or an earlier database of this one, keeps its files in this bucket, so nothing is swept out "
    f"of it. Give each its own (SOCIAL_S3_BUCKET). If there is no other, remove the object {MARK!r}: then what belongs "
    "to nothing in this database is taken away."
)


class Installation(Document):
    """This one. There is one document, made when somebody first asks."""

    ONLY: ClassVar[str] = "this"

    id: str  # type: ignore[assignment]
    name: str

    class Settings:
        name = "installation"

    @classmethod
    async def named(cls) -> str:
        """Its name, which no other has."""
        found: Any = await cls.get_pymongo_collection().find_one_and_update(
            {"_id": cls.ONLY},
            {"$setOnInsert": {"name": secrets.token_hex(16)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return str(found["name"])


async def bucket_is_ours(backing: Backing) -> bool:
    """Whether the bucket is this installation's; one that was nobody's is from now on. BucketError.

    Where it is another's, that is logged, with what to do.
    """
    name = await Installation.named()
    whose = await _name_there(backing)
    if whose is None:
        said = name.encode()
        await backing.bucket.put(MARK, said, mime=MIME, size=len(said))
        whose = await _name_there(backing)  # of two that came at once the later one
    if whose == name:
        return True
    log.error("bucket.not_ours", bucket=backing.settings.s3_bucket, advice=ADVICE)
    return False


async def _name_there(backing: Backing) -> str | None:
    try:
        async with backing.bucket.reading(MARK, 0, MOST) as pieces:
            return b"".join([piece async for piece in pieces]).decode(errors="replace")
    except NotFound:
        return None
