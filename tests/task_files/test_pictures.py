"""Pictures in rows: paths, bytes in base64, other rows' pictures, and what is none of these."""

from __future__ import annotations

import base64
import io
import json
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.records import EncodedImage
from calib.tasks.task import digest

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


def encoded(colour: str = "red", kind: str = "PNG", size: int = 9) -> str:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def wrapped(text: str) -> str:
    return "\n".join(text[start : start + 76] for start in range(0, len(text), 76))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        wrapped,
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"DATA:image/png;charset=x;BASE64,{text}",
        lambda text: {"bytes": text, "path": None},
        lambda text: {"bytes": text, "path": "a.png"},
        lambda text: [text],
    ],
)
def test_pictures_in_base64(read, kind: str, written: Any, tmp_path: Path):
    text = encoded(kind=kind)
    row = {"id": 1, "question": "q", "options": ["x", "y"], "answer": "A", "image": written(text)}
    (item,) = read("q.jsonl", json.dumps(row))
    (image,) = item.images
    assert image == EncodedImage(base64.b64decode(text), f"{tmp_path / 'q.jsonl'}, line 1")


MMBENCH = (
    "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tl2-category\n"
    "241\tWhich?\tLook.\tred\tgreen\t\t\tA\tattribute\t{red}\tcoarse\n"
    "242\tWhich?\t\tred\tblue\tgreen\t\tB\tattribute\t{blue}\tcoarse\n"
    "1000241\tWhich?\tLook.\tgreen\tred\t\t\tB\tattribute\t{other}\tcoarse\n"
)


def mmbench(other: str = "241") -> str:
    return MMBENCH.format(red=encoded(), blue=encoded("blue"), other=other)


def test_mmbench(read, tmp_path: Path):
    with pytest.warns(UserWarning, match="no question uses the column 'l2-category'"):
        first, second, third = read("mmb.tsv", mmbench())
    assert (first.id, first.options, first.answer) == ("241", ("red", "green"), 0)
    assert (second.options, second.group) == (("red", "blue", "green"), "attribute")
    assert first.meta["hint"] == "Look."
    assert "hint" not in second.meta
    assert third.images == first.images != second.images
    assert first.images[0].name == f"{tmp_path / 'mmb.tsv'}, line 2"
    clusters = [item.meta["cluster"] for item in (first, second, third)]
    assert clusters[0] == clusters[2] != clusters[1]
    assert digest([first]) != digest([second])


@pytest.mark.filterwarnings("ignore:.*no question uses")
def test_a_picture_may_be_named_before_it_comes_and_have_a_path(read, tmp_path: Path):
    lines = mmbench().splitlines()
    items = read("mmb.tsv", "\n".join([lines[0], lines[3], *lines[1:3]]))
    assert items[0].images == items[1].images
    items = read("mmb.tsv", mmbench("pics/241.png"))
    assert items[2].images == (tmp_path / "pics/241.png",)


@pytest.mark.filterwarnings("ignore:.*no question uses")
def test_one_picture_in_two_rows_is_one_cluster(read):
    first, _, third = read("mmb.tsv", mmbench(encoded()))
    assert first.meta["cluster"] == third.meta["cluster"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("240", "image: no row with the index 240 has a picture"),
        (encoded()[:-3], "the base64 is broken or cut off"),
        (encoded()[:-9] + "!" + encoded()[-8:], "the base64 is broken or cut off"),
        ("https://example.com/a.png", "is an address, and calib fetches none"),
        (base64.b64encode(b"no picture" * 600).decode(), "too long for a path"),
        (base64.b64encode(bytes(9_000)).decode(), "too long for a path"),
    ],
)
def test_a_row_of_mmbench_without_its_picture(refusal, other: str, words: str):
    said = refusal("mmb.tsv", mmbench(other))
    assert said.startswith("mmb.tsv, line 4: image: ")
    assert words in said


@pytest.mark.parametrize(
    "address",
    [
        *("http://a.b/c.png", "https://a.b/c.png", "HTTPS://A.B/C.PNG", "https:/a.b/c.png"),
        *(
            "s3://bucket/c.png",
            "gs://bucket/c.png",
            "hf://datasets/x/c.png",
        ),
        *("ftp://a.b/c.png", "data:image/png,%89PNG", "data:,x", "hdfs://a/b.png"),
    ],
)
def test_addresses_are_refused(row_refusal, address: str):
    for value in (address, [address], {"path": address}, {"path": address, "bytes": None}):
        said = row_refusal(image=value)
        assert said.endswith("download the picture and write its path")


@pytest.mark.parametrize("address", ["file:///c.png", "FILE:///c.png", "file:c.png"])
def test_a_path_behind_file_is_written_without_it(row_refusal, address: str):
    for value in (address, [address], {"path": address}):
        assert row_refusal(image=value).endswith("is an address; write the path without file://")


