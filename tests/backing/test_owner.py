"""Who holds a claim, and when it is certain that it never will again."""

import subprocess
import sys

import msgspec

from social.backing.owner import Owner

SAY = (
    "from social.backing.owner import Owner; import msgspec;"
    "print(msgspec.json.encode(Owner.of_this_process()).decode())"
)


def another() -> tuple[subprocess.Popen[str], Owner]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"{SAY}; import sys; sys.stdout.flush(); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, msgspec.json.decode(process.stdout.readline(), type=Owner)


def test_a_process_is_proven_dead_once_it_is_gone_and_not_before() -> None:
    process, owner = another()
    with process:
        me = Owner.of_this_process()
        assert not owner.proven_dead(me)

        process.kill()
        process.wait()

        assert owner.proven_dead(me)


def test_a_pid_used_again_is_another_owner() -> None:
    me = Owner.of_this_process()

    assert msgspec.structs.replace(me, started=me.started + 1).proven_dead(me)


def test_a_host_that_rebooted_has_ended_all_it_ran() -> None:
    me = Owner.of_this_process()

    assert msgspec.structs.replace(me, boot="another boot").proven_dead(me)


def test_nobody_on_another_host_is_ever_proven_dead() -> None:
    me = Owner.of_this_process()

    assert not msgspec.structs.replace(me, host="elsewhere", started=0).proven_dead(me)
