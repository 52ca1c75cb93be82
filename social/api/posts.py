"""Posts: write, check, plan, cancel."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from beanie import PydanticObjectId
from beanie.operators import In
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET, Meta, UnsetType

from social.api.callers import needs
from social.api.media import PostState
from social.api.pages import Limit, Page, after_id, page
from social.api.publications import WhenIn, thumbnails
from social.backing import Backing
from social.errors import Conflict
from social.files import Choice
from social.media.clipping import Clips, clips_of
from social.media.documents import Media
from social.media.links import clip_link, link
from social.media.playing import is_heavy
from social.people.documents import User
from social.people.lateness import Lateness
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.posts.documents import Attached, PartWritten, Post, Variant, Written
from social.posts.when import Plan
from social.publishing import plan, turns
from social.publishing.documents import Publication
from social.publishing.fitting import Verdict, in_parts, verdicts
from social.publishing.shown import PublicationOut, shown
from social.publishing.states import State, overall

TEXT_MOST = 100_000  # characters; every platform takes less, and each says so in its own words

# One field for each platform, in that platform's own shape, so that the OpenAPI document says what each takes.
Options = msgspec.defstruct(
    "Options",
    [(platform.name, platform.options | UnsetType, UNSET) for platform in PLATFORMS.values()],
    kw_only=True,
    forbid_unknown_fields=True,
)


Text = Annotated[str, Meta(max_length=TEXT_MOST)]
Files = Annotated[tuple[Attached, ...], Meta(max_length=50)]


class PartIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A further part of a thread."""

    text: Text
    media: Files = ()


Thread = Annotated[tuple[PartIn, ...], Meta(max_length=100)]


class VariantIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one platform or account has instead. Null or absent: as in the post; an empty thread: none here."""

    text: Text | None = None
    media: Files | None = None
    thread: Thread | None = None


class PostIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a person writes. `accounts` and `media` by id, in order. `variants` by platform name or account id: an
    account's wins over its platform's, field by field."""

    text: Text
    media: Files = ()
    thread: Thread = ()
    variants: Annotated[dict[Annotated[str, Meta(max_length=50)], VariantIn], Meta(max_length=250)] = {}
    accounts: Annotated[list[str], Meta(max_length=200)] = []
    options: Options = msgspec.field(default_factory=Options)  # type: ignore[valid-type]


class PostEdit(PostIn, kw_only=True, forbid_unknown_fields=True):
    """A change, and the revision it was made from."""

    revision: int


class PlanIn(WhenIn, kw_only=True, forbid_unknown_fields=True):
    """A date, and the revision of the post that was looked at when it was chosen. `lateness`: how late it may go out;
    null or absent: as the workspace has it when this is planned."""

    revision: int
    lateness: Lateness | None = None


class AttachedOut(msgspec.Struct, kw_only=True):
    """One file of a post. `fit`: what is wanted of its shape and length; null: whatever is usual. `seconds`: how long
    it lasts, 0 where it stands still. `clip_url` and `heavy` as of a MediaOut."""

    id: str
    alt: str
    fit: Choice | None
    mime: str
    width: int
    height: int
    seconds: float
    animated: bool
    url: str
    thumbnail_url: str
    clip_url: str | None
    heavy: bool


class PartOut(msgspec.Struct, kw_only=True):
    """A further part of a thread."""

    text: str
    media: list[AttachedOut]


class VariantOut(msgspec.Struct, kw_only=True):
    """What one platform or account has instead; null where it has what the post has."""

    text: str | None
    media: list[AttachedOut] | None
    thread: list[PartOut] | None


class SplitIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A text that is too long for one post of an account. `numbered` ends each part with its number, as 2/7."""

    account_id: str
    text: Text
    numbered: bool = False


class SplitOut(msgspec.Struct, kw_only=True):
    """The text as the parts of a thread, each short enough."""

    parts: list[str]


class PlanOut(msgspec.Struct, kw_only=True):
    """When: the wall time in its zone, and the instant that is. `lateness`: how late it may go out, where that was
    said."""

    wall: str
    zone: str
    fold: int
    at: datetime
    lateness: Lateness | None


class Author(msgspec.Struct, kw_only=True):
    """Who wrote it."""

    id: str
    name: str


class PostOut(msgspec.Struct, kw_only=True):
    """A post with everything that became of it."""

    id: str
    revision: int
    text: str
    media: list[AttachedOut]
    thread: list[PartOut]
    variants: dict[str, VariantOut]
    accounts: list[str]
    options: dict[str, Any]
    plan: PlanOut | None
    state: PostState
    publications: list[PublicationOut]
    author: Author
    created_at: datetime
    updated_at: datetime


class PostController(Controller):
    """What people write, and when it goes out."""

    path = "/posts"
    tags = ("posts",)

    @post("/", summary="Write a draft", guards=[needs("author")])
    async def create(
        self, data: JSONBody[PostIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> PostOut:
        """A draft; nothing goes out before it is planned."""
        return await _shown(caller, await plan.create(caller, _written(data), backing), backing)

    @get("/", summary="Newest posts first", guards=[needs("viewer")])
    async def newest(
        self,
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        drafts: FromQuery[bool | None] = None,
        cursor: FromQuery[str | None] = None,
        limit: Limit = 50,
    ) -> Page[PostOut]:
        """Drafts only, planned and sent ones only (`drafts=false`), or all."""
        found = await Post.page(caller, draft=drafts, before=after_id(cursor), limit=limit + 1)
        return page(found, limit, lambda each: each.id, await _all_shown(caller, found[:limit], backing))

    @post("/checks", summary="Would it fit?", guards=[needs("author")], status_code=HTTP_200_OK)
    async def check(self, data: JSONBody[PostIn], caller: NamedDependency[Caller]) -> list[Verdict]:
        """What each chosen account would say to this. Nothing is saved."""
        return await verdicts(caller, _written(data))

    @post("/splits", summary="Make it a thread", guards=[needs("author")], status_code=HTTP_200_OK)
    async def split(self, data: JSONBody[SplitIn], caller: NamedDependency[Caller]) -> SplitOut:
        """The text in parts by the account's own counting, cut between paragraphs, sentences or words."""
        parts = await in_parts(caller, data.account_id, data.text, numbered=data.numbered)
        return SplitOut(parts=parts)

    @get("/{post_id:str}", summary="One post", guards=[needs("viewer")])
    async def read(
        self, post_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> PostOut:
        """With its publications."""
        return await _shown(caller, await Post.found(caller, post_id), backing)

    @put("/{post_id:str}", summary="Save a change", guards=[needs("author")])
    async def save(
        self,
        post_id: FromPath[str],
        data: JSONBody[PostEdit],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> PostOut:
        """A planned post stays planned. 409 with the `current` one if somebody saved in between."""
        try:
            saved = await plan.save(caller, post_id, data.revision, _written(data), backing)
        except Conflict as conflict:
            raise await _with_current(conflict, caller, post_id, backing) from None
        return await _shown(caller, saved, backing)

    @delete("/{post_id:str}", summary="Delete a post", guards=[needs("author")])
    async def remove(
        self,
        post_id: FromPath[str],
        revision: FromQuery[int],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> None:
        """And with it what was planned. What is online stays, and so does its post."""
        await plan.delete(caller, post_id, revision, backing)

    @put("/{post_id:str}/plan", summary="Plan a post, or send it now", guards=[needs("author")])
    async def plan(
        self,
        post_id: FromPath[str],
        data: JSONBody[PlanIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> PostOut:
        """Once this is answered the plan is durable. 422 lists everything that keeps it from any account."""
        when = msgspec.structs.replace(data.plan(await _zone(caller), backing.now()), lateness=data.lateness)
        try:
            planned = await plan.plan(caller, post_id, data.revision, when, backing)
        except Conflict as conflict:
            raise await _with_current(conflict, caller, post_id, backing) from None
        return await _shown(caller, planned, backing)

    @delete("/{post_id:str}/plan", summary="Cancel", guards=[needs("author")], status_code=HTTP_200_OK)
    async def cancel(
        self,
        post_id: FromPath[str],
        revision: FromQuery[int],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> PostOut:
        """Nothing that had not begun to go out will; a post of which nothing is out is a draft again."""
        return await _shown(caller, await plan.cancel(caller, post_id, revision, backing), backing)


def _written(data: PostIn) -> Written:
    return Written(
        text=data.text,
        media=data.media,
        thread=tuple(map(_part_written, data.thread)),
        accounts=tuple(dict.fromkeys(data.accounts)),
        options=msgspec.to_builtins(data.options),
        variants={
            key: Variant(
                text=each.text,
                media=each.media,
                thread=None if each.thread is None else tuple(map(_part_written, each.thread)),
            )
            for key, each in data.variants.items()
        },
    )


def _part_written(part: PartIn) -> PartWritten:
    return PartWritten(text=part.text, media=part.media)


async def _zone(caller: Caller) -> str:
    user = await User.get(caller.user_id)
    return user.zone if user else "UTC"


async def _with_current(conflict: Conflict, caller: Caller, post_id: str, backing: Backing) -> Conflict:
    if conflict.facts.get("stale"):
        current = await _shown(caller, await Post.found(caller, post_id), backing)
        return Conflict(conflict.sentence, current=msgspec.to_builtins(current))
    return conflict


async def _shown(caller: Caller, post: Post, backing: Backing) -> PostOut:
    return (await _all_shown(caller, [post], backing))[0]


async def _all_shown(caller: Caller, posts: list[Post], backing: Backing) -> list[PostOut]:
    """Two queries for the whole page: the files, and the publications; more only where a line has formed, or where a
    video has a clip."""
    if not posts:
        return []
    wanted = [id for each in posts for id in each.media_ids]
    media = {str(file.id): file for file in await Media.of(caller, In("_id", wanted)).to_list()}
    publications: dict[PydanticObjectId, list[Publication]] = {}
    for each in (
        await Publication.of(caller, In("post_id", [each.id for each in posts])).sort("due_at", "_id").to_list()
    ):
        publications.setdefault(each.post_id, []).append(each)
    present, times = backing.now(), backing.settings.times
    before = await turns.before([one for some in publications.values() for one in some], present)
    pictures = thumbnails(media.values(), backing)
    clips = await clips_of(caller, list(media.values()), backing)
    out = {
        one.id: shown(one, pictures.get(one.first_media()), present=present, times=times, before=before.get(one.id, 0))
        for some in publications.values()
        for one in some
    }
    return [
        _out(each, publications.get(each.id or PydanticObjectId(), []), out, media, clips, backing) for each in posts
    ]


def _out(
    post: Post,
    publications: list[Publication],
    out: dict[PydanticObjectId, PublicationOut],
    media: dict[str, Media],
    clips: Clips,
    backing: Backing,
) -> PostOut:

    def shown_files(attached: tuple[Attached, ...]) -> list[AttachedOut]:
        return [_attached(each, media[each.id], clips, backing) for each in attached if each.id in media]

    def shown_thread(parts: tuple[PartWritten, ...]) -> list[PartOut]:
        return [PartOut(text=part.text, media=shown_files(part.media)) for part in parts]

    states = [each.state for each in publications] or [State.HELD]  # there are some, which a newer version wrote
    return PostOut(
        id=str(post.id),
        revision=post.revision,
        text=post.written.text,
        media=shown_files(post.written.media),
        thread=shown_thread(post.written.thread),
        variants={
            key: VariantOut(
                text=each.text,
                media=None if each.media is None else shown_files(each.media),
                thread=None if each.thread is None else shown_thread(each.thread),
            )
            for key, each in post.written.variants.items()
        },
        accounts=list(post.written.accounts),
        options=post.written.options,
        plan=_planned(post.plan) if post.plan else None,
        state=overall(states, draft=post.draft),  # type: ignore[arg-type]
        publications=[out[each.id] for each in publications],
        author=Author(id=str(post.author_id), name=post.author_name),
        created_at=post.created_at,
        updated_at=post.updated_at,
    )


def _planned(plan: Plan) -> PlanOut:
    return PlanOut(wall=plan.wall, zone=plan.zone, fold=plan.fold, at=plan.due_at, lateness=plan.lateness)


def _attached(attached: Attached, file: Media, clips: Clips, backing: Backing) -> AttachedOut:
    return AttachedOut(
        id=attached.id,
        alt=attached.alt or file.alt,
        fit=attached.fit,
        mime=file.mime,
        width=file.width,
        height=file.height,
        seconds=file.facts.seconds,
        animated=file.animated,
        url=link(file, "file", backing),
        thumbnail_url=link(file, "thumbnail", backing),
        clip_url=clip_link(file, clips, backing),
        heavy=is_heavy(file.facts),
    )
