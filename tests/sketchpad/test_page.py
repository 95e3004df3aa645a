"""The sketchpad's page in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely
import vpype as vp
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys

from tests.fakes.sketchpads import Beside, Sketchpad
from tests.sketchpad.browser import Page, Points, circle, needs_chromium

pytestmark = needs_chromium

MM = 96 / 25.4


def layers(document: vp.Document) -> dict[str, list[np.ndarray]]:
    return {
        str(layer.property("vp_name")): [vp.as_vector(line) for line in layer]
        for layer in document.layers.values()
    }


def gap(drawn: np.ndarray, path: Points) -> float:
    """The largest distance between two lines, mm."""
    lines = [shapely.segmentize(shapely.LineString(line), 1) for line in (drawn, path)]
    return shapely.hausdorff_distance(*lines) / MM


def test_draw_take_undo_done(browser: webdriver.Chrome, tmp_path: Path, tiny: Path) -> None:
    """What the pointer drew, and what was taken, goes down the pipeline as it was."""
    with Sketchpad(tmp_path, tiny) as pad:
        page = Page(browser, pad.address)
        path = circle(350, 400, 150)
        page.draw(path)
        page.suggested()
        assert len(page.strokes()) == 1
        page.keys("2", "2")
        page.wait(lambda: len(page.strokes()) > 1)
        taken = len(page.strokes())
        page.draw([(100, 900), (600, 950)])
        assert len(page.strokes()) == taken + 1
        page.control("z")
        assert len(page.strokes()) == taken
        shown = page.strokes()
        page.done()
        result = pad.result()
    assert result.page_size == pytest.approx(vp.PAGE_SIZES["a4"])
    found = layers(result)
    assert set(found) == {"drawn by hand", "drawn by the model"}
    [drawn] = found["drawn by hand"]
    assert gap(drawn, path) < 1
    assert len(found["drawn by the model"]) == taken - 1
    for line, seen in zip(found["drawn by the model"], shown[1:], strict=True):
        assert np.allclose(line, np.reshape(seen, (-1, 2)), atol=0.02)


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_pointers(browser: webdriver.Chrome, tiny: Path, kind: str) -> None:
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw(circle(400, 500, 200), kind)
    page.done()
    [drawn] = layers(pad.result())["drawn by hand"]
    assert gap(drawn, circle(400, 500, 200)) < 1


def test_corners_stay(browser: webdriver.Chrome, tiny: Path) -> None:
    """A quick square, of which the pointer reports little more than the corners."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    square = [(200, 200), (600, 200), (600, 600), (200, 600), (200, 200)]
    page.draw(square)
    page.done()
    [drawn] = layers(pad.result())["drawn by hand"]
    assert gap(drawn, square) < 1


def test_stroke_by_stroke(browser: webdriver.Chrome, tiny: Path) -> None:
    """Next stroke takes one; None takes the suggestions away; Others brings other ones."""
    pad = Beside(tiny, "--temperature 1.6")
    page = Page(browser, pad.address)
    assert page.find("#temperature").get_attribute("value") == "1.6"
    page.draw(circle(400, 500, 200))
    page.suggested()
    first = page.pale()
    page.find("#again").click()
    page.wait(lambda: page.pale() not in ([], first))
    page.wait(lambda: len(page.pale()) > 0)
    longest = max(range(8), key=lambda i: page.drawn_in(i))
    page.all(".thumbnail")[longest].click()
    page.wait(lambda: len(page.pale()) == page.drawn_in(longest))
    pale = page.pale()
    page.find("#take-stroke").click()
    assert len(page.strokes()) == 2
    assert np.allclose(page.strokes()[1], pale[0], atol=0.01)
    if len(pale) > 1:
        assert page.pale() == pale[1:]
        page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.all("#pale polyline"))
    page.done()
    pad.result()


