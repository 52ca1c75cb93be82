"""Where files lie in the bucket: `w/WORKSPACE/m/` has what came and small copies of it, `w/WORKSPACE/r/` what was made.

A key is never used twice, so what nothing refers to now, nothing ever will.
"""

import re
import secrets
from collections.abc import Sequence

from beanie import Document, PydanticObjectId

ALL = "w/"  # what all keys begin with
FORM = re.compile(r"w/[0-9a-f]{24}/[mr]/[0-9a-f]{32}")


def new_key(workspace_id: PydanticObjectId) -> str:
    """Where a new file of the workspace is put. Nobody can guess it."""
    return f"{ALL}{workspace_id}/m/{secrets.token_hex(16)}"


def new_rendition_key(workspace_id: PydanticObjectId) -> str:
    """The same for what is made of one."""
    return f"{ALL}{workspace_id}/r/{secrets.token_hex(16)}"


async def keys_known(documents: type[Document], fields: Sequence[str], keys: Sequence[str]) -> set[str]:
    """Which of `keys` stand in one of these fields of any of the documents. Each field has its index."""
    collection, wanted, known = documents.get_pymongo_collection(), set(keys), set()
    for field in fields:
        async for each in collection.find({field: {"$in": sorted(wanted)}}, {field: 1}):
            known.add(str(each[field]))
    return known
