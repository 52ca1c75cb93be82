"""How much room a workspace's files take, and that they do not take more than it has."""

from typing import Any

import msgspec
from beanie import Document, PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.errors import TooLarge
from social.media.documents import Media
from social.media.uploads import Upload
from social.people.documents import Workspace


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes. `coming`: announced by uploads that are not finished; `room`: None where there is no limit."""

    used: int
    coming: int
    room: int | None


async def storage(workspace_id: PydanticObjectId, backing: Backing) -> Storage:
    """How it stands now."""
    return Storage(used=await _sum(Media, workspace_id), coming=await _sum(Upload, workspace_id), room=room(backing))


def room(backing: Backing) -> int | None:
    """Bytes that the files of one workspace may take; None: as many as there are."""
    gb = backing.settings.workspace_gb
    return None if gb is None else int(gb * 10**9)


async def make_room(workspace_id: PydanticObjectId, more: int, backing: Backing, session: AsyncClientSession) -> None:
    """Sees, in the transaction that adds them, that `more` bytes fit in. TooLarge.

    Two that take the last room at once are one after the other, and the second is told.
    """
    most = room(backing)
    if most is None:
        return
    await Workspace.files_change(workspace_id, session)
    taken = await _sum(Media, workspace_id, session) + await _sum(Upload, workspace_id, session)
    if taken + more > most:
        raise TooLarge(
            f"There is no room for this file: the workspace has {_gb(most)} GB, of which {_gb(max(0, most - taken))} "
            "are free. Remove files that are no longer needed.",
            code="no-room",
            room=most,
            taken=taken,
        )


async def _sum(files: type[Document], workspace_id: PydanticObjectId, session: AsyncClientSession | None = None) -> int:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"workspace_id": workspace_id}},
        {"$group": {"_id": None, "bytes": {"$sum": "$bytes"}}},
    ]
    summed = await (await files.get_pymongo_collection().aggregate(pipeline, session=session)).to_list()
    return int(summed[0]["bytes"]) if summed else 0


def _gb(bytes: int) -> str:
    return f"{bytes / 10**9:.2f}".rstrip("0").rstrip(".")