def test_erase_move_undo(browser: webdriver.Chrome, tiny: Path) -> None:
    """Every step can be taken back, and done again."""
    pad = Beside(tiny, "--page-size 600x600")
    page = Page(browser, pad.address)
    page.find("#eager").click()
    page.draw([(100, 100), (200, 100)])
    page.draw([(100, 200), (200, 200)])
    page.keys("n")
    page.draw([(400, 400), (500, 500)])
    steps = [page.strokes()]
    page.keys("e")
    page.draw([(150, 150), (150, 250)])
    steps.append(page.strokes())
    assert len(steps[-1]) == 2
    page.keys("m")
    page.draw([(450, 450), (450, 250)])  # by the line
    steps.append(page.strokes())
    assert np.allclose(steps[-1][-1], np.array(steps[-2][-1]) - [0, 200] * 2, atol=3)
    page.draw([(508, 308), (458, 258)])  # by the corner of the frame
    steps.append(page.strokes())
    before, after = np.reshape(steps[-2][-1], (-1, 2)), np.reshape(steps[-1][-1], (-1, 2))
    ratio = np.ptp(after, axis=0) / np.ptp(before, axis=0)
    assert ratio[0] == pytest.approx(ratio[1], abs=0.01) and 0.3 < ratio[0] < 0.7
    page.keys("[", Keys.ARROW_RIGHT)
    steps.append(page.strokes())
    assert np.allclose(steps[-1][0], np.array(steps[-2][0]) + [8, 0] * 2, atol=0.02)
    for before in steps[-2::-1]:
        page.control("z")
        assert page.strokes() == before
    for _ in range(3):
        page.control("z")
    assert page.strokes() == [] and not page.find("#undo").is_enabled()
    for _ in range(20):
        page.control("y")
    assert page.strokes() == steps[-1]
    page.kept()
    page.find("#done").click()
    page.find("input[value=drawing]").click()
    page.find("#send").click()
    found = layers(pad.result())
    assert [len(lines) for lines in found.values()] == [1, 1]


def test_held_keys(browser: webdriver.Chrome, tiny: Path) -> None:
    """A key that is held moves the drawing in one step to undo, and is not too much."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 200)])
    drawn = page.strokes()
    page.keys("m", Keys.ARROW_RIGHT)
    browser.execute_script("""
        for (let i = 0; i < 299; i++) document.getElementById("paper").dispatchEvent(
          new KeyboardEvent("keydown", { key: "ArrowDown", repeat: true, bubbles: true }));
    """)
    assert np.allclose(page.strokes()[0], np.array(drawn[0]) + [8, 299 * 8] * 2, atol=0.02)
    page.control("z")
    assert page.strokes() == drawn
    page.suggested()
    page.kept()
    page.done()
    assert np.allclose(vp.as_vector(pad.result().layers[1][0]).ravel(), drawn, atol=0.01)


def test_controls_have_names(browser: webdriver.Chrome, tiny: Path) -> None:
    """A screen reader can say what each control is for."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw(circle(400, 500, 200))
    page.suggested()
    controls = [c for c in page.all("button, input, select, #paper") if c.is_displayed()]
    assert len(controls) > 20
    for control in controls:
        assert control.accessible_name, control.get_attribute("outerHTML")
    page.done()
    pad.result()


def test_keyboard_alone(browser: webdriver.Chrome, tiny: Path) -> None:
    """Draw, say what it is, take a suggestion, and send it, without a pointer."""
    pad = Beside(tiny, "--page-size 600x600")
    page = Page(browser, pad.address)
    browser.execute_script("document.getElementById('paper').focus()")
    page.keys(".", *[Keys.ARROW_RIGHT] * 5, *[Keys.ARROW_DOWN] * 5, ".")
    assert page.strokes() == [[300, 300, 340, 300, 340, 340]]
    page.suggested()
    page.keys("c", "cat", Keys.ENTER)
    page.wait(lambda: page.all(".thumbnail[aria-label*=cat]"))
    page.suggested()
    page.keys(Keys.ENTER)
    page.wait(lambda: len(page.strokes()) > 1)
    page.keys("?")
    assert "undo" in page.find("#keys-dialog[open]").text
    page.keys(Keys.ESCAPE)
    page.control(Keys.ENTER)
    page.keys(Keys.ENTER)
    result = pad.result()
    assert result.property("sketchformer_classes") == "cat"
    assert len(layers(result)["drawn by hand"]) == 1


