"""Softmax outputs of three published classifiers, as netcal's authors store them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib.cli import app
from calib.records import InputError

FOLDER = Path(__file__).parents[2] / "calib" / "studies" / "files" / "classifiers"
PARTS = {
    "densenet-bc-100-cifar-100": (400, 100, 0.17400),
    "wideresnet-16-4-cifar-10": (1000, 10, 0.06500),
    "lenet-5-cifar-10": (1000, 10, 0.09818),
}


def ece(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """By its definition, one bin after another."""
    confidence = probabilities.max(1).astype(float)
    correct = probabilities.argmax(1) == labels
    total = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            total += abs(correct[inside].mean() - confidence[inside].mean()) * inside.mean()
    return total


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_read_whole_and_measured_as_by_hand(name: str) -> None:
    rows, classes, expected = PARTS[name]
    data = np.load(FOLDER / f"{name}.npz")
    assert data["predictions"].shape == (rows, classes)
    run = calib.read_log(FOLDER / f"{name}.npz", probabilities="predictions")
    assert [row["id"] for row in run.records] == [str(number) for number in data["id"]]
    metrics = calib.summarize(run)["metrics"]
    right = (data["predictions"].argmax(1) == data["ground_truth"]).mean()
    assert metrics["accuracy"]["value"] == pytest.approx(right, abs=1e-12)
    # Probabilities are divided by their sums, which differ from 1 by float32's rounding, 1e-7.
    by_hand = ece(data["predictions"], data["ground_truth"])
    assert metrics["ece"]["value"] == pytest.approx(by_hand, abs=1e-6)
    assert by_hand == pytest.approx(expected, abs=5e-6)  # as README.md beside the files says


def test_the_command_reads_it(tmp_path: Path) -> None:
    command = ["import", str(FOLDER / "lenet-5-cifar-10.npz"), "--output_path", str(tmp_path / "r")]
    done = CliRunner().invoke(app, [*command, "--format_args", "probabilities=predictions"])
    assert done.exit_code == 0, done.output
    assert "1,000 rows" in done.output


def test_without_the_name_of_its_column_it_is_refused() -> None:
    with pytest.raises(InputError, match="the columns are 'id', 'ground_truth', 'predictions'"):
        calib.read_log(FOLDER / "lenet-5-cifar-10.npz")
