"""The trouble page: the same switches as the control API, for people."""

from typing import Any, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from social.sandbox.desk import Desk
from social.sandbox.faults import GROUPS, Fault
from social.sandbox.mastodon.oddities import NUMBERS, Oddities
from social.sandbox.pages import page
from social.sandbox.trouble import ODD, as_given

GROUP_WORDS = {
    "publish": "posting",
    "edit": "changing or deleting a post",
    "upload": "uploading a file",
    "poll": "asking whether a file is ready",
    "media": "everything about files",
    "read": "reading",
    "oauth": "connecting an account",
    "all": "every call",
}
FLAGS = {
    "silenced": "The account is silenced: public becomes unlisted",
    "key_ignored": "Repeated keys are ignored: a repeat posts again",
    "spam_filtered": "Posts are answered, but stored nowhere",
    "processing_fails": "Processing of files fails",
}
LANGUAGES = (("", "English"), ("de", "German"), ("ja", "Japanese"))


class Kind(NamedTuple):
    words: str
    fault: dict[str, object]
    seconds: str | None = None  # the field that takes the seconds


KINDS = {
    "hang_up_after": Kind("answer is lost: done, then hung up", {"hang_up": "after"}),
    "hang_up_before": Kind("hung up before anything is done", {"hang_up": "before"}),
    "500_after": Kind("500, although it is done", {"status_after": 500}),
    "500": Kind("500, nothing done", {"status": 500}),
    "502": Kind("502 from the proxy, nothing done", {"status": 502}),
    "503": Kind("503, nothing done", {"status": 503}),
    "429": Kind("429, the quota is spent", {"status": 429}, "reset_in"),
    "delay_before": Kind("slow, before it is done", {}, "delay_before"),
    "delay_after": Kind("slow to answer, after it is done", {}, "delay_after"),
    "truncated": Kind("half an answer, after it is done", {"truncated": True}),
    "garbage": Kind("200 with a web page for an answer", {"garbage": True}),
    "dead_token": Kind("401, the token is dead", {"dead_token": True}),
    "missing_scope": Kind("403, the token lacks a scope", {"missing_scope": True}),
}


DELAYS = {"delay_before": "waits {:g} s first", "delay_after": "answers {:g} s late"}


class Preset(NamedTuple):
    title: str
    words: str
    group: str
    fault: Fault


_LOST, _UNHEARD = Fault(hang_up="after", count=1), Fault(hang_up="before", count=1)
PRESETS = (
    Preset("Lose an answer", "The next post goes online, and nobody is told.", "publish", _LOST),
    Preset("Refuse to talk", "The next post is hung up on before it is made.", "publish", _UNHEARD),
    Preset("Quota spent", "The next post meets a 429 with a reset in a minute.", "publish", Fault(status=429, count=1)),
    Preset("Stumble three times", "500 for the next three posts.", "publish", Fault(status=500, count=3)),
    Preset("Slow uploads", "Every file takes five seconds longer.", "upload", Fault(delay_before=5)),
    Preset("Outage", "503 for everything until you switch it off.", "all", Fault(status=503)),
    Preset("Dead token", "401 for everything until you switch it off.", "all", Fault(dead_token=True)),
)


@get(["/sandbox", "/sandbox/"])
async def trouble_page(desk: NamedDependency[Desk]) -> Response[bytes]:
    return _page(desk)


@post("/sandbox/trouble/preset")
async def switch_preset(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    chosen = str((await request.form()).get("preset", ""))
    if not chosen.isdigit() or int(chosen) >= len(PRESETS):
        return _page(desk, "There is no such preset.")
    desk.switchboard.add(PRESETS[int(chosen)].group, PRESETS[int(chosen)].fault)
    return _back()


@post("/sandbox/trouble/add")
async def switch_own(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    form = await request.form()
    group, kind = str(form.get("group", "")), KINDS.get(str(form.get("kind", "")))
    if group not in GROUPS or kind is None:
        return _page(desk, "Choose from what the lists offer.")
    wanted = dict(kind.fault)
    if kind.seconds:
        wanted[kind.seconds] = str(form.get("seconds") or "0")
    if form.get("count"):
        wanted["count"] = str(form["count"])
    try:
        desk.switchboard.add(group, msgspec.convert(wanted, Fault, strict=False))
    except msgspec.ValidationError as error:
        return _page(desk, f"That cannot be switched on: {error}")
    return _back()


@post("/sandbox/trouble/mastodon")
async def change_mastodon(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[bytes]:
    """What the form does not show stays as it is."""
    form = await request.form()
    present = msgspec.structs.asdict(desk.switchboard.trouble.mastodon)
    wanted = {name: str(form[name]) for name in ("version", "image_processing", "read_lag") if form.get(name)}
    flags = {name: name in form for name in FLAGS}
    try:
        oddities = msgspec.convert(
            {**present, **wanted, **flags, "localised": str(form.get("localised", "")) or None}, Oddities, strict=False
        )
    except msgspec.ValidationError as error:
        return _page(desk, f"That cannot be saved: {error}")
    desk.switchboard.put(msgspec.structs.replace(desk.switchboard.trouble, mastodon=oddities))
    return _back()


@post("/sandbox/trouble/clear")
async def switch_all_off(desk: NamedDependency[Desk]) -> Response[bytes]:
    desk.switchboard.clear()
    return _back()


def in_words(desk: Desk) -> list[str]:
    """Everything that is switched on, a line each."""
    lines = [f"{GROUP_WORDS[group].capitalize()}: {_fault_words(fault)}" for group, fault in desk.switchboard.listed()]
    for platform in ODD:
        changed = as_given(getattr(desk.switchboard.trouble, platform))
        lines += [f"{platform.title()}: {FLAGS.get(name) or _plain(name, value)}" for name, value in changed.items()]
    return lines


def _plain(name: str, value: object) -> str:
    return f"{name.replace('_', ' ')} {value}"


def _fault_words(fault: Fault) -> str:
    given = msgspec.to_builtins(fault)
    count = given.pop("count", None)
    words = next((kind.words for kind in KINDS.values() if kind.fault and kind.fault.items() <= given.items()), "")
    delays = [wording.format(given[name]) for name, wording in DELAYS.items() if name in given]
    often = "until switched off" if count is None else ("once" if count == 1 else f"{count} times")
    return ", ".join([part for part in (words, *delays) if part] + [often])


def _page(desk: Desk, problem: str | None = None) -> Response[bytes]:
    return page(
        "trouble.html",
        status=422 if problem else 200,
        here="trouble",
        listed=in_words(desk),
        presets=PRESETS,
        groups=GROUP_WORDS.items(),
        kinds=[(name, kind.words) for name, kind in KINDS.items()],
        versions=list(NUMBERS),
        languages=LANGUAGES,
        flags=FLAGS.items(),
        oddities=desk.switchboard.trouble.mastodon,
        problem=problem,
    )


def _back() -> Response[bytes]:
    return Response(b"", status_code=303, headers={"Location": "/sandbox/"})


ROUTES = (trouble_page, switch_preset, switch_own, change_mastodon, switch_all_off)
