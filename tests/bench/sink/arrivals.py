"""What arrived when. Every publication of a bench says in its text which one it is and when it was due."""

MARK = "bench "
ID = slice(len(MARK), len(MARK) + 24)
DUE = slice(ID.stop + 1, ID.stop + 14)  # milliseconds since 1970: 13 digits until 2286
Arrived = tuple[int, list[float]]  # due (ms since 1970), and the instants (s since 1970) of what was made public


def marked(id: str, due_ms: int, more: str) -> str:
    """The text of publication `id` (24 hex digits), due `due_ms` after 1970, with `more` to give it a length."""
    return f"{MARK}{id} {due_ms:013d} {more}"


class Arrivals:
    """The publications that were made public. One twice is a double, whoever asked for it."""

    def __init__(self) -> None:
        self.made: dict[str, Arrived] = {}
        self.posts = 0  # made public, doubles included
        self.repeats = 0  # requests that a key or a place told to be of a post that is there
        self.unknown = 0  # requests that no platform has a path for
        self.first_at: float | None = None
        self.last_at: float | None = None

    def note(self, text: str, at: float) -> None:
        """A post with `text` was made public by a request that was whole at `at`. Others' texts don't count."""
        if not text.startswith(MARK):
            return
        self.made.setdefault(text[ID], (int(text[DUE]), []))[1].append(at)
        self.posts += 1
        self.first_at = self.first_at or at
        self.last_at = at

    def counts(self) -> dict[str, float | None]:
        """What there is, without saying which."""
        return {
            "publications": len(self.made),
            "posts": self.posts,
            "repeats": self.repeats,
            "unknown": self.unknown,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }
