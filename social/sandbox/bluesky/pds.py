"""One simulated Bluesky host: what its handlers work with."""

import re
import secrets
from base64 import b32encode
from pathlib import Path
from urllib.parse import quote, urlsplit

from social.sandbox.bluesky import cids, tids
from social.sandbox.bluesky.archive import Archive
from social.sandbox.bluesky.dpop import Proofs
from social.sandbox.bluesky.errors import Refused, invalid_request
from social.sandbox.bluesky.oddities import BlueskyOddities
from social.sandbox.bluesky.quotas import Bucket, Quotas
from social.sandbox.bluesky.records import Account, AppPassword, Blob, Json
from social.sandbox.clock import now_ms
from social.sandbox.trouble import Switchboard

DOMAIN = ".test"
_HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Pds:
    """`origin` is how people and programs reach it, `/bluesky` included, without a slash at the end."""

    def __init__(self, origin: str, archive: Archive, folder: Path, switchboard: Switchboard) -> None:
        self.origin = origin
        self.did = f"did:web:{quote(urlsplit(origin).netloc, safe='')}"
        self.archive = archive
        self.quotas = Quotas(self._limit_of)
        self.proofs = Proofs(origin, archive.secret, lambda: self.oddities.nonce_turns)
        self.tids = tids.Clock()
        self.blob_folder = folder / "bluesky" / "blobs"
        self.incoming_folder = folder / "bluesky" / "incoming"
        self._switchboard = switchboard
        for made in (self.blob_folder, self.incoming_folder):
            made.mkdir(parents=True, exist_ok=True)
        for left_over in self.incoming_folder.iterdir():
            left_over.unlink()

    @property
    def oddities(self) -> BlueskyOddities:
        return self._switchboard.trouble.bluesky

    def account_named(self, name: str) -> Account:
        """By handle or DID. Raises Refused 400."""
        found = self.archive.account_named(name) if "@" not in name else None
        if found is None:
            raise invalid_request(f"Could not find repo: {name}")
        return found

    def settled(self, name: str, display_name: str | None = None) -> Account:
        """The account of this name, made if there is none. Raises ValueError in words for a name that cannot be."""
        name = name.strip().lstrip("@").lower()
        if not name:
            raise ValueError("Choose somebody, or type a new username.")
        handle = name if "." in name else name + DOMAIN
        if not _HANDLE.fullmatch(handle) or len(handle) > 253:
            raise ValueError("A username has letters, digits and hyphens, and begins and ends without a hyphen.")
        found = self.archive.account_named(handle)
        return found or self.new_account(handle, f"{name}@example.test", secrets.token_urlsafe(12), display_name)

    def new_account(self, handle: str, email: str, password: str, display_name: str | None = None) -> Account:
        """Raises Refused 400 where the handle or the address is in use or the handle is none."""
        if not _HANDLE.fullmatch(handle.lower()):
            raise Refused(400, "InvalidHandle", "Input/handle must be a valid handle")
        if self.archive.account_named(handle) is not None:
            raise Refused(400, "HandleNotAvailable", f"Handle already taken: {handle}")
        if self.archive.account_named(email) is not None:
            raise invalid_request(f"Email already taken: {email}")
        did = "did:plc:" + b32encode(secrets.token_bytes(15)).decode().lower()
        rev = self.tids.next()
        account = Account(
            did=did,
            handle=handle.lower(),
            email=email,
            password=password,
            display_name=display_name or handle.partition(".")[0],
            created_ms=now_ms(),
            head=cids.of_record({"did": did, "rev": rev, "version": 3, "prev": None}),
            rev=rev,
        )
        self.archive.save_account(account)
        return account

    def new_app_password(self, account: Account, name: str, *, privileged: bool = False) -> AppPassword:
        """Raises Refused 400 where the name is in use."""
        if any(password.name == name for password in self.archive.app_passwords(account.did)):
            raise invalid_request("Could not create app-specific password: name already in use")
        letters = b32encode(secrets.token_bytes(10)).decode().lower()
        made = AppPassword(
            did=account.did,
            name=name,
            password="-".join(letters[at : at + 4] for at in range(0, 16, 4)),
            privileged=privileged,
            created_ms=now_ms(),
        )
        self.archive.save_app_password(made)
        return made

    def did_document(self, account: Account) -> Json:
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.origin}
        return {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": account.did,
            "alsoKnownAs": [f"at://{account.handle}"],
            "service": [service],
        }

    def blob(self, did: str, cid: str) -> Blob | None:
        """None for one that was swept, too."""
        found = self.archive.blob(did, cid)
        if found is None or self.archive.is_used(found):
            return found
        return found if found.free_ms + self.oddities.blobs_kept * 1000 > now_ms() else None

    def page_of(self, did: str) -> str:
        return f"{self.origin}/profile/{did}"

    def avatar_of(self, did: str) -> str:
        return f"{self.origin}/avatars/{did}.png"

    def blob_url(self, did: str, cid: str) -> str:
        return f"{self.origin}/xrpc/com.atproto.sync.getBlob?did={quote(did)}&cid={cid}"

    def _limit_of(self, bucket: Bucket) -> int | None:
        oddities = self.oddities
        if not oddities.rate_limits:
            return None
        scaled = max(1, int(bucket.limit * oddities.rate_scale)) if oddities.rate_scale else None
        return oddities.quotas.get(bucket.name, scaled)
