"""Large files: announced, sent in parts in any order and over days, put together."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from msgspec import Meta

from social.api.arriving import RawPart, announced, arriving, digest
from social.api.callers import needs
from social.api.errands import Errands
from social.api.media import FileOut, listed, the_benches
from social.backing import Backing
from social.errors import Invalid, Wrong
from social.media import fetching, sending
from social.media.benches import Benches
from social.media.finishing import finish
from social.media.uploads import LARGEST, Upload
from social.moments import to_the_ms
from social.people.roles import Caller

ADDRESSES = 100  # at once


class UploadIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file that is to come. `modified_at`: of the file where it lies, so that it can be known again."""

    name: Annotated[str, Meta(max_length=1000)]
    bytes: Annotated[int, Meta(ge=1, le=LARGEST)]
    modified_at: Annotated[datetime, Meta(tz=True)] | None = None


class UploadOut(msgspec.Struct, kw_only=True):
    """A file on its way. It has the parts 1 to `part_count`, each of `part_bytes` but the last, which has the rest;
    `parts_there` have arrived, and with them `arrived` bytes. `direct`: they are PUT to addresses of the file storage,
    and not to this API. With a `source` it is fetched from there, and nothing is to be sent: `bytes` is 0 until its
    server tells how many there are, and `problem` says why no more will come."""

    id: str
    name: str
    bytes: int
    modified_at: datetime | None
    part_bytes: int
    part_count: int
    parts_there: list[int]
    arrived: int
    source: str | None
    problem: str | None
    direct: bool
    created_at: datetime
    expires_at: datetime


class AddressesIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which parts are to be sent next."""

    numbers: Annotated[list[Annotated[int, Meta(ge=1, le=10_000)]], Meta(min_length=1, max_length=ADDRESSES)]


class AddressOut(msgspec.Struct, kw_only=True):
    """Where a part of exactly `bytes` bytes may be PUT, for an hour."""

    number: int
    url: str
    bytes: int


class ImportIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file on the web."""

    url: Annotated[str, Meta(min_length=1, max_length=4000)]


class ImportController(Controller):
    """Files that are fetched from the web."""

    path = "/imports"
    tags = ("media",)
    dependencies = {"benches": Provide(the_benches, sync_to_thread=False)}  # noqa: RUF012 - Litestar's declaration

    @post("/", summary="Fetch a file from the web", guards=[needs("author")], status_code=HTTP_202_ACCEPTED)
    async def begin(
        self,
        data: JSONBody[ImportIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        benches: NamedDependency[Benches],
        errands: NamedDependency[Errands],
    ) -> UploadOut:
        """It becomes an upload that needs nobody: once it is all there, it is in the library under the same id."""
        begun = await fetching.begin(caller, data.url, backing)
        errands.begin(fetching.fetch(begun, backing, benches))
        return _shown(begun, [], backing)


class UploadController(Controller):
    """The caller's own uploads. One that nobody goes on with for three days is thrown away."""

    path = "/uploads"
    tags = ("media",)
    dependencies = {"benches": Provide(the_benches, sync_to_thread=False)}  # noqa: RUF012 - Litestar's declaration

    @post("/", summary="Announce a file", guards=[needs("author")])
    async def begin(
        self, data: JSONBody[UploadIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> UploadOut:
        """Pictures and videos of up to 10 GB. 413 where the workspace has no room for it."""
        begun = await sending.begin(
            caller, data.name, data.bytes, backing, modified_at=data.modified_at and to_the_ms(data.modified_at)
        )
        return _shown(begun, [], backing)

    @get("/", summary="Unfinished uploads", guards=[needs("author")])
    async def unfinished(self, caller: NamedDependency[Caller], backing: NamedDependency[Backing]) -> list[UploadOut]:
        """The newest first."""
        found = await Upload.all_mine(caller, most=sending.OPEN_MOST)
        return await asyncio.gather(*(_with_parts(each, backing) for each in found))

    @get("/{upload_id:str}", summary="Which parts are there", guards=[needs("author")])
    async def read(
        self, upload_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> UploadOut:
        """What is missing is to be sent; what is there need not be sent again."""
        return await _with_parts(await Upload.mine(caller, upload_id), backing)

    @put(
        "/{upload_id:str}/parts/{number:str}",
        summary="Send a part",
        guards=[needs("author")],
        operation_class=RawPart,
        request_max_body_size=None,
        opt={"much": True},
        status_code=HTTP_204_NO_CONTENT,
    )
    async def send(
        self,
        request: Request[Any, Any, State],
        upload_id: FromPath[str],
        number: FromPath[str],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> None:
        """Several may be sent side by side, and each again as often as need be. All of it arrives, or nothing."""
        upload = await Upload.mine(caller, upload_id)
        await sending.take_part(
            upload, _number(number), arriving(request), backing, announced=announced(request), sha256=digest(request)
        )

    @post(
        "/{upload_id:str}/addresses",
        summary="Where parts are sent, if not here",
        guards=[needs("author")],
        status_code=HTTP_200_OK,
        opt={"secret_answer": True},
    )
    async def addresses(
        self,
        upload_id: FromPath[str],
        data: JSONBody[AddressesIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> list[AddressOut]:
        """Only for uploads that are `direct`."""
        upload = await Upload.mine(caller, upload_id)
        made = await sending.addresses(upload, data.numbers, backing)
        return [
            AddressOut(number=number, url=url, bytes=upload.size(number))
            for number, url in zip(data.numbers, made, strict=True)
        ]

    @post("/{upload_id:str}/media", summary="All parts are there", guards=[needs("author")])
    async def finish(
        self,
        upload_id: FromPath[str],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        benches: NamedDependency[Benches],
    ) -> FileOut:
        """Puts it together and into the library, under the upload's id. 409 with the `missing` parts while there are
        any; asked again, it answers the same."""
        return (await listed(caller, [await finish(caller, upload_id, backing, benches)], backing))[0]

    @delete("/{upload_id:str}", summary="Give it up", guards=[needs("author")])
    async def give_up(
        self, upload_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> None:
        """Nothing of it is kept."""
        await sending.give_up(await Upload.mine(caller, upload_id), backing)


def _number(said: str) -> int:
    """Invalid for what is none. No path of ours takes numbers, or it would be no address for what is none."""
    if not (said.isascii() and said.isdigit() and len(said) < 6):
        sentence = "Parts are numbered 1, 2, 3 and so on."
        raise Invalid(sentence, [Wrong("/number", sentence, "form")])
    return int(said)


async def _with_parts(upload: Upload, backing: Backing) -> UploadOut:
    return _shown(upload, [part.number for part in await sending.parts_there(upload, backing)], backing)


def _shown(upload: Upload, parts: list[int], backing: Backing) -> UploadOut:
    return UploadOut(
        id=str(upload.id),
        name=upload.name,
        bytes=upload.bytes,
        modified_at=upload.modified_at,
        part_bytes=upload.part_bytes,
        part_count=upload.part_count,
        parts_there=parts,
        arrived=sum(map(upload.size, parts)) if upload.source is None else upload.came,
        source=upload.source,
        problem=upload.problem,
        direct=backing.bucket.parts.direct,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
    )
