"""Which passwords are taken."""

import pytest

from social.people.passwords import Passwords, common, weaknesses


@pytest.mark.parametrize(
    "password", ["four words in a row", "kT9#" * 4, "пароль из слов", "x7" * 3 + "yQ!4zz", "a b c d e f g h"]
)
def test_length_is_what_counts(password: str) -> None:
    assert weaknesses(password) == []


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "short"),
        ("", "short"),
        ("x" * 129, "long"),
        ("password1234", "common"),
        ("Password1234", "common"),
        ("PASSWORD1234", "common"),
        ("123456789012", "common"),
        ("qwertyuiop12", "common"),
        ("iloveyou1234", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("abababababab", "common"),
        ("ｐａｓｓｗｏｒｄ１２３４", "common"),  # the same to whoever guesses
        ("ada@example.org", "common"),
    ],
)
def test_a_bad_one_is_named_with_the_remedy(password: str, code: str) -> None:
    (wrong,) = weaknesses(password, not_like=("ada@example.org", "Ada"))

    assert (wrong.pointer, wrong.code) == ("/password", code)
    assert wrong.detail.endswith(".")


def test_the_list_is_what_it_says() -> None:
    assert len(common()) > 5_000
    assert all(len(password) >= 12 and password == password.lower() for password in common())


async def test_two_ways_of_typing_one_character_are_one_password() -> None:
    passwords = Passwords()
    try:
        stored = await passwords.hashed("caf\u00e9 au lait, s'il te plait")
        assert await passwords.fits("cafe\u0301 au lait, s'il te plait", stored)
        assert not await passwords.fits("cafe au lait, s'il te plait", stored)
        assert not await passwords.fits("anything at all", "not a hash")
    finally:
        passwords.close()
