"""The sketchpad's page in a real browser: Chromium, without a window."""

from __future__ import annotations

import math
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
from sketchpads import Sketchpad

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


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
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

    def suggested(self) -> None:
        """Wait for all suggestions."""
        self.wait(lambda: "suggestions" in self.find("#said").get_attribute("textContent"))

    def kept(self) -> None:
        self.wait(lambda: self.find("#kept").get_attribute("data-state") == "kept")

    def done(self) -> None:
        self.find("#done").click()
        self.find("#send").click()
        self.wait(lambda: self.all("#end[open]"))


@pytest.fixture
def start(
    chromium: webdriver.Chrome, tmp_path: Path, tiny: Path
) -> Iterator[Callable[..., tuple[Sketchpad, Page]]]:
    started = []

    def begin(*options: str, before: str = "") -> tuple[Sketchpad, Page]:
        pad = Sketchpad(tmp_path, tiny, *options, before=before)
        started.append(pad)
        return pad, Page(chromium, pad.address)

    yield begin
    for pad in started:
        pad.__exit__(None, None, None)
    complaints = [e["message"] for e in chromium.get_log("browser") if e["level"] == "SEVERE"]
    assert [c for c in complaints if "WebSocket" not in c] == []


def circle(x: float, y: float, r: float) -> Points:
    angles = np.linspace(0, 2 * math.pi, 40)
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a in angles]


def layers(document: vp.Document) -> dict[str, list[np.ndarray]]:
    return {
        str(layer.property("vp_name")): [vp.as_vector(line) for line in layer]
        for layer in document.layers.values()
    }


def test_draw_take_undo_done(start: Callable[..., tuple[Sketchpad, Page]]) -> None:
    """What the pointer drew, and what was taken, goes down the pipeline as it was."""
    pad, page = start()
    path = circle(350, 400, 150)
    page.draw(path)
    page.suggested()
    assert len(page.strokes()) == 1
    page.keys("2", "2")
    page.wait(lambda: len(page.strokes()) > 1)
    taken = len(page.strokes())
    page.draw([(100, 900), (600, 950)])
    page.control("z")
    page.wait(lambda: len(page.strokes()) == taken)
    shown = page.strokes()
    page.done()
    result = pad.result()
    assert result.page_size == pytest.approx(vp.PAGE_SIZES["a4"])
    found = layers(result)
    assert set(found) == {"drawn by hand", "drawn by the model"}
    [drawn] = found["drawn by hand"]
    gap = shapely.hausdorff_distance(
        shapely.segmentize(shapely.LineString(drawn), 1),
        shapely.segmentize(shapely.LineString(path), 1),
    )
    assert gap < 1 * MM
    assert len(found["drawn by the model"]) == taken - 1
    for line, seen in zip(found["drawn by the model"], shown[1:], strict=True):
        assert np.allclose(line, np.reshape(seen, (-1, 2)), atol=0.02)
