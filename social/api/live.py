"""Tickets for `/live`. The socket itself is another door: `social/live/sockets.py`."""

from datetime import datetime

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency

from social.api.callers import needs
from social.people.roles import Caller
from social.people.tickets import Ticket


class TicketOut(msgspec.Struct):
    """Opens `/live?ticket=...` once, until `expires_at`."""

    ticket: str
    expires_at: datetime


class LiveController(Controller):
    """What browsers need before they may listen."""

    path = "/live"
    tags = ("live",)

    @post(
        "/tickets", summary="Get a ticket for a live connection", guards=[needs("viewer")], opt={"secret_answer": True}
    )
    async def issue(self, caller: NamedDependency[Caller]) -> TicketOut:
        """Lets the caller hear what happens in the workspace they act in. Used once, within 30 seconds."""
        ticket, expires_at = await Ticket.issue(caller)
        return TicketOut(ticket, expires_at)
