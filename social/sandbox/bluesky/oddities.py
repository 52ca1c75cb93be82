"""How the simulated Bluesky differs from a plain day: versions, hosts, and every fact the sheet calls unconfirmed."""

from typing import Annotated, Literal

import msgspec

from social.sandbox.faults import Seconds

Version = Literal["0.4.217", "0.5.35"]

QuotaName = Literal["requests", "writes_hour", "writes_day", "logins", "logins_day", "uploads"]

FailureCode = Literal[
    "validation_failure",
    "encoding_failure",
    "pds_upload_failure",
    "pds_upload_unsupported_blob_size",
    "generic_failure",
]

Lifetime = Annotated[float, msgspec.Meta(ge=0, le=100_000_000)]  # seconds
Count = Annotated[int, msgspec.Meta(ge=1)]


class BlueskyOddities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None means: as the version does. Lifetimes count from when something is handed out, not from the switch."""

    version: Version = "0.5.35"

    # sessions
    access_lives: Lifetime = 7_200.0  # an access JWT; on Bluesky's own hosts unconfirmed
    refresh_lives: Lifetime = 7_776_000.0
    refresh_grace: Lifetime = 7_200.0  # so long a spent refresh JWT answers with its successor
    did_document: bool = True  # sessions carry `didDoc`: hosts differ
    second_factor: Literal["off", "password", "all"] = "off"  # do app passwords skip it: unconfirmed
    account_state: Literal["active", "deactivated", "takendown"] = "active"  # of everybody here

    # OAuth
    oauth: bool = True  # a host without it answers its discovery documents with 404
    oauth_access_lives: Lifetime = 3_600.0
    oauth_refresh_lives: Lifetime = 1_209_600.0  # of a public client, and so is the whole session's
    oauth_session_lives: Lifetime = 1_209_600.0
    nonce_turns: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0  # seconds; two turned ones are still good
    foreign_clients: Literal["taken", "refused"] = "taken"  # metadata beyond loopback: nobody fetches them

    # publishing
    working: Seconds = 0.0  # how long the server is at it before it looks and writes
    repeat_answers: Literal["500", "400"] = "500"  # createRecord on a key in use; 400 after the fix that is proposed
    image_bytes: Count | None = None  # 2,000,000; 1,000,000 before
    upload_limit: Count = 52_428_800  # bytes; on Bluesky's hosts 50 MiB, by default of the server 5 MiB (5,242,880)
    blobs_kept: Seconds = 86_400.0  # a blob in no record is swept after it: minutes by the schema; really: unconfirmed

    # the video service
    video_working: Seconds = 0.5  # how long it is at a video
    video_seconds: Seconds = 180.0  # of the longest it takes; 600 since September 2026 by an announcement: unconfirmed
    video_fails: FailureCode | None = None  # what becomes of every video that is handed in from now on
    video_answers: Literal["bare", "wrapped"] = "bare"  # to an upload: the documentation's way, or the schema's
    known_video: Literal["blob", "job"] = "blob"  # what is answered to the same file: its blob, or 409 and its job
    videos_a_day: Count = 25  # of one account, and their bytes: old figures, unconfirmed
    video_bytes_a_day: Count = 10_000_000_000
    email_confirmed: bool = True  # of everybody here

    # reading
    app_view: bool = True  # False: a host without one, "No service configured"
    app_view_lag: Seconds = 0.5  # behind the repository
    edits_shown: bool = True  # does the AppView follow an edit: seen on loopback, unconfirmed in production

    # quotas
    rate_limits: bool = True  # False: not enabled on this host, and no header either
    rate_scale: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0  # times every quota; 0 switches them off
    quotas: dict[QuotaName, Count] = {}  # other limits for single ones

    @property
    def is_new(self) -> bool:
        """Galleries and larger pictures and videos came between the two versions."""
        return self.version != "0.4.217"

    @property
    def image_limit(self) -> int:
        return self.image_bytes or (2_000_000 if self.is_new else 1_000_000)

    @property
    def video_limit(self) -> int:
        return 300_000_000 if self.is_new else 100_000_000
