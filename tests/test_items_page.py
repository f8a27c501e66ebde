"""items.html in a browser: filtered, walked by keyboard; what it reads and what it shows."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from calib.report.items import address_of, write_items
from calib.runs import open_run
from tests import sampled
from tests.browser import axe, measured

HOSTILE = {
    "html": "<script>document.title = 'run'</script><img src=x onerror='document.title = 1'>",
    "markdown": "# heading\n[link](javascript:alert(1)) **bold** `code` | a | b |",
    "closing": "</script></style><!-- ]]> \u2028 \u2029 \\u003c ${document.title = 2} `",
    "long": "w" * 5_000,
    "bidi": "\u202egnp.exe \u2067 \u05e9\u05dc\u05d5\u05dd \u200f(1)",
    "nul": "a\0b\x1b[31mc\x85d",
    "__proto__": "constructor",
    "a&b=c#d %41+e/é": "an id that an address cannot hold",
    "nothing": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_run):
    """Five thousand questions."""
    folder = make_run(tmp_path_factory.mktemp("items"), n=5_000)
    write_items(open_run(folder))
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, make_run):
    folder = make_run(tmp_path_factory.mktemp("hostile"), n=len(HOSTILE), model="<b>m</b>")
    lines = (folder / "records.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    prompts = []
    for row, (id, text) in zip(rows, HOSTILE.items(), strict=True):
        row |= {"id": id, "question": text, "group": text[:100], "images": [f"{text[:60]}.png"]}
        row["options"] = [f"{text}{k}" for k in range(len(row["options"]))]
        prompts.append(json.dumps({"id": id, "text": text, "images": []}))
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts.jsonl").write_text("\n".join(prompts) + "\n")
    write_items(open_run(folder))
    return folder


def scripts(opened):
    return [name for name in opened.asked if name.endswith(".js")]


def links(opened):
    return opened.page.locator("#list a")


def wait_for(opened, told: str):
    """Wait until the page says that it shows a question, as "3 of 17: question q0003, wrong"."""
    opened.page.locator("#status").get_by_text(told, exact=False).wait_for()


def filtered(opened, **values: str):
    """Fill in the filters, and wait for what the page then says."""
    before = opened.page.locator("#status").text_content()
    for name, value in values.items():
        field = opened.page.locator(f"#filters [name={name}]")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(label=value)
        else:
            field.fill(value)
    opened.page.wait_for_function(
        "before => document.getElementById('status').textContent !== before", arg=before
    )


def total(opened) -> str:
    return opened.page.locator("#item .walk .note").text_content().split(" of ")[1]


def test_only_what_is_shown_is_read(folder, open_page):
    opened = open_page(folder / "items.html")
    wait_for(opened, "1 of 5,000: question q0000")
    assert scripts(opened) == ["items/index.js", "items/0000.js"]
    assert links(opened).count() == 100
    opened.page.get_by_role("button", name="Later").click()
    assert links(opened).first.get_attribute("href") == "#id=q0100"
    assert scripts(opened) == ["items/index.js", "items/0000.js"]
    links(opened).first.click()
    wait_for(opened, "101 of 5,000: question q0100")
    opened.page.goto(opened.page.url.replace("q0100", "q4999"))
    wait_for(opened, "5,000 of 5,000: question q4999")
    assert scripts(opened) == ["items/index.js", "items/0000.js", "items/0024.js"]
    assert links(opened).last.get_attribute("aria-current") == "true"
    assert len([name for name in opened.asked if "pictures/" in name]) <= 4
    assert opened.page.locator("head script").count() == 0, "scripts that were read are kept"


def test_the_filters_show_what_the_records_say(folder, open_page):
    opened = open_page(folder / "items.html")
    wait_for(opened, "1 of 5,000")
    records = open_run(folder).rows()
    wrong = [row for row in records if not row["correct"]]
    opened.page.get_by_label("right (").uncheck()
    wait_for(opened, f"1 of {len(wrong):,}: question {wrong[0]['id']}, wrong")
    surest = max(wrong, key=lambda row: row["confidence"])
    filtered(opened, sort="surest first")
    assert links(opened).first.locator(".id").text_content() == surest["id"]
    colour = [row for row in wrong if row["group"] == "colour"]
    filtered(opened, group="colour")
    assert total(opened) == f"{len(colour):,}"
    between = [row for row in colour if 0.5 <= row["confidence"] <= 0.6]
    filtered(opened, low="50", high="60")
    assert total(opened) == f"{len(between):,}" and 0 < len(between) < len(colour)
    with_seven = [row for row in between if "q07" in row["id"]]
    filtered(opened, find="Q07")
    assert total(opened) == f"{len(with_seven):,}"
    filtered(opened, find="no such question")
    assert opened.page.locator("#status").text_content() == "No question fits these filters."
    assert not opened.page.locator("#item").is_visible()
    opened.page.get_by_role("button", name="Clear").click()
    wait_for(opened, "of 5,000")


def test_the_address_holds_the_question_and_the_filters(folder, open_page):
    first = open_page(folder / "items.html")
    wait_for(first, "1 of 5,000")
    first.page.get_by_label("right (").uncheck()
    wait_for(first, ", wrong")
    filtered(first, group="shape", sort="least sure first")
    first.page.locator("#item").press("j")
    wait_for(first, "2 of")
    said = first.page.locator("#status").text_content()
    second = open_page(folder / "items.html", anchor=first.page.url.partition("#")[2])
    wait_for(second, said)
    assert not second.page.get_by_label("right (").is_checked()
    assert second.page.locator("[name=group] option:checked").text_content() == "shape"


def test_it_is_walked_by_keyboard(folder, open_page):
    opened = open_page(folder / "items.html", anchor="id=q0198")
    wait_for(opened, "199 of 5,000: question q0198")
    for key, place in (("j", 200), ("ArrowRight", 201), ("k", 200), ("ArrowLeft", 199)):
        opened.page.keyboard.press(key)
        wait_for(opened, f"{place} of 5,000: question q{place - 1:04d}")
        assert opened.page.url.endswith(f"#id=q{place - 1:04d}")
        current = opened.page.locator("#list [aria-current]")
        assert current.locator(".id").text_content() == f"q{place - 1:04d}"
    assert scripts(opened) == ["items/index.js", "items/0000.js", "items/0001.js"]
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("jk")
    assert opened.page.locator("[name=find]").input_value() == "jk"
    opened.page.locator("[name=find]").fill("q0198")
    wait_for(opened, "1 of 1: question q0198")
    assert opened.page.get_by_role("button", name="Next").is_disabled()


def test_every_question_is_reached_with_the_tab_key(folder, open_page):
    """From the top of the page to a link of the list, which Enter opens."""
    opened = open_page(folder / "items.html")
    wait_for(opened, "1 of 5,000")
    for _ in range(20):
        opened.page.keyboard.press("Tab")
        if opened.page.evaluate("document.activeElement.getAttribute('href')") == "#id=q0001":
            break
    opened.page.keyboard.press("Enter")
    wait_for(opened, "2 of 5,000: question q0001")


def test_a_button_that_was_pressed_keeps_the_focus(folder, open_page):
    opened = open_page(folder / "items.html")
    wait_for(opened, "1 of 5,000")
    opened.page.get_by_role("button", name="Next").focus()
    for place in (2, 3):
        opened.page.keyboard.press("Enter")
        wait_for(opened, f"{place} of 5,000")
        opened.page.locator("#item .walk button:focus").get_by_text("Next").wait_for()


def test_what_is_not_there_is_said(folder, open_page):
    opened = open_page(folder / "items.html", anchor=f"id={quote('no/such?')}")
    wait_for(opened, "There is no question no/such? in this run.")
    right = next(row["id"] for row in open_run(folder).rows() if row["correct"])
    opened = open_page(folder / "items.html", anchor=f"id={right}&show=wrong")
    wait_for(opened, f"question {right}, right")
    opened.page.get_by_text("not among the questions of the list").wait_for()


def test_without_its_data_it_says_what_writes_them(tmp_path, make_run, open_page):
    run = make_run(tmp_path, n=3)
    write_items(open_run(run))
    (run / "items" / "0000.js").write_text("")
    wait_for(open_page(run / "items.html"), "items/0000.js could not be read: calib report writes")
    (run / "items" / "index.js").unlink()
    opened = open_page(run / "items.html")
    wait_for(opened, "items/index.js could not be read: calib report writes it again")
    opened.errors.clear()  # the console's own line about the file


@pytest.mark.parametrize("id", HOSTILE)
def test_hostile_text_stays_text(hostile, open_page, id):
    opened = open_page(hostile / "items.html", width=400, anchor=address_of(id).partition("#")[2])
    page = opened.page
    wait_for(opened, f"{list(HOSTILE).index(id) + 1} of {len(HOSTILE)}: question {id}")
    text = HOSTILE[id]
    for unseen in "\0\x1b\x85\u202e\u2067":
        text = text.replace(unseen, f"\\u{ord(unseen):04x}")
    assert page.locator("#question").text_content() == (text or f"Question {id}")
    assert page.locator("#item pre").all_text_contents() == ([text] if text else [])
    options = page.locator("#item .options .text").all_text_contents()
    assert len(options) > 1 and all(option.startswith(text) for option in options)
    for tag in ("script", "img", "b", "a", "strong", "h1"):
        assert page.locator(f"#item {tag}, #list li {tag}:not(li > a)").count() == 0
    assert page.title() == "Questions one by one: <b>m</b> on made-up"
    seen = measured(page)
    assert seen["scroll"] <= 400 and not seen["wide"]
    assert page.evaluate("Object.keys(window).includes('calibItems')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_serious(hostile, folder, tmp_path, open_page, width, scheme):
    samples = sampled.make(tmp_path / "samples", {**sampled.SAID, "not": ["I do not know."] * 3})
    write_items(open_run(samples))
    for path in (folder, hostile, samples):
        opened = open_page(path / "items.html", width, scheme)
        wait_for(opened, "1 of")
        for prompt in opened.page.locator("#item details").all():
            prompt.click()
        assert axe(opened.page) == []
        assert measured(opened.page)["scroll"] <= width, "the page scrolls sideways"


def test_samples_are_shown_with_what_became_of_them(tmp_path, open_page):
    said = {**sampled.SAID, "not": ["I do not know.", "Rome", "Rome"]}
    run = sampled.make(tmp_path / "samples", said)
    write_items(open_run(run))
    opened = open_page(run / "items.html", anchor="id=not")
    wait_for(opened, "3 of 3: question not, refused")
    assert opened.page.locator(".cluster h4").all_text_contents() == ["2 of 2 samples"]
    assert opened.page.locator(".said .text").all_text_contents() == ["Rome"]
    assert opened.page.locator(".said .note").all_text_contents() == ["2 times"]
    assert opened.page.locator("dd", has_text="I do not know.").count() == 1
    opened.page.get_by_label("refused (1)").uncheck()
    wait_for(opened, "1 of 2: question known, right")


def test_a_picture_that_was_left_out_is_named_with_what_keeps_it(tmp_path, make_run, open_page):
    run = make_run(tmp_path, n=30)
    write_items(open_run(run), pictures=1)
    records = open_run(run).rows()
    wrong = (row for row in records if not row["correct"] and row["images"] != ["gone.png"])
    surest = max(wrong, key=lambda row: row["confidence"])
    kept = open_page(run / "items.html", anchor=address_of(surest["id"]).partition("#")[2])
    image = kept.page.locator("#item img.small")
    image.wait_for()
    assert image.get_attribute("alt") == f"Picture of question {surest['id']}"
    assert not measured(kept.page)["broken"]
    names = {"gone.png", *surest["images"]}
    out = next(row for row in records if not names & set(row["images"]))
    left = open_page(run / "items.html", anchor=address_of(out["id"]).partition("#")[2])
    wait_for(left, f"question {out['id']}")
    assert left.page.locator("#item .missing").text_content() == (
        f"{out['images'][0]} was left out: of 5 pictures 1 is kept, those of the surest wrong "
        "answers first. calib report RUN --pictures 5 keeps them all."
    )


def test_nothing_lies_below_the_pages_end(tmp_path, make_run, open_page):
    run = make_run(tmp_path, n=200)
    write_items(open_run(run))
    opened = open_page(run / "items.html", width=400)
    wait_for(opened, "1 of 200")
    assert links(opened).count() == 100
    document, body = opened.page.evaluate(
        "[document.documentElement.scrollHeight, document.body.getBoundingClientRect().height]"
    )
    assert abs(document - body) < 1


PERSIAN = "می\u200cخواهم (1)"
FAMILY = "👩\u200d👩\u200d👧 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def test_texts_from_right_to_left_turn_nothing_around(tmp_path, make_run, open_page):
    run = make_run(tmp_path, n=1)
    row = json.loads((run / "records.jsonl").read_text())
    row |= {"id": PERSIAN, "question": f"{PERSIAN}\t{FAMILY}", "group": PERSIAN}
    row["options"] = [f"{PERSIAN} {k}" for k in range(len(row["options"]))]
    (run / "records.jsonl").write_text(json.dumps(row) + "\n")
    write_items(open_run(run))
    page = open_page(run / "items.html", width=1280).page
    page.locator("#item .options bdi").first.wait_for()
    assert page.locator("#question").text_content() == row["question"]
    left = "e => e.getBoundingClientRect().left"
    for option in page.locator("#item .options li").all():
        text, bar = option.locator("bdi"), option.locator(".bar")
        assert text.evaluate(left) == pytest.approx(bar.evaluate(left), abs=1)
    # In one paragraph the number behind it would stand to the left of the id.
    assert page.locator("#status bdi").text_content() == PERSIAN
    for name in ("#item dd", "#list .words"):
        for element in page.locator(name).all():
            assert element.evaluate("e => getComputedStyle(e).textAlign") == "left"