def test_one_line(browser: webdriver.Chrome, tiny: Path) -> None:
    """Strokes and suggestions go on where the line ends."""
    pad = Beside(tiny, "--one-line --layers one")
    page = Page(browser, pad.address)
    page.draw(circle(400, 500, 200))
    page.suggested()
    page.keys("1", "1")
    page.wait(lambda: len(page.strokes()) > 1)
    page.draw([(100, 100), (200, 300)])
    page.done()
    [line] = layers(pad.result())["sketchpad"]
    assert len(line) > 10


def test_class_by_typing(browser: webdriver.Chrome, tiny: Path) -> None:
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.find("#label").send_keys("dragonfruit", Keys.TAB)
    assert "does not know" in page.find("#label-help").text
    assert page.find("#label").get_attribute("aria-invalid") == "true"
    page.draw(circle(400, 500, 200))
    page.wait(lambda: page.find("#guess").is_displayed())
    page.find("#forget").click()
    assert not page.find("#label-help").is_displayed()
    page.control("z")
    page.find("#label").send_keys("the mona lisa", Keys.TAB)
    assert page.find("#label").get_attribute("aria-invalid") == "false"
    page.done()
    result = pad.result()
    assert result.is_empty()
    assert result.property("sketchformer_classes") == "The Mona Lisa"


def test_connection_lost(browser: webdriver.Chrome, tiny: Path) -> None:
    """What is drawn while there is no connection is there when it is back."""
    pad = Beside(tiny)
    script = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {
            "source": """
            window.sockets = [];
            window.WebSocket = class extends WebSocket {
              constructor(address) {
                super(window.cut ? `${address}/nowhere` : address);
                window.sockets.push(this);
              }
            };
            """
        },
    )
    try:
        page = Page(browser, pad.address)
        page.draw([(100, 100), (200, 100)])
        page.kept()
        browser.execute_script("window.cut = true; sockets.forEach(s => s.close())")
        page.wait(lambda: "lost" in page.find("#notice").text)
        page.draw([(100, 200), (200, 200)])
        page.control("z")
        page.draw([(100, 300), (200, 300)])
        page.draw([(100, 400), (200, 400)])
        assert page.find("#kept").text == "not connected"
        page.find("#done").click()
        page.find("#send").click()
        tries = browser.execute_script("return sockets.length")
        page.wait(lambda: browser.execute_script("return sockets.length") > tries + 1)
        assert "when it is back" in page.find("#notice").text
        browser.execute_script("window.cut = false")
        page.kept()
        shown = page.strokes()
        page.driver.refresh()
        page.wait(lambda: page.strokes() == shown)
        page.done()
        assert len(pad.result().layers[1]) == 3
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_ended_in_the_terminal(browser: webdriver.Chrome, tiny: Path, tmp_path: Path) -> None:
    """Ctrl-C, where nobody can be asked: the page tells what has become of the drawing."""
    with Sketchpad(tmp_path, tiny) as pad:
        page = Page(browser, pad.address)
        page.draw([(100, 100), (200, 100)])
        pad.interrupt()
        page.wait(lambda: "down the pipeline" in page.find("#end-text").text)
        assert len(pad.result().layers[1]) == 1


