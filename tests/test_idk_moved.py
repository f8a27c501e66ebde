"""Sets and runs in another place, what they were made from gone: asked again, reported, resumed."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from calib import cli, sample, score
from calib.hf.model import Model, load_model
from calib.records import EncodedImage, Item
from calib.report.scores import write_report
from calib.runs import open_run
from calib.tasks import Task
from tests.idk_cases import COLOURS

MADE = Path("work/set")


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (number * 20, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def calib(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, list(arguments))


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_image_model: Path) -> Callable[..., Path]:
    """Made by the command in one folder, of which nothing is left but the set."""

    @cache
    def build(pictures: str, *flags: str) -> Path:
        root = tmp_path_factory.mktemp("made")
        with contextlib.chdir(root):
            work = Path("work")
            work.mkdir()
            rows = []
            for n in range(6):  # pictures 0 to 2, each under two names
                data = png(n % 3)
                (work / f"{n}.png").write_bytes(data)
                code = base64.b64encode(data).decode()
                image = f"{n}.png" if pictures == "files" else code
                row = {"id": f"q{n}", "question": "Which?", "image": image, "choices": COLOURS}
                rows.append({**row, "answer": n % 3})
            (work / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            done = calib(
                "idk", "build", "--model", str(tiny_image_model), "--tasks", "work/q.jsonl",
                "--output_path", str(MADE), "--samples", "2", "--max_new_tokens", "2", *flags,
            )  # fmt: skip
            assert done.exit_code == 0, done.output
            shutil.move(MADE, "left")
            shutil.rmtree(work)
        return root / "left"

    return build


@pytest.fixture
def built(
    made: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Path:
    """The set alone, in another place."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made(*request.param), tmp_path / "elsewhere" / "moved"))


CARRYING = [("tables", "--no_copy_images"), ("tables",), ("files",)]


@pytest.mark.parametrize("built", CARRYING, indirect=True)
def test_a_moved_set_is_asked_again(built: Path, tmp_path: Path) -> None:
    asked = calib("idk", "evaluate", str(built), "--arm", "plain")
    assert asked.exit_code == 0, asked.output
    page = (built / "evaluation" / "report.html").read_text()
    assert "data:image/png" in page and "no longer there" not in page
    results = json.loads((built / "evaluation" / "results.json").read_text())
    for entry in results["examples"]:
        assert (built / "evaluation" / entry["images"][0]).read_bytes() == png(
            int(entry["id"][1]) % 3
        )
    # Moved once more: it goes on with its arms, and its report shows what it showed.
    again = built.rename(tmp_path / "again")
    assert calib("report", str(again / "evaluation")).exit_code == 0
    assert "no longer there" not in (again / "evaluation" / "report.html").read_text()
    more = calib("idk", "evaluate", str(again), "--arm", "plain", "--arm", "permission")
    assert more.exit_code == 0, more.output
    assert calib("p_true", str(again / "samples")).exit_code == 0


@pytest.mark.parametrize("built", CARRYING, indirect=True)
def test_a_moved_set_of_an_earlier_version_is_asked_again(built: Path) -> None:
    """It wrote down where the run's pictures lay, and kept no digests."""
    (built / "pictures.json").unlink()
    file = built / "samples" / "items.jsonl"
    rows = rows_of(file)
    for row in rows:
        if row["images"][0].startswith("images/"):
            row["images"] = [f"/gone/set/samples/{row['images'][0]}"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = calib("idk", "evaluate", str(built), "--arm", "plain")
    assert asked.exit_code == 0, asked.output
    assert all(
        image.is_file() for item in open_run(built / "samples").items() for image in item.images
    )


@pytest.mark.parametrize("built", [("files", "--no_copy_images"), ("files",)], indirect=True)
def test_equal_pictures_stay_in_one_part_wherever_the_set_is(built: Path) -> None:
    def part() -> dict[str, str]:
        return {
            row["id"]: row["part"]
            for file in (built / "labels").glob("*.jsonl")
            for row in rows_of(file)
        }

    before = part()
    assert set(before.values()) == {"train", "test"}
    assert all(before[f"q{n}"] == before[f"q{n + 3}"] for n in range(3))
    done = calib("idk", "label", str(built), "--tau", "0.5")
    assert done.exit_code == 0 and "never compared" not in done.output, done.output
    assert part() == before


@pytest.mark.parametrize("built", [("files", "--no_copy_images")], indirect=True)
def test_a_set_without_its_pictures_says_what_it_needs(built: Path) -> None:
    refused = calib("idk", "evaluate", str(built), "--arm", "plain")
    assert refused.exit_code == 2 and not (built / "evaluation").exists()
    said = " ".join(refused.output.split())
    assert "item 'q0'" in said and "0.png is not there" in said and "--copy_images" in said
    (built / "pictures.json").unlink()
    done = calib("idk", "label", str(built))
    assert done.exit_code == 0 and "6 pictures are gone" in " ".join(done.output.split())


def test_digests_of_other_questions_are_not_taken(tmp_path: Path) -> None:
    from calib.idk.pictures import Contents

    (tmp_path / "a.png").write_bytes(png(0))
    first = Contents(tmp_path, "one")
    digest = first(tmp_path / "a.png")
    first.close()
    (tmp_path / "a.png").write_bytes(png(1))
    assert Contents(tmp_path, "one")(tmp_path / "a.png") == digest
    assert Contents(tmp_path, "two")(tmp_path / "a.png") != digest


def in_memory(kind: str) -> list[Item]:
    def one(n: int) -> Any:
        return (
            EncodedImage(png(n), f"line {n}") if kind == "table" else Image.open(io.BytesIO(png(n)))
        )

    return [Item(f"q{n}", "Which?", (one(n),), COLOURS, n) for n in range(3)]


@pytest.mark.parametrize("kind", ["table", "memory"])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_moved_run_finds_its_pictures(
    tmp_path: Path, model: Model, kind: str, earlier: bool
) -> None:
    task = Task("t", tuple(in_memory(kind)), "letters")
    score(model, task, out=tmp_path / "score")
    sample(model, task, out=tmp_path / "sample", samples=1, max_new_tokens=1)
    for name, file in (("score", "records.jsonl"), ("sample", "items.jsonl")):
        path = tmp_path / name / file
        assert str(tmp_path) not in path.read_text()
        if earlier:
            path.write_text(path.read_text().replace('"images/', f'"{tmp_path / name}/images/'))
        (tmp_path / name).rename(tmp_path / f"moved-{name}")
    run = open_run(tmp_path / "moved-score")
    assert run.rows()[1]["images"] == ["images/1-0.png"]
    write_report(run)
    page = (run.path / "report.html").read_text()
    assert "data:image/png" in page and "no longer there" not in page
    for n, item in enumerate(open_run(tmp_path / "moved-sample").items()):
        (image,) = item.images
        assert isinstance(image, Path)
        assert Image.open(image).getpixel((0, 0)) == (n * 20, 0, 0)
    again = sample(model, task, out=tmp_path / "moved-sample", samples=2, max_new_tokens=1)
    assert len(again.answers()) == 6


@pytest.fixture(scope="module")
def model(tiny_image_model: Path) -> Model:
    return load_model(tiny_image_model)
