"""Pictures: upload, look through, describe, remove."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from beanie import PydanticObjectId
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from social.api.arriving import RawPicture, announced, arriving
from social.api.callers import needs
from social.api.pages import Limit, Page, after_id, aware, page
from social.backing import Backing
from social.errors import Conflict, Forbidden
from social.media.arriving import NAME_MOST, tidy
from social.media.benches import Benches
from social.media.clipping import Clips, clips_of
from social.media.documents import Media, MediaKind, Wanted
from social.media.intake import take
from social.media.links import clip_link, link
from social.media.playing import is_heavy
from social.media.storage import storage
from social.media.words import tidy_tags
from social.people.roles import Caller, Role, allowed
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.states import State as PublicationState
from social.publishing.states import overall

ALT_MOST = 10_000  # characters; platforms take less, and each says so in its own words
PostState = Literal["draft", "planned", "sending", "held", "failed", "partly", "online", "cancelled", "missed"]
NAMED = 10  # posts that a refusal names
USES = 50
SNIPPET = 120  # characters of a post


class MediaOut(msgspec.Struct, kw_only=True):
    """A picture or video. `dropped`: only its thumbnail and its clip are left. `url`, `thumbnail_url` and `clip_url`
    need no sign-in and end within a day; `placeholder` is a data: URI. `width` and `height` are 0 where nobody knows
    them; `seconds` is how long it lasts, 0 where it stands still. `clip_url` is of a small MP4 of its first 15 seconds
    at most, for a video that not every browser plays or that is heavy: null for others, and until it is made, which
    `media.changed` tells. `heavy`: a video that is slow to look at as it is, so that its clip is the better one to
    play."""

    id: str
    name: str
    mime: str
    bytes: int
    width: int
    height: int
    seconds: float
    kind: MediaKind
    animated: bool
    alt: str
    tags: list[str]
    dropped: bool
    url: str
    thumbnail_url: str
    clip_url: str | None
    heavy: bool
    placeholder: str
    created_at: datetime


class FileOut(MediaOut, kw_only=True):
    """A file as the library shows it. `copies`: the ids of others with the very same content; `uses`: how many posts
    show it."""

    copies: list[str]
    uses: int


class MediaEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is said of a file; what is left out stays. `alt`: words for those who cannot see the picture, offered to
    every post that shows it."""

    alt: Annotated[str, Meta(max_length=ALT_MOST)] | UnsetType = UNSET
    name: Annotated[str, Meta(min_length=1, max_length=NAME_MOST)] | UnsetType = UNSET
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=20)] | UnsetType = UNSET


class UseOut(msgspec.Struct, kw_only=True):
    """A post that shows a file: how it begins, and how it stands."""

    id: str
    text: str
    state: PostState
    due_at: datetime | None


class LibraryOut(msgspec.Struct, kw_only=True):
    """The library as a whole. Bytes that its files take, that are announced by unfinished uploads, and that there are
    (null: no limit); all tags."""

    files: int
    used: int
    coming: int
    room: int | None
    tags: list[str]


def the_benches(state: State) -> Benches:
    """One for the app, made when the first picture comes."""
    if "benches" not in state:
        state.benches = Benches()
    benches: Benches = state.benches
    return benches


Uses = list[UseOut]


class LibraryController(Controller):
    """The library as a whole."""

    path = "/library"
    tags = ("media",)

    @get("/", summary="What the library holds", guards=[needs("viewer")])
    async def read(self, caller: NamedDependency[Caller], backing: NamedDependency[Backing]) -> LibraryOut:
        """And how much room there is."""
        stands = await storage(caller.workspace_id, backing)
        return LibraryOut(
            files=await Media.of(caller).count(),
            used=stands.used,
            coming=stands.coming,
            room=stands.room,
            tags=await Media.tags_of(caller),
        )


