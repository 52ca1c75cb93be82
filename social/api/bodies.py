"""What is sent to us as JSON: taken strictly, refused in words, and never a reason to fall over.

Litestar would coerce ("5" for 5), stop at the first error, and answer 500 to 100,000 nested arrays.
"""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from social.errors import Invalid, Refused, UnsupportedType, Wrong

DEEPEST = 64  # levels of nesting
# Runs of what is no bracket, strings as a whole. An unfinished string ends with the body, so nothing is scanned twice.
NO_BRACKETS = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
ALIKE = bytes.maketrans(b"{}", b"[]")
NUL = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")
SUMMARY = "Something in what was sent needs to be changed."
NOT_JSON = "This is not JSON that can be read."
PLACE = re.compile(r" - at `(?:(?:key|value) in )?\$?(.*)`$")

WORDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), words, code)
    for pattern, words, code in (
        (r"Object missing required field `(.+)`", "This is missing.", "missing"),
        (r"Missing required (?:argument|parameter)", "This is missing.", "missing"),
        (r"Object contains unknown field `(.+)`", "This field is not known.", "unknown"),
        (r"Invalid RFC3339 encoded datetime", "This is not a date and time like 2026-11-22T09:30:00+01:00.", "time"),
        (r"Expected `datetime` with (?:a|no) timezone component", "This time needs an offset (+01:00) or Z.", "naive"),
        (r"Invalid enum value (.+)", "{0} is not one of the choices.", "choice"),
        (r"Expected `str` of length >= 1$", "Please fill this in.", "missing"),
        (r"Expected `str` of length >= (\d+)", "This needs at least {0} characters.", "short"),
        (r"Expected `str` of length <= (\d+)", "This may have at most {0} characters.", "long"),
        (r"Expected `(?:array|object)` of length >= (\d+)", "This needs at least {0} entries.", "few"),
        (r"Expected `(?:array|object)` of length <= (\d+)", "This may have at most {0} entries.", "many"),
        (r"Expected `(?:int|float)` >=? (\S+)", "This must be at least {0}.", "small"),
        (r"Expected `(?:int|float)` <=? (\S+)", "This must be at most {0}.", "large"),
        (r"Expected `str` matching regex .+", "This does not look right.", "form"),
        (r"Expected `(.+)`, got `(.+)`", "This should be {0}, not {1}.", "type"),
        (r".*out of range", "This number is too large.", "range"),
    )
)
KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
    "datetime": "a date and time",
}


class Unreadable(Refused):
    """No value could be made of what was sent, so nothing in it can be named."""

    status, kind, title = 400, "invalid", "Not readable"


class JsonRequest(Request[Any, Any, State]):
    """The request that all handlers get. A handler's `data` is decoded here, as the type it is declared with."""

    async def json(self) -> Any:
        """The body as a value of the handler's type. UnsupportedType, or as `decoded`."""
        if not _is_json(self.content_type[0]):
            raise UnsupportedType("Send JSON, with the header Content-Type: application/json.")
        return decoded(await self.body(), self.route_handler.parsed_fn_signature.parameters["data"].annotation)


def decoded(body: bytes, kind: Any) -> Any:
    """`body` as a value of type `kind`. Unreadable, or Invalid naming every field that is wrong, not only the first."""
    if _too_deep(body):
        raise Unreadable(f"This JSON is nested more than {DEEPEST} levels deep, or its brackets do not match.")
    try:
        value = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as first:
        raise Invalid(SUMMARY, _wrongs(body, kind, first)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable(NOT_JSON) from None
    if NUL.search(body):
        raise Invalid(SUMMARY, [Wrong("", "A text holds the character U+0000, which cannot be kept.", "nul")])
    return value


def wrong(message: str, pointer: str = "") -> Wrong:
    """What msgspec says, for people; `pointer` is where it was looking."""
    place = PLACE.search(message)
    said = message[: place.start()] if place else message
    where = pointer + (_pointer(place[1]) if place else "")
    for pattern, words, code in WORDS:
        if found := pattern.match(said):
            if code in {"missing", "unknown"} and found.groups():
                where = f"{where}/{_escaped(found[1])}"
            return Wrong(where, words.format(*(_kind(group) for group in found.groups())), code)
    return Wrong(where, "This is not right.", "form")


def _wrongs(body: bytes, kind: Any, first: msgspec.ValidationError) -> list[Wrong]:
    """Each field of a struct is looked at by itself, so one answer tells all. Of anything else, the first error."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.ValidationError:  # a number that no type could hold
        return [wrong(str(first))]
    except (msgspec.DecodeError, UnicodeDecodeError):  # the type was wrong before the text was
        raise Unreadable(NOT_JSON) from None
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(raw, dict)):
        return [wrong(str(first))]
    found = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name in raw:
            try:
                msgspec.convert(raw[name], field.type, str_keys=True)
            except msgspec.ValidationError as error:
                found.append(wrong(str(error), f"/{_escaped(name)}"))
        elif field.required:
            found.append(wrong(f"Object missing required field `{name}`"))
    if kind.__struct_config__.forbid_unknown_fields:
        found += [wrong(f"Object contains unknown field `{name}`") for name in raw if name not in fields]
    return found or [wrong(str(first))]


def _too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    brackets = NO_BRACKETS.sub(b"", body).translate(ALIKE)
    for _ in range(DEEPEST):  # each round takes the innermost pairs away
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            break
        brackets = inner
    return bool(brackets)


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or (
        content_type.startswith("application/") and content_type.endswith("+json")
    )


def _pointer(path: str) -> str:
    """.media[0].alt -> /media/0/alt; [...], an entry of a mapping, has no name to give."""
    return "".join(f"/{_escaped(step)}" for step in re.findall(r"[^.\[\]]+", path) if step)


def _escaped(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1")


def _kind(said: str) -> str:
    """`int | null` -> a whole number or nothing."""
    return " or ".join(KINDS.get(piece, piece[:100]) for piece in said.split(" | "))
