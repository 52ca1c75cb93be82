"""The person at the terminal: asked who they are, without showing what they type, and told what is the matter."""

import asyncio
import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from social.watch.kept import Memory
from social.watch.wanted import CannotWatch, Credentials, SignInOver, Wanted
from social.watch.watching import nobody_reads, watch

EMAIL, PASSWORD, TOKEN = "SOCIAL_WATCH_EMAIL", "SOCIAL_WATCH_PASSWORD", "SOCIAL_WATCH_TOKEN"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def run(wanted: Wanted, email: str | None, remember: Path | None, env: Mapping[str, str]) -> None:
    """Watches until it is ended. CannotWatch says why it cannot be.

    Nothing secret is taken from the command line, which everybody on the machine can read.
    """
    wanted = msgspec.structs.replace(wanted, url=_address(wanted.url))
    memory = Memory.opened(remember, wanted.url)
    credentials = given(email, memory, env)
    try:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # what this terminal cannot show is no error
        _watched(wanted, credentials or asked(email, env), memory)
    except KeyboardInterrupt:  # while being asked
        return
    except SignInOver:
        if credentials is None or credentials.token is not None:
            raise
        memory.kept.cookie = None
        _watched(wanted, asked(email, env), memory)


def given(email: str | None, memory: Memory, env: Mapping[str, str]) -> Credentials | None:
    """Who it is, if nobody has to be asked: by a token or a password in the environment, or by what is remembered."""
    if token := env.get(TOKEN):
        return Credentials(token=token)
    email = email or env.get(EMAIL)
    if email and env.get(PASSWORD):
        return Credentials(email=email, password=env[PASSWORD])
    return Credentials() if memory.kept.cookie else None


def asked(email: str | None, env: Mapping[str, str]) -> Credentials:
    """Who it is, from the person: by prompts that do not show the password, or from what is piped in, line by line."""
    email = email or env.get(EMAIL)
    try:
        if sys.stdin.isatty():
            email = email or _prompted("E-mail: ")
            return Credentials(email=email, password=env.get(PASSWORD) or getpass("Password: ", stream=sys.stderr))
        email = email or sys.stdin.readline().strip()
        password = env.get(PASSWORD) or sys.stdin.readline().rstrip("\r\n")
    except EOFError:
        email = password = ""
    if not email or not password:
        raise CannotWatch(
            f"Say who you are: at a terminal, with {EMAIL} and {PASSWORD}, or with {TOKEN} in the environment.",
            os.EX_USAGE,
        )
    return Credentials(email=email, password=password)


def tell(line: str) -> None:
    """One line beside the events, which are on stdout alone."""
    sys.stderr.write(f"social: {line}\n")
    sys.stderr.flush()


def _watched(wanted: Wanted, credentials: Credentials, memory: Memory) -> None:
    try:
        asyncio.run(watch(wanted, credentials, memory, sys.stdout, tell))
        sys.stdout.flush()
    except BrokenPipeError:
        nobody_reads()


def _prompted(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return input().strip()


def _address(url: str) -> str:
    """The origin. CannotWatch for what is no address; a warning where the password would travel in the open."""
    url = url if "://" in url else f"https://{url}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise CannotWatch(f"{url} is no address of a Social; write it as https://social.example.org.", os.EX_USAGE)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        tell("this connection is not encrypted; use https:// where the service has it.")
    return f"{parts.scheme}://{parts.netloc}"