class MediaController(Controller):
    """The workspace's pictures and videos."""

    path = "/media"
    tags = ("media",)
    dependencies = {"benches": Provide(the_benches, sync_to_thread=False)}  # noqa: RUF012 - Litestar's declaration

    @post(
        "/",
        summary="Upload a picture",
        guards=[needs("author")],
        operation_class=RawPicture,
        request_max_body_size=None,
        opt={"much": True},
    )
    async def upload(
        self,
        request: Request[Any, Any, State],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        benches: NamedDependency[Benches],
        name: FromQuery[str] = "",
    ) -> FileOut:
        """The body is the file itself. What it is, is told by its content; where it was taken is removed from it."""
        media = await take(caller, name, arriving(request), backing, benches, announced=announced(request))
        return (await listed(caller, [media], backing))[0]

    @get("/", summary="All pictures and videos", guards=[needs("viewer")])
    async def list(
        self,
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        text: Annotated[str, QueryParameter(max_length=200)] = "",
        kind: FromQuery[MediaKind | None] = None,
        tag: Annotated[str | None, QueryParameter(max_length=40)] = None,
        since: FromQuery[datetime | None] = None,
        until: FromQuery[datetime | None] = None,
        copied: FromQuery[bool] = False,
        cursor: FromQuery[str | None] = None,
        limit: Limit = 50,
    ) -> Page[FileOut]:
        """The newest first. `text`: beginnings of words in name, description and tags; `since` and `until`: when it was
        uploaded; `copied`: only those whose very content is there more than once."""
        aware(since=since, until=until)
        wanted = Wanted(
            text=text,
            kind=kind,
            tag=tag,
            since=since,
            until=until,
            fingerprints=await Media.copied(caller) if copied else None,
        )
        found = await Media.page(caller, wanted, before=after_id(cursor), limit=limit + 1)
        return page(found, limit, lambda each: each.id, await listed(caller, found[:limit], backing))

    @get("/{media_id:str}", summary="One picture", guards=[needs("viewer")])
    async def read(
        self, media_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> FileOut:
        """With fresh addresses of its files."""
        return (await listed(caller, [await Media.found(caller, media_id)], backing))[0]

    @get("/{media_id:str}/posts", summary="Which posts show it", guards=[needs("viewer")])
    async def uses(self, media_id: FromPath[str], caller: NamedDependency[Caller]) -> Uses:
        """At most 50."""
        media = await Media.found(caller, media_id)
        posts = await Post.using(caller, media.id, most=USES) if media.id else []
        states = await Publication.states_of(caller.workspace_id, [each.id for each in posts])
        return [
            UseOut(
                id=str(each.id),
                text=each.written.text[:SNIPPET],
                state=overall(states.get(each.id, []), draft=each.draft),  # type: ignore[arg-type]
                due_at=each.plan.due_at if each.plan else None,
            )
            for each in posts
        ]

    @patch("/{media_id:str}", summary="Describe a picture", guards=[needs("author")])
    async def describe(
        self,
        media_id: FromPath[str],
        data: JSONBody[MediaEdit],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> FileOut:
        """Posts that were planned already keep the words they were planned with."""
        media = await Media.found(caller, media_id)
        await media.describe(
            backing,
            alt=None if data.alt is UNSET else data.alt,
            name=None if data.name is UNSET else tidy(data.name),
            tags=None if data.tags is UNSET else tidy_tags(data.tags),
        )
        return (await listed(caller, [media], backing))[0]

    @delete("/{media_id:str}", summary="Remove a picture", guards=[needs("author")])
    async def remove(
        self, media_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> None:
        """Refused while a post needs it that is not online everywhere it was meant to be. Authors remove their own."""
        media = await Media.found(caller, media_id)
        if media.uploaded_by != caller.user_id and not allowed(caller, Role.EDITOR):
            raise Forbidden("Somebody else uploaded this picture; an editor can remove it.")
        if needing := await _needing(caller, media):
            raise Conflict(
                "A post that is not online yet shows this picture. Take it out of the post, or delete the post, first.",
                posts=[str(id) for id in needing[:NAMED]],
            )
        await media.remove(backing)


async def _needing(caller: Caller, media: Media) -> list[PydanticObjectId]:
    """Posts that show it and may still go out somewhere: drafts, and those not online on every account."""
    posts = await Post.ids_using(caller.workspace_id, [media.id])
    states = await Publication.states_of(caller.workspace_id, posts)
    online = {PublicationState.ONLINE}
    return [id for id in posts if set(states.get(id, ())) != online]


async def listed(caller: Caller, files: Sequence[Media], backing: Backing) -> list[FileOut]:
    """Files as the library shows them: two more queries for a whole page, and one for clips if any has one."""
    ids = [each.id for each in files if each.id is not None]
    copies, uses = await Media.copies(caller, files), await Post.uses(caller, ids)
    clips = await clips_of(caller, files, backing)
    return [
        FileOut(
            **msgspec.structs.asdict(shown(each, clips, backing)),
            copies=copies.get(each.id or PydanticObjectId(), []),
            uses=uses[each.id or PydanticObjectId()],
        )
        for each in files
    ]


def shown(media: Media, clips: Clips, backing: Backing) -> MediaOut:
    """As the API shows it, with fresh addresses."""
    return MediaOut(
        id=str(media.id),
        name=media.name,
        mime=media.mime,
        bytes=media.bytes,
        width=media.width,
        height=media.height,
        seconds=media.facts.seconds,
        kind=media.kind,
        animated=media.animated,
        tags=media.tags,
        dropped=media.dropped_at is not None,
        alt=media.alt,
        url=link(media, "file", backing),
        thumbnail_url=link(media, "thumbnail", backing),
        clip_url=clip_link(media, clips, backing),
        heavy=is_heavy(media.facts),
        placeholder=media.placeholder,
        created_at=media.created_at,
    )
