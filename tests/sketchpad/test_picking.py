"""`sketchpick`: without a browser, and its contact sheet in a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import vpype as vp
import vpype_cli
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.fakes.sketchpads import Pipeline
from tests.sketchpad.browser import Page, needs_chromium
from tests.sketchpad.test_sketchpad import Client, fetch
from vpype_sketchformer.sketchpad import server


def named(count: int) -> vp.Document:
    """Layers with a square each, the first the smallest, with names and colours."""
    document = vp.Document(page_size=(500, 500))
    for i in range(1, count + 1):
        layer = vp.LineCollection([np.array([0, 10, 10 + 10j, 10j, 0]) * i + 40 * i])
        layer.set_property("vp_name", f"square {i}")
        layer.set_property("vp_color", vp.Color("red"))
        document.add(layer, i, with_metadata=True)
    return document


def names(document: vp.Document) -> list[str]:
    return [document.layers[lid].property("vp_name") for lid in sorted(document.layers)]


@pytest.fixture
def pick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pipeline]:
    monkeypatch.setenv("DISPLAY", ":0")
    return lambda document, options="": Pipeline(f"sketchpick {options}", document)


def test_what_is_chosen_goes_on(pick: Callable[..., Pipeline]) -> None:
    """In the order of the sheet, lines and properties untouched, the page as it was."""
    document = named(5)
    lines = {i: document.layers[i][0].copy() for i in document.layers}
    pipeline = pick(document)
    client = Client(pipeline.address)
    assert [item["name"] for item in client.hear("welcome")["items"]] == names(document)
    client.say({"type": "choice", "order": [3, 0, 1, 2, 4], "chosen": [0, 3, 4]})
    client.say({"type": "done"})
    assert client.closed() == server.OVER
    result = pipeline.result()
    assert names(result) == ["square 4", "square 1", "square 5"]
    assert list(result.layers) == [1, 4, 5]
    for lid, before in ((1, 4), (4, 1), (5, 5)):
        assert np.array_equal(result.layers[lid][0], lines[before])
        assert result.layers[lid].property("vp_color") == vp.Color("red")
    assert result.page_size == (500, 500)


def test_the_tab_may_be_closed(pick: Callable[..., Pipeline]) -> None:
    pipeline = pick(named(3))
    client = Client(pipeline.address)
    client.hear("welcome")
    client.say({"type": "choice", "order": [2, 1, 0], "chosen": [2]})
    client.close()
    client = Client(pipeline.address)
    welcome = client.hear("welcome")
    assert (welcome["order"], welcome["chosen"]) == ([2, 1, 0], [2])
    client.say({"type": "done"})
    assert names(pipeline.result()) == ["square 3"]


def test_drawings_that_lie_apart(pick: Callable[..., Pipeline]) -> None:
    """On a single layer, each drawing is one to choose."""
    square = np.array([0, 10, 10 + 10j, 10j, 0])
    document = vp.Document()
    document.add([square, square * 0.5 + 2, square + 100, square + 200j])
    pipeline = pick(document)
    client = Client(pipeline.address)
    assert [len(item["strokes"]) for item in client.hear("welcome")["items"]] == [2, 1, 1]
    client.say({"type": "choice", "order": [2, 0, 1], "chosen": [2, 0]})
    client.say({"type": "done"})
    [layer] = pipeline.result().layers.values()
    assert [line[0] for line in layer] == [200j, 0, 2]


def test_more_like_this(pick: Callable[..., Pipeline], tiny: Path) -> None:
    """Further ones are drawn as the first were, next to nothing that is there."""
    first = f"sketchgen -n 4 -c cat,house --layers sketch -m '{tiny}' -t 0.7 --seed 3"
    pipeline = Pipeline(f"{first} sketchpick")
    client = Client(pipeline.address)
    welcome = client.hear("welcome")
    assert welcome["more"] and all(item["again"] for item in welcome["items"])
    client.say({"type": "more", "like": 1})
    added = client.hear("added")
    assert not added["trouble"] and {n["name"][:5] for n in added["items"]} == {"house"}
    client.say({"type": "more", "like": None})
    assert len(client.hear("added")["items"]) == 6
    client.say({"type": "choice", "order": list(range(16)), "chosen": [1, 5, 12]})
    client.say({"type": "done"})
    result = pipeline.result()
    assert len(result.layers) == 3
    assert names(result)[:2] == ["house 2", added["items"][1]["name"]]
    boxes = [layer.bounds() for layer in result.layers.values()]
    assert boxes[1][1] > boxes[0][3]


def test_variations(pick: Callable[..., Pipeline], coded: Path) -> None:
    """Of what no command told how it drew: each a layer, with pen and size of its source."""
    pipeline = pick(named(3), f"-m '{coded}'")
    client = Client(pipeline.address)
    welcome = client.hear("welcome")
    assert not welcome["more"] and all(item["again"] for item in welcome["items"])
    client.say({"type": "more", "like": 1})
    first = client.hear("added")
    assert not first["trouble"] and len(first["items"]) == 6
    client.say({"type": "more", "like": 3})
    client.say({"type": "choice", "order": list(range(9)), "chosen": [1, 3, 8]})
    assert client.hear("added")["items"] != first["items"]
    client.say({"type": "choice", "order": list(range(15)), "chosen": [1, 3, 8, 14]})
    client.say({"type": "done"})
    result = list(pipeline.result().layers.values())
    assert len(result) == 4 and result[0].property("vp_name") == "square 2"
    boxes = [layer.bounds() for layer in result]
    for layer, (left, top, right, bottom) in zip(result[1:], boxes[1:], strict=True):
        assert layer.property("vp_name").startswith("variation")
        assert layer.property("vp_color") == vp.Color("red")
        assert max(right - left, bottom - top) == pytest.approx(20)
        assert top > named(3).bounds()[3]
    assert boxes[3][1] > max(boxes[1][3], boxes[2][3])


def test_variation_of_a_dot(pick: Callable[..., Pipeline], coded: Path) -> None:
    """Said in a line, and the sheet stays."""
    document = named(2)
    document.add([np.array([5j, 5j])], 3)
    pipeline = pick(document, f"-m '{coded}'")
    client = Client(pipeline.address)
    client.say({"type": "more", "like": 2})
    assert "one place" in client.hear("added")["trouble"]
    client.say({"type": "choice", "order": [0, 1, 2], "chosen": [2]})
    client.say({"type": "done"})
    assert len(pipeline.result().layers) == 1


def test_model_of_nobody() -> None:
    with pytest.raises(click.BadParameter, match="nobody"):
        vpype_cli.execute("sketchpick --no-browser -m nobody", named(2))


@pytest.mark.parametrize("options", ["--yes", ""])
def test_nobody_chooses(
    options: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --yes, and without a display, all goes on, and one line says so."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    result = vpype_cli.execute(f"sketchpick {options}", named(3))
    assert names(result) == ["square 1", "square 2", "square 3"]
    said = capsys.readouterr().err
    assert "all 3 go on" in said and said.count("\n") == 1


def test_nothing_to_choose(capsys: pytest.CaptureFixture[str]) -> None:
    assert vpype_cli.execute("sketchpick").is_empty()
    assert "no lines" in capsys.readouterr().err


def test_lines_nowhere() -> None:
    document = vp.Document()
    document.add([np.array([0, np.nan + 1j])])
    with pytest.raises(click.UsageError, match="layer 1"):
        vpype_cli.execute("sketchpick", document)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "choice", "order": [0, 0], "chosen": []},
        {"type": "choice", "order": [7], "chosen": []},
        {"type": "choice", "order": [0], "chosen": [1]},
        {"type": "choice"},
        {"type": "more", "like": 0},
        {"type": "more", "like": None},
        {"type": "more", "like": 2},
        {"type": "done"},
        {"type": "change"},
    ],
)
def test_malformed(pick: Callable[..., Pipeline], message: dict[str, Any], tiny: Path) -> None:
    """It is refused, and what was chosen stays."""
    pipeline = pick(named(2), f"-m '{tiny}'")
    client = Client(pipeline.address)
    client.say({"type": "choice", "order": [1, 0], "chosen": [1]})
    if message["type"] == "done":
        client.say({"type": "choice", "order": [1, 0], "chosen": []})
    client.say(message)
    assert client.closed() == 1008
    assert fetch(pipeline.address, "pick.js")[0] == 200
    assert fetch(f"{pipeline.address[:-2]}!/", "pick.js")[0] == 404
    client = Client(pipeline.address)
    client.say({"type": "choice", "order": [1, 0], "chosen": [1]})
    client.say({"type": "done"})
    assert names(pipeline.result()) == ["square 2"]


@needs_chromium
def test_sheet(browser: webdriver.Chrome, pick: Callable[..., Pipeline]) -> None:
    """Click, keys, drag, undo; the tab loaded anew shows the same; send."""
    pipeline = pick(named(6))
    page = Page(browser, pipeline.address)

    def order() -> list[str]:
        return [n.text for n in page.all("#sheet .name")]

    assert order() == [f"square {i}" for i in range(1, 7)]
    assert not page.find("#done").is_enabled()
    page.all(".item")[1].click()
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.SPACE)
    shift = ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT)
    shift.key_up(Keys.SHIFT).perform()
    assert order()[2:4] == ["square 4", "square 3"]
    assert page.find("#count").text == "2 of 6 chosen"
    page.control("z")
    assert order()[2:4] == ["square 3", "square 4"]
    browser.execute_script("""
        const [from, to] = [5, 0].map(i => document.querySelectorAll("#sheet li")[i]);
        const dataTransfer = new DataTransfer(), { left, top } = to.getBoundingClientRect();
        const fire = (node, kind) => node.dispatchEvent(new DragEvent(kind,
          { dataTransfer, bubbles: true, clientX: left + 1, clientY: top + 1 }));
        fire(from, "dragstart"); fire(to, "dragover"); fire(to, "drop"); fire(from, "dragend");
    """)
    assert order()[0] == "square 6"
    width = page.find(".item").size["width"]
    page.keys("+", "+")
    assert page.find(".item").size["width"] > width
    browser.refresh()
    page.wait(lambda: page.all("#sheet li"))
    assert order()[0] == "square 6"
    assert page.find("#done").text == "Send 2"
    for control in page.all("button, input"):
        if control.is_displayed():
            assert control.accessible_name
    page.find("#done").click()
    page.wait(lambda: "Done" in page.find("#end-title").text)
    assert names(pipeline.result()) == ["square 2", "square 4"]


@needs_chromium
def test_variations_by_key(
    browser: webdriver.Chrome, pick: Callable[..., Pipeline], coded: Path
) -> None:
    """`L` on a drawing from a file; there is no `More` of all."""
    pipeline = pick(named(2), f"-m '{coded}'")
    page = Page(browser, pipeline.address)
    assert not page.find("#more").is_displayed()
    page.keys("m", "l")
    page.wait(lambda: len(page.all("#sheet li")) == 8)
    assert "6 further" in page.find("#said").get_attribute("textContent")
    page.keys(Keys.ARROW_RIGHT, Keys.SPACE)
    page.find("#done").click()
    page.wait(lambda: "Done" in page.find("#end-title").text)
    [name] = names(pipeline.result())
    assert name.startswith("variation")
