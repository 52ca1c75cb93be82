"""Pictures: upload, look through, describe, remove."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from social.api.arriving import RawPicture, announced, arriving
from social.api.callers import needs
from social.api.pages import Page, after_id, page
from social.backing import Backing
from social.errors import Conflict, Forbidden
from social.media.benches import Benches
from social.media.documents import Media
from social.media.intake import take
from social.media.links import link
from social.people.roles import Caller, Role, allowed
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.states import State as PublicationState

ALT_MOST = 10_000  # characters; platforms take less, and each says so in its own words
NAMED = 10  # posts that a refusal names


class MediaOut(msgspec.Struct, kw_only=True):
    """A picture or video. `url` and `thumbnail_url` need no sign-in and end within a day; `placeholder` is a data: URI.
    `width` and `height` are 0 where nobody knows them."""

    id: str
    name: str
    mime: str
    bytes: int
    width: int
    height: int
    animated: bool
    alt: str
    url: str
    thumbnail_url: str
    placeholder: str
    created_at: datetime


class MediaEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Words for those who cannot see the picture, offered to every post that shows it."""

    alt: Annotated[str, Meta(max_length=ALT_MOST)]


def the_benches(state: State) -> Benches:
    """One for the app, made when the first picture comes."""
    if "benches" not in state:
        state.benches = Benches()
    benches: Benches = state.benches
    return benches


class MediaController(Controller):
    """The workspace's pictures."""

    path = "/media"
    tags = ("media",)
    dependencies = {"benches": Provide(the_benches, sync_to_thread=False)}  # noqa: RUF012 - Litestar's declaration

    @post(
        "/",
        summary="Upload a picture",
        guards=[needs("author")],
        operation_class=RawPicture,
        request_max_body_size=None,
    )
    async def upload(
        self,
        request: Request[Any, Any, State],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        benches: NamedDependency[Benches],
        name: FromQuery[str] = "",
    ) -> MediaOut:
        """The body is the file itself. What it is, is told by its content; where it was taken is removed from it."""
        media = await take(caller, name, arriving(request), backing, benches, announced=announced(request))
        return shown(media, backing)

    @get("/", summary="All pictures", guards=[needs("viewer")])
    async def list(
        self,
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[Annotated[int, Meta(ge=1, le=100)]] = 50,
    ) -> Page[MediaOut]:
        """The newest first."""
        found = await Media.page(caller, before=after_id(cursor), limit=limit + 1)
        return page(found, limit, lambda each: each.id, [shown(each, backing) for each in found[:limit]])

    @get("/{media_id:str}", summary="One picture", guards=[needs("viewer")])
    async def read(
        self, media_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> MediaOut:
        """With fresh addresses of its files."""
        return shown(await Media.found(caller, media_id), backing)

    @patch("/{media_id:str}", summary="Describe a picture", guards=[needs("author")])
    async def describe(
        self,
        media_id: FromPath[str],
        data: JSONBody[MediaEdit],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> MediaOut:
        """Posts that were planned already keep the words they were planned with."""
        media = await Media.found(caller, media_id)
        await media.describe(data.alt, backing)
        return shown(media, backing)

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
                posts=[str(each.id) for each in needing[:NAMED]],
            )
        await media.remove(backing)


async def _needing(caller: Caller, media: Media) -> list[Post]:
    """Posts that show it and may still go out somewhere: drafts, and those not online on every account."""
    if media.id is None:
        return []
    posts = await Post.using(caller, media.id, most=1000)
    ids = [each.id for each in posts]
    publications = await Publication.of(caller, {"post_id": {"$in": ids}}).to_list() if ids else []
    waiting = {each.post_id for each in publications if each.state is not PublicationState.ONLINE}
    planned = {each.post_id for each in publications}
    return [each for each in posts if each.id in waiting or each.id not in planned]


def shown(media: Media, backing: Backing) -> MediaOut:
    """As the API shows it, with fresh addresses."""
    return MediaOut(
        id=str(media.id),
        name=media.name,
        mime=media.mime,
        bytes=media.bytes,
        width=media.width,
        height=media.height,
        animated=media.animated,
        alt=media.alt,
        url=link(media, "file", backing),
        thumbnail_url=link(media, "thumbnail", backing),
        placeholder=media.placeholder,
        created_at=media.created_at,
    )
