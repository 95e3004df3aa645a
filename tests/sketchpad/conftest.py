"""The browser, for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.sketchpad.browser import open_chromium


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    driver.set_window_size(1280, 860)
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep drawings away from those of whoever runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser, which must have nothing to complain about in the end."""
    chromium.get_log("browser")
    yield chromium
    complaints = [e["message"] for e in chromium.get_log("browser") if e["level"] == "SEVERE"]
    chromium.get("about:blank")
    assert [c for c in complaints if "WebSocket" not in c] == []
