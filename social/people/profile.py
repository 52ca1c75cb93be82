"""What people say of themselves: their name, which others in their workspaces see, and their time zone."""

from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.errors import Invalid, SignInNeeded
from social.outbox.documents import announce
from social.people.documents import Membership, User
from social.people.members import Member, row
from social.people.roles import Somebody
from social.people.signin import CHANGE_FIRST, RUN_OUT, wrong_name, wrong_zone


async def change(somebody: Somebody, name: str | None, zone: str | None, backing: Backing) -> User:
    """The user as they are from now on; None leaves it as it is. Invalid names all that is wrong.

    Their workspaces are told of another name; a zone is nobody else's business.
    """
    wrong = [*([] if name is None else wrong_name(name)), *([] if zone is None else wrong_zone(zone))]
    if wrong:
        raise Invalid(CHANGE_FIRST, wrong)

    async def write(session: AsyncClientSession) -> User:
        user = await User.get(somebody.user_id, session=session)
        if user is None:
            raise SignInNeeded(RUN_OUT)
        before = user.name
        user.name, user.zone = before if name is None else name.strip(), zone or user.zone
        await user.set({"name": user.name, "zone": user.zone}, session=session)
        if user.name != before:
            memberships = await Membership.of_user(somebody.user_id, session)
            told = [Member(user=user, membership=membership) for membership in memberships]
            await announce([row("member.changed", member, user.name) for member in told], session)
        return user

    return await backing.transaction(write)
