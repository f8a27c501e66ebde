"""``python lm_eval_run.py FOLDER``: lm-eval evaluates a tiny random model and logs its samples.

lm-eval must be importable; ``test_lm_eval_real.py`` installs it into a folder of its own. The logs
under ``tests/data/logs`` were made by this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.hf.conftest import make_llama, make_tokenizer

CHOICES = """
task: tiny_choices
dataset_path: json
dataset_kwargs:
  data_files: {{test: {file}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""
MUTUAL = """
include: tiny_choices.yaml
task: tiny_mutual
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_mutual_info, aggregation: mean, higher_is_better: true}
"""
LETTERS = """
include: tiny_choices.yaml
task: tiny_letters
doc_to_choice: ["A", "B"]
filter_list:
  - {name: first, filter: [{function: take_first}]}
  - {name: second, filter: [{function: take_first}]}
"""
FREE = """
include: tiny_choices.yaml
task: tiny_free
output_type: generate_until
doc_to_choice: null
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {max_gen_toks: 3, until: ["\\n"]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""


def questions(n: int) -> list[dict]:
    colours = ["red", "green", "blue", "a dark grey"]
    return [
        {
            "question": f"What colour is number {i}?",
            "choices": colours[: 2 + i % 3],
            "answer": i % 2,
        }
        for i in range(n)
    ]


def main(folder: Path, n: int) -> None:
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "questions.json"
    file.write_text(json.dumps(questions(n)))
    written = {"choices": CHOICES.format(file=file), "mutual": MUTUAL, "letters": LETTERS}
    for name, text in {**written, "free": FREE}.items():
        (folder / f"tiny_{name}.yaml").write_text(text)
    tasks = [f"tiny_{name}" for name in (*written, "free")]
    model = HFLM(pretrained=make_llama(), tokenizer=make_tokenizer(), batch_size=4)
    found = evaluator.simple_evaluate(
        model=model,
        tasks=tasks,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = found.pop("samples")
    tracker = EvaluationTracker(output_path=str(folder / "out"))
    tracker.general_config_tracker.model_name = "tiny"
    tracker.general_config_tracker.model_name_sanitized = "tiny"
    tracker.save_results_aggregated(results=found, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