def test_vpype_gone(browser: webdriver.Chrome, tiny: Path, tmp_path: Path) -> None:
    """What was drawn after the end of vpype can be taken along."""
    hurry = "const wait = setTimeout; window.setTimeout = (f, t) => wait(f, t / 50);"
    script = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": hurry}
    )
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    try:
        with Sketchpad(tmp_path, tiny) as pad:
            page = Page(browser, pad.address)
            page.draw([(100, 100), (200, 100)])
            page.kept()
            page.suggested()  # until then what is below them moves
            assert not page.find("#rescue").is_displayed()
            page.find("#eager").click()
            pad.process.kill()
            page.draw([(100, 200), (200, 200)])
            page.wait(lambda: "gone" in page.find("#end-title").text)
            page.find("#rescue").click()
            page.wait((tmp_path / "sketchpad.svg").exists)
            shown = page.strokes()
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    [layer] = vp.read_multilayer_svg(str(tmp_path / "sketchpad.svg"), 0.1).layers.values()
    assert np.allclose([vp.as_vector(line).ravel() for line in layer], shown, atol=0.01)
    assert len(shown) == 2


def test_two_tabs(browser: webdriver.Chrome, tiny: Path) -> None:
    """The second tab says that there is a first one, and can take over."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 100)])
    page.kept()
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(pad.address)
    page.wait(lambda: "another tab" in page.find("#end-title").text)
    page.find("#here").click()
    page.wait(lambda: len(page.strokes()) == 1)
    second = browser.current_window_handle
    browser.switch_to.window(first)
    page.wait(lambda: "moved" in page.find("#end-title").text)
    browser.close()
    browser.switch_to.window(second)
    page.done()
    assert len(pad.result().layers[1]) == 1


def test_files_and_earlier_pages(
    browser: webdriver.Chrome, tiny: Path, tmp_path: Path
) -> None:
    """An SVG lands where it is; the next sketchpad offers the page again."""
    drawing, bad = tmp_path / "in.svg", tmp_path / "bad.svg"
    bad.write_text("no drawing")
    drawing.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300">'
        '<path d="M10 10L90 20L50 200"/></svg>'
    )
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.find("#file").send_keys(str(bad))
    page.wait(lambda: "SVG" in page.find("#notice").text)
    page.draw([(300, 300), (400, 400)])
    assert not page.find("#notice").is_displayed()
    page.control("z")
    page.find("#file").send_keys(str(drawing))
    page.wait(lambda: page.strokes() == [[10, 10, 90, 20, 50, 200]])
    page.kept()
    page.done()
    pad.result()
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    [offer] = page.all("#earlier button")
    offer.click()
    page.wait(lambda: len(page.strokes()) == 1)
    page.find("#more").click()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page.find("#download").click()
    page.wait((tmp_path / "sketchpad.svg").exists)
    [layer] = vp.read_multilayer_svg(str(tmp_path / "sketchpad.svg"), 0.1).layers.values()
    assert np.allclose(layer[0], [10 + 10j, 90 + 20j, 50 + 200j])
    page.find("#clear").click()
    assert page.strokes() == []
    page.control("z")
    page.done()
    assert pad.result().layers[1][0].tolist() == [10 + 10j, 90 + 20j, 50 + 200j]


def shown(browser: webdriver.Chrome, x: float, y: float) -> bool:
    """Whether the browser shows something of the pipeline there on the page."""
    script = """
        const [x, y, tell] = arguments, image = new Image();
        const canvas = new OffscreenCanvas(1, 1);
        image.onload = () => {
          const context = canvas.getContext("2d");
          context.drawImage(image, -x, -y);
          tell(context.getImageData(0, 0, 1, 1).data[3] > 0);
        };
        image.src = document.querySelector(".pipeline").href.baseVal;
    """
    return browser.execute_async_script(script, x, y)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_looks(
    browser: webdriver.Chrome, tiny: Path, scheme: str, width: int, height: int
) -> None:
    """All is in sight, and dark or light as the system is."""
    document = vp.Document(page_size=(500, 600))
    document.add([[20 + 20j, 480 + 20j]])
    pad = Beside(tiny, document=document)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page = Page(browser, pad.address)
        page.draw(circle(250, 300, 100))
        page.suggested()
        assert shown(browser, 250, 20) and not shown(browser, 250, 60)
        for selector in ("#paper", "#done", "#take", "#undo", ".thumbnail", "#label"):
            box = page.find(selector).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, selector
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, selector
        assert page.find("#paper").rect["height"] > 0.4 * height
        text, room = browser.execute_script(
            "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        )
        brightness = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in (text, room)]
        assert (brightness[0] < brightness[1]) == (scheme == "light")
        page.done()
        assert len(pad.result().layers) == 2
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_numbers_done_and_undo(browser: webdriver.Chrome, tiny: Path) -> None:
    """A number shows, and takes when pressed again; undo brings the suggestions back."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw(circle(350, 400, 150))
    page.suggested()
    number = 1 + next(i for i in range(8) if page.drawn_in(i) > 0)
    page.keys(str(number))
    shown = page.pale()
    assert shown and len(page.strokes()) == 1
    page.find("#done").click()
    assert page.find("#done-pale").is_displayed()
    page.keys(Keys.ESCAPE)
    page.keys(str(number))
    assert len(page.strokes()) == 1 + len(shown)
    page.control("z")
    assert page.pale() == shown and len(page.strokes()) == 1
    page.find("#done").click()
    page.find("#take-along").click()
    page.find("#send").click()
    found = layers(pad.result())
    assert len(found["drawn by the model"]) == len(shown)


