"""What a file holds and no question uses: told once, at the file's end."""

from __future__ import annotations

from pathlib import Path

from calib.task_files.values import shown


class Notes:
    """``text`` names every column that no question uses and, of each kind of thing that ``add``
    counts, its number and first places.
    """

    PLACES = 3
    COLUMNS = 40

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}
        self._columns: dict[str, None] = {}
        self._numbered = False

    def add(self, what: str, where: str) -> None:
        self._places.setdefault(what, []).append(where)

    def column(self, name: str) -> None:
        """``name`` is a column that nothing reads; ``Item.meta`` keeps it."""
        self._columns[name] = None

    def numbered(self) -> None:
        """No row has an id, and numbers stand for them."""
        self._numbered = True

    def text(self, path: Path) -> str | None:
        """One sentence, or None where there is nothing to tell."""
        told = []
        if self._numbered:
            told.append("no row has an id, so they are numbered from 0")
        if self._columns:
            named = ", ".join(shown(name) for name in list(self._columns)[: self.COLUMNS])
            more = len(self._columns) - self.COLUMNS
            told.append(
                f"no question uses the column{'s' if len(self._columns) > 1 else ''} {named}"
                + (f" and {more:,} more" if more > 0 else "")
            )
        for what, places in self._places.items():
            short = [place.removeprefix(f"{path}, ") for place in places[: self.PLACES]]
            end = ", ..." if places[self.PLACES :] else ""
            told.append(f"not used are {what}: {len(places):,} ({', '.join(short)}{end})")
        return f"{path}: {'; '.join(told)}" if told else None
