"""Pictures on their way through a run: refused at once, saved, told apart, shown in reports."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from calib import cli, open_run, sample, score
from calib.hf.model import Model
from calib.idk.build import cluster_of
from calib.records import EncodedImage, Item
from calib.report.pictures import picture
from calib.tasks import load_task
from calib.tasks.task import digest, image_name
from tests.hf.conftest import make_llava, make_processor
from tests.pictures import DATA, encoded, noise, png_of_size


@pytest.fixture(scope="module")
def model() -> Model:
    processor = make_processor()
    return Model("tiny", make_llava(), processor.tokenizer, processor)


def in_table(kind: str = "PNG", colour: str = "red") -> EncodedImage:
    data = encoded(Image.new("RGB", (40, 40), colour), kind)
    return EncodedImage(data, f"t.tsv, line 2, {kind}")


def ask(*images: Any, name: str = "q7") -> Item:
    return Item(name, "ab", images, ("x", "y"), answer=0)


@pytest.mark.parametrize(
    "name", ["cut.bmp", "cut.gif", "eps_as.png", "pipe", "folder", "/dev/zero"]
)
def test_the_command_refuses_before_it_looks_for_a_model(tmp_path: Path, name: str):
    path = DATA / name
    if name in ("pipe", "folder"):
        path = tmp_path / name
        os.mkfifo(path) if name == "pipe" else path.mkdir()
    row = {"id": "q7", "question": "?", "options": ["a", "b"], "answer": 0, "images": [str(path)]}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    asked = ["score", "--model", str(tmp_path / "no-model"), "--tasks", str(tmp_path / "q.jsonl")]
    done = CliRunner().invoke(cli.app, asked)
    assert done.exit_code == 2
    assert "q7" in done.output and "no-model" not in done.output


def test_a_table_and_a_file_with_the_same_bytes_are_one_picture(tmp_path: Path):
    image = in_table()
    (tmp_path / "a.png").write_bytes(image.data)
    assert image_name(image) == image_name(tmp_path / "a.png")
    assert digest([ask(image)]) == digest([ask(tmp_path / "a.png")])
    assert digest([ask(image)]) != digest([ask(in_table(colour="blue"))])


def test_a_cluster_is_not_the_bytes_themselves():
    assert cluster_of(ask(in_table())) == cluster_of(ask(in_table())) == image_name(in_table())
    assert cluster_of(ask(Path("a.png"))) == "a.png"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_tables_picture_is_saved_as_it_is(tmp_path: Path, model: Model, kind: str):
    image = in_table(kind)
    task = load_task([ask(image)])
    (row,) = score(model, task, out=tmp_path / "score").rows()
    (saved,) = row["images"]
    assert (tmp_path / "score" / saved).read_bytes() == image.data
    assert Path(saved).suffix == {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    sample(model, task, samples=1, max_new_tokens=2, out=tmp_path / "sample")
    (item,) = open_run(tmp_path / "sample").items()
    assert isinstance(item.images[0], Path) and item.images[0].read_bytes() == image.data


def test_a_table_and_a_file_have_the_same_scores(tmp_path: Path, model: Model):
    pictures = [in_table(colour=colour) for colour in ("red", "green")]
    for n, image in enumerate(pictures):
        (tmp_path / f"{n}.png").write_bytes(image.data)
    table = [ask(image, name=str(n)) for n, image in enumerate(pictures)]
    files = [ask(tmp_path / f"{n}.png", name=str(n)) for n in range(2)]
    assert model.option_scores(table) == model.option_scores(files)


def test_a_report_shows_a_tables_picture(tmp_path: Path, model: Model):
    image = in_table("WEBP")
    (row,) = score(model, load_task([ask(image)]), out=tmp_path / "run").rows()
    shown = picture(tmp_path / "run", row["images"][0])
    assert shown["uri"] == f"data:image/webp;base64,{base64.b64encode(image.data).decode()}"


@pytest.mark.parametrize(
    "what", ["/dev/zero", "pipe", "folder", "a" * 5000, "nul\0.png", "gone.png"]
)
def test_a_report_passes_by_what_is_no_picture(tmp_path: Path, what: str):
    if what == "pipe":
        os.mkfifo(tmp_path / what)
    elif what == "folder":
        (tmp_path / what).mkdir()
    assert picture(tmp_path, what)["uri"] is None


def test_a_report_never_starts_ghostscript(tmp_path: Path):
    (tmp_path / "p.png").write_bytes((DATA / "eps_as.png").read_bytes())
    assert picture(tmp_path, "p.png")["uri"] is None


def test_a_picture_is_embedded_as_what_it_is(tmp_path: Path):
    noise(16).save(tmp_path / "a.png", format="JPEG")
    assert picture(tmp_path, "a.png")["uri"].startswith("data:image/jpeg;base64,/9j/")
    noise(16).save(tmp_path / "b.png", format="TIFF")
    uri = picture(tmp_path, "b.png")["uri"]
    assert uri.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as shown:
        assert shown.format == "JPEG"


def test_a_large_picture_of_few_bytes_is_scored(tmp_path: Path, model: Model):
    path = png_of_size(tmp_path / "wide.png", 50_000, 1)
    (row,) = model.option_scores(load_task([ask(path)]).items)
    assert row["valid"]
