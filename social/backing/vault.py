"""Seals secrets at rest (AES-256-GCM) and derives the other keys from the master key."""

import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
NONCE = 12
KEY_ID = 4


class Unsealable(Exception):
    """What was to be opened was sealed with another key, for another place, or was changed."""


class Vault:
    """`place` names where a secret belongs (workspace, account, field), so that a swapped row does not open."""

    def __init__(self, master: bytes, older: Sequence[bytes] = ()) -> None:
        self._master = master
        self._keys = {_id(key): AESGCM(_derived(key, b"seal")) for key in (*older, master)}
        self._current = _id(master)

    def seal(self, secret: str, *, place: str) -> bytes:
        """version, key id, nonce and ciphertext in one piece."""
        nonce = os.urandom(NONCE)
        return (
            VERSION + self._current + nonce + self._keys[self._current].encrypt(nonce, secret.encode(), place.encode())
        )

    def open(self, sealed: bytes, *, place: str) -> str:
        """What `seal` was given. Unsealable if the key is unknown, the place is another or a bit was changed."""
        version, key, rest = sealed[:1], sealed[1 : 1 + KEY_ID], sealed[1 + KEY_ID :]
        try:
            if version != VERSION:
                raise KeyError(version)
            return self._keys[key].decrypt(rest[:NONCE], rest[NONCE:], place.encode()).decode()
        except (KeyError, InvalidTag):
            raise Unsealable(place) from None

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same under one master key."""
        return _derived(self._master, purpose.encode())

    def signature(self, purpose: str, text: str) -> str:
        """A hex MAC of `text` for one purpose."""
        return hmac.new(self.derived(purpose), text.encode(), hashlib.sha256).hexdigest()

    def signed(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `signature` is ours for `text`, told in constant time."""
        return hmac.compare_digest(self.signature(purpose, text), signature)


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"social key id" + key).digest()[:KEY_ID]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"social " + purpose).derive(key)