def test_naming_and_taking(browser: webdriver.Chrome, tiny: Path) -> None:
    """Enter after a class leaves the field; the next one takes."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.keys("c", "cat", Keys.ENTER)
    page.wait(lambda: page.all(".thumbnail[aria-label*=cat]"))
    page.suggested()
    page.keys(Keys.ENTER)
    page.wait(lambda: page.strokes())
    page.done()
    pad.result()


def test_not_kept(browser: webdriver.Chrome, tiny: Path, tmp_path: Path) -> None:
    """Where nothing can be written, nothing is said to be kept, and the SVG is offered."""
    folder = tmp_path / "data" / "vpype-sketchformer"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 100)])
    page.wait(lambda: page.find("#kept").text == "not kept")
    page.find("#notice-download").click()
    page.wait((tmp_path / "sketchpad.svg").exists)
    folder.unlink()
    page.draw([(100, 200), (200, 200)])
    page.kept()
    page.done()
    pad.result()


def test_phone(browser: webdriver.Chrome, tiny: Path) -> None:
    """On a phone the sheet stays where it is, and what can be tapped is large enough."""
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        pad = Beside(tiny)
        page = Page(browser, pad.address)
        before = page.find("#paper").rect
        page.draw(circle(400, 500, 150), "touch")
        page.suggested()
        assert page.find("#paper").rect == before
        for target in page.all("button, select, .check, input:not([type=radio], .check *)"):
            if target.is_displayed():
                size = target.size
                assert min(size["width"], size["height"]) >= 44, target.get_attribute("id")
        assert page.find(".thumbnail svg").size["width"] >= 96
        thumbnail = page.all(".thumbnail:enabled")[0]
        ActionChains(browser).click_and_hold(thumbnail).pause(0.6).perform()
        assert page.find("#large").is_displayed()
        ActionChains(browser).release().perform()
        assert not page.find("#large").is_displayed() and len(page.strokes()) == 1
        page.done()
        pad.result()
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_pens(browser: webdriver.Chrome, tiny: Path) -> None:
    """Each pen is a layer with its colour and width."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 100)])
    page.find("#pen").send_keys("red 0.8")
    page.draw([(100, 200), (200, 200)])
    page.done()
    plain, red = pad.result().layers.values()
    assert plain.property("vp_color") is None
    assert red.property("vp_name") == "drawn by hand, red 0.8 mm"
    assert red.property("vp_color").red > 150 > red.property("vp_color").blue
    assert red.property("vp_pen_width") == pytest.approx(0.8 * MM)


