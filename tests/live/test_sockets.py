"""Only who may hear a workspace hears it, from pages of ours alone, and nobody can say too much."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus

from social.backing import Backing
from social.live.sockets import BURST, PER_SECOND, Pace, ours
from social.moments import now
from social.people.documents import Membership, Session
from social.people.roles import Caller
from social.people.tickets import Admission, Ticket, admitted
from tests.live.conftest import Instance, Member, happen, instance, unused


async def refused(connecting: Any) -> None:
    with pytest.raises(InvalidStatus) as answer:
        await connecting
    assert answer.value.response.status_code == 403


async def test_a_ticket_is_good_once(live: Instance, member: Member) -> None:
    ticket = await live.ticket(await member())

    tries = await asyncio.gather(*(live.connected(ticket) for _ in range(5)), return_exceptions=True)

    assert sum(not isinstance(each, BaseException) for each in tries) == 1
    assert sum(isinstance(each, InvalidStatus) for each in tries) == 4
    await refused(live.connected(ticket))


async def test_a_ticket_runs_out_and_made_up_ones_are_none(live: Instance, member: Member) -> None:
    ticket = await live.ticket(await member())
    await Ticket.get_pymongo_collection().update_many({}, {"$set": {"expires_at": now() - timedelta(seconds=1)}})

    for bad in (ticket, "", "made-up", "x" * 5_000, "%00", "{$ne:1}"):
        await refused(live.connected(bad))


async def test_a_ticket_is_stored_as_a_hash_and_lasts_thirty_seconds(live: Instance, member: Member) -> None:
    ticket = await live.ticket(await member())

    [stored] = await Ticket.find_all().to_list()
    assert ticket not in stored.model_dump_json()
    assert timedelta(seconds=29) < stored.expires_at - now() <= timedelta(seconds=30)


async def test_a_ticket_ends_with_the_session_and_with_the_membership(live: Instance, member: Member) -> None:
    signed_out, removed = await member(), await member()
    tickets = [await live.ticket(caller) for caller in (signed_out, removed)]
    await Session.end(signed_out.session_id)
    await Membership.get_pymongo_collection().delete_one({"user_id": removed.user_id})

    for ticket in tickets:
        await refused(live.connected(ticket))


async def test_pages_of_others_are_refused(live: Instance, member: Member) -> None:
    caller = await member()
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"):
        await refused(live.connected(await live.ticket(caller), origin=origin))
    await refused(live.connected(await live.ticket(caller), additional_headers={"Sec-Fetch-Mode": "websocket"}))


async def test_pages_of_ours_and_programs_are_let_in(live: Instance, member: Member) -> None:
    caller = await member()
    for origin in (live.backing.settings.public_url, f"http://127.0.0.1:{live.port}", None):
        await live.ear(caller, origin=origin)


PUBLIC = "https://social.example.org"
ON_LOOPBACK = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("public_url", "origin", "host", "is_ours"),
    [
        (PUBLIC, "https://social.example.org", "social.example.org", True),
        (PUBLIC, "https://social.example.org:443", "social.example.org", False),
        (PUBLIC, "http://social.example.org", "social.example.org", False),
        (PUBLIC, "https://social.example.org:8443", "social.example.org", False),
        (PUBLIC, "https://social.example.org.evil.example", "social.example.org", False),
        (PUBLIC, "https://evil.example", "evil.example", False),
        (PUBLIC, "http://localhost:8080", "localhost:8080", False),
        (PUBLIC, "null", "social.example.org", False),
        (PUBLIC, "", "social.example.org", False),
        ("https://social.example.org:443", "https://social.example.org", "social.example.org", True),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080", True),
        (ON_LOOPBACK, "http://localhost:8080", "localhost:8080", True),
        (ON_LOOPBACK, "http://[::1]:8080", "[::1]:8080", True),
        (ON_LOOPBACK, "http://localhost:8081", "localhost:8080", False),
        (ON_LOOPBACK, "http://rebound.example:8080", "rebound.example:8080", False),
        (ON_LOOPBACK, "http://[", "[", False),
    ],
)
def test_an_origin_is_compared_exactly(public_url: str, origin: str, host: str, is_ours: bool) -> None:
    assert ours({"origin": origin, "host": host}, unused(public_url=public_url)) is is_ours


@pytest.mark.parametrize("ending", ["session", "membership"])
async def test_a_socket_ends_soon_after_its_session_or_its_membership(
    backing: Backing, member: Member, ending: str
) -> None:
    workspace_id = PydanticObjectId()
    going, staying = await member(workspace_id), await member(workspace_id)
    async with instance(backing, check=0.2) as live:
        ears = [await live.ear(going), await live.ear(staying)]
        if ending == "session":
            await Session.end(going.session_id)
        else:
            await Membership.get_pymongo_collection().delete_one({"user_id": going.user_id})

        assert await ears[0].closed(within=5) == 4401
        await happen(live.backing, workspace_id, 1)
        await ears[1].until(1)


async def test_somebody_else_s_session_or_workspace_admits_nobody(backing: Backing, member: Member) -> None:
    one, other = await member(), await member()

    def mixed(session: Caller, user: Caller, workspace: Caller) -> Admission:
        return Admission(session.session_id, user.user_id, workspace.workspace_id)

    good = mixed(one, one, one)
    assert await admitted([good, mixed(other, one, one), mixed(one, one, other), mixed(one, other, one)]) == {good}


async def test_a_user_has_twenty_sockets_and_gets_a_seat_back_with_each_that_closes(
    live: Instance, member: Member
) -> None:
    caller = await member()
    ears = [await live.ear(await member(None, caller.user_id)) for _ in range(20)]
    await refused(live.connected(await live.ticket(caller)))

    await ears[0].connection.close()

    async with asyncio.timeout(5):
        while len(live.hub) == 20:
            await asyncio.sleep(0.01)
    await live.ear(caller)


async def test_a_ping_is_answered_and_whatever_else_is_said_is_not(live: Instance, member: Member) -> None:
    ear = await live.ear(await member())

    for said in ("", "ping", "{", "[]", '{"type":1}', '{"type":"subscribe"}', "[" * 5_000, b"\x00\x01"):
        await ear.connection.send(said)
    await ear.connection.send('{"type":"ping","more":1}')

    assert await ear.next() == {"type": "pong"}


async def test_whoever_says_too_much_is_closed(live: Instance, member: Member) -> None:
    ear = await live.ear(await member())
    for _ in range(50):
        await ear.connection.send('{"type":"ping"}')
    assert await ear.closed() == 1008
    assert ear.heard.count({"type": "pong"}) <= BURST + 5

    ear = await live.ear(await member())
    await ear.connection.send("x" * (64 * 1024 + 1))
    assert await ear.closed() == 1009


@given(st.lists(st.floats(0, 3), max_size=200))
def test_a_pace_lets_through_no_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    pace, clock, kept = Pace(0.0), 0.0, 0
    for pause in pauses:
        clock += pause
        kept += pace.kept(clock)

    assert kept <= BURST + clock * PER_SECOND + 1e-6


async def test_who_leaves_is_forgotten(live: Instance, member: Member) -> None:
    ears = [await live.ear(await member()) for _ in range(5)]
    assert len(live.hub) == 5
    ears[0].connection.transport.abort()
    for ear in ears[1:]:
        await ear.connection.close()

    async with asyncio.timeout(10):
        while len(live.hub):
            await asyncio.sleep(0.01)
