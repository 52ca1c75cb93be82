"""Hostile and broken bodies, on every route there is: each is refused in words, and nothing happens."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from social.api.bodies import DEEPEST, Unreadable, decoded
from social.backing import Backing
from social.errors import Invalid
from tests.api.serving import Api
from tests.api.test_callers import handlers

ID = "6740a0a0a0a0a0a0a0a0a0a0"
OPERATORS: tuple[Any, ...] = ({"$ne": None}, {"$gt": ""}, {"$where": "sleep(1)"}, [{"$regex": "(a+)+$"}])
NEVER_RIGHT: tuple[Any, ...] = (*OPERATORS, "a\0b", {"__proto__": {"admin": True}})
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**40,
    1.5e308,
    "",
    "x" * 50_000,
    [],
    {},
    "\ufffe\u202e",
    "../../etc/passwd",
    "$ne",
)

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n",
    "no JSON": b"hello",
    "half": b'{"text": "a',
    "more than one": b"{} {}",
    "a list": b"[]",
    "null": b"null",
    "a number": b"12",
    "brackets": b"[" * 9_000,
    "closed brackets": b"[" * 5_000 + b"]" * 5_000,
    "braces": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "closing": b"]" * 1000,
    "no UTF-8": b'{"email": "\xff\xfe"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
    "half a surrogate": b'{"email": "\\ud83d"}',
    "a NUL byte": b'{"email": "\x00"}',
    "not a number": b'{"revision": NaN}',
    "a number out of range": b'{"revision": 1e999}',
    "a byte-order mark": b"\xef\xbb\xbf{}",
}
ODD_QUERIES = (
    "?limit=0",
    "?limit=1e9",
    "?limit[$gt]=1",
    "?cursor=%00&limit=x",
    "?cursor=W10",
    "?revision=99999999999999999999999",
    "?since=0001-01-01T00:00:00%2B23:59",
    "?until=9999-12-31T23:59:59-23:59",
    "?drafts=maybe&state=online&state=%FF",
    "?x=" + "y" * 3000,
)
OTHER_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "x" * 500,
    "",
)


class Picture(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    alt: str = ""


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    """Something to decode."""

    text: str
    count: int = 0
    at: datetime | None = None
    media: list[Picture] = []


def writing(app: Litestar) -> Iterator[tuple[str, str, Any]]:
    """Method, path and the struct it takes, of every route that takes one."""
    for name, handler in handlers(app).items():
        kind = _taken(handler)
        if kind is not None:
            method, _, path = name.partition(" ")
            yield method, "/" + _filled(path), kind


async def test_a_broken_body_is_refused_on_every_route(api: Api, backing: Backing) -> None:
    await api.set_up()
    before = await everything(backing)

    for method, path, _ in writing(api.app):
        for name, body in BROKEN.items():
            answer = await api.ask(method, path, data=body, headers={"Content-Type": "application/json"})
            assert answer.status in {400, 422, 429}, (method, path, name, answer.body)
            assert answer.problem in {"invalid", "too-many"}
        for other in OTHER_TYPES:
            answer = await api.ask(method, path, data=b'{"a": 1}', headers={"Content-Type": other})
            assert (answer.status, answer.problem) == (415, "unsupported-type"), (method, path, other)
    assert await everything(backing) == before


async def test_operators_and_unknown_fields_are_refused_on_every_route(api: Api, backing: Backing) -> None:
    await api.set_up()
    before = await everything(backing)

    for method, path, kind in writing(api.app):
        for body in _with_each(kind, NEVER_RIGHT):
            answer = await api.ask(method, path, json=body)
            assert 400 <= answer.status < 500, (method, path, body, answer.body)
            assert answer.problem in {"invalid", "too-many", "not-found", "conflict"}
        answer = await api.ask(method, path, json=_sample(kind) | {"workspace_id": ID, "role": "owner"})
        assert answer.status == 422, (method, path, answer.body)
        unknown = {"/workspace_id", "/role"} - {f"/{field.encode_name}" for field in msgspec.structs.fields(kind)}
        assert unknown <= {each["pointer"] for each in answer.json["errors"]}
    assert await everything(backing) == before


async def test_no_odd_value_is_a_fault_of_ours(api: Api) -> None:
    await api.set_up()

    for method, path, kind in writing(api.app):
        for body in _with_each(kind, ODD):
            answer = await api.ask(method, path, json=body)
            assert answer.status < 500 or answer.status == 503, (method, path, body, answer.body)


@pytest.mark.parametrize(
    "id", ["%00", "x" * 4000, "%7B%22$ne%22:null%7D", "..%2f..%2fme", "%FF", "0" * 25, "ä", "null"]
)
async def test_no_odd_id_is_a_fault_of_ours(api: Api, id: str) -> None:
    await api.set_up()

    for method, path in _asking(api.app):
        if "{" in path:
            answer = await api.ask(method, path.partition("{")[0] + id)
            assert answer.status < 500, (method, path, answer.body)


async def test_no_odd_query_is_a_fault_of_ours(api: Api) -> None:
    await api.set_up()

    for method, path in _asking(api.app):
        for query in ODD_QUERIES:
            answer = await api.ask(method, "/" + _filled(path) + query)
            assert answer.status < 500, (method, path, query, answer.body)


@pytest.mark.parametrize(
    ("body", "wrongs"),
    [
        (b"{}", {"/text": "missing"}),
        (b'{"text": 5, "count": "5"}', {"/text": "type", "/count": "type"}),
        (b'{"text": "a", "at": "soon"}', {"/at": "time"}),
        (b'{"text": "a", "media": [{"id": "1"}, {"id": 2}]}', {"/media/1/id": "type"}),
        (b'{"text": "a", "media": [{}]}', {"/media/0/id": "missing"}),
        (b'{"text": "a", "a/b~c": 1, "d": 2}', {"/a~1b~0c": "unknown", "/d": "unknown"}),
        (b'{"text": "a\\u0000"}', {"": "nul"}),
        (b'{"text": {"$ne": null}, "x": 1}', {"/text": "type", "/x": "unknown"}),
        (b"[]", {"": "type"}),
        (b'{"text": "a", "count": 1e999}', {"/count": "range"}),
    ],
)
def test_every_field_that_is_wrong_is_named(body: bytes, wrongs: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        decoded(body, Thing)

    assert {each.pointer: each.code for each in refused.value.wrong} == wrongs
    assert all(each.detail.endswith(".") and "`" not in each.detail for each in refused.value.wrong)


def test_depth_is_what_is_refused_and_not_brackets_in_a_text() -> None:
    assert decoded(b'{"text": "' + b'[{\\"' * 10_000 + b'"}', Thing).text.startswith('[{"')
    nested: Any = decoded(b"[" * DEEPEST + b"]" * DEEPEST, Any)
    assert nested
    for deep in (
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'{"text":"a","count":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
    ):
        with pytest.raises(Unreadable):
            decoded(deep, Thing)


@pytest.mark.parametrize("body", [b"[" * 900_000, b"[]" * 450_000, b'{"a":' * 150_000, b'"' * 900_000, b'["' * 400_000])
def test_the_largest_hostile_body_is_refused_without_a_crash(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(body, Thing)


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert decoded(b'{"text": "\\\\u0000"}', Thing).text == "\\u0000"


async def everything(backing: Backing) -> dict[str, list[Any]]:
    """All documents but the counted tries."""
    names = set(await backing.db.list_collection_names()) - {"tries"}
    return {name: await backing.db[name].find().sort("_id").to_list() for name in sorted(names)}


def _asking(app: Litestar) -> list[tuple[str, str]]:
    """Method and path of the API's routes that need no body; but for the sign-out, which would end the test."""
    found = (name.partition(" ")[::2] for name in handlers(app))
    return [
        (method, path.removeprefix("/api/v1"))
        for method, path in found
        if method in {"GET", "DELETE"} and path.startswith("/api/v1/") and path != "/api/v1/session"
    ]


