"""Colours by role, sizes, axes and legends that every drawing shares; SVG for pages, and PNG."""

from __future__ import annotations

import html
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role; ``report.css`` has the same. ``over`` and ``under`` stay apart for every
    common colour blindness, and so do the four of runs."""

    ink: str
    muted: str
    grid: str
    over: str
    under: str
    face: str
    run1: str
    run2: str
    run3: str
    run4: str

    @property
    def runs(self) -> tuple[str, ...]:
        return self.run1, self.run2, self.run3, self.run4


LIGHT = Theme(
    *("#1d2129", "#667085", "#e4e7ec", "#c2410c", "#0b6bb3", "#ffffff"),
    *("#5b21b6", "#166534", "#b8860b", "#e0559f"),
)
DARK = Theme(
    *("#e6e8eb", "#98a2b3", "#2c333d", "#ff8f5e", "#6cb6f5", "#171b21"),
    *("#9b6bff", "#86efac", "#facc15", "#ec4899"),
)

# Stand-ins, each of a colour that is drawn nowhere else; ``svg`` turns them into CSS variables.
CSS = Theme(*(f"#0100{k:02x}" for k in range(1, 1 + len(Theme.__slots__))))

FONT = 9
"""Points. A page of 400 pixels shows a drawing of PANEL or WIDE inches 353 pixels wide, where texts
are then 9 pixels high or more."""
SMALL = 8.5
PANEL = 3.7
WIDE = 4.3
RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "calib",
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.labelsize": FONT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "path.simplify": True,
    "text.parse_math": False,  # a dollar in a name begins no formula
}
PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.6g}")
COUNT = FuncFormatter(lambda value, _: f"{value:,.0f}")


@contextmanager
def drawing(width: float, height: float, theme: Theme) -> Iterator[Figure]:
    """A figure of so many inches; transparent for a page, else on the theme's ground."""
    with matplotlib.rc_context(RC):
        face = "none" if theme is CSS else theme.face
        yield Figure(figsize=(width, height), layout="constrained", facecolor=face)


def plain(axes: Axes, theme: Theme) -> None:
    """Two spines, a faint grid beneath the data."""
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    axes.grid(color=theme.grid, linewidth=0.7)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)
    axes.tick_params(colors=theme.ink, length=3, width=0.8)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)


def legend(
    axes: Axes,
    theme: Theme,
    columns: int,
    handles: Sequence[Any] | None = None,
    *,
    note: str = "",
    length: float = 1.3,
) -> None:
    """A legend above the axes, where no data are; ``note`` stands over it in lines of its own.

    ``length`` of its lines, in ems: one with a marker needs more to show its dashes.
    """
    found = axes.get_legend_handles_labels()[0] if handles is None else list(handles)
    shown = axes.legend(
        handles=found,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        labelcolor=theme.ink,
        fontsize=SMALL,
        handlelength=length,
        columnspacing=1.0,
        handletextpad=0.5,
        borderaxespad=0.1,
        borderpad=0.2,
        title=note or None,
        title_fontsize=FONT,
        alignment="left",
    )
    shown.get_title().set_color(theme.ink)


def entry(name: str) -> str:
    """A user's name as an entry of a legend, which has no place for what begins with "_"."""
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


BREAKS = " /-_"
"""Behind these a name may end its line."""


def width_of(text: str) -> float:
    """Points that a small text is wide."""
    font = FontProperties(family=RC["font.family"], size=SMALL)
    with as_text():
        wide: float = text_to_path.get_text_width_height_descent(text, font, False)[0]
    return wide


@contextmanager
def as_text() -> Iterator[None]:
    """Names of any script without a warning: an SVG keeps them, and a browser has their letters."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def wrapped(text: str, width: float) -> str:
    """A name in lines of at most ``width`` points, which end between its parts or anywhere: names
    have no spaces to break at."""
    lines = [""]
    for character in text:
        line = lines[-1]
        if line and width_of(line + character) > width:
            last = 1 + max(map(line.rfind, BREAKS))
            cut = last if 2 * last > len(line) else len(line)
            lines[-1:] = [line[:cut], line[cut:] + character]
        else:
            lines[-1] = line + character
    return "\n".join(lines)


def svg(figure: Figure, *, name: str, label: str) -> str:
    """An ``<svg>`` element for a page: colours as CSS variables, ids prefixed with ``name``.

    ``label`` and the figure's own words are what a screen reader says.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(RC), as_text():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', _rounded, text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--figure-font)", text)
    for role in Theme.__slots__:
        text = text.replace(getattr(CSS, role), f"var(--{role})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    said = ". ".join(str(part) for part in (label.replace("\n", ", "), figure.get_label()) if part)
    opening = f'<svg role="img" aria-label="{html.escape(said)}" '
    return text.replace("<svg ", opening, 1).strip()


def _rounded(attribute: re.Match[str]) -> str:
    """Positions to a hundredth of a point, which is less than a screen shows: half the bytes."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute[0])


def png(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 160) -> None:
    """Write a PNG that does not change from one run to the next."""
    with matplotlib.rc_context(RC):
        figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})
