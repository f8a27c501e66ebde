"""The browser kit notices what it is there to notice."""

from __future__ import annotations

import re

import pytest

from tests.browser import axe, measured


def page(folder, body: str):
    head = "<meta charset='utf-8'><title>t</title>"
    (folder / "page.html").write_text(f"<html lang='en'><head>{head}</head><body>{body}</body>")
    return folder / "page.html"


def test_a_request_outside_the_folder_fails_and_is_told(tmp_path, open_page):
    inside, other = tmp_path / "inside", tmp_path / "other.js"
    inside.mkdir()
    other.write_text("document.title = 'loaded'")
    (inside / "own.js").write_text("document.body.dataset.own = 'yes'")
    script = "<script src='own.js'></script><script src='../other.js'></script>"
    opened = open_page(page(inside, f"{script}<img alt='' src='https://example.org/a.png'>"))
    assert opened.asked == ["page.html", "own.js"]
    assert sorted(opened.outside) == [other.as_uri(), "https://example.org/a.png"]
    assert opened.page.title() == "t" and opened.page.locator("body[data-own]").count() == 1
    with pytest.raises(AssertionError, match=re.escape("other.js")):
        opened.check()
    opened.outside.clear()
    opened.errors.clear()


def test_a_script_that_fails_is_told(tmp_path, open_page):
    opened = open_page(page(tmp_path, "<script>console.error('one'); throw Error('two')</script>"))
    with pytest.raises(AssertionError, match=r"one.*two"):
        opened.check()
    opened.errors.clear()


def test_axe_finds_a_picture_without_a_text_and_grey_on_grey(tmp_path, open_page):
    grey = "<p style='color: #999; background: #aaa'>grey</p>"
    found = axe(open_page(page(tmp_path, f"<main><img src='data:,'>{grey}</main>")).page)
    assert {line.split()[0] for line in found} == {"image-alt", "color-contrast"}
    assert axe(open_page(page(tmp_path, "<main><h1>fine</h1></main>")).page) == []


@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_that_is_too_wide_is_measured(tmp_path, open_page, width):
    seen = measured(open_page(page(tmp_path, "<p style='width: 1300px'>wide</p>"), width).page)
    assert seen["width"] == width and seen["scroll"] > 1300 and len(seen["wide"]) == 1
