"""How much of one kind this process works on side by side."""


class Places:
    """So many are free. Who finds none comes again: nobody waits for a place with a lease in hand, which would run
    out and look as if its holder had died."""

    def __init__(self, free: int) -> None:
        self.free = free

    def take(self, most: int) -> int:
        """Takes at most `most` places. How many they are."""
        taken = min(most, self.free)
        self.free -= taken
        return taken

    def give_back(self, many: int = 1) -> None:
        """So many are free again."""
        self.free += many
