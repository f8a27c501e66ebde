"""lm-eval itself evaluates a tiny model, and its logs say of calib what it says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import calib

ROOT = Path(__file__).parent.parent.parent
LM_EVAL = "lm_eval==0.4.13"
NEEDED = (
    "sacrebleu", "portalocker", "tabulate", "colorama", "lxml", "jsonlines", "pytablewriter",
    "DataProperty", "mbstrdecoder", "pathvalidate", "tabledata", "tcolorpy", "typepy", "chardet",
    "rouge-score", "absl-py", "nltk", "sqlitedict", "word2number", "evaluate",
)  # fmt: skip
"""What lm-eval imports and this project does not install."""


@pytest.mark.slow
def test_the_logs_of_a_real_evaluation_are_read(tmp_path):
    target = tmp_path / "packages"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target]
    got = subprocess.run([*command, LM_EVAL, *NEEDED], capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"{LM_EVAL} cannot be had here")
    folder = tmp_path / "evaluated"
    paths = [str(ROOT), str(ROOT / "kernels"), str(target)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
    }
    script = Path(__file__).with_name("lm_eval_run.py")
    done = subprocess.run(
        [sys.executable, script, folder, "60"], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(next(folder.glob("out/tiny/results_*.json")).read_text())["results"]
    for metric in ("acc", "acc_norm"):
        path = next(folder.glob("out/tiny/samples_tiny_choices_*.jsonl"))
        run = calib.read_log(path, metric=metric, out=tmp_path / metric)
        assert run.config["model"] == "tiny"
        share = results["tiny_choices"][f"{metric},none"]
        assert run.scores()["correct"].mean() == pytest.approx(share, abs=1e-12)
        assert calib.write_report(run).exists()
    letters = next(folder.glob("out/tiny/samples_tiny_letters_*.jsonl"))
    assert len(calib.read_log(letters, filter="second").rows()) == 60
    mutual = next(folder.glob("out/tiny/samples_tiny_mutual_*.jsonl"))
    share = results["tiny_mutual"]["acc,none"]
    assert calib.read_log(mutual).scores()["correct"].mean() == pytest.approx(share, abs=1e-12)
    compared = calib.compare([calib.open_run(tmp_path / name) for name in ("acc", "acc_norm")])
    assert compared["n"] == 60
