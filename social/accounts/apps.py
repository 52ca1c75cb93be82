"""Who we are at an authorisation server: registered there, derived from our address, or the owner's own app."""

from contextlib import suppress

from social.accounts.documents import Account, AppRegistration, SealedApp
from social.backing import Backing
from social.backing.vault import Unsealable
from social.errors import OperatorNeeded
from social.platforms.calls import Call
from social.platforms.contract import App, Platform, Realm
from social.settings import Settings

IN_THE_SANDBOX = App(client_id="social", client_secret="social-in-the-sandbox")  # noqa: S106 - known to everybody


def redirect_address(platform: Platform, settings: Settings) -> str:
    """Where a platform sends people back to: one fixed address each, which also says whose answer it is."""
    return f"{settings.public_url}/connect/{platform.name}"


async def app_at(platform: Platform, call: Call, realm: Realm, backing: Backing) -> App:
    """Our app at the server of `call`: the one we have, or a new one. OperatorNeeded if there can be none."""
    redirect_uri = redirect_address(platform, backing.settings)
    if platform.register is not None:
        return await _registered(platform, call, realm, redirect_uri, backing)
    if platform.client is not None:
        return platform.client(backing.settings.public_url, redirect_uri)
    if realm == "sandbox":
        return IN_THE_SANDBOX
    own = backing.settings.apps.get(platform.name)
    if own is None:
        raise OperatorNeeded(
            f"{platform.title} needs an app that this installation does not have yet: "
            f"whoever runs it sets {' and '.join(needed(platform))}.",
            code="no-app",
        )
    return App(client_id=own.client_id, client_secret=own.client_secret)


def app_of(account: Account, backing: Backing) -> App:
    """The app an account was connected through; a secret that the owner changed since counts. Unsealable."""
    app = account.app.opened(backing.vault, place=account.place("app"))
    own = backing.settings.apps.get(account.platform)
    if account.realm == "live" and own is not None and own.client_id == app.client_id:
        return App(client_id=own.client_id, client_secret=own.client_secret)
    return app


def needed(platform: Platform) -> list[str]:
    """The settings that hold the owner's own app, where there has to be one."""
    name = f"SOCIAL_{platform.name.upper()}_CLIENT"
    return [f"{name}_ID", f"{name}_SECRET"] if platform.needs_app else []


def where(platform: str, realm: Realm, origin: str, redirect_uri: str) -> dict[str, str]:
    """What an app's registration is found by."""
    return {"platform": platform, "realm": realm, "origin": origin, "redirect_uri": redirect_uri}


async def _registered(platform: Platform, call: Call, realm: Realm, redirect_uri: str, backing: Backing) -> App:
    place = where(platform.name, realm, call.origin, redirect_uri)
    scopes = list(platform.scopes)
    kept = await AppRegistration.taken(place, scopes)
    if kept is not None:
        with suppress(Unsealable):  # the master key was changed: then a new one is made
            return kept.app.opened(backing.vault, place=kept.place())
    assert platform.register is not None
    app = await platform.register(call, redirect_uri, backing.settings.public_url)
    made = AppRegistration(
        platform=platform.name,
        realm=realm,
        origin=call.origin,
        redirect_uri=redirect_uri,
        scopes=scopes,
        app=SealedApp(client_id=app.client_id, secret=b""),
        awaited=True,
    )
    made.app = SealedApp.of(app, backing.vault, place=made.place())
    await AppRegistration.keep(made, place)
    return app