def _taken(handler: HTTPRouteHandler) -> Any:
    data = handler.parsed_fn_signature.parameters.get("data")
    return None if data is None else data.annotation


def _filled(path: str) -> str:
    pieces = (ID if piece.startswith("{") else piece for piece in path.removeprefix("/api/v1").strip("/").split("/"))
    return "/".join(pieces)


def _with_each(kind: Any, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """A body that would do, with each of its fields in turn replaced by each of `values`."""
    for field in msgspec.structs.fields(kind):
        for value in values:
            yield _sample(kind) | {field.encode_name: value}


def _sample(kind: Any) -> dict[str, Any]:
    """A body that has the right form."""
    return {
        field.encode_name: _value(msgspec.inspect.type_info(field.type))
        for field in msgspec.structs.fields(kind)
        if field.required
    }


def _value(kind: msgspec.inspect.Type) -> Any:
    match kind:
        case msgspec.inspect.StrType(pattern=pattern):
            return "a@b.example" if pattern and "@" in pattern else ID
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.EnumType(cls=choices):
            return next(iter(choices))
        case msgspec.inspect.Metadata(type=inner):
            return _value(inner)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return []
        case msgspec.inspect.StructType(cls=inner):
            return _sample(inner)
    raise AssertionError(f"say here what a {kind} looks like")
