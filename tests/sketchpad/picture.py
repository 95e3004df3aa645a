"""Draw the docs' pictures of the pages, with the model that ships, in light and dark.

    python tests/sketchpad/picture.py

``docs/sketchpad.gif`` moves: two drawings, begun by hand and gone on with.
``docs/sketchpad.png`` and ``docs/sketchpick.png`` show the pages side by side. It needs what
the tests of the pages need: Chromium and its driver.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from selenium import webdriver
from selenium.webdriver.common.actions.action_builder import ActionBuilder

from tests.fakes.sketchpads import Beside, Pipeline
from tests.sketchpad.browser import Page, Points, circle, open_chromium
from vpype_sketchformer.model import checkpoint

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, PHONE, HEIGHT = 1040, 390, 760
SHOWN = 0.56  # of that, in the picture
GAP = 16
MOVING = (960, 690)
COLOURS = 256
STEPS = 5  # points of a stroke between two frames
#: How long frames of the moving picture last, milliseconds.
STROKE, LOOK, LONG = 90, 900, 1800


class Camera:
    """Takes pictures of a page."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def shoot(self) -> Image.Image:
        time.sleep(0.3)  # colours change slowly
        png = self.driver.get_screenshot_as_png()
        return Image.open(io.BytesIO(png)).convert("RGB")

    @contextmanager
    def dark(self) -> Iterator[None]:
        def emulate(features: list[dict[str, str]]) -> None:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

        emulate([{"name": "prefers-color-scheme", "value": "dark"}])
        yield
        emulate([])


class Film:
    """Frames of what happens on a page, and how long each is seen."""

    def __init__(self, page: Page, camera: Camera) -> None:
        self.page, self.camera = page, camera
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def look(self, lasts: int) -> None:
        self.frames.append(self.camera.shoot())
        self.times.append(lasts)

    def draw(self, points: Points) -> None:
        """Draw a stroke before the camera; a dot shows where the pen is."""
        builder = ActionBuilder(self.page.driver, duration=4)
        pointer = builder.add_pointer_input("mouse", "mouse")
        for i, (x, y) in enumerate(self.page.to_screen(points)):
            pointer.create_pointer_move(duration=4, x=round(x), y=round(y))
            if i == 0:
                pointer.create_pointer_down(button=0)
            if i % STEPS == 0:
                builder.perform()
                pointer.actions.clear()
                self.look(STROKE)
                ImageDraw.Draw(self.frames[-1]).circle((x, y), 5, "#33507e")
        pointer.create_pointer_up(button=0)
        builder.perform()

    def write(self, path: Path) -> None:
        width, height = MOVING
        all_frames = Image.new("RGB", (width, height * len(self.frames)))
        for i, frame in enumerate(self.frames):
            all_frames.paste(frame, (0, height * i))
        # Thin lines keep their colour, however few pixels they are.
        palette = all_frames.quantize(COLOURS, Image.Quantize.FASTOCTREE)
        first, *others = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames
        ]
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self.times,
            loop=0,
            optimize=True,
        )


def line(*corners: tuple[float, float]) -> Points:
    """A stroke from corner to corner."""
    ends = np.array(corners)
    steps = np.linspace(0, len(ends) - 1, 7 * (len(ends) - 1) + 1)
    x, y = (np.interp(steps, np.arange(len(ends)), side) for side in ends.T)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def moving(driver: webdriver.Chrome) -> None:
    """A cat and a house, begun by hand."""
    camera = Camera(driver)
    camera.size(*MOVING)
    pad = Beside(checkpoint.find("quickdraw"), "--page-size 148mmx105mm -t 0.4 --seed 4")
    page = Page(driver, pad.address)
    page.find("#first-close").click()
    film = Film(page, camera)
    film.look(LOOK)
    head = [(160 - x, y) for y, x in circle(210, 0, 72)]  # as most people draw it
    for stroke in (
        head,
        line((105, 165), (100, 105), (146, 140)),
        line((174, 140), (220, 105), (215, 165)),
    ):
        film.draw(stroke)
        page.suggested()
        film.look(LOOK)
    for number in (2, 3):
        page.keys(str(number))
        film.look(LOOK)
    page.find("#take").click()
    film.look(LONG)
    page.keys("n")
    for stroke in (
        line((350, 190), (480, 190), (480, 300), (350, 300), (350, 190)),
        line((335, 194), (415, 115), (495, 194)),
    ):
        film.draw(stroke)
        page.suggested()
        film.look(LOOK)
    page.keys("6")
    film.look(LOOK)
    page.find("#take").click()
    film.look(2 * LONG)
    page.done()
    pad.result()
    film.write(DOCS / "sketchpad.gif")


def sketchpad(driver: webdriver.Chrome) -> None:
    """A circle, and a cat suggested; it, taken, in the dark; and on a phone."""
    camera = Camera(driver)
    camera.size(WIDTH, HEIGHT)
    pad = Beside(checkpoint.find("quickdraw"), "--page-size a5 --class cat --seed 3")
    page = Page(driver, pad.address)
    page.find("#first-close").click()
    page.draw([(560 - x, y) for y, x in circle(290, 280, 85)])  # as most people do
    page.suggested()
    page.keys("2")
    shots = [camera.shoot()]
    page.find("#take").click()
    page.wait(lambda: page.all("#ink .model"))
    page.keys("m")
    with camera.dark():
        shots.append(camera.shoot())
    camera.size(PHONE, HEIGHT)
    page.control("z")
    page.suggested()
    page.keys("d", "3")
    shots.append(camera.shoot())
    page.done()
    pad.result()
    side_by_side(shots, DOCS / "sketchpad.png")


def sketchpick(driver: webdriver.Chrome) -> None:
    """A contact sheet, some of it chosen."""
    camera = Camera(driver)
    camera.size(WIDTH, HEIGHT)
    os.environ.setdefault("DISPLAY", ":0")  # there is one to choose, whatever the machine
    pipeline = Pipeline(
        "sketchgen -n 24 --class cat,owl,snail --layers sketch --seed 7 sketchpick"
    )
    page = Page(driver, pipeline.address)
    for i in (0, 2, 3, 7, 8):
        page.all(".item")[i].click()
    shots = [camera.shoot()]
    with camera.dark():
        shots.append(camera.shoot())
    page.find("#done").click()
    pipeline.result()
    side_by_side(shots, DOCS / "sketchpick.png")


def side_by_side(shots: Sequence[Image.Image], path: Path) -> None:
    """Write one picture of several."""
    small = [shot.resize([round(SHOWN * side) for side in shot.size]) for shot in shots]
    width = sum(shot.width for shot in small) + GAP * (len(small) - 1)
    sheet = Image.new("RGB", (width, small[0].height), "white")
    left = 0
    for shot in small:
        sheet.paste(shot, (left, 0))
        left += shot.width + GAP
    sheet.quantize(256).save(path, optimize=True)


def main() -> None:
    """Draw them all."""
    with tempfile.TemporaryDirectory() as folder:
        driver = open_chromium(Path(folder) / "chromium")
        for draw in (moving, sketchpad, sketchpick):
            # Not among the user's own drawings, nor each other's.
            os.environ["XDG_DATA_HOME"] = str(Path(folder) / draw.__name__)
            draw(driver)
        driver.quit()


if __name__ == "__main__":
    main()
