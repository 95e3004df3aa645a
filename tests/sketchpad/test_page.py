"""The sketchpad's page in a real browser: Chromium, without a window."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
import vpype as vp
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.fakes.sketchpads import Beside, Sketchpad

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver",
)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage"
)
MM = 96 / 25.4
PATIENCE = 20

Points = list[tuple[float, float]]


def open_chromium(profile: Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options, service)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    driver.set_window_size(1280, 860)
    yield driver
    driver.quit()


class Page:
    """What a user sees and does."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        driver.get(address)
        self.wait(lambda: self.all("#under .sheet"))

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def all(self, selector: str) -> list[webdriver.remote.webelement.WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector: str) -> webdriver.remote.webelement.WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def keys(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def control(self, key: str) -> None:
        chain = ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(key)
        chain.key_up(Keys.CONTROL).perform()

    def to_screen(self, points: Points) -> Points:
        """Where points of the page, in pixels of vpype, are on the screen."""
        a, e, f = self.driver.execute_script(
            "const m = document.getElementById('paper').getScreenCTM(); return [m.a, m.e, m.f]"
        )
        return [(a * x + e, a * y + f) for x, y in points]

    def draw(self, points: Points, kind: str = "mouse") -> None:
        """Draw a stroke with the pointer."""
        builder = ActionBuilder(self.driver, duration=4)
        pointer = builder.add_pointer_input(kind, kind)
        for i, (x, y) in enumerate(self.to_screen(points)):
            pointer.create_pointer_move(duration=4, x=round(x), y=round(y))
            if i == 0:
                pointer.create_pointer_down(button=0)
        pointer.create_pointer_up(button=0)
        builder.perform()

    def strokes(self) -> list[list[float]]:
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#ink polyline')]"
            ".map(n => n.getAttribute('points').split(/[ ,]/).map(Number))"
        )

    def pale(self) -> list[list[float]]:
        """The strokes of the suggestion that is shown."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#pale polyline')]"
            ".map(n => n.getAttribute('points').split(/[ ,]/).map(Number))"
        )

    def drawn_in(self, i: int) -> int:
        """How many strokes a thumbnail shows."""
        return len(self.all(f".thumbnail:nth-child({i + 1}) polyline"))

    def suggested(self) -> None:
        """Wait for all suggestions."""
        self.wait(lambda: self.find("#suggestions").get_attribute("data-rests") == "true")

    def kept(self) -> None:
        self.wait(lambda: self.find("#kept").get_attribute("data-state") == "kept")

    def done(self) -> None:
        self.find("#done").click()
        self.find("#send").click()
        self.wait(lambda: self.all("#end[open]"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep drawings away from those of whoever runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser, which must have nothing to complain about in the end."""
    chromium.get_log("browser")
    yield chromium
    complaints = [e["message"] for e in chromium.get_log("browser") if e["level"] == "SEVERE"]
    chromium.get("about:blank")
    assert [c for c in complaints if "WebSocket" not in c] == []


def circle(x: float, y: float, r: float) -> Points:
    angles = np.linspace(0, 2 * math.pi, 40)
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a in angles]


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
    page.wait(lambda: len(page.pale()) == page.drawn_in(longest) - 1)
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
    page.keys("c", "cat", Keys.ENTER, Keys.ESCAPE)
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
    page.keys("1")
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
        page.wait(lambda: "when it is back" in page.find("#notice").text)
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
    page.wait(lambda: "no SVG" in page.find("#notice").text)
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
