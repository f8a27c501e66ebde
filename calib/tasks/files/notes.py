"""What a file holds and no question uses, in one sentence at the file's end."""

from __future__ import annotations

from pathlib import Path

from calib.tasks.files.values import shown


class Notes:
    """``text`` names every column that no question uses and, of each kind of thing that ``add``
    counts, its number and first places.
    """

    PLACES = 3
    COLUMNS = 40
    ANSWERS = 3  # as many answers, none of them 0, may be counted from 1

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}
        self._columns: dict[str, None] = {}
        self._pictures: dict[str, None] = {}
        self._numbered = self._some_ids = False
        self._alike: list[str] = []
        self._over_truth = ""
        self._answers = 0
        self._from_one = True

    def add(self, what: str, where: str) -> None:
        self._places.setdefault(what, []).append(where)

    def column(self, name: str) -> None:
        """``name`` is a column that nothing reads; ``Item.meta`` keeps it."""
        self._columns[name] = None

    def picture(self, name: str) -> None:
        """``name`` is a column that nothing reads and that looks like pictures."""
        self._pictures[name] = None

    def alike(self, where: str) -> None:
        """Two options there are the same text, and their letters tell them apart."""
        self._alike.append(where)

    def answer(self, index: int, by_index: bool) -> None:
        """A right option, and whether the file writes its index."""
        self._answers += 1
        self._from_one &= by_index and index > 0

    def over_truth(self, right: str) -> None:
        """A number was read as the index of ``right`` where options are true and false words."""
        self._over_truth = self._over_truth or right

    def numbered(self) -> None:
        """A row has no id, and its number stands for it."""
        self._numbered = True

    def with_id(self) -> None:
        """A row has an id of its own."""
        self._some_ids = True

    def text(self, path: Path) -> str | None:
        """One sentence, or None where there is nothing to tell."""
        parts = []
        if self._numbered:
            rows = "some rows have no id" if self._some_ids else "no row has an id"
            parts.append(f"{rows}, so they are numbered from 0")
        if self._columns:
            names = ", ".join(shown(name) for name in list(self._columns)[: self.COLUMNS])
            more = len(self._columns) - self.COLUMNS
            parts.append(
                f"no question uses the column{'s' if len(self._columns) > 1 else ''} {names}"
                + (f" and {more:,} more" if more > 0 else "")
            )
        if self._pictures:
            (first, *more_pictures) = map(shown, self._pictures)
            names = first + (" and others" if more_pictures else "")
            parts.append(f"{names} looks like pictures; name it images to have them shown")
        if self._from_one and self._answers >= self.ANSWERS:
            parts.append("no answer is 0: are they counted from 1? answer_index counts from 0")
        if self._over_truth:
            parts.append(
                f"answers 0 and 1 are read as indices, the first of them as "
                f"{shown(self._over_truth)}; where they are truth values, write true and false"
            )
        if self._alike:
            parts.append(f"two options are the same text in {self.counted(self._alike, path)}")
        for what, places in self._places.items():
            parts.append(f"not used are {what}: {self.counted(places, path)}")
        return f"{path}: {'; '.join(parts)}" if parts else None

    def counted(self, places: list[str], path: Path) -> str:
        short = [place.removeprefix(f"{path}, ") for place in places[: self.PLACES]]
        end = ", ..." if places[self.PLACES :] else ""
        return f"{len(places):,} ({', '.join(short)}{end})"
