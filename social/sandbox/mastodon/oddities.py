"""How the simulated Mastodon differs from the newest one: versions, and every fact the sheet calls unconfirmed."""

from typing import Annotated, Literal

import msgspec

from social.sandbox.faults import Seconds

Version = Literal["4.2", "4.5", "4.6.1", "4.6.4"]

QuotaName = Literal["token", "user", "address", "paging", "uploads", "deletions", "statuses"]

NUMBERS: dict[Version, tuple[int, int, int]] = {
    "4.2": (4, 2, 27),
    "4.5": (4, 5, 4),
    "4.6.1": (4, 6, 1),
    "4.6.4": (4, 6, 4),
}
API_VERSIONS: dict[Version, int] = {"4.5": 7, "4.6.1": 11, "4.6.4": 11}  # 4.6.1's is a guess; before 4.3 there is none


class Oddities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None means: as the version does. Every field says what the sheet knows where it is not sure."""

    version: Version = "4.6.4"
    localised: Literal["de", "ja"] | None = None  # errors in this language unless the call says `lang`

    # publishing
    key_ignored: bool = False  # as some servers with this API do
    repeat_fails: bool | None = (
        None  # a repeated key answers 500 although posted: 4.6.1; which release mends it: unconfirmed
    )
    key_locked: bool | None = (
        None  # parallel sends of one key: 503 for the second since February 2026 (4.6), both post before
    )
    working: Seconds = 0.0  # how long the server is at it between looking the key up and writing the post
    unknown_media_dropped: bool | None = None  # before 4.3 an unknown or used id was left out without a word
    scheduled_repeat: Literal["missing", "same"] = "missing"  # a key with scheduled_at, repeated (4.3+): unconfirmed
    silenced: bool = False  # public becomes unlisted, without an error
    spam_filtered: bool = False  # 200 with a post that is stored nowhere
    spoiler_urls_in_full: bool = True  # does a URL in the warning count 23 or in full: the sheet leaves it open
    edit_drops_media: bool = True  # an edit that does not name the media loses them: unconfirmed
    characters: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500  # forks go to 15,000

    # media
    processing: Seconds = 1.0  # video, audio, animated GIF
    image_processing: Seconds = 0.0  # above 0 images answer 202 too
    processing_polls: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0  # and stay busy for this many looks
    processing_fails: bool = False
    media_kept: Seconds = 86_400.0  # unattached media are swept after about a day; 0: swept at once
    alt_too_long: Literal["refused", "cut"] = "refused"  # the sheet names the limit, not what happens beyond it

    # reading
    read_lag: Seconds = 0.0  # a new post is missing from every GET for so long (read replicas: unconfirmed)
    rate_scale: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0  # times every quota; 0 switches them off

    quotas: dict[QuotaName, Annotated[int, msgspec.Meta(ge=1)]] = {}  # other limits for single buckets

    @property
    def number(self) -> tuple[int, int, int]:
        return NUMBERS[self.version]

    @property
    def release(self) -> str:
        return ".".join(map(str, self.number))

    @property
    def api_version(self) -> int | None:
        return API_VERSIONS.get(self.version)

    def since(self, *number: int) -> bool:
        """Is this release at least 4.3 (`since(4, 3)`)?"""
        return self.number >= number

    @property
    def repeats_fail(self) -> bool:
        return self.version == "4.6.1" if self.repeat_fails is None else self.repeat_fails

    @property
    def locks_keys(self) -> bool:
        return self.since(4, 6) if self.key_locked is None else self.key_locked

    @property
    def drops_unknown_media(self) -> bool:
        return not self.since(4, 3) if self.unknown_media_dropped is None else self.unknown_media_dropped

    @property
    def alt_limit(self) -> int:
        """10,000 was recorded on 4.6.4, 1,500 is documented."""
        return 10_000 if self.since(4, 6) else 1_500
