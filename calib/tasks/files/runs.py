"""Which marks of a text are its options: the last run of one marking that has an A."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from calib.records import InputError
from calib.tasks.files.marks import Mark

GAP = 4
"""Letters of one run are at most so far apart, so that "I. think" does not follow "B. dog"."""
ROMAN = set("IVX")


def last_run(every: Iterable[Mark], text: str, where: str) -> list[Mark] | None:
    """The marks of the options in ``text``, None where none are listed.

    Raises InputError where the last run has a letter twice, or where there is a run without A.
    """
    all_marks = tuple(every)
    by_style: dict[str, list[Mark]] = {}
    for mark in all_marks:
        by_style.setdefault(mark.style, []).append(mark)
    on_lines = [run for own in by_style.values() if (run := run_on_lines(own, text))]
    # "A. (a) and (b)": in the lines of a run what is marked otherwise is text.
    led = {mark.line for run in on_lines for mark in run}
    runs = on_lines + [
        run
        for own in by_style.values()
        if (run := run_in_line([mark for mark in own if mark.line not in led]))
    ]
    outer = [
        run
        for run in runs
        if not any(o[0].start < run[0].start and run[-1].start < o[-1].start for o in runs)
    ]
    if not outer:
        for own in by_style.values():
            refuse_without_a(own, where)
        refuse_mixed(all_marks, set(), where)
        return None
    run = max(outer, key=lambda run: run[0].start)
    refuse_doubled(run, where)
    inside = (mark for mark in all_marks if mark.start >= run[0].start)
    refuse_mixed(inside, {mark.letter for mark in run}, where)
    return run


def run_on_lines(own: Sequence[Mark], text: str) -> list[Mark] | None:
    """The last run of marks of one style that stand at lines' starts, and those in their lines."""
    blocks: list[list[Mark]] = [[]]
    letters: set[str] = set()
    for mark in own:
        if mark.place != "line":
            continue
        again = mark.letter == "A" and "A" in letters
        if again and mark.line > blocks[-1][-1].line + 1:
            blocks.append([])
            letters.clear()
        blocks[-1].append(mark)
        letters.add(mark.letter)
    for block in reversed(blocks):
        run = without_prose_before(block, text)
        if len({mark.letter for mark in run}) > 1:
            return with_marks_in_lines(run, own)
    return None


def without_prose_before(block: list[Mark], text: str) -> list[Mark]:
    """The block from A on, and of the marks before A those that fill its gaps or continue it."""
    first = next((i for i, mark in enumerate(block) if mark.letter == "A"), len(block))
    run = block[first:]
    if not run:
        return []
    letters = {mark.number for mark in block}
    top = max(mark.number for mark in run)
    reach = GAP - 1 if len(run) == 1 else top
    while reach + 1 in letters:
        reach += 1
    start = first
    while start > 0 and (block[start - 1].bracketed or block[start - 1].number <= reach):
        start -= 1
    # The question itself must stand somewhere: "C. elegans has" on the first line is not an option.
    if start < first and not block[start].bracketed:
        head = text[: block[start].start].replace("<image>", "")
        start += not head.strip()
    return block[start:]


def with_marks_in_lines(run: list[Mark], own: Sequence[Mark]) -> list[Mark]:
    """Two options a line: the marks inside the run's lines that fill its gaps, if they fill all."""
    letters = {mark.letter for mark in run}
    lines = {mark.line for mark in run}
    filled: list[Mark] = []
    for mark in own:
        if mark.place == "line":
            filled += [mark] if mark.line in lines else []
        elif (
            mark.line in lines
            and mark.letter not in letters
            and filled
            and mark.number == filled[-1].number + 1
        ):
            filled.append(mark)
    return filled if not is_complete(run) and is_complete(filled) else run


