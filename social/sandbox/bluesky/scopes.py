"""What an OAuth session may do. Sheet: OAuth, Scopes. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import parse_qs

GENERIC = "transition:generic"
_WHOLE = ("atproto", GENERIC, "transition:email", "transition:chat.bsky")
_RESOURCES = ("repo", "blob", "rpc", "account", "identity", "include")


def is_scope(text: str) -> bool:
    return text in _WHOLE or (text.partition(":")[0] in _RESOURCES and len(text.partition(":")[2]) > 0)


def lacking_for_record(held: Sequence[str], collection: str, *actions: str) -> str | None:
    """The first scope that is missing for these actions (create, update, delete), None where nothing is."""
    for action in actions:
        if GENERIC not in held and not any(_lets_write(scope, collection, action) for scope in held):
            return f"repo:{collection}?action={action}"
    return None


def lacking_for_blob(held: Sequence[str], mime: str) -> str | None:
    if GENERIC in held or any(fnmatchcase(mime, scope[5:]) for scope in held if scope.startswith("blob:")):
        return None
    return f"blob:{mime}"


def lacking_for_service(held: Sequence[str], method: str, audience: str) -> str | None:
    if GENERIC in held or any(_lets_call(scope, method, audience) for scope in held):
        return None
    return f"rpc:{method}?aud={audience}"


def in_words(scope: str) -> str:
    """For the page that asks somebody."""
    resource, _, detail = scope.partition(":")
    what = detail.partition("?")[0]
    return {
        "atproto": "Uniquely identify your account",
        GENERIC: "Everything an app password may do: read and write posts, files and preferences",
        "transition:email": "Read your account's e-mail address",
    }.get(scope) or {
        "repo": f"Change records of {what} in your repository",
        "blob": f"Upload files of type {what}",
        "rpc": f"Call {what} in your name",
    }.get(resource, scope)


def _lets_write(scope: str, collection: str, action: str) -> bool:
    resource, _, detail = scope.partition(":")
    place, _, query = detail.partition("?")
    actions = parse_qs(query).get("action")
    return resource == "repo" and place in ("*", collection) and (actions is None or action in actions)


def _lets_call(scope: str, method: str, audience: str) -> bool:
    resource, _, detail = scope.partition(":")
    place, _, query = detail.partition("?")
    return resource == "rpc" and place in ("*", method) and parse_qs(query).get("aud") in (["*"], [audience])
