"""A model's name as a folder or a hub name, settled before transformers looks it up.

transformers takes a mistyped folder for a hub name and asks the hub for file after file, each with
retries. Here a name that looks like a path must be a folder, and the hub is asked once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers.utils.hub import cached_file

from calib.hf.refusals import first_line
from calib.records import InputError

# Arguments of from_pretrained that say where files come from: the same for the configuration, the
# weights and the tokenizer.
HUB = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token")
# Seconds that the hub has to say whether it knows a name.
PATIENCE = 5.0
# What says that a folder of the hub's cache holds a model or an adapter.
MARKS = ("config.json", "adapter_config.json")


@dataclass(frozen=True)
class Source:
    """A folder or a hub name, and the arguments of from_pretrained that its files are read with."""

    name: str
    hub: dict[str, Any]

    def stored(self, file: str) -> str | None:
        """Where the file lies on this machine; None where there is none."""
        path: str | None = cached_file(
            self.name,
            file,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_connection_errors=False,
            **self.hub,
        )
        return path


def located(name: str, options: Mapping[str, Any], what: str = "model") -> Source:
    """The folder or hub name that ``name`` is; of ``options`` those that HUB names go with it.

    Raises InputError for an address, a file, a path that is no folder, and a name that the hub does
    not know or, where it cannot be reached, its cache does not hold.
    """
    return unasked(name, options, what) or asked(name, options, what)


def unasked(name: str, options: Mapping[str, Any], what: str = "model") -> Source | None:
    """``located`` as far as the hub need not be asked; None where it has to be."""
    hub = {key: options[key] for key in HUB if key in options}
    if not name.strip():
        raise InputError(f"{what} {name!r}: expected a folder or a name on the hub, owner/name")
    if "://" in name:
        raise InputError(f"{what} {name!r} is an address: {instead(name)}")
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return Source(str(path), hub)
        present = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such user, a NUL
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"{what} {shortened(name)} cannot be read: {reason}") from error
    if present:
        raise InputError(f"{what} {name!r} is a file: expected the folder that holds config.json")
    if name.startswith((".", "~", "/")) or name.endswith("/") or name.count("/") > 1:
        raise InputError(f"{what} {name!r}: there is no such folder{near(path)}")
    stored = in_cache(name, hub, what)
    nowhere = f"{what} {name!r}: there is no such folder{near(path)}"
    if huggingface_hub.constants.HF_HUB_OFFLINE or hub.get("local_files_only"):
        if stored:
            return from_cache(name, hub)
        raise InputError(f"{nowhere}, and the hub's cache, all that may be read, does not hold it")
    if path.parent != Path() and path.parent.is_dir() and not stored:
        raise InputError(
            f"{nowhere} (the hub is not asked, since {str(path.parent)!r} is a folder)"
        )
    return None


def from_cache(name: str, hub: Mapping[str, Any]) -> Source:
    """A name of the hub that is read from its cache alone."""
    return Source(name, {**hub, "local_files_only": True})


def instead(address: str) -> str:
    """What to pass for an address."""
    parts = urlsplit(address)
    names = [part for part in parts.path.split("/") if part]
    if parts.hostname in ("huggingface.co", "hf.co", "www.huggingface.co") and len(names) >= 2:
        return f"pass the name {'/'.join(names[:2])!r}"
    return "expected a folder or a name on the hub, owner/name"


def in_cache(name: str, hub: Mapping[str, Any], what: str) -> bool:
    """Whether the hub's cache holds a model or adapter; InputError for what is no name there."""
    try:
        return any(
            isinstance(
                huggingface_hub.try_to_load_from_cache(
                    name, mark, revision=hub.get("revision"), cache_dir=hub.get("cache_dir")
                ),
                str,
            )
            for mark in MARKS
        )
    except HFValidationError as error:
        raise InputError(
            f"{what} {shortened(name)}: there is no such folder, and it is not a name on the hub, "
            "which has the form owner/name"
        ) from error


def asked(name: str, options: Mapping[str, Any], what: str) -> Source:
    """A name that the hub knows, or that its cache holds where it cannot be asked."""
    hub = {key: options[key] for key in HUB if key in options}
    revision, token = hub.get("revision"), hub.get("token")
    nowhere = f"{what} {name!r}: there is no such folder{near(Path(name))}"
    try:
        huggingface_hub.HfApi().model_info(name, revision=revision, token=token, timeout=PATIENCE)
    except GatedRepoError:
        pass  # transformers says how to ask for access
    except RevisionNotFoundError as error:
        raise InputError(f"{what} {name!r} has no revision {revision!r} on the hub") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{nowhere}, and the hub shows no model of that name (a private one needs a token)"
        ) from error
    # Proxies, certificates, DNS, time: each fails in its own way, and all mean the same.
    except Exception as error:
        if in_cache(name, hub, what):
            return from_cache(name, hub)
        raise InputError(
            f"{nowhere}, and the hub could not be asked ({first_line(error)})"
        ) from error
    return Source(name, hub)


def near(path: Path) -> str:
    """Folders beside ``path`` whose names are nearly its own, for a mistyped one."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=2)
    return f" (there is {' and '.join(str(path.parent / name) for name in close)})" if close else ""


def shortened(name: str) -> str:
    return repr(name) if len(name) <= 200 else f"{name[:100]!r}... ({len(name):,} characters)"
