"""The pages, as axe-core sees them: WCAG 2.2, A and AA, in light and dark."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.fakes.sketchpads import Beside, Pipeline
from tests.sketchpad.browser import Page, circle, needs_chromium

#: A package that carries axe-core; what else it needs is not needed here.
CARRIER = importlib.util.find_spec("axe_playwright_python")

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(CARRIER is None, reason="needs axe-playwright-python (make test)"),
]

RUN = """
const tell = arguments[arguments.length - 1];
const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
axe.run({ runOnly: { type: "tag", values } }).then(({ violations }) => tell(
  violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))));
"""


def violations(page: Page) -> list[str]:
    """What a page breaks."""
    assert CARRIER is not None and CARRIER.origin is not None
    axe = Path(CARRIER.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    page.driver.execute_script(axe)
    found: list[str] = page.driver.execute_async_script(RUN)
    return found


@pytest.fixture(params=["light", "dark"])
def scheme(browser: webdriver.Chrome, request: pytest.FixtureRequest) -> None:
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    request.addfinalizer(
        lambda: browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    )


@pytest.mark.usefixtures("scheme")
def test_sketchpad(browser: webdriver.Chrome, tiny: Path) -> None:
    pad = Beside(tiny)
    page = Page(browser, pad.address)
    page.draw(circle(400, 500, 200))
    page.suggested()
    assert violations(page) == []
    for opener, dialog in (("#more", "#more-dialog"), ("#done", "#done-dialog")):
        page.find(opener).click()
        assert violations(page) == []
        page.find(f"{dialog} button:not(.column button, .primary)").click()
    page.keys("?")
    assert violations(page) == []
    page.find("#keys-dialog button").click()
    page.done()
    assert violations(page) == []
    pad.result()


@pytest.mark.usefixtures("scheme")
def test_others_like_it(browser: webdriver.Chrome, coded: Path) -> None:
    pad = Beside(coded)
    page = Page(browser, pad.address)
    page.draw(circle(400, 500, 200))
    page.keys("v")
    page.wait(lambda: page.find("#like-hint").is_displayed())
    page.suggested()
    assert violations(page) == []
    page.keys("m")
    page.find("#chosen-like").click()
    page.find("#more").click()
    assert page.find("#like").is_displayed() and violations(page) == []
    page.keys(Keys.ESCAPE)
    page.done()
    pad.result()


@pytest.mark.usefixtures("scheme")
def test_sketchpick(
    browser: webdriver.Chrome, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    pipeline = Pipeline(f"sketchgen -n 3 --layers sketch -m '{tiny}' --seed 1 sketchpick")
    page = Page(browser, pipeline.address)
    page.all(".item")[0].click()
    assert violations(page) == []
    page.find("#done").click()
    pipeline.result()
