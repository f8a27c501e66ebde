"""Published figures of six real multimodal models, through kernels, histogram and metrics.

Option logits and figures: VLM-Uncertainty-Bench (MIT, licence beside the data). Its figures are
float32: 15 bins, softmax over six options.
"""

from __future__ import annotations

import csv
from pathlib import Path

import calib_kernels
import numpy as np
import pytest
import torch
from calib_kernels import CalibrationHistogram, option_scores

from calib import metrics

FOLDER = Path(__file__).parent / "data" / "oracles" / "vlm_uncertainty_bench"
with (FOLDER / "published.csv").open() as file:
    PUBLISHED = {f"{row['model']}.{row['dataset']}": row for row in csv.DictReader(file)}


def recomputed(logits: np.ndarray, answer: np.ndarray) -> tuple[float, float]:
    """ECE and MCE in float64 with nothing of this project: softmax, first maximum, 15 bins."""
    z = logits.astype(np.float64)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    c = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    a = z.argmax(axis=1) == answer
    where = sum((c >= k / 15).astype(int) for k in range(1, 15))
    gaps, weights = [], []
    for b in np.unique(where):
        inside = where == b
        gaps.append(abs(a[inside].mean() - c[inside].mean()))
        weights.append(inside.mean())
    return float(np.dot(weights, gaps)), max(gaps)


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name, backend):
    saved = np.load(FOLDER / f"{name}.npz")
    logits, answer = saved["logits"], saved["answer"].astype(np.int64)
    assert len(logits) == int(PUBLISHED[name]["rows"])
    histogram = CalibrationHistogram(15)
    with calib_kernels.use_backend(backend):
        option_scores(
            torch.from_numpy(logits),
            torch.arange(6),
            torch.from_numpy(answer),
            histogram=histogram,
        )
    assert int(histogram.count.sum()) == len(logits)
    ece, mce = metrics.ece(histogram), metrics.mce(histogram)
    assert ece == pytest.approx(float(PUBLISHED[name]["ece15"]), abs=2e-6)
    assert mce == pytest.approx(float(PUBLISHED[name]["mce15"]), abs=2e-6)
    own_ece, own_mce = recomputed(logits, answer)
    assert ece == pytest.approx(own_ece, abs=3e-7)
    assert mce == pytest.approx(own_mce, abs=3e-7)
