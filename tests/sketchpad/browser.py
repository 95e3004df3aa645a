"""A page in a real browser: Chromium, without a window."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

needs_chromium = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver",
)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage"
)
PATIENCE = 60

Points = list[tuple[float, float]]


def open_chromium(profile: Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options, service)


class Page:
    """What a user sees and does."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        driver.get(address)
        self.wait(lambda: self.all("#under .sheet, #sheet li"))

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
        """How many strokes a thumbnail shows besides what it goes on with."""
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


def circle(x: float, y: float, r: float) -> Points:
    angles = np.linspace(0, 2 * math.pi, 40)
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a in angles]
