"""The command line: up, servers, serve, watch, user, bucket, openapi, version.

`serve` imports the product when it runs it: `social up` is three processes, and the two that watch over the others
should not take a second and 60 MB for what they never use.
"""

import asyncio
import json
import os
import sys
import time
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from social.embedded import listener
from social.embedded import servers as embedded
from social.embedded import up as together
from social.embedded.folder import Folder
from social.embedded.order import Order
from social.embedded.program import POLL
from social.embedded.unfit import Unfit
from social.settings import BadSettings, Settings
from social.supervised import keep_from_children
from social.watch.wanted import CannotWatch, Wanted

DATA = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "social"

app = App(
    name="social",
    help="A self-hosted social media scheduler: write once, out everywhere at its second.",
    version_flags=[],
    result_action="return_value",
)
user = App(name="user", help="The people who use this Social.")
app.command(user)
bucket = App(name="bucket", help="Where files rest.")
app.command(bucket)

Data = Annotated[Path, Parameter(env_var="SOCIAL_DATA", help="Folder of everything: data, secrets, logs.")]
Host = Annotated[str, Parameter(env_var="SOCIAL_HOST", help="Address to listen on; 0.0.0.0 is all of them.")]
Port = Annotated[int, Parameter(env_var="SOCIAL_PORT", help="Port to listen on; 0 is any free one.")]
Sandbox = Annotated[bool, Parameter(help="Run the sandbox too: the platforms, simulated, to rehearse on.")]
Url = Annotated[str, Parameter(env_var="SOCIAL_WATCH_URL", help="Address of the Social to watch.")]
Wait = Annotated[float, Parameter(help="Seconds to wait for `social servers` to say where everything is.")]


def main() -> None:
    """Runs what the command line says. What cannot be done is told in one sentence, with an exit code of sysexits.h."""
    try:
        app()
    except Unfit as wrong:
        if str(wrong):
            tell(f"social: {wrong}")
        sys.exit(os.EX_UNAVAILABLE)
    except BadSettings as wrong:
        tell(f"social: {wrong}")
        sys.exit(os.EX_CONFIG)
    except CannotWatch as wrong:
        tell(f"social: {wrong}")
        sys.exit(wrong.code)


@app.command
def up(*, data: Data = DATA, host: Host = "127.0.0.1", port: Port = 8080, sandbox: Sandbox = True) -> None:
    """Run everything on this machine: the servers that are needed, and Social itself."""
    order = Order(folder=Folder.opened(data), host=host, port=port, sandbox=sandbox)
    asyncio.run(together.run(order, keep_from_children(os.environ), tell))


@app.command
def servers(*, data: Data = DATA, host: Host = "127.0.0.1", port: Port = 8080, sandbox: Sandbox = True) -> None:
    """Run the servers alone: database, queue, files, sandbox, and the socket that instances listen on."""
    folder = Folder.opened(data)
    with folder.locked():
        asyncio.run(embedded.run(Order(folder=folder, host=host, port=port, sandbox=sandbox), os.environ, tell))


@app.command
def serve(*, data: Data = DATA, wait: Wait = 0) -> None:
    """Run one instance of Social, on the servers that run on the data folder or that the environment names."""
    import uvloop  # noqa: PLC0415 - see above

    from social.app import serve as instance  # noqa: PLC0415 - see above

    settings = Settings.read(announced(Folder(data), wait) | dict(os.environ))
    listening = None
    if {"api", "live"} & settings.tasks:
        shared = settings.listen
        listening = listener.ask(shared) if shared else listener.bind(settings.host, settings.port)
    sys.exit(uvloop.run(instance(settings, listening)))


@app.command
def watch(
    *,
    url: Url = "http://127.0.0.1:8080",
    workspace: Annotated[str | None, Parameter(help="Id or name; without it the one you joined first.")] = None,
    since: Annotated[int | None, Parameter(help="Number of the last event you saw: what came after it comes.")] = None,
    post: Annotated[str | None, Parameter(help="Id of the only post to tell of.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Events as they are, one a line.")] = False,
    email: Annotated[str | None, Parameter(help="Who you are. The password is asked for, or read from stdin.")] = None,
    remember: Annotated[Path | None, Parameter(help="File to keep the sign-in and the place in.")] = None,
) -> None:
    """Tell what happens in a workspace while it happens, until Ctrl-C.

    Without a terminal the password comes from SOCIAL_WATCH_PASSWORD, or an access token from SOCIAL_WATCH_TOKEN.
    """
    from social.watch import terminal  # noqa: PLC0415 - a WebSocket client and colours, see above

    terminal.run(
        Wanted(url=url, workspace=workspace, since=since, post=post, as_json=as_json), email, remember, os.environ
    )


@user.command
def setup_link(*, data: Data = DATA) -> None:
    """Print the one-time link with which the first person becomes the owner."""
    print(together.setup_link(Folder(data)) or "Somebody has signed up already, so the link is used up.")


@user.command
def password_link(
    email: Annotated[str, Parameter(help="The e-mail of whoever forgot their password.")], /, *, data: Data = DATA
) -> None:
    """Print a one-time link with which somebody chooses a new password, within an hour."""
    known = announced(Folder(data), 0) | dict(os.environ)
    if "SOCIAL_MONGO_URL" not in known:
        raise together.not_running(Folder(data))
    from social import app as product  # noqa: PLC0415 - see above
    from social.errors import Refused  # noqa: PLC0415 - see above

    try:
        print(asyncio.run(product.password_link(Settings.read(known), email)))
    except Refused as wrong:
        raise Unfit(wrong.sentence) from None


@bucket.command
def open_to_browsers(*, data: Data = DATA) -> None:
    """Let pages of SOCIAL_PUBLIC_URL send files straight to the bucket, at SOCIAL_S3_PUBLIC_URL."""
    from social.backing.bucket import Bucket  # noqa: PLC0415 - see above
    from social.errors import Unavailable  # noqa: PLC0415 - see above

    settings = Settings.read(announced(Folder(data), 0) | dict(os.environ))

    async def opened() -> None:
        async with Bucket.opened(settings) as files:
            await files.wait()
            await files.parts.open_to(settings.public_url)

    try:
        asyncio.run(opened())
    except Unavailable as wrong:
        raise BadSettings(wrong.sentence) from None
    tell(f"Pages of {settings.public_url} may now send files to the bucket {settings.s3_bucket}.")
    if settings.s3_public_url is None:
        tell("They do once SOCIAL_S3_PUBLIC_URL says where they reach it.")


@app.command
def openapi() -> None:
    """Print the API's OpenAPI document."""
    from social import app as product  # noqa: PLC0415 - every room of the product, see above

    print(json.dumps(asyncio.run(product.openapi()), indent=2))


@app.command
def version() -> None:
    """Print the version."""
    print(installed("social"))


def announced(folder: Folder, patience: float) -> dict[str, str]:
    """The settings that `social servers` has announced in `folder`; none when it hasn't after `patience` seconds."""
    deadline = time.monotonic() + patience
    while (found := folder.announced()) is None and time.monotonic() < deadline:
        time.sleep(POLL)  # no event loop runs yet
    return found or {}


def tell(line: str) -> None:
    """One line for the person at the terminal, or for the log that stands in for one."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