@pytest.mark.parametrize("name", ["scan.dcm", "a/SCAN.DCM", "x.dicom"])
def test_dicom_is_named(row_refusal, name: str):
    assert "is named as a DICOM file, and calib reads none; save its" in row_refusal(image=name)


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_names_in_another_normalisation(read, tmp_path: Path, stored: str, written: str):
    (tmp_path / unicodedata.normalize(stored, "Röntgen.png")).touch()
    name = unicodedata.normalize(written, "Röntgen.png")
    row = {"id": 1, "question": "q", "options": ["x", "y"], "answer": "A", "image": name}
    (item,) = read("q.jsonl", json.dumps(row))
    assert item.images == (tmp_path / unicodedata.normalize(stored, "Röntgen.png"),)
    assert read("q.jsonl", json.dumps(row | {"image": "ü.png"}))[0].images == (tmp_path / "ü.png",)


NAMES = (
    *("image", "images", "image_path", "image_paths", "image_name", "image_file", "imagepath"),
    *("image_filename", "image path", "Image_Path", "img", "img_path", "picture", "Picture Path"),
    *("photo", "image_1", "Image 1", "image1"),
)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_column_of_pictures(read, read_row, tmp_path: Path, name: str):
    assert read_row(**{name: "a.png"}).images == (tmp_path / "a.png",)
    (item,) = read("q.csv", f"id,question,A,B,answer,{name}\n1,q,x,y,A,a.png\n")
    assert item.images == (tmp_path / "a.png",)


def test_numbered_pictures_are_a_list(read, read_row, row_refusal, tmp_path: Path):
    pictures = {"image_2": "b.png", "image_1": {"path": "a.png"}, "image_3": None, "image_4": ""}
    assert read_row(**pictures).images == (tmp_path / "a.png", tmp_path / "b.png")
    assert read_row(image_1=None, image_2=None).images == ()
    said = row_refusal(image_1="a.png", image_3="c.png")
    assert said == "a picture before image_3 is empty"
    assert "'image_1' and 'Image 1' mean the same; keep one" in row_refusal(
        **{"image_1": "a.png", "Image 1": "b.png"}
    )
    with pytest.warns(UserWarning, match=r"no question uses the column 'image_1'$"):
        assert read_row(image="x.png", image_1="a.png").images == (tmp_path / "x.png",)
    (item,) = read("q.csv", "id,question,A,B,answer,image_1,image_2\n1,q,x,y,A,a.png,\n")
    assert item.images == (tmp_path / "a.png",)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("file", "a.PNG"), ("x", "b/c.jpeg "), ("decoded_image", "7"), ("figure", "1")),
        *(("Photo 3", "x"), ("scan", 5), ("ct_scan", 5), ("image_id", 3)),
    ],
)
def test_what_looks_like_pictures_is_told(read_row, column: str, value: Any):
    words = f"'{column}' looks like pictures; name it images to have them shown"
    with pytest.warns(UserWarning, match=words):
        read_row(**{column: value})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read_row(**{column: value, "image": "1.png"})
        read_row(**{column: None, "scandal": 1, "source": "a.png is it"})
    assert not any("looks like" in str(warning.message) for warning in told)


@pytest.mark.parametrize("data", ["data:image/png;base64,", "data:image/png;base64,aGFsbG8="])
def test_data_that_is_no_picture(row_refusal, data: str):
    assert "is not that of a picture" in row_refusal(image=data)


@pytest.mark.parametrize(
    "path", ["1.png", "a b/ü.png", "9j/4AAQ.jpg", "/9j/x", "C:pics.png", "123", "Qk0", "R0lGOD"]
)
def test_paths(read, tmp_path: Path, path: str):
    row = {"id": 1, "question": "q", "options": ["x", "y"], "answer": "A", "image": path}
    for value in (path, [path], {"path": path, "bytes": None}, {"path": path}):
        (item,) = read("q.jsonl", json.dumps(row | {"image": value}))
        assert item.images == (tmp_path / path,)
        assert item.meta["cluster"] == path


def test_image_path_is_used_where_there_is_no_image(read, tmp_path: Path):
    row = {"id": 1, "question": "q", "options": ["x", "y"], "answer": "A", "image_path": "a.png"}
    assert read("q.jsonl", json.dumps(row))[0].images == (tmp_path / "a.png",)
    with pytest.warns(UserWarning, match="no question uses the column 'image_path'"):
        (item,) = read("q.jsonl", json.dumps(row | {"image": encoded()}))
    assert isinstance(item.images[0], EncodedImage)


def test_several_pictures_in_a_field(read):
    pictures = json.dumps([encoded(), encoded("blue")]).replace('"', '""')
    (item,) = read("q.csv", f'id,question,A,B,answer,image\n1,q,x,y,A,"{pictures}"\n')
    assert len(set(item.images)) == 2
