"""Calibrators, which map scores to calibrated confidence, and thresholds above which to answer."""

from __future__ import annotations

from calib.calibrators.registry import CALIBRATORS as CALIBRATORS
from calib.calibrators.registry import load as load
