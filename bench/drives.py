"""What every drive takes: memory beyond the model, kernels launched, bytes that reach the host.

Models have random weights and questions mean nothing: what is counted depends on sizes alone. On a
CPU nothing crosses; its rows say what Python reads and what is copied (``bench.crossings``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

import calib
from bench.clock import Clock
from bench.crossings import crossings
from bench.ops import scoring
from bench.registers import launched
from bench.timing import sentence, time_limit
from calib.hf.model import Model
from calib.records import Item
from calib.tasks import Task

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
WORDS = ("red", "green", "blue", "one or two", "none of them")


@dataclass(frozen=True)
class Size:
    """How much is asked of which model, and how."""

    mode: str  # of ``scoring.MODES``
    columns: int
    dtype: torch.dtype
    questions: int
    characters: int  # of a question, each of them a token
    batch: int
    samples: int
    tokens: int  # of an answer, at most

    @property
    def sampling(self) -> dict[str, Any]:
        return {"samples": self.samples, "max_new_tokens": self.tokens}


TINY = Size("tiny", 200, torch.float32, 4, 20, batch=4, samples=3, tokens=4)
GPU = Size("Qwen2.5-0.5B", 151_936, torch.bfloat16, 16, 400, batch=16, samples=8, tokens=16)


Run = Callable[[Model, Task, Size, Path], Any]
"""A drive of a model over a task, in a folder that is not there yet."""


def tokenizer(columns: int) -> PreTrainedTokenizerFast:
    """A token for each character and for a letter behind a space, as options are asked for; the
    others stand for words of which no text is made."""
    merges = [(" ", letter) for letter in "ABCDE"]
    entries = [*SPECIAL, "\n", *map(chr, range(32, 127)), *map("".join, merges)]
    entries += [f"word{i} " for i in range(len(entries), columns)]
    bpe = models.BPE(vocab={e: i for i, e in enumerate(entries)}, merges=merges, unk_token="<unk>")
    backend = Tokenizer(bpe)
    backend.decoder = decoders.Fuse()
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def model(size: Size, device: torch.device) -> Model:
    hf = scoring.model(size.mode, size.columns, size.dtype, device)
    hf.generation_config.pad_token_id = SPECIAL.index("<pad>")
    hf.generation_config.eos_token_id = SPECIAL.index("<eos>")
    return Model(size.mode, hf, tokenizer(size.columns), None)


def task(size: Size) -> Task:
    """Questions with two to five options of several tokens."""
    items = [
        Item(f"q{k}", f"Which is number {k}?".ljust(size.characters, "?"), (),
             WORDS[: 2 + k % 4], k % 2, f"g{k % 3}")
        for k in range(size.questions)
    ]  # fmt: skip
    return Task("drive", tuple(items), "options")


def scored(**how: Any) -> Run:
    return lambda asked, questions, size, out: calib.score(
        asked, questions, out=out, batch_size=size.batch, **how
    )


def lettered(run: Run) -> Run:
    return lambda asked, questions, size, out: run(
        asked, replace(questions, prompt="letters"), size, out
    )


def sampled(**how: Any) -> Run:
    return lambda asked, questions, size, out: calib.sample(
        asked, questions, out=out, **size.sampling, **how
    )


def built(asked: Model, questions: Task, size: Size, out: Path) -> Any:
    from calib.idk.folder import build_set  # its judges need libraries that a GPU machine may lack

    return build_set(asked, questions, out, limit=None, **size.sampling)


def evaluated(asked: Model, questions: Task, size: Size, out: Path) -> Any:
    """The callback's numbers of one evaluation of a Trainer."""
    from transformers import PrinterCallback, Trainer, TrainingArguments  # needs accelerate

    settings = TrainingArguments(
        output_dir=str(out),
        per_device_eval_batch_size=size.batch,
        use_cpu=asked.device.type == "cpu",
        report_to="none",
        disable_tqdm=True,
    )
    texts = [asked.tokenizer(item.question)["input_ids"] for item in questions]
    rows = [{"input_ids": ids, "labels": ids} for ids in texts]  # all of one length
    trainer = Trainer(asked.hf, settings, eval_dataset=rows)  # type: ignore[arg-type]
    trainer.remove_callback(PrinterCallback)
    calib.CalibrationCallback().bind(trainer)
    return trainer.evaluate()


@dataclass(frozen=True)
class Drive:
    run: Run
    op: str  # of the registry: a run of some ops has the drives that stand on them


DRIVES: dict[str, Drive] = {
    "score": Drive(lettered(scored()), "scoring"),
    "several tokens": Drive(scored(), "scoring"),
    "orders": Drive(lettered(scored(orders=2)), "orders"),
    "paper": Drive(lettered(scored(protocol="paper")), "scoring"),
    "sample": Drive(sampled(), "answers"),
    "packed": Drive(sampled(batching="packed", rows=16), "answers"),
    "idk build": Drive(built, "answers"),
    "training callback": Drive(evaluated, "training_step"),
}
"""Every way in which calib has logits of a model made."""


def of_ops(ops: Sequence[str]) -> list[str]:
    """The drives that belong to these ops; all where there are none."""
    return [name for name, drive in DRIVES.items() if not ops or drive.op in ops]


@contextmanager
def calls_of(name: str, size: Size, device: torch.device) -> Iterator[Callable[[], Any]]:
    """The drive as a function that drives anew, in a folder of its own, at each call."""
    asked, questions = model(size, device), task(size)
    with tempfile.TemporaryDirectory() as folder:
        yield lambda: DRIVES[name].run(
            asked, questions, size, Path(tempfile.mkdtemp(dir=folder)) / "out"
        )


def row(
    name: str, size: Size, device: torch.device, clock: Clock, *, seconds: float = 600.0
) -> dict[str, Any]:
    """A row of results; of a drive that fails, lacks a library or time, why it has no numbers."""
    base = {
        "kind": "drive",
        "drive": name,
        "mode": size.mode,
        "columns": size.columns,
        "dtype": str(size.dtype).removeprefix("torch."),
        "questions": size.questions,
        **size.sampling,
    }
    try:
        with time_limit(seconds), calls_of(name, size, device) as call:
            peak = clock.peak(call)
            if peak is None:
                call()  # what is learned of a model once is not a question's
            with launched() as kernels:
                seen = crossings(call, size.columns, device)
    except ImportError as error:
        return {**base, "error": f"skipped: {sentence(error)}"}
    except Exception as error:  # noqa: BLE001  (one drive's failure is a row, the run goes on)
        return {**base, "error": sentence(error)}
    return {**base, **seen, "peak_bytes": peak, "kernels": sorted(kernels)}


def line(row: Mapping[str, Any]) -> str:
    if "error" in row:
        return f"{row['drive']:20} left out: {row['error'][:90]}"
    logits = row.get("logit_bytes_to_host", row["logit_bytes_read"])
    crossed = row.get("bytes_to_host", row["bytes_read"])
    peak = "" if row["peak_bytes"] is None else f"; {row['peak_bytes'] / 2**20:.0f} MiB at the peak"
    return (
        f"{row['drive']:20} {crossed / row['questions']:5.0f} bytes a question to the host, "
        f"{logits} of them logits; {row['logit_bytes_copied']} of logits copied{peak}; "
        f"{len(row['kernels'])} kernels"
    )
