"""Draw docs/sketchpad.png: the sketchpad at work, side by side, with the model that ships.

    python tests/sketchpad/picture.py

It needs what the tests of the page need: Chromium and its driver.
"""

from __future__ import annotations

import base64
import os
import tempfile
import time
from pathlib import Path

from tests.fakes.sketchpads import Beside
from tests.sketchpad.browser import Page, circle, open_chromium
from vpype_sketchformer.model import checkpoint

PICTURE = Path(__file__).parents[2] / "docs" / "sketchpad.png"
WIDTH, PHONE, HEIGHT = 1040, 390, 760
SHOWN = 0.56  # of that, in the picture


def main() -> None:
    """Draw a cat with the model, and keep what the page looks like on the way."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder  # not among the user's own drawings
        driver = open_chromium(Path(folder) / "chromium")
        shots = []

        def shoot() -> None:
            driver.execute_script("document.activeElement.blur()")
            shots.append(driver.get_screenshot_as_base64())

        def size(width: int, height: int) -> None:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride", metrics | {"mobile": False}
            )

        size(WIDTH, HEIGHT)
        pad = Beside(checkpoint.find("quickdraw"), "--page-size a5 --class cat --seed 3")
        page = Page(driver, pad.address)
        page.draw([(560 - x, y) for y, x in circle(290, 280, 85)])  # as most people do
        page.suggested()
        page.keys("3")
        shoot()
        page.find("#take").click()
        page.wait(lambda: page.all("#ink .model"))
        page.keys("m")
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
        time.sleep(0.5)  # colours change slowly
        shoot()
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        size(PHONE, HEIGHT)
        page.control("z")
        page.suggested()
        page.keys("d", "2")
        time.sleep(0.5)
        shoot()
        page.done()
        pad.result()
        size(round(SHOWN * (2 * WIDTH + PHONE)) + 32, round(SHOWN * HEIGHT))
        images = "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
        style = f"body{{margin:0;display:flex;gap:16px}}img{{height:{SHOWN * HEIGHT}px}}"
        driver.get("about:blank")
        driver.execute_script(
            "document.body.innerHTML = arguments[0]", f"<style>{style}</style>{images}"
        )
        PICTURE.write_bytes(base64.b64decode(driver.get_screenshot_as_base64()))
        driver.quit()


if __name__ == "__main__":
    main()
