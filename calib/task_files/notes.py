"""What a file holds and no question uses: told once, at the file's end."""

from __future__ import annotations

from pathlib import Path


class Notes:
    """``add`` counts; ``text`` names each kind of thing with its number and first places."""

    PLACES = 3

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    def add(self, what: str, where: str) -> None:
        self._places.setdefault(what, []).append(where)

    def text(self, path: Path) -> str | None:
        """One sentence, or None where there is nothing to tell."""
        if not self._places:
            return None
        told = []
        for what, places in self._places.items():
            named = ", ".join(places[: self.PLACES])
            told.append(
                f"{what}: {len(places):,} ({named}{', ...' if places[self.PLACES :] else ''})"
            )
        return f"{path}: not used are {'; '.join(told)}"
