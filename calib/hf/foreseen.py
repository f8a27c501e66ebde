"""What can be refused of a model before its weights are read, for those who load it only later.

Nothing is asked of the hub and no folder's own code is run: what only these would say is left to
``calib.hf.loading``, as is the base of an adapter's folder. What is refused here would be refused
there, but for names that are nearly those of ``load_model``, which transformers refuses in the end.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from calib.hf import adapters
from calib.hf.classes import TEXT
from calib.hf.loading import configured, reasons, refuse_arguments, refuse_dtype
from calib.hf.placement import home
from calib.hf.sources import Source, unasked
from calib.records import CalibError

NAMES = (
    *("device", "dtype", "attn_implementation", "peft", "engine"),
    *("device_map", "trust_remote_code", "revision", "subfolder", "quantization_config"),
)
"""Arguments of ``load_model`` and of from_pretrained that others are compared with."""
NEAR = 0.8
"""How alike two names are (difflib) that one is taken for a slip in the other: dytpe is so to
dtype, and no argument of transformers' own is to another."""
TEXT_ONLY = "it reads text only, and questions with pictures are to be asked"


class Foreseen(Exception):
    """``args`` are the argument of ``load_model``, or "model", and why it is refused."""


def foresee(
    name: str,
    *,
    pictures: bool = False,
    device: str | None = None,
    dtype: str = "auto",
    peft: str | None = None,
    **model_args: Any,
) -> tuple[str, str] | None:
    """(argument, why) of what ``load_model`` would refuse; None where nothing is known of that.

    The argument of the model's name is "model". ``pictures``: whether questions with pictures are
    to be asked.
    """
    try:
        with of("dtype"):
            refuse_dtype(dtype)
        with of("device"):
            home(device, model_args.get("device_map"))
        if name.partition(":")[0] == "embedded":
            of_embedded(name, pictures, peft, model_args)
        else:
            of_source(name, pictures, peft, model_args)
    except Foreseen as refused:
        argument, why = refused.args
        return argument, why
    return None


@contextmanager
def of(argument: str) -> Iterator[None]:
    """What is raised here is about the argument."""
    try:
        yield
    except CalibError as error:
        raise Foreseen(argument, str(error)) from error


def of_embedded(name: str, pictures: bool, peft: str | None, model_args: Mapping[str, Any]) -> None:
    from calib.hf.embedded import TEXT_STATE, refuse_state

    state = name.partition(":")[2]
    with of("model"):
        refuse_state(state)
    others = {key: value for key, value in model_args.items() if key != "attn_implementation"}
    with of(next(iter(others), "peft")):
        refuse_arguments(name, others, peft)
    if pictures and state == TEXT_STATE:
        raise Foreseen("model", f"model {name!r}: {TEXT_ONLY}")


def of_source(name: str, pictures: bool, peft: str | None, model_args: Mapping[str, Any]) -> None:
    with of("model"):
        source = unasked(name, model_args)
    if peft is not None:
        with of("peft"):
            adapter = unasked(str(peft), {**model_args, "revision": None}, "peft")
            if adapter is not None:
                adapters.adapter_config(adapter)
    # Code of the folder's own, other files: loading alone knows them.
    if source is None or any(map(model_args.get, ("trust_remote_code", "gguf_file", "config"))):
        return
    with of("model"), reasons(name, source):
        if adapters.is_adapter(source):
            return
        whole, auto, _ = configured(source, {"trust_remote_code": False, **model_args})
    refuse_slips(source, model_args, whole)
    if pictures and auto.__name__ == TEXT:
        raise Foreseen("model", f"model {name!r}: {TEXT_ONLY}")


def refuse_slips(source: Source, names: Iterable[str], config: Any) -> None:
    """Foreseen for a name that is nearly one of ``NAMES``, and none of the model's config."""
    for name in names:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=NEAR)
        if near and name not in NAMES and not hasattr(config, name):
            raise Foreseen(
                name,
                f"model {source.name!r}: it takes no argument {name!r}; is {near[0]} meant?",
            )