def test_zoom_and_straight_lines(browser: webdriver.Chrome, tiny: Path) -> None:
    """The wheel zooms to the pointer, the space bar drags; ink lands under the pointer."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    [(x, y)] = page.to_screen([(300, 300)])
    origin = ScrollOrigin.from_viewport(round(x), round(y))
    ActionChains(browser).scroll_from_origin(origin, 0, -300).perform()
    page.wait(lambda: page.find("#whole").text != "100 %")
    assert np.allclose(page.to_screen([(300, 300)]), [(x, y)], atol=2)
    ActionChains(browser).key_down(Keys.SPACE).perform()
    page.draw([(300, 300), (330, 320)])
    ActionChains(browser).key_up(Keys.SPACE).perform()
    assert page.strokes() == []
    ActionChains(browser).key_down(Keys.SHIFT).perform()
    page.draw([(300, 300), (350, 310), (400, 304)])
    ActionChains(browser).key_up(Keys.SHIFT).perform()
    [[x0, y0, x1, y1]] = page.strokes()
    assert (x0, y0) == pytest.approx((300, 300), abs=2) and y0 == y1
    assert x1 == pytest.approx(400, abs=2)
    page.keys("0")
    assert page.find("#whole").text == "100 %"
    page.done()
    pad.result()


def test_turn_and_copy(browser: webdriver.Chrome, tiny: Path) -> None:
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.find("#eager").click()
    page.draw([(200, 300), (400, 300)])
    before = np.reshape(page.strokes()[0], (-1, 2))
    page.keys("m", ">", ">")
    after = np.reshape(page.strokes()[0], (-1, 2))
    assert np.allclose(after.mean(axis=0), before.mean(axis=0), atol=1)
    turned = np.subtract(*after[[-1, 0]])
    assert np.degrees(np.arctan2(turned[1], turned[0])) == pytest.approx(15, abs=1)
    page.control("c")
    page.control("v")
    page.wait(lambda: len(page.strokes()) == 2)
    assert np.allclose(page.strokes()[1], np.add(page.strokes()[0], 20), atol=0.02)
    page.find("#done").click()
    page.find("input[value=drawing]").click()
    page.find("#send").click()
    assert len(pad.result().layers) == 2


def test_trace_and_png(browser: webdriver.Chrome, tiny: Path, tmp_path: Path) -> None:
    """A picture is shown under the ink, and is in no file that comes out."""
    Image.new("RGB", (30, 20), "red").save(tmp_path / "photo.png")
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.find("#picture").send_keys(str(tmp_path / "photo.png"))
    page.wait(lambda: page.all("#trace"))
    page.draw([(100, 100), (200, 100)])
    page.find("#more").click()
    page.find("#download-png").click()
    page.wait((tmp_path / "sketchpad.png").exists)
    with Image.open(tmp_path / "sketchpad.png") as picture:
        assert max(picture.size) == 2400
        assert len(picture.convert("RGB").getcolors(1 << 20)) < 300  # grey, no red
        assert all(r == g == b for _, (r, g, b) in picture.convert("RGB").getcolors(1 << 20))
    page.find("#untrace").click()
    assert not page.all("#trace")
    page.done()
    assert len(pad.result().layers) == 1


def middle(stroke: list[float]) -> np.ndarray:
    """The middle of the box around a stroke."""
    points = np.reshape(stroke, (-1, 2))
    return (points.min(axis=0) + points.max(axis=0)) / 2


def test_several_are_chosen(browser: webdriver.Chrome, tiny: Path) -> None:
    """A drag over bare paper chooses, Shift adds; all are moved, lined up, copied, deleted."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.find("#eager").click()
    for x, y in ((200, 300), (400, 350), (600, 800)):
        page.draw(circle(x, y, 40))
        page.keys("n")
    page.keys("m")
    page.draw([(120, 220), (300, 400), (480, 420)])
    before = page.strokes()
    page.keys(Keys.ARROW_RIGHT)
    after = page.strokes()
    assert np.allclose(middle(after[0]) - middle(before[0]), (8, 0), atol=0.1)
    assert np.allclose(middle(after[1]) - middle(before[1]), (8, 0), atol=0.1)
    assert after[2] == before[2]
    ActionChains(browser).key_down(Keys.SHIFT).perform()
    page.draw([(640, 800), (640, 800)])
    ActionChains(browser).key_up(Keys.SHIFT).perform()
    page.find("[data-align=top]").click()
    tops = [np.reshape(stroke, (-1, 2))[:, 1].min() for stroke in page.strokes()]
    assert np.ptp(tops) < 0.05
    page.control("z")
    assert page.strokes() == after
    page.keys("a")
    page.find("#duplicate").click()
    assert len(page.strokes()) == 6
    assert np.allclose(middle(page.strokes()[3]), middle(after[0]) + 20, atol=0.1)
    page.keys(Keys.DELETE)
    assert page.strokes() == after
    page.find("#done").click()
    page.find("input[value=drawing]").click()
    page.find("#send").click()
    assert len(pad.result().layers) == 3


