"""What the queue may run. A job is a hint: it may come twice, late or never, so it names no publication."""

from typing import Any

from social.publishing import due


async def wake(ctx: dict[str, Any]) -> None:
    """Something falls due: look now instead of at the clock's next tick. Begins the look and ends at once."""
    ctx["running"].spawn(due.look(ctx["backing"]), "wake")


TASKS = (wake,)
