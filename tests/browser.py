"""Pages as a headless Chromium shows them: what is asked for, what is seen, what axe finds.

The fixtures ``browser`` and ``open_page`` of ``tests/conftest.py`` are made of these. Playwright is
imported where a page is opened: the lowest versions are tried without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--hide-scrollbars")
SERIOUS = ("serious", "critical")
"""The impacts of axe-core that a page may not have."""


@dataclass(eq=False)
class Opened:
    """A page that is open, and what it did so far.

    ``asked``: the files below the page's folder that it requested, as relative paths; ``outside``:
    every other request, each of which failed; ``errors``: of the console and of scripts.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Assert that nothing was asked for outside the folder and that no script failed."""
        assert not self.outside, f"requested outside the page's folder: {self.outside}"
        assert not self.errors, f"errors of the page: {self.errors}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def open_in(
    browser: Browser, path: Path, *, width: int, scheme: str, anchor: str, height: int
) -> Opened:
    """The page of a file in a window of ``width`` x ``height`` CSS pixels, once it has loaded.

    ``scheme`` is "light" or "dark"; ``anchor`` is what follows the # of its address.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, service_workers="block"
    )
    context.set_default_timeout(20_000)
    opened = Opened(context.new_page())
    folder = path.parent.resolve().as_uri() + "/"

    def own(url: str) -> bool:
        return url.startswith(folder)

    def note(request: Any) -> None:
        if own(request.url):
            opened.asked.append(request.url.removeprefix(folder).partition("#")[0])
        elif not request.url.startswith("data:"):
            opened.outside.append(request.url)

    def console(message: Any) -> None:
        if message.type == "error":
            opened.errors.append(message.text)

    context.route(lambda url: not own(url), lambda route: route.abort())
    opened.page.on("request", note)
    opened.page.on("console", console)
    opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.page.goto(path.resolve().as_uri() + (f"#{anchor}" if anchor else ""))
    return opened


def axe(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now that is serious or critical, a line each."""
    script = pytest.importorskip("axe_playwright_python.base", reason="no axe here").AXE_SCRIPT
    # As the debugger evaluates it, no rule of the page about scripts applies.
    page.evaluate(f"() => {{ {script} }}")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:120]}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


MEASURED = """() => {
  const wide = [...document.querySelectorAll(".scroll, figure, .card, .tile, p, h1, h2, h3")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 80));
  const small = [...document.querySelectorAll("figure svg")].map(e =>
    Math.min(...[...e.querySelectorAll("text")].map(t => t.getBoundingClientRect().height)));
  const torn = [];
  for (const head of document.querySelectorAll("tr > th:first-child")) {
    const texts = document.createTreeWalker(head, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/[a-z]+/gi)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(each => Math.round(each.top)));
      if (word[0].length <= 12 && lines.size > 1) torn.push(word[0]);
    }
  }
  return {
    torn, width: innerWidth, scroll: document.documentElement.scrollWidth, wide, small,
    broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length,
    figures: document.querySelectorAll("figure svg").length,
    face: getComputedStyle(document.body).backgroundColor,
  };
}"""


def measured(page: Page) -> dict[str, Any]:
    """What is seen of a report.

    ``width`` of the window and ``scroll`` of what it shows, the parts that are too ``wide``, the
    height of the ``small``est text of each figure, words of up to 12 letters in the heads of rows
    that are ``torn`` between lines, ``broken`` pictures, how many ``figures``, and the background's
    colour, ``face``.
    """
    found: dict[str, Any] = page.evaluate(MEASURED)
    return found
