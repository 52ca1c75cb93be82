"""Secrets at rest open only with their key and only in their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.backing.vault import Unsealable, Vault

KEY, OTHER = bytes(32), bytes([1]) * 32


@given(st.text())
def test_what_is_sealed_opens_to_what_it_was(secret: str) -> None:
    vault = Vault(KEY)

    sealed = vault.seal(secret, place="here")

    assert vault.open(sealed, place="here") == secret
    assert not secret or len(secret) < 4 or secret.encode() not in sealed


def test_it_does_not_open_elsewhere_nor_with_another_key_nor_changed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("canary", place="account 1")

    for other, place, bits in [
        (vault, "account 2", sealed),
        (Vault(OTHER), "account 1", sealed),
        *((vault, "account 1", sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) for at in range(len(sealed))),
        (vault, "account 1", b""),
    ]:
        with pytest.raises(Unsealable):
            other.open(bits, place=place)


def test_what_an_older_key_sealed_still_opens_and_new_is_sealed_with_the_new() -> None:
    sealed = Vault(KEY).seal("canary", place="p")
    rotated = Vault(OTHER, older=[KEY])

    assert rotated.open(sealed, place="p") == "canary"
    with pytest.raises(Unsealable):
        Vault(KEY).open(rotated.seal("canary", place="p"), place="p")


def test_the_same_secret_is_never_sealed_the_same_way_twice() -> None:
    vault = Vault(KEY)

    assert len({vault.seal("canary", place="p") for _ in range(1000)}) == 1000


def test_a_signature_holds_for_its_text_and_purpose_alone() -> None:
    vault = Vault(KEY)
    signature = vault.signature("links", "a")

    assert vault.signed("links", "a", signature)
    assert not vault.signed("links", "b", signature)
    assert not vault.signed("tickets", "a", signature)
    assert not Vault(OTHER).signed("links", "a", signature)
