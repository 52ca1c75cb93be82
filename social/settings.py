"""The environment, read once into one frozen struct. Nothing else in the product looks at `os.environ`."""

import base64
import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

Task = Literal["api", "worker", "live", "clock"]
TASKS: tuple[Task, ...] = ("api", "worker", "live", "clock")
NOT_OURS = frozenset(  # read by the command line, the build, the tests, and pm2/ecosystem.config.cjs
    {
        *("SOCIAL_DATA", "SOCIAL_SKIP_WEB", "SOCIAL_SKIPS_FAIL"),
        *("SOCIAL_INSTANCES", "SOCIAL_BIN", "SOCIAL_LOGS"),
        *("SOCIAL_WATCH_URL", "SOCIAL_WATCH_EMAIL", "SOCIAL_WATCH_PASSWORD", "SOCIAL_WATCH_TOKEN"),
    }
)

REQUIRED = ("mongo_url", "redis_url", "s3_endpoint", "s3_access_key", "s3_secret_key", "master_key")

NO_NAMES = frozenset({"times", "crash_at", "apps", "quota_scale"})  # fields that have no variable of their own

Seconds = Annotated[float, Meta(gt=0)]
OF_AN_APP = re.compile(r"(?P<platform>[a-z0-9_]+)_(?P<field>client_id|client_secret)")


class BadSettings(Exception):
    """The environment does not describe a service that can run. The message is for the person who started it."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The protocol's times, all in seconds. Tests shorten them with SOCIAL_TEST_*; nobody else should."""

    http_timeout: Seconds = 30.0  # one call to a platform, uploads excluded
    lease: Seconds = 60.0  # how long a claim holds without renewal
    margin: Seconds = 5.0  # between the end of the slowest send and the end of the lease
    first_look: Seconds = 5.0  # from a lost answer to the first question whether it went out
    settle: Seconds = 600.0  # the longest plausible pause of an owner plus a platform's lag
    settle_dead: Seconds = 90.0  # the same when the owner is proven dead
    made_ready: Seconds = 1_800.0  # how long a platform may work on what was uploaded before it is uploaded again
    backoff: Seconds = 15.0  # before the first retry; each further one waits four times as long
    look_ahead: Seconds = 2.0  # how long before its instant a publication is claimed
    tick: Seconds = 1.0  # how often the clock looks
    overdue: Seconds = 60.0  # whose turn was longer ago than that was kept back by a stop, not by a long line
    spacing: Seconds = 30.0  # between the overdue publications of one account

    def timedelta(self, name: str) -> timedelta:
        """The time called `name` as a timedelta. AttributeError if there is none."""
        return timedelta(seconds=getattr(self, name))


