"""Measure how far a multimodal model's confidence can be trusted.

    >>> import calib
    >>> round(calib.metrics.ece([0.9, 0.8, 0.6], [1, 1, 0], bins=10), 4)
    0.3

Names are loaded at their first use, so ``import calib`` is quick and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calib import calibrators as calibrators
    from calib import intervals as intervals
    from calib import judge as judge
    from calib import metrics as metrics
    from calib import records as records
    from calib import tasks as tasks
    from calib.calibrators.abstention import Threshold as Threshold
    from calib.calibrators.abstention import abstention as abstention
    from calib.calibrators.conformal import ConformalSets as ConformalSets
    from calib.calibrators.conformal import conformal_sets as conformal_sets
    from calib.calibrators.cost import expected_cost as expected_cost
    from calib.calibrators.registry import load_calibrator as load_calibrator
    from calib.calibrators.temperature import TemperatureScaling as TemperatureScaling
    from calib.drive.sample import sample as sample
    from calib.drive.score import score as score
    from calib.hf.callback import CalibrationCallback as CalibrationCallback
    from calib.hf.decoding.monitor import Monitor as Monitor
    from calib.hf.decoding.shared_prefix import shared_prefix as shared_prefix
    from calib.intervals import Interval as Interval
    from calib.intervals import bootstrap as bootstrap
    from calib.intervals import paired_difference as paired_difference
    from calib.judge import judge_for as judge_for
    from calib.logs.read import read_log as read_log
    from calib.modalities.study import Modality as Modality
    from calib.modalities.study import modality as modality
    from calib.models.load import load_model as load_model
    from calib.prompts.search import PromptSearch as PromptSearch
    from calib.prompts.search import optimize_prompts as optimize_prompts
    from calib.records import Answer as Answer
    from calib.records import CalibError as CalibError
    from calib.records import InputError as InputError
    from calib.records import Item as Item
    from calib.records import Verdict as Verdict
    from calib.report.comparison import write_comparison as write_comparison
    from calib.report.scores import write_report as write_report
    from calib.report.transfer import transfer as transfer
    from calib.report.transfer import write_transfer as write_transfer
    from calib.runs import Run as Run
    from calib.runs import open_run as open_run
    from calib.summary import summarize as summarize
    from calib.summary.compare import compare as compare
    from calib.summary.drift import drift as drift
    from calib.tasks import load_task as load_task
    from calib.train.loss import CalibratedCrossEntropy as CalibratedCrossEntropy
    from calib.trajectories.study import Trajectory as Trajectory
    from calib.trajectories.study import trajectory as trajectory
    from calib.twin_sets.evaluate import Twins as Twins
    from calib.twin_sets.evaluate import evaluate_twins as evaluate_twins
    from calib.twin_sets.make import twins as twins
    from calib.uncertainty.p_true import p_true as p_true
    from calib.uncertainty.semantic import SemanticEntropy as SemanticEntropy
    from calib.uncertainty.semantic import semantic_entropy as semantic_entropy

try:
    __version__ = _version("mllm-calib")
except PackageNotFoundError:  # a source folder on sys.path
    __version__ = "0.1.0"

_HOMES = {
    "Answer": "calib.records",
    "CalibError": "calib.records",
    "CalibratedCrossEntropy": "calib.train.loss",
    "CalibrationCallback": "calib.hf.callback",
    "ConformalSets": "calib.calibrators.conformal",
    "InputError": "calib.records",
    "Interval": "calib.intervals",
    "Item": "calib.records",
    "Modality": "calib.modalities.study",
    "Monitor": "calib.hf.decoding.monitor",
    "PromptSearch": "calib.prompts.search",
    "Run": "calib.runs",
    "SemanticEntropy": "calib.uncertainty.semantic",
    "TemperatureScaling": "calib.calibrators.temperature",
    "Threshold": "calib.calibrators.abstention",
    "Trajectory": "calib.trajectories.study",
    "Twins": "calib.twin_sets.evaluate",
    "Verdict": "calib.records",
    "abstention": "calib.calibrators.abstention",
    "bootstrap": "calib.intervals",
    "compare": "calib.summary.compare",
    "conformal_sets": "calib.calibrators.conformal",
    "drift": "calib.summary.drift",
    "evaluate_twins": "calib.twin_sets.evaluate",
    "expected_cost": "calib.calibrators.cost",
    "judge_for": "calib.judge",
    "load_calibrator": "calib.calibrators.registry",
    "load_model": "calib.models.load",
    "load_task": "calib.tasks",
    "modality": "calib.modalities.study",
    "open_run": "calib.runs",
    "optimize_prompts": "calib.prompts.search",
    "p_true": "calib.uncertainty.p_true",
    "paired_difference": "calib.intervals",
    "read_log": "calib.logs.read",
    "sample": "calib.drive.sample",
    "score": "calib.drive.score",
    "semantic_entropy": "calib.uncertainty.semantic",
    "shared_prefix": "calib.hf.decoding.shared_prefix",
    "summarize": "calib.summary",
    "trajectory": "calib.trajectories.study",
    "transfer": "calib.report.transfer",
    "twins": "calib.twin_sets.make",
    "write_comparison": "calib.report.comparison",
    "write_report": "calib.report.scores",
    "write_transfer": "calib.report.transfer",
}
_MODULES = ("calibrators", "intervals", "judge", "metrics", "records", "tasks")

__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"calib.{name}")
    raise AttributeError(f"module 'calib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
