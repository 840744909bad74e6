"""The documentation as pages: they build without a warning and without a network, and are read as plain files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import sync_playwright
from support.cli_tools import ROOT

import callbacks
import lit_trainer
import sim_core

SEARCHED = "determinization"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the pages as `make docs` does, without access to a network."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "all")}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    """Fails if a page loads a font, script or picture from another host. Links to follow are allowed."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        fetched = re.findall(
            r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]*>", page.read_text()
        )
        assert not fetched, f"{page.name}: {fetched}"
    for sheet in (*site.rglob("*.css"), *(ROOT / "docs").rglob("*.svg")):
        assert not re.search(r"url\([\"']?(https?:)?//|@import|xlink:href=.http", sheet.read_text()), sheet


@pytest.mark.slow
def test_compiled_classes_have_their_docstrings_and_types(site: Path) -> None:
    """Fails if a page lacks docstrings, which stubs may lack, or types, which compiled modules lack."""
    text = re.sub(r"<[^>]+>", "", (site / "api" / "sim_core.html").read_text())
    assert "Returns which actions are legal, bool [n, num_actions]" in text  # of GameBatch.legal_mask, in batch.pyx
    assert re.search(r"first_player:\s*ArrayLike\s*=\s*0", text)  # in batch.pyi


@pytest.mark.slow
def test_pages_are_read_and_searched_as_files(site: Path) -> None:
    """Fails if search needs a server or a script from the network. Ours is docs/assets/iframe-worker.js."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "no browser: apt-get install chromium, or name one in the variable CHROMIUM"
    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = window.new_page()
        page.set_default_timeout(60_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.locator(".md-search__input").focus()
        page.keyboard.type(SEARCHED)
        page.wait_for_selector(".md-search-result__item")
        assert SEARCHED in page.locator(".md-search-result__list").inner_text().lower()
        assert asked and all(url.startswith(("file:", "data:")) for url in asked)
        window.close()


@pytest.mark.parametrize("package", [sim_core, lit_trainer, callbacks], ids=lambda package: package.__name__)
def test_the_api_has_every_public_name(package: object) -> None:
    name = package.__name__  # type: ignore[attr-defined]
    page = (ROOT / "docs" / "api" / f"{name}.md").read_text()
    shown = [path.rsplit(".", 1)[1] for path in re.findall(rf"^::: ({name}\.[\w.]+)$", page, re.MULTILINE)]
    assert sorted(shown) == sorted(package.__all__)  # type: ignore[attr-defined]


def test_every_page_is_in_the_navigation() -> None:
    """Fails if a page is missing from the navigation, without the slow build."""
    text = (ROOT / "mkdocs.yml").read_text()
    named = re.findall(r"[\w/]+\.md$", text, re.MULTILINE)
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(named) == sorted(pages)
    assert yaml.safe_load(text)["theme"]["font"] is False