def run_in_line(own: Sequence[Mark]) -> list[Mark] | None:
    """The last run that begins in a line and goes on in it, and in lines that begin with a mark."""
    last_a = max((i for i, mark in enumerate(own) if mark.letter == "A"), default=None)
    if last_a is None:
        return None
    line = own[last_a].line
    starts = [i for i in range(last_a + 1) if own[i].line == line and own[i].begins_run]
    if not starts:
        return None  # "Which (A) apples or (B) pears are sweeter?"
    run: list[Mark] = []
    for mark in own[starts[-1] :]:
        if mark.line == line or mark.place == "line":
            run.append(mark)
            line = mark.line
    spaced = [mark for mark in run if mark.place != "tight"]
    run = spaced if len(spaced) > 1 else run  # "(A) f(X) (B) f(B)"
    first, numbers = run[0], [mark.number for mark in run]
    if first.bracketed and not has_jump(numbers):
        return run if len(run) > 1 else None
    distinct = len(set(numbers)) == len(numbers) and not has_jump(numbers)
    if distinct and (first.place in ("line", "colon") or is_complete(run)):
        chain: list[Mark] | None = run
    else:
        chain = in_order(run)
    return chain if chain and len(chain) > 1 else None


def in_order(run: list[Mark]) -> list[Mark] | None:
    """A, the next B, the next C, ...; the whole run where one of them could be two marks."""
    chain = [mark for mark in run[:1] if mark.letter == "A"]
    while chain:
        rest = run[run.index(chain[-1]) + 1 :]
        following = [mark for mark in rest if mark.number == chain[-1].number + 1]
        if len(following) > 1:
            return run
        if not following:
            break
        chain += following
    return chain or None


def is_complete(run: Sequence[Mark]) -> bool:
    return sorted(mark.number for mark in run) == list(range(len(run)))


def has_jump(letters: Sequence[int]) -> bool:
    ordered = sorted(set(letters))
    return any(b - a > GAP for a, b in pairwise(ordered))


def refuse_doubled(run: Sequence[Mark], where: str) -> None:
    counts = Counter(mark.letter for mark in run)
    letter, times = counts.most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{where}: expected each option's letter once, but {letter} is marked {times} times"
        )
    if not run[0].bracketed and has_jump([mark.number for mark in run]):
        raise InputError(
            f"{where}: the marked letters {', '.join(counts)} leave too much out to be one list "
            "of options; put the options' letters in brackets, as in (A)"
        )


def refuse_mixed(every: Iterable[Mark], letters: set[str], where: str) -> None:
    """Raise InputError where a line is marked as the next option, but in another marking."""
    before: Mark | None = None
    for mark in every:
        if mark.place != "line":
            continue
        follows = before is not None and mark.number == before.number + 1
        if before and follows and mark.style != before.style and mark.letter not in letters:
            raise InputError(
                f"{where}: expected one marking for all options, but {before.letter} and "
                f"{mark.letter} are marked in two ways"
            )
        before = mark


def refuse_in_wrapped_lines(
    every: Iterable[Mark], run: Sequence[Mark], end: int, where: str
) -> None:
    """Raise InputError where a line between the options has the next option's mark inside."""
    letters = {mark.letter for mark in run}
    lines = {mark.line for mark in run}
    top = max(mark.number for mark in run)
    for mark in every:
        wrapped = run[0].start < mark.start < end and mark.line not in lines
        follows = mark.letter not in letters and mark.number <= top + 1
        if wrapped and follows and mark.style == run[0].style and mark.place != "tight":
            raise InputError(
                f"{where}: the mark of {mark.letter} stands inside a line that goes on with "
                f"another option; begin a line with it if {mark.letter} is an option"
            )


def refuse_without_a(own: Sequence[Mark], where: str) -> None:
    """Raise InputError where marks of one style look like options but for a missing A."""
    listed = [mark for mark in own if mark.place not in ("inline", "tight")]
    lines = {mark.line for mark in listed}
    letters = sorted({mark.letter for mark in own if mark.line in lines})
    if len(letters) < 2 or "A" in letters or set(letters) <= ROMAN:
        return
    if ord(letters[-1]) - ord(letters[0]) < 2 * len(letters):
        raise InputError(
            f"{where}: expected options of which one is marked A, but marked are "
            f"{', '.join(letters)}"
        )
