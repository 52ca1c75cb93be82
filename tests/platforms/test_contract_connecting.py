"""What every platform has to pass while an account of it is connected, renewed and left, against its sandbox."""

from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from social.accounts.apps import IN_THE_SANDBOX
from social.errors import Disconnected, PlatformError, Rejected, RetryLater, TokenExpired
from social.platforms import dpop, oauth
from social.platforms.calls import Call
from social.platforms.contract import App, Content, Endpoints, Token
from tests.platforms.rigs import Rig, where
from tests.platforms.test_contract import LOST

REDIRECT = "http://127.0.0.1:9/connect"
OURS = "http://127.0.0.1:9"
LOST_WHILE_CONNECTING = {name: lost for name, lost in LOST.items() if "late" not in name}


class Begun(NamedTuple):
    """A connection that was begun."""

    where: Endpoints
    asked: oauth.Asked


async def begun(rig: Rig, call: Call | None = None) -> Begun:
    call = call or rig.call()
    where = await oauth.endpoints(rig.platform, call, "sandbox")
    asked = oauth.Asked(
        app=await app_of(rig, call),
        redirect_uri=REDIRECT,
        state=oauth.new_secret(),
        verifier=oauth.new_secret(),
        key=dpop.new_key() if where.dpop else None,
    )
    return Begun(where, asked)


async def app_of(rig: Rig, call: Call) -> App:
    if rig.platform.register is not None:
        return await rig.platform.register(call, REDIRECT, OURS)
    return rig.platform.client(OURS, REDIRECT) if rig.platform.client is not None else IN_THE_SANDBOX


async def answer(rig: Rig, begun: Begun, username: str = "anna", *, deny: bool = False) -> dict[str, str]:
    """What comes back from the consent page."""
    url = await oauth.page(rig.platform, rig.call(), begun.where, begun.asked, another=False)
    back = parse_qs(urlsplit(await rig.sandbox.consent(url, username, deny=deny)).query)
    found = {name: values[0] for name, values in back.items()}
    assert found["state"] == begun.asked.state
    assert oauth.answers_for(begun.where, found.get("iss"))
    return found


async def connected(rig: Rig, username: str = "anna") -> tuple[Begun, Token]:
    """Through the consent page, as a person does it."""
    started = await begun(rig)
    code = (await answer(rig, started, username))["code"]
    return started, await oauth.exchange(rig.platform, rig.call(), started.where, started.asked, code)


async def renewed(rig: Rig, started: Begun, token: Token) -> Token:
    how = rig.platform.refresh
    if how is not None and token.kind == "bearer":
        return await how(rig.call(), started.asked.app, token)
    return await oauth.refresh(rig.platform, rig.call(), started.where, started.asked.app, token)


async def test_an_account_is_connected_through_the_consent_page(rig: Rig) -> None:
    _, token = await connected(rig)
    who = await rig.platform.identify(rig.call(token=token))
    assert "anna" in who.handle
    assert who.id == rig.person("anna")["account_id"]
    assert token.subject in {None, who.id}
    assert oauth.missing(rig.platform, token.scopes) == []


async def test_what_was_connected_can_post(rig: Rig) -> None:
    _, token = await connected(rig)
    person = rig.person("anna")
    turn = await rig.turn(person, Content(text="hello"))
    receipt = await rig.publish(person, turn, rig.call(token=token))
    assert [post["id"] for post in rig.online()] == [receipt.id]


async def test_a_refusal_comes_back_as_one(rig: Rig) -> None:
    assert (await answer(rig, await begun(rig), deny=True))["error"] == "access_denied"


async def test_a_code_counts_once(rig: Rig) -> None:
    started = await begun(rig)
    code = (await answer(rig, started))["code"]
    await oauth.exchange(rig.platform, rig.call(), started.where, started.asked, code)
    with pytest.raises(Disconnected):
        await oauth.exchange(rig.platform, rig.call(), started.where, started.asked, code)


async def test_a_code_is_worth_nothing_without_its_verifier(rig: Rig) -> None:
    started = await begun(rig)
    code = (await answer(rig, started))["code"]
    other = msgspec.structs.replace(started.asked, verifier=oauth.new_secret())
    with pytest.raises((Disconnected, Rejected)):
        await oauth.exchange(rig.platform, rig.call(), started.where, other, code)


@where(lambda rig, _: rig.renews)
async def test_a_token_is_renewed_and_the_old_refresh_token_is_no_good(rig: Rig) -> None:
    started, token = await connected(rig)
    assert token.refresh is not None
    new = await renewed(rig, started, token)
    assert new.access != token.access
    assert (new.scopes, new.key, new.kind) == (token.scopes, token.key, token.kind)
    await rig.platform.identify(rig.call(token=new))
    with pytest.raises(Disconnected):
        await renewed(rig, started, token)


async def test_a_token_that_was_given_back_opens_nothing(rig: Rig) -> None:
    started, token = await connected(rig)
    for _ in range(2):  # a second time does no harm
        await oauth.revoke(rig.platform, rig.call(), started.where, started.asked.app, token)
    with pytest.raises((Disconnected, TokenExpired)):
        await rig.platform.identify(rig.call(token=token))


@pytest.mark.parametrize("lost", LOST_WHILE_CONNECTING.values(), ids=LOST_WHILE_CONNECTING)
async def test_a_lost_answer_while_connecting_says_what_to_do(lost: dict[str, Any], rig: Rig) -> None:
    started = await begun(rig)
    code = (await answer(rig, started))["code"]
    rig.sandbox.trouble(oauth=lost)
    with pytest.raises(RetryLater) as trouble:
        await oauth.exchange(rig.platform, rig.call(patience=1.2), started.where, started.asked, code)
    assert trouble.value.sentence.endswith(".")


# By a password


@where(lambda _, platform: platform.login is not None)
async def test_a_password_made_for_this_opens_the_account(rig: Rig) -> None:
    assert rig.platform.login is not None
    person = rig.person("anna")
    who = await rig.platform.identify(rig.call(person))
    token = await rig.platform.login(rig.call(), who.handle, person["app_password"])
    assert (await rig.platform.identify(rig.call(token=token))).id == person["account_id"]
    assert rig.platform.refresh is not None
    new = await rig.platform.refresh(rig.call(), App(client_id=""), token)
    assert (await rig.platform.identify(rig.call(token=new))).id == person["account_id"]
    assert rig.platform.revoke is not None
    await rig.platform.revoke(rig.call(), App(client_id=""), new)
    with pytest.raises(Disconnected):
        await rig.platform.refresh(rig.call(), App(client_id=""), new)


@where(lambda _, platform: platform.login is not None)
async def test_a_wrong_password_is_said_in_words(rig: Rig) -> None:
    assert rig.platform.login is not None
    person = rig.person("anna")
    who = await rig.platform.identify(rig.call(person))
    with pytest.raises(PlatformError) as wrong:
        await rig.platform.login(rig.call(), who.handle, "not-this-one")
    assert isinstance(wrong.value, Disconnected)
    assert wrong.value.sentence.endswith(".")
