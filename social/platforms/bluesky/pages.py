"""Where people look at posts: in the app, whichever server an account is on. Sheet: Publishing, public URL."""

from yarl import URL

from social.platforms.calls import Call

APP = "https://bsky.app"


def profile_page(call: Call, did: str) -> str:
    """An account's page. With the DID, so that it survives a change of handle."""
    return f"{_pages(call)}/profile/{did}"


def post_page(call: Call, did: str, rkey: str) -> str:
    """A post's page."""
    return f"{profile_page(call, did)}/post/{rkey}"


def _pages(call: Call) -> str:
    """A server has the root of its host to itself; what lies below another path is the sandbox, with its own pages."""
    return call.origin if URL(call.origin).path.strip("/") else APP
