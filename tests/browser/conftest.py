"""Chromium, and the one-machine stack as ``make demo ONCE=1`` left it: what runs in STATE is used, else it is started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooSlow

ROOT = Path(__file__).resolve().parents[2]
STATE = Path(os.environ.get("CT_BROWSER_STATE") or ROOT / ".state").resolve()
PARTS = "schema,mlflow,serving,dashboard"
START_SECONDS = 300
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Addresses:
    """Where the stack's parts are."""

    dashboard: str
    serving: str

    def warm(self) -> None:
        """Ask for one explanation: the first one loads what explains, for which a page on a busy machine does not wait."""
        if self.explains:
            httpx.post(f"{self.serving}/explain", json={"house_size": 1500}, timeout=START_SECONDS, trust_env=False)

    @property
    def explains(self) -> bool:
        """Whether the API has a route for explanations."""
        return "/explain" in httpx.get(f"{self.serving}/openapi.json", trust_env=False).json()["paths"]


@pytest.fixture(scope="session")
def stack() -> Iterator[Addresses]:
    """The running stack with the history of a demonstration."""
    file = STATE / "settings.json"
    assert file.exists(), f"there is no history in {STATE}: run make demo ONCE=1 SCALE=2 first"
    kept = json.loads(file.read_text())
    ports = kept["ports"]
    found = Addresses(f"http://127.0.0.1:{ports['dashboard']}", f"http://127.0.0.1:{ports['serving']}")
    if _answers(found.dashboard):
        found.warm()
        yield found
        return
    stream = kept["stream"]
    command = [
        str(ROOT / ".envs" / "local" / "bin" / "python"), "-m", "local", "up", "--state", str(STATE), "--only", PARTS,
        "--scale", f"{stream['scale']:g}", "--seed", str(stream["seed"]), "--group", str(stream["group"]),
        "--day", stream["day"] or "", "--policy", kept["policy"], "--listings", stream["listings"] or "",
        "--source-url", stream["source_url"] or "",
    ]  # fmt: skip
    with (STATE / "browser-tests.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        # Serving is ready without its database, so that is waited for, too.
        while not (_answers(found.dashboard) and _answers(found.serving, "/health/ready") and _listens(ports["postgres"])):
            assert process.poll() is None, f"the stack ended: {(STATE / 'browser-tests.log').read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"the stack was not ready within {START_SECONDS} s"
            time.sleep(0.5)
        _has_history(kept)
        found.warm()
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)


def _answers(address: str, path: str = "/_stcore/health") -> bool:
    try:
        return httpx.get(f"{address}{path}", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


def _has_history(kept: dict[str, dict[str, str]]) -> None:
    address = f"127.0.0.1:{kept['ports']['postgres']}/continuous_training"
    with psycopg.connect(f"postgresql://dashboard:{kept['secrets']['dashboard']}@{address}") as connection:
        row = connection.execute("SELECT count(*) FROM audit.history WHERE promotion_outcome IS NOT NULL").fetchone()
    assert row, "the history cannot be read"
    assert row[0] >= 2, f"the history in {STATE} has fewer than two decisions: run make demo ONCE=1 SCALE=2"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system (``CT_CHROMIUM`` or on the path)."""
    program = os.environ.get("CT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium: install it (Debian: apt-get install chromium) or set CT_CHROMIUM"
    with sync_playwright() as playwright:
        # As root, Chromium has no sandbox of its own.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@dataclass
class Visitor:
    """A person with a browser window."""

    page: Page
    stack: Addresses

    def open(self, path: str) -> Page:
        """Go to a page and wait until it is drawn wholly: its script has ended and no chart is still to come.

        A browser that starves on a busy machine may lose the page's connection while it loads: it is loaded again, twice.
        """
        for patience in (45_000, 45_000, 120_000):
            self.page.goto(f"{self.stack.dashboard}/{path}", wait_until="domcontentloaded", timeout=120_000)
            try:
                self.page.locator("h1").first.wait_for(timeout=patience)
                break
            except TooSlow:
                if patience > 45_000:
                    raise
        self.settled()
        return self.page

    def settled(self) -> None:
        """Wait until the script has ended and every chart is drawn."""
        self.page.wait_for_function(
            """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
                && !document.querySelector('[data-testid=stSpinner], [data-testid=stSkeleton]')
                && [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(e => e.querySelector('svg.main-svg'))""",
            timeout=120_000,
        )
        self.page.wait_for_timeout(500)

    def choose(self, label: str, option: str) -> None:
        """Choose from a list; its options close when the page scrolls, so it is scrolled to first."""
        field = self.page.get_by_label(label, exact=True)
        field.scroll_into_view_if_needed()
        self.settled()
        field.click()
        self.page.get_by_role("option", name=option).click()

    def select_row(self, table: int, row: int, *, height: int = 35) -> None:
        """Tick a row, counted from 0, of one of the page's tables, which are drawn and have no elements for their rows."""
        shown = self.page.get_by_test_id("stDataFrame").nth(table)
        shown.scroll_into_view_if_needed()
        box = shown.bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + 18, box["y"] + 36 + height * row + height / 2)

    def screenshot(self, name: str, most: int = 4000) -> None:
        """The page's first ``most`` pixels, to the folder that CT_SCREENSHOTS names; nothing without it."""
        folder = os.environ.get("CT_SCREENSHOTS")
        if not folder:
            return
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({"width": size["width"], "height": min(int(height), most)})
        self.settled()
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=str(Path(folder) / f"{name}.png"))
        self.page.set_viewport_size(size)
        self.settled()


@pytest.fixture
def visit(browser: Browser, stack: Addresses) -> Iterator[object]:
    """A function that opens a window: ``visit(phone=True, dark=True)``."""
    opened = []

    def window(*, phone: bool = False, dark: bool = False) -> Visitor:
        context = browser.new_context(
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
        )
        context.set_default_timeout(60_000)
        opened.append(context)
        return Visitor(context.new_page(), stack)

    yield window
    for context in opened:
        context.close()