def test_pressure(browser: webdriver.Chrome, tiny: Path) -> None:
    """Where a pen was pressed the line on the screen is wider, not the one that is drawn."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    builder = ActionBuilder(browser, duration=4)
    pen = builder.add_pointer_input("pen", "pen")
    for i, (x, y) in enumerate(page.to_screen([(100 + 10 * k, 300) for k in range(40)])):
        pen.create_pointer_move(duration=4, x=round(x), y=round(y), pressure=0.02 * i + 0.1)
        if i == 0:
            pen.create_pointer_down(button=0, pressure=0.1)
    pen.create_pointer_up(button=0)
    builder.perform()
    [outline] = page.strokes()
    points = np.reshape(outline, (-1, 2))
    light, hard = (
        np.linalg.norm(points[k] - points[-1 - k]) for k in (0, len(points) // 2 - 1)
    )
    assert hard > 2 * light > 0
    page.kept()
    browser.refresh()
    page.wait(lambda: page.strokes() == [outline])
    page.done()
    [line] = layers(pad.result())["drawn by hand"]
    assert gap(line, [(100, 300), (490, 300)]) < 1


def test_one_line_is_shown_first(browser: webdriver.Chrome, tiny: Path) -> None:
    """The bridge is shown before it is there; Escape leaves all as it is."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 100)])
    page.draw([(250, 100), (250, 200)])
    two = page.strokes()
    page.keys("j")
    page.wait(lambda: page.find("#plan-bar").is_displayed())
    [bridge] = page.all("#plan .bridges")
    points = np.reshape(
        [*map(float, re.split("[ ,]", bridge.get_attribute("points")))], (-1, 2)
    )
    assert gap(points, [(200, 100), (250, 100)]) < 1.5
    assert re.search(r"1 bridge, 1[0-4] mm|1 bridge, 9\.\d mm", page.find("#plan-text").text)
    page.keys(Keys.ESCAPE)
    assert page.strokes() == two and not page.all("#plan polyline")
    page.keys("j")
    page.wait(lambda: page.find("#plan-bar").is_displayed())
    page.keys(Keys.ENTER)
    assert len(page.strokes()) == 1
    page.control("z")
    assert page.strokes() == two
    page.done()
    pad.result()


