"""Draw what ``summary``, ``uncertainty`` and ``idk`` computed, as one visual language.

Each function takes plain numbers out of ``results.json`` and returns a matplotlib Figure; nothing
is computed here but positions. ``svg`` gives an inline drawing whose colours are the page's CSS
variables, so that one drawing serves light and dark; ``png`` gives a picture for a README.

One colour means one thing everywhere: vermilion is wrong and over-confident, blue is right and
under-confident, grey is refused and what stands for comparison, ink is a line without a side. Runs
that are compared have four colours of their own. A figure's label says its main numbers in words.
"""

from calib.report.plots.answers import arms, correlations
from calib.report.plots.confidence import confidence_histogram
from calib.report.plots.modality import heat_map, over_noise
from calib.report.plots.overlay import overlay
from calib.report.plots.reliability import (
    is_part,
    reliability,
    reliability_zoomed,
)
from calib.report.plots.rounds import over_rounds
from calib.report.plots.selective import has_band, risk_coverage, risk_coverage_by_measure
from calib.report.plots.theme import CSS, DARK, LIGHT, Theme, png, svg
from calib.report.plots.training import entropy_over_steps, over_steps
from calib.report.plots.transfer import transfer

__all__ = [
    "CSS",
    "DARK",
    "LIGHT",
    "Theme",
    "arms",
    "confidence_histogram",
    "correlations",
    "entropy_over_steps",
    "has_band",
    "heat_map",
    "is_part",
    "over_noise",
    "over_rounds",
    "over_steps",
    "overlay",
    "png",
    "reliability",
    "reliability_zoomed",
    "risk_coverage",
    "risk_coverage_by_measure",
    "svg",
    "transfer",
]
