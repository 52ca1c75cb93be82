"""Makes clips: the first seconds of a video are fetched, and no more, and converted as any other video is.

ffmpeg sees files of this machine only. What the first seconds need is found out by a child process that reads through
them in ranges, as at probing; each range that it asks for is put down at its place in a file that is otherwise a hole,
and of that the clip is made. So 10 GB in the bucket are a few megabytes of the disk here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import msgspec
import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.errors import Invalid
from social.media.clips import PATIENCE, Clip, Unclipped
from social.media.documents import Media
from social.media.kinds import ENOUGH
from social.media.making import make_all
from social.media.playing import CLIP, MIME, SECONDS, clip_of, wants_clip
from social.media.probing import begin
from social.media.ranged import BEGINNING_MOST
from social.media.rendering import check_room, rendered
from social.media.scratch import nameless
from social.media.sources import InBucket, Kept
from social.people.roles import Caller

log = structlog.get_logger()

Clips = Mapping[str, Clip]  # by fingerprint


async def clips_of(caller: Caller, files: Sequence[Media], backing: Backing) -> Clips:
    """The clips of those of `files` of the caller's workspace that have one. One that is missing is made soon."""
    better = {each.fingerprint: each for each in files if each.fingerprint and wants_clip(each.facts)}
    if not better:
        return {}
    known = await Clip.by_content(caller, sorted(better))
    missing = [
        Unclipped(fingerprint=each.fingerprint, key=each.key, probe=each.facts)
        for each in better.values()
        if each.fingerprint not in known and each.dropped_at is None
    ]
    await Clip.want(caller.workspace_id, missing, backing.now())
    return {fingerprint: clip for fingerprint, clip in known.items() if clip.state == "ready"}


def clip_room(bytes: int) -> int:
    """Bytes of the disk that making the clip of a video of so many may take."""
    return min(bytes, BEGINNING_MOST) + CLIP.bytes


async def make_clips(backing: Backing) -> None:
    """Makes what is wanted, one at a time in this process, until nothing is. Safe to run in many processes."""
    await make_all(Clip, _stored, _ready, backing.clipping, backing)


async def _stored(clip: Clip, backing: Backing) -> int:
    """Fetches the beginning, converts it and puts what comes of it into the bucket; its bytes."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        await asyncio.to_thread(check_room, clip_room(clip.source.bytes))
        return await _put(clip, backing)


async def _put(clip: Clip, backing: Backing) -> int:
    with ExitStack() as files:
        source, target = [files.enter_context(await asyncio.to_thread(nameless)) for _ in range(2)]
        original = InBucket(backing.bucket, clip.source_key, clip.source.bytes)
        begun = await begin(Kept(original, source, most=ENOUGH + BEGINNING_MOST), SECONDS)
        # Where the sound ends before, ffmpeg would look for more of it in all that was not fetched.
        facts = clip.source if begun.sound else msgspec.structs.replace(clip.source, sound=None)
        plan = clip_of(facts, begun.seconds)
        if plan is None:
            raise Invalid("Nothing of this video can be shown.", code="empty")
        made = await rendered(plan, facts, source, target, lambda _: None)
        await backing.bucket.put(clip.key, target, mime=MIME, size=made.bytes)
    return made.bytes


async def _ready(clip: Clip, size: int, backing: Backing) -> None:
    """It can be looked at, and the workspace is told; unless the video was removed meanwhile, then so is it."""
    ours = False

    async def body(session: AsyncClientSession) -> None:
        nonlocal ours
        ours = await clip.conclude({"state": "ready", "next_at": None}, session)
        if ours:
            await Media.clipped(clip.workspace_id, clip.fingerprint, session)

    await backing.transaction(body)
    if ours:
        log.info("clip.made", **clip.as_logged, bytes=size)
    elif not await clip.exists():
        await backing.bucket.delete([clip.key])