def test_others_like_it(browser: webdriver.Chrome, coded: Path) -> None:
    """With keys alone: eight to choose from, one in the drawing's place, in its pens; undo."""
    pad = Beside(coded)
    page = Page(browser, pad.address)
    page.draw(circle(300, 400, 150))
    page.find("#pen").send_keys("red 0.8")
    page.draw([(300, 350), (300, 450)])
    both = page.strokes()
    page.keys("v")
    page.wait(lambda: page.find("#like-hint").is_displayed())
    page.suggested()
    assert "others like it" in page.find("#said").get_attribute("textContent")
    assert len(page.all(".thumbnail:enabled")) == 8
    assert page.find("#suggestions-title").text == "Others like it"
    assert not page.find("#take-stroke").is_displayed()
    page.keys("3")
    shown = page.pale()
    points = np.concatenate([np.reshape(line, (-1, 2)) for line in shown])
    assert (np.ptp(points, axis=0).max(), *np.mean([points.min(0), points.max(0)], 0)) == (
        pytest.approx((300, 300, 400), abs=6)
    )
    assert page.strokes() == both and page.all("#ink .replaced")
    page.keys("3")
    assert page.strokes() == shown and not page.all("#ink .replaced")
    page.control("z")
    assert page.strokes() == both and page.pale() == shown
    page.keys("r")
    page.wait(lambda: page.find("#suggestions").get_attribute("data-rests") == "true")
    assert page.find("#like-hint").is_displayed() and page.pale() != shown
    page.keys(Keys.ESCAPE)
    assert page.strokes() == both and not page.pale() and not page.all("#ink .replaced")
    page.keys("m")
    page.find("#chosen-like").click()
    page.wait(lambda: page.find("#like-hint").is_displayed())
    page.keys(Keys.ENTER)
    page.wait(lambda: page.strokes() != both)
    page.done()
    assert {name.split(",")[0] for name in layers(pad.result())} == {"drawn by the model"}


def test_others_like_it_at_once(browser: webdriver.Chrome, coded: Path) -> None:
    """Suggestions that were due do not take the place of what was asked for since."""
    pad = Beside(coded)
    page = Page(browser, pad.address)
    page.draw(circle(300, 400, 150))
    page.draw([(300, 350), (300, 450)])
    page.suggested()
    change_and_press = """
        const press = (key, more) => document.getElementById("paper").dispatchEvent(
          new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
        for (const key of "zyzy") press(key, { ctrlKey: true });
        press(arguments[0]);
        window.pressed = performance.now();
        """
    later = "return performance.now() > pressed + 1000"
    browser.execute_script(change_and_press, "Escape")
    page.wait(lambda: browser.execute_script(later))
    assert not page.find("#suggestions").is_displayed()
    browser.execute_script(change_and_press, "v")
    page.wait(lambda: browser.execute_script(later))
    page.wait(lambda: page.find("#suggestions").is_displayed())
    page.suggested()
    assert page.find("#suggestions-title").text == "Others like it"
    page.done()
    pad.result()


def test_pens_stay(browser: webdriver.Chrome, tiny: Path) -> None:
    """What is cleaned up keeps the pen of each stroke."""
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (300, 100)])
    page.find("#pen").send_keys("red 0.8")
    page.draw([(100, 200), (300, 200)])
    page.draw([(310, 300), (310.5, 300.5)])
    page.find("#more").click()
    assert not page.find("#like").is_displayed()
    page.find("#clean").click()
    page.wait(lambda: "changed" in page.find("#said").get_attribute("textContent"))
    page.keys("v")
    page.done()
    found = layers(pad.result())
    assert found["drawn by hand"][0][:, 1] == pytest.approx(100, abs=2)
    assert found["drawn by hand, red 0.8 mm"][0][:, 1] == pytest.approx(200, abs=2)


def test_back_to_drawing(browser: webdriver.Chrome, tiny: Path, tmp_path: Path) -> None:
    """After the end one can draw on, and take it along."""
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw([(100, 100), (200, 100)])
    page.done()
    assert len(pad.result().layers[1]) == 1
    page.find("#draw-on").click()
    page.draw([(100, 200), (200, 200)])
    page.find("#done").click()
    page.wait((tmp_path / "sketchpad.svg").exists)
    [layer] = vp.read_multilayer_svg(str(tmp_path / "sketchpad.svg"), 0.1).layers.values()
    assert len(layer) == 2
