"""What nobody needs any more is taken out of the bucket, now and then, by any instance, and twice does no harm.

Only what carries a key of ours and is old enough to have come to something is looked at, and nothing that a document
refers to is touched. In a bucket that is another installation's nothing is: its documents are none of ours.
"""

from datetime import timedelta

import structlog

from social.backing import Backing
from social.media.clips import Clip
from social.media.documents import Media
from social.media.installation import bucket_is_ours
from social.media.keys import ALL, FORM
from social.media.renditions import Rendition
from social.media.sending import give_up
from social.media.uploads import KEPT, Upload
from social.moments import now
from social.people.documents import Tries

log = structlog.get_logger()

FILES = ALL
AT_ONCE = 100
DAY = timedelta(days=1)
GRACE = KEPT + timedelta(days=1)  # the longest that anything may be in the making


async def sweep(backing: Backing) -> None:
    """Throws away uploads that were abandoned, and parts in the bucket that belong to no upload; once a day also files
    that belong to nothing."""
    await _abandoned(backing)
    if not await bucket_is_ours(backing):
        return
    await _parts_of_nothing(backing)
    if await Tries.take("sweep of files", every=DAY, burst=1) is None:
        await files_of_nothing(backing)


async def _abandoned(backing: Backing) -> None:
    for upload in await Upload.expired(now(), most=AT_ONCE):
        await give_up(upload, backing)


async def _parts_of_nothing(backing: Backing) -> None:
    """Begun by one who died before it could say so, or given up while the bucket was away."""
    before = now() - GRACE
    old = [each async for each in backing.bucket.parts.unfinished(FILES) if each.begun_at < before]
    for start in range(0, len(old), AT_ONCE):
        some = old[start : start + AT_ONCE]
        known = await Upload.known([each.key for each in some])
        for each in some:
            if each.key not in known:
                await backing.bucket.parts.give_up(each.key, each.id)
                log.info("upload.parts_swept", key=each.key)


async def files_of_nothing(backing: Backing) -> None:
    """Takes away what was put into the bucket by one who died before the document was there, or after it was gone."""
    before, some = now() - GRACE, []
    async for each in backing.bucket.listed(FILES):
        if each.stored_at < before and FORM.fullmatch(each.key):
            some.append(each.key)
        if len(some) == AT_ONCE:
            await _unless_known(some, backing)
            some = []
    await _unless_known(some, backing)


async def _unless_known(keys: list[str], backing: Backing) -> None:
    if not keys:
        return
    known = set().union(*[await each.known(keys) for each in (Media, Upload, Rendition, Clip)])
    nobodys = [key for key in keys if key not in known]
    if nobodys:
        await backing.bucket.delete(nobodys)
        log.info("sweep.files", files=len(nobodys))
