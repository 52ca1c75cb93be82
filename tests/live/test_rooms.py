"""The tape: bounded, without gap, never ahead of everybody by more than half."""

from hypothesis import given, settings
from hypothesis import strategies as st

from social.live.rooms import EVENTS, LENGTH, Tape

Sizes = st.sampled_from([(400, 1), (250, 700), (30, 30_000), (2, LENGTH)])  # how many texts of which length


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 50), st.lists(st.tuples(Sizes, st.integers(0, 600)), max_size=12))
def test_a_tape_has_all_that_the_fastest_has_not_heard_and_stays_bounded(
    start: int, steps: list[tuple[tuple[int, int], int]]
) -> None:
    tape, heard, longest = Tape(start), start, 0
    for (count, length), hears in steps:
        before = tape.seq
        longest = max(longest, length)
        tape.extend([f"{before + 1 + n}".ljust(length) for n in range(count)], heard)
        unheard = tape.after(heard)

        assert [int(text) for text in unheard] == list(range(heard + 1, tape.seq + 1))
        assert tape.seq - tape.start <= EVENTS
        assert sum(map(len, tape.after(tape.start))) <= LENGTH + longest
        assert len(unheard) <= EVENTS // 2
        assert tape.seq == before + count or tape.full(heard)
        heard = min(tape.seq, heard + hears)


def test_what_all_have_heard_is_forgotten_and_the_rest_is_not() -> None:
    tape = Tape(7)
    tape.extend(["eight", "nine", "ten"], None)

    tape.forget(9)

    assert (tape.start, tape.seq, tape.after(9)) == (9, 10, ["ten"])
    assert tape.after(8) == []
    assert tape.after(10) == []
    tape.forget(99)
    assert (tape.start, tape.seq) == (10, 10)
