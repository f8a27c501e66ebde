"""Names of models: folders, hub names, and what is neither, without waiting for the hub."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from calib.hf import sources
from calib.hf.model import load_model
from calib.hf.nli import load_nli
from calib.hf.sources import Source, located
from calib.records import InputError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that the hub is asked for; it answers that it knows them."""
    names: list[str] = []

    def model_info(_: Any, name: str, **__: Any) -> None:
        names.append(name)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    return names


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an empty cache of the hub."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "work"


def refused(name: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        located(name, options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["./checkpont", "../x", "/no/such", "~/no-such-folder", "my/runs/last", "owner/name/"]
)
def test_what_looks_like_a_path_is_a_folder_or_nothing(
    elsewhere: Path, asked: list[str], name: str
):
    assert refused(name) == f"model {name!r}: there is no such folder"
    assert asked == []


def test_a_mistyped_folder_is_told_with_its_neighbour(elsewhere: Path, asked: list[str]):
    (elsewhere / "my" / "checkpoint").mkdir(parents=True)
    message = refused("my/checkpont")
    assert "there is my/checkpoint" in message
    assert "the hub is not asked, since 'my' is a folder" in message
    assert "there is my/checkpoint" in refused("./my/checkpont")
    assert asked == []


def test_a_folder_is_a_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]):
    (elsewhere / "owner" / "name").mkdir(parents=True)
    assert located("owner/name", {"revision": "x", "dtype": "auto"}) == Source(
        "owner/name", {"revision": "x"}
    )
    monkeypatch.setenv("HOME", str(elsewhere))
    assert located("~/owner/name", {}).name == str(elsewhere / "owner" / "name")
    assert asked == []


@pytest.mark.parametrize(
    ("address", "instead"),
    [
        ("https://huggingface.co/owner/name", "pass the name 'owner/name'"),
        ("https://hf.co/owner/name/tree/main", "pass the name 'owner/name'"),
        ("https://huggingface.co/name", "a folder or a name on the hub"),
        ("https://example.com/owner/name", "a folder or a name on the hub"),
        ("s3://bucket/model", "a folder or a name on the hub"),
    ],
)
def test_an_address_is_refused_in_words(address: str, instead: str, asked: list[str]):
    message = refused(address)
    assert "is an address" in message
    assert instead in message
    assert asked == []


def test_a_file_is_refused_in_words(elsewhere: Path):
    (elsewhere / "model.safetensors").touch()
    assert "is a file: expected the folder" in refused("model.safetensors")


@pytest.mark.parametrize("name", ["a b c", "embeded:stage2", "x\0y", "-", "name..x", "x" * 97])
def test_what_is_no_name_at_all(elsewhere: Path, asked: list[str], name: str):
    assert "not a name on the hub" in refused(name)
    assert asked == []


def test_no_name_is_not_the_folder_here(elsewhere: Path):
    assert "expected a folder or a name" in refused("")


def test_a_name_too_long_for_a_file_is_not_repeated_whole():
    assert "(5,000 characters)" in refused("x" * 5000)


def test_a_name_that_the_hub_knows(elsewhere: Path, asked: list[str]):
    assert located("owner/name", {"token": "t", "cache_dir": None}) == Source(
        "owner/name", {"token": "t", "cache_dir": None}
    )
    assert asked == ["owner/name"]


def test_offline_the_hub_is_not_asked(
    elsewhere: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
):
    assert "cache, all that may be read" in refused("owner/name", local_files_only=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "cache, all that may be read" in refused("owner/name")
    assert asked == []


@pytest.fixture
def cached(elsewhere: Path) -> str:
    """A name of which the hub's cache holds a snapshot."""
    repository = Path(huggingface_hub.constants.HF_HUB_CACHE) / "models--owner--name"
    commit = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "config.json").write_text("{}")
    return "owner/name"


def test_offline_the_cache_serves(cached: str, asked: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert located(cached, {}) == Source(cached, {"local_files_only": True})
    assert asked == []


def hub_at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    original = huggingface_hub.HfApi
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: original(endpoint=address))


def test_a_silent_hub_is_not_waited_for(elsewhere: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        hub_at(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(sources, "PATIENCE", 0.3)
        begun = time.monotonic()
        message = refused("owner/name")
        # One question of 0.3 s; transformers' own are five and more, each repeated.
        assert time.monotonic() - begun < 3
    assert "the hub could not be asked" in message


def test_without_a_hub_the_cache_serves(cached: str, monkeypatch: pytest.MonkeyPatch):
    hub_at(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert located(cached, {}) == Source(cached, {"local_files_only": True})


def test_every_loader_settles_names_first(elsewhere: Path, asked: list[str]):
    with pytest.raises(InputError, match=r"model './no/such': there is no such folder"):
        load_model("./no/such", device="cpu")
    with pytest.raises(InputError, match=r"nli './no/such': there is no such folder"):
        load_nli("./no/such", device="cpu")
    assert asked == []
