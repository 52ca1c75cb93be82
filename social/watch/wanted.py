"""What the person at the terminal asked for, how they say who they are, and how they are told that it cannot be."""

import os

import msgspec


class CannotWatch(Exception):
    """The message is one sentence for the person at the terminal; `code` is of sysexits.h."""

    def __init__(self, sentence: str, code: int = os.EX_UNAVAILABLE) -> None:
        super().__init__(sentence)
        self.code = code


class SignInOver(CannotWatch):
    """What was remembered, or given as a token, does not count any more."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, os.EX_NOPERM)


class Away(Exception):
    """The service does not answer just now, or says to come back. Trying again is all there is to do."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch. `since`: the number of the last event that was seen; `post`: an id; `workspace`: an id or name."""

    url: str
    workspace: str | None = None
    since: int | None = None
    post: str | None = None
    as_json: bool = False


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who is watching: an access token alone, which cannot be renewed, or an e-mail and its password."""

    token: str | None = None
    email: str | None = None
    password: str | None = None