class OwnApp(msgspec.Struct, frozen=True, kw_only=True):
    """The app that the installation's owner has at a platform. A public client has no secret."""

    client_id: str
    client_secret: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an instance was told. `read` makes it; every field is SOCIAL_ plus its name in capitals."""

    mongo_url: str
    redis_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    master_key: str  # base64 of 32 bytes: everything sealed or signed is derived from it
    mongo_database: str = "social"
    s3_bucket: str = "social"
    s3_region: str = "us-east-1"
    s3_public_url: str | None = None  # the S3 server as browsers reach it; without it all files pass through us
    workspace_gb: Annotated[float, Meta(gt=0)] | None = None  # room that a workspace has for its files (10^9 bytes)
    public_url: str = "http://127.0.0.1:8080"  # no slash at the end
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    listen: str | None = None  # unix socket that hands over the listening socket; without it host and port are bound
    tasks: frozenset[Task] = frozenset(TASKS)
    sandbox_url: str | None = None  # origin of the sandbox; None switches it off
    setup_token: str | None = None  # of the one-time set-up link
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    grace: Seconds = 30.0  # from SIGTERM to the end
    concurrency: Annotated[int, Meta(ge=1, le=10_000)] = 200  # lanes an instance works on side by side
    apps: dict[str, OwnApp] = {}  # by platform: SOCIAL_<PLATFORM>_CLIENT_ID and SOCIAL_<PLATFORM>_CLIENT_SECRET
    times: Times = Times()
    quota_scale: Annotated[float, Meta(ge=0)] = 1.0  # tests only: what every quota is multiplied by; 0 is no quotas
    crash_at: str | None = None  # tests only: the named point at which the process kills itself

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """SOCIAL_MONGO_URL becomes mongo_url. BadSettings names the first wrong, missing or unknown one."""
        given: dict[str, object] = {}
        times: dict[str, str] = {}
        apps: dict[str, dict[str, str]] = {}
        for name, value in env.items():
            if not name.startswith("SOCIAL_") or name in NOT_OURS:
                continue
            field = name.removeprefix("SOCIAL_").lower()
            if field.removeprefix("test_") in Times.__struct_fields__ and field.startswith("test_"):
                times[field.removeprefix("test_")] = value
            elif field == "test_crash_at":
                given["crash_at"] = value
            elif field == "test_quota_scale":
                given["quota_scale"] = value
            elif field in cls.__struct_fields__ and field not in NO_NAMES:
                given[field] = _pieces(value) if field == "tasks" else value
            elif found := OF_AN_APP.fullmatch(field):
                apps.setdefault(found["platform"], {})[found["field"]] = value.strip()
            else:
                raise BadSettings(_unknown(name))
        for field in REQUIRED:
            if not given.get(field):
                raise BadSettings(
                    f"SOCIAL_{field.upper()} is missing. `social up` sets it by itself; see the README's settings."
                )
        given["apps"] = {platform: _app(platform, app) for platform, app in apps.items() if any(app.values())}
        try:
            settings = msgspec.convert(
                {**given, "times": msgspec.convert(times, Times, strict=False)}, cls, strict=False
            )
        except msgspec.ValidationError as wrong:
            raise BadSettings(f"A SOCIAL_ setting is wrong: {wrong}.") from None
        _check(settings)
        return settings

    def expect_apps(self, platforms: Iterable[str]) -> None:
        """BadSettings if an app is given for anything but one of `platforms`, those that need one."""
        names = [f"SOCIAL_{platform.upper()}_CLIENT_ID" for platform in platforms]
        for platform in self.apps:
            name = f"SOCIAL_{platform.upper()}_CLIENT_ID"
            if name not in names:
                raise BadSettings(_unknown(name, names))

    def key(self) -> bytes:
        """The master key's 32 bytes."""
        return base64.b64decode(self.master_key)


def _pieces(value: str) -> list[str]:
    return [piece.strip() for piece in value.split(",") if piece.strip()]


def _app(platform: str, given: Mapping[str, str]) -> OwnApp:
    if not given.get("client_id"):
        raise BadSettings(
            f"SOCIAL_{platform.upper()}_CLIENT_SECRET needs SOCIAL_{platform.upper()}_CLIENT_ID beside it."
        )
    return OwnApp(**given)


def _unknown(name: str, more: Iterable[str] = ()) -> str:
    known = [f"SOCIAL_{field.upper()}" for field in Settings.__struct_fields__ if field not in NO_NAMES]
    near = difflib.get_close_matches(name, [*known, *more], n=1)
    return f"{name} is not a setting of Social." + (f" Did you mean {near[0]}?" if near else " The README lists them.")


def _check(settings: Settings) -> None:
    times = settings.times
    if times.lease <= times.http_timeout + times.margin:
        raise BadSettings("The lease must be longer than the HTTP timeout plus the margin, or two owners could send.")
    if settings.public_url.endswith("/") or "://" not in settings.public_url:
        raise BadSettings("SOCIAL_PUBLIC_URL must be like https://social.example.org, without a slash at the end.")
    public = settings.s3_public_url
    if public is not None and (public.endswith("/") or "://" not in public):
        raise BadSettings("SOCIAL_S3_PUBLIC_URL must be like https://files.example.org, without a slash at the end.")
    try:
        length = len(settings.key())
    except ValueError:
        length = 0
    if length != 32:
        raise BadSettings("SOCIAL_MASTER_KEY must be 32 random bytes in base64: `openssl rand -base64 32` makes one.")
