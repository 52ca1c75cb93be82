"""The newest nonce each server gave for proofs of possession (RFC 9449, sections 8 and 9), for as long as we run."""

import re
from collections import OrderedDict

WELL_FORMED = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")  # RFC 9449, section 8.1; a stranger's word, so not longer
MOST = 2_000  # servers remembered; one that was forgotten costs a repeat


class Nonces:
    """By server; its part that gives tokens (`grants`) and the part that takes them may have different ones."""

    def __init__(self) -> None:
        self._newest: OrderedDict[tuple[str, bool], str] = OrderedDict()

    def of(self, origin: str, *, grants: bool) -> str | None:
        """What the next proof for `origin` has to hold, if that is known."""
        return self._newest.get((origin, grants))

    def remember(self, origin: str, nonce: str | None, *, grants: bool) -> None:
        """Keeps what `origin` gave in place of an older one. Nothing, and what is none, changes nothing."""
        if nonce is None or not WELL_FORMED.fullmatch(nonce):
            return
        self._newest[(origin, grants)] = nonce
        self._newest.move_to_end((origin, grants))
        if len(self._newest) > MOST:
            self._newest.popitem(last=False)
