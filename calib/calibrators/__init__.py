"""Maps from scores to honest confidence, and the thresholds above which to answer."""

from __future__ import annotations

from calib.calibrators.registry import CALIBRATORS as CALIBRATORS
from calib.calibrators.registry import load as load
