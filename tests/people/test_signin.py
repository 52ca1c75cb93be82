"""Set-up, sign-in, refresh, sign-out, and what an attacker may try."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from bson import encode

from social.backing import Backing
from social.errors import Conflict, Forbidden, Invalid, SignInNeeded, TooMany, Unavailable
from social.moments import now
from social.people import tries
from social.people.documents import Membership, Session, Tries, User, Workspace
from social.people.roles import Role
from social.people.signin import GRACE, Founder, SignedIn, SignIn, Visitor

PASSWORD = "four words in a row"
TOKEN = "set-up-token-of-the-tests"
HERE = Visitor("198.51.100.7", "test/1")


def founder(**changes: str) -> Founder:
    """Somebody who sets up."""
    whole = {
        "name": "Ada",
        "email": "Ada@Example.org",
        "password": PASSWORD,
        "workspace": "Works",
        "zone": "Europe/Berlin",
    }
    return Founder(**(whole | changes))


@pytest.fixture
def signin(backing: Backing) -> Iterator[SignIn]:
    with SignIn.opened(backing) as opened:
        yield opened


@pytest.fixture
async def owner(signin: SignIn) -> SignedIn:
    """Signed in by the set-up."""
    return await signin.set_up(founder(), TOKEN, HERE, now())


async def test_the_set_up_makes_the_owner_and_the_first_workspace(signin: SignIn) -> None:
    signed_in = await signin.set_up(founder(), TOKEN, HERE, now())

    place = signed_in.person.places[0]
    assert (place.name, place.role) == ("Works", Role.OWNER)
    claims = signin.tokens.read(signed_in.access.token)
    assert claims.user_id == signed_in.person.user.id
    assert (await Session.alive(claims.session_id, now())) is not None


async def test_a_second_set_up_is_refused_whatever_its_token(signin: SignIn, owner: SignedIn) -> None:
    for token in (TOKEN, "guess"):
        with pytest.raises(Conflict):
            await signin.set_up(founder(email="eve@example.org"), token, HERE, now())
    assert await User.count() == 1


async def test_of_many_set_ups_at_once_one_wins_and_nothing_is_left_of_the_others(signin: SignIn) -> None:
    tried = await asyncio.gather(
        *(
            signin.set_up(founder(email=f"{n}@example.org"), TOKEN, Visitor(f"198.51.100.{n}"), now())
            for n in range(12)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(each, SignedIn) for each in tried) == 1
    assert all(isinstance(each, SignedIn | Conflict) for each in tried)
    assert [await kind.count() for kind in (User, Workspace, Membership, Session)] == [1, 1, 1, 1]


@pytest.mark.parametrize("token", ["", "guess", TOKEN + "x", TOKEN[:-1], "ünïcode"])
async def test_a_set_up_with_another_token_is_refused(signin: SignIn, token: str) -> None:
    with pytest.raises(Forbidden):
        await signin.set_up(founder(), token, HERE, now())
    assert await User.count() == 0


async def test_everything_wrong_with_a_founder_is_said_at_once(signin: SignIn) -> None:
    with pytest.raises(Invalid) as refused:
        await signin.set_up(founder(name=" ", password="short", zone="Mars/Base", workspace="\t"), TOKEN, HERE, now())

    assert {wrong.pointer for wrong in refused.value.wrong} == {"/name", "/workspace", "/password", "/zone"}
    assert await User.count() == 0


async def test_the_case_of_an_email_does_not_matter(signin: SignIn, owner: SignedIn) -> None:
    again = await signin.sign_in(" aDA@exAMPLE.org ", PASSWORD, HERE, now())

    assert again.person.user.id == owner.person.user.id


async def test_an_unknown_email_and_a_wrong_password_sound_and_take_the_same(signin: SignIn, owner: SignedIn) -> None:
    said: set[tuple[str, str]] = set()
    took: dict[str, list[float]] = {"ada@example.org": [], "nobody@example.org": []}
    for n in range(8):
        for email, times in took.items():
            began = time.perf_counter()
            with pytest.raises(SignInNeeded) as refused:
                await signin.sign_in(email, "not the password", Visitor(f"198.51.100.{n}"), now())
            times.append(time.perf_counter() - began)
            said.add((refused.value.sentence, str(refused.value.facts)))

    assert len(said) == 1
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.5 < known / unknown < 2


async def test_a_hash_with_old_parameters_is_replaced_at_the_next_sign_in(signin: SignIn, owner: SignedIn) -> None:
    user = owner.person.user
    await user.set({"password_hash": PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)})

    await signin.sign_in(user.email, PASSWORD, HERE, now())

    fresh = await User.by_email(user.email)
    assert fresh is not None
    assert fresh.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await signin.sign_in(user.email, PASSWORD, HERE, now())


async def test_of_a_hundred_tries_at_once_exactly_ten_are_looked_at(signin: SignIn, owner: SignedIn) -> None:
    async def attempt(n: int) -> str:
        try:
            await signin.sign_in("ada@example.org", f"wrong password {n}", Visitor(f"203.0.113.{n}"), now())
        except (SignInNeeded, TooMany) as refused:
            return type(refused).__name__
        return "in"

    tried = await asyncio.gather(*(attempt(n) for n in range(100)))

    assert (tried.count("SignInNeeded"), tried.count("TooMany")) == (10, 90)
    with pytest.raises(TooMany) as refused:  # the right password does not help either: it would tell that it is right
        await signin.sign_in("ada@example.org", PASSWORD, HERE, now())
    assert 1 <= refused.value.retry_after <= 60


async def test_one_address_gets_fifty_tries_whatever_the_account(signin: SignIn) -> None:
    one = tries.of_address("2001:db8:1:2::1")

    async def attempt(n: int) -> bool:
        try:
            await tries.spend(
                tries.SIGN_IN_FROM_ADDRESS, one if n % 2 else tries.of_address(f"2001:db8:1:2::{n + 2:x}")
            )
        except TooMany:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(n) for n in range(100)))) == 50


async def test_the_allowance_comes_back_with_time(backing: Backing) -> None:
    pace = tries.Pace("test", 1, timedelta(milliseconds=300))

    async def passes() -> bool:
        return await Tries.take("me", every=pace.every, burst=pace.burst) is None

    assert await passes()
    assert not await passes()
    async with asyncio.timeout(5):
        while not await passes():
            await asyncio.sleep(0.02)


async def test_a_refresh_gives_a_new_pair_and_the_session_lives_on(signin: SignIn, owner: SignedIn) -> None:
    later = now() + timedelta(days=3)

    renewed = await signin.refresh(owner.refresh, HERE, later)

    assert renewed.refresh != owner.refresh
    assert renewed.ends_at == later + timedelta(days=30)
    before, after = (signin.tokens.read(each.access.token).session_id for each in (owner, renewed))
    assert before == after


async def test_parallel_refreshes_get_the_same_successor(signin: SignIn, owner: SignedIn) -> None:
    renewed = await asyncio.gather(*(signin.refresh(owner.refresh, HERE, now()) for _ in range(8)))

    assert len({each.refresh for each in renewed}) == 1
    assert (await signin.refresh(renewed[0].refresh, HERE, now())).refresh != renewed[0].refresh


async def test_a_lost_answer_may_be_asked_for_again_within_the_grace(signin: SignIn, owner: SignedIn) -> None:
    at = now()
    renewed = await signin.refresh(owner.refresh, HERE, at)

    assert (await signin.refresh(owner.refresh, HERE, at + GRACE)).refresh == renewed.refresh


async def test_reuse_after_the_grace_ends_the_session(signin: SignIn, owner: SignedIn) -> None:
    at = now()
    renewed = await signin.refresh(owner.refresh, HERE, at)

    for token in (owner.refresh, renewed.refresh, owner.refresh):
        with pytest.raises(SignInNeeded):
            await signin.refresh(token, HERE, at + GRACE + timedelta(milliseconds=1))
    assert await Session.count() == 0


async def test_a_token_two_generations_old_ends_the_session_even_within_the_grace(
    signin: SignIn, owner: SignedIn
) -> None:
    second = await signin.refresh(owner.refresh, HERE, now())
    third = await signin.refresh(second.refresh, HERE, now())

    with pytest.raises(SignInNeeded):
        await signin.refresh(owner.refresh, HERE, now())
    with pytest.raises(SignInNeeded):
        await signin.refresh(third.refresh, HERE, now())


async def test_a_made_up_token_ends_nobodys_session(signin: SignIn, owner: SignedIn) -> None:
    session = owner.refresh.partition(".")[0]
    body, _, signature = owner.refresh.rpartition(".")
    made_up = [
        f"{session}.{'A' * 43}.{signature}",
        f"{session}.{'A' * 43}.{'0' * 64}",
        f"{body}.{signature[:-1]}",
        f"{body}.",
        session,
        "",
        "..",
        owner.access.token,
        "é" * 20,
        owner.refresh + "é",
    ]
    for token in made_up:
        with pytest.raises(SignInNeeded):
            await signin.refresh(token, HERE, now())

    await signin.refresh(owner.refresh, HERE, now())


async def test_a_session_ends_after_thirty_idle_days_and_after_sixty_days(signin: SignIn, owner: SignedIn) -> None:
    began = now()
    with pytest.raises(SignInNeeded):
        await signin.refresh(owner.refresh, HERE, began + timedelta(days=30, minutes=1))

    at_28 = await signin.refresh(owner.refresh, HERE, began + timedelta(days=28))
    at_56 = await signin.refresh(at_28.refresh, HERE, began + timedelta(days=56))
    assert abs(at_56.ends_at - (began + timedelta(days=60))) < timedelta(minutes=1)
    with pytest.raises(SignInNeeded):
        await signin.refresh(at_56.refresh, HERE, began + timedelta(days=60, minutes=1))


async def test_a_sign_out_ends_the_session_and_doing_it_twice_changes_nothing(signin: SignIn, owner: SignedIn) -> None:
    await signin.sign_out_with(owner.refresh)
    await signin.sign_out_with(owner.refresh)

    with pytest.raises(SignInNeeded):
        await signin.refresh(owner.refresh, HERE, now())


async def test_too_many_sign_ins_at_once_are_turned_away_and_the_rest_are_served(signin: SignIn) -> None:
    asked = [asyncio.create_task(signin.passwords.fits("x" * 12, None)) for _ in range(60)]
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert answers.count(False) == 34
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 26


async def test_every_query_has_its_index(signin: SignIn, backing: Backing) -> None:
    await backing.db.command("profile", 2)
    try:
        owner = await signin.set_up(founder(), TOKEN, HERE, now())
        renewed = await signin.refresh(owner.refresh, HERE, now())
        await signin.refresh(owner.refresh, HERE, now())
        await signin.sign_in("ada@example.org", PASSWORD, HERE, now())
        await owner.person.user.rehash("other")
        await signin.sign_out_with(renewed.refresh)
        seen = await backing.db["system.profile"].find({"planSummary": {"$exists": True}}).to_list()
    finally:
        await backing.db.command("profile", 0)
        await backing.db.drop_collection("system.profile")

    assert {each["ns"].partition(".")[2] for each in seen} >= {
        "users",
        "workspaces",
        "memberships",
        "sessions",
        "tries",
    }
    assert [
        each["command"] for each in seen if "IXSCAN" not in each["planSummary"] and each["planSummary"] != "IDHACK"
    ] == []


async def test_no_secret_is_kept_in_the_clear(signin: SignIn, owner: SignedIn, backing: Backing) -> None:
    renewed = await signin.refresh(owner.refresh, HERE, now())
    await signin.sign_in("ada@example.org", PASSWORD, HERE, now())

    kept = b""
    for name in await backing.db.list_collection_names():
        async for document in backing.db[name].find():
            kept += encode(document)
    for secret in (
        PASSWORD,
        TOKEN,
        owner.refresh,
        renewed.refresh,
        renewed.access.token,
        renewed.refresh.split(".")[1],
    ):
        assert secret.encode() not in kept
