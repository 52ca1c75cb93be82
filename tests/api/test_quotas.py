"""An account's limits over the API: read by all, set by admins."""

from typing import Any

import pytest

from tests.servers.product import Person
from tests.servers.sandbox import Sandbox


async def test_limits_are_shown_set_and_taken_back(person: Person, sandbox: Sandbox) -> None:
    account = await person.connect(sandbox)
    path = f"/accounts/{account['id']}/quotas"

    usual = await person.ask("GET", path)
    changed = await person.ask("PUT", path, json={"quotas": [{"name": "3 hours", "posts": 50}]})
    read = await person.ask("GET", path)
    back = await person.ask("PUT", path, json={"quotas": []})

    assert [(each["name"], each["usual"], each["allowed"], each["used"], each["shared"]) for each in usual] == [
        ("5 minutes", 300, 300, 0, False),
        ("3 hours", 300, 300, 0, False),
    ]
    assert [(each["allowed"], each["set"] and each["set"]["posts"]) for each in changed] == [(300, None), (50, 50)]
    assert all(changed[1]["set"][field] for field in ("by", "at"))
    assert read == changed
    assert back == usual


@pytest.mark.parametrize(
    ("quotas", "pointer"),
    [
        ([{"name": "a fortnight", "posts": 5}], "/quotas/0/name"),
        ([{"name": "3 hours", "posts": 5}, {"name": "3 hours", "posts": 6}], "/quotas/1/name"),
        ([{"name": "3 hours", "posts": 0}], "/quotas/0/posts"),
        ([{"name": "3 hours", "posts": 100_001}], "/quotas/0/posts"),
    ],
)
async def test_limits_that_make_no_sense_are_refused_with_the_reason(
    person: Person, sandbox: Sandbox, quotas: list[dict[str, Any]], pointer: str
) -> None:
    account = await person.connect(sandbox)
    path = f"/accounts/{account['id']}/quotas"

    problem = await person.ask("PUT", path, expect=422, json={"quotas": quotas})

    assert [each["pointer"] for each in problem["errors"]] == [pointer]
    assert [each["set"] for each in await person.ask("GET", path)] == [None, None]
