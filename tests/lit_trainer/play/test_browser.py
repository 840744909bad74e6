"""The page in a real browser: whole games by mouse, by keyboard alone, and at a phone's width.

Needs Debian's chromium, or the browser that the variable CHROMIUM names; `make test` installs it where it is missing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from support.web_server import free_port, started

from lit_trainer.play import SavedGame

PATIENCE = 60_000  # milliseconds, for a machine that does other things beside
IDLE = "body:not([aria-busy])"
MOVE_NOBODY_HAS = """() => {
  const real = window.fetch;
  window.fetch = (path, request) =>
    real(path, path.endsWith("/move") ? { ...request, body: JSON.stringify({ turn: 0, action: "W" }) } : request);
}"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, checkpoint_path: Path) -> Iterator[str]:
    """Returns the address of a server that offers a real checkpoint."""
    port = free_port()
    agents = json.dumps([str(checkpoint_path), f"{checkpoint_path}+skunk"])
    server = started(tmp_path_factory.mktemp("web"), port, "--agent", agents, "--simulations", "8")
    yield f"http://127.0.0.1:{port}/"
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no browser: apt-get install chromium, or name one in the variable CHROMIUM"
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Returns a fresh window, in which any error of the page fails the test."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda request: request.url.startswith((address, "data:")) or complaints.append(request.url))
    made.goto(address)
    made.locator("#start select[name=agent] option").first.wait_for(state="attached")
    yield made
    context.close()
    assert not complaints


def fits(page: Page) -> bool:
    """Asserts that nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def turns(page: Page) -> int:
    return int(page.locator("#game").get_attribute("data-turns") or 0)


def wait_for_turn(page: Page) -> str:
    """Waits until it is the person's turn or the game is over, and returns which."""
    game = page.locator(f"{IDLE} #game:is([data-awaits=person], [data-awaits=nobody])")
    game.wait_for()
    return game.get_attribute("data-awaits") or ""


def deal(page: Page, seed: int) -> None:
    """Sets the seed of the next games, which the page itself leaves to chance."""

    def seeded(route: Route) -> None:
        route.continue_(post_data=json.dumps(json.loads(route.request.post_data or "{}") | {"seed": seed}))

    page.route("**/api/games", seeded)


def saved(page: Page) -> SavedGame:
    with page.expect_download() as download:
        page.locator("#save").click()
    return SavedGame.parse(Path(download.value.path()).read_text())


@pytest.mark.parametrize("width", [1000, 360])
def test_a_game_by_mouse_survives_a_reload_and_is_saved(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    deal(page, 5)
    assert fits(page)
    page.get_by_role("button", name="Start").click()
    choices = 0
    while wait_for_turn(page) == "person":
        before = turns(page)
        assert fits(page)
        with_choices = page.locator("#moves button.pick[aria-expanded]")
        (with_choices if with_choices.count() else page.locator("#moves button.pick")).last.click()
        if page.locator("#choices").count():
            choices += 1
            assert fits(page)
            page.locator("#choices button").first.click()
        page.locator(f"{IDLE} #game[data-turns='{before + 2}']").wait_for()
        if before == 4:
            held = page.locator("#moves .pick").evaluate_all("cards => cards.map(card => card.dataset.card)")
            log = page.locator("#log").inner_text()
            page.reload()
            assert wait_for_turn(page) == "person"
            assert turns(page) == 6 and page.locator("#log").inner_text() == log
            again = page.locator("#moves .pick").evaluate_all("cards => cards.map(card => card.dataset.card)")
            assert again == held
            assert not page.locator("#save").is_visible()
    assert choices
    expect(page.locator("#live")).to_contain_text("The game is over: ")
    assert fits(page)
    record = saved(page)
    assert len(record.moves) == 24 and record.players[0] == "person"
    # back through it, with the agent's reasons for a move, its other cards too
    page.locator("#back").click()
    page.locator(f"{IDLE} #game[data-turn='23']").wait_for()
    for _ in range(14):
        page.locator("#back").click()
        page.locator(IDLE).wait_for()
    page.locator(f"{IDLE} #game[data-turn='9']").wait_for()
    expect(page.locator("#reasons .share").nth(1)).to_be_visible()
    expect(page.locator("#chance .bar")).to_be_visible()


def test_a_game_by_keyboard_alone(page: Page) -> None:
    """Fails if a game needs a mouse: start form, undo, hint, steps back, and every choice."""
    page.set_viewport_size({"width": 360, "height": 740})
    deal(page, 5)
    form = page.locator("#start [name=mode]").first
    for _ in range(10):
        page.keyboard.press("Tab")
        if form.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "seat"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.value") == "second"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert wait_for_turn(page) == "person"
    assert turns(page) == 1
    page.keyboard.press("h")
    expect(page.locator("#reasons h2")).to_have_text("iter1, 8 simulations would play")
    while wait_for_turn(page) == "person":
        before = turns(page)
        if before % 4 == 1:
            page.keyboard.press("1")
        else:  # the focus is among the moves already
            assert page.evaluate("document.activeElement.closest('#moves') !== null")
            page.keyboard.press("Enter")
        page.locator(
            f"{IDLE} #game[data-turns='{before}'] #choices, {IDLE} #game:not([data-turns='{before}'])"
        ).first.wait_for()
        if page.locator("#choices").count():
            assert page.evaluate("document.activeElement.closest('#choices') !== null")
            page.keyboard.press("Escape")
            assert page.locator("#choices").count() == 0
            page.keyboard.press("Enter")
            page.keyboard.press("1")
        page.locator(f"{IDLE} #game:not([data-turns='{before}'])").wait_for()
        wait_for_turn(page)
        if before == 5:
            page.keyboard.press("u")
            page.locator(f"{IDLE} #game[data-turns='5']").wait_for()
            page.keyboard.press("ArrowLeft")
            page.locator(f"{IDLE} #game[data-turn='4']").wait_for()
            assert page.locator("#moves button").count() == 0
            page.keyboard.press("End")
            page.locator(f"{IDLE} #game[data-turn='5']").wait_for()
            page.keyboard.press("1")
            if page.locator("#choices").count():
                page.keyboard.press("1")
            page.locator(f"{IDLE} #game[data-turns='7']").wait_for()
        assert fits(page)
    assert turns(page) == 24
    expect(page.locator("#live")).to_contain_text("The game is over: ")


def test_two_agents_are_watched_and_the_game_is_looked_at_again(page: Page) -> None:
    page.get_by_label("Watch two agents").check()
    page.locator("[name=other]").select_option("outcome_heuristic")
    page.get_by_role("button", name="Start").click()
    page.locator("#game[data-turns='3']").wait_for()
    page.keyboard.press("p")
    expect(page.locator("#run")).to_have_text("Play")
    page.locator(IDLE).wait_for()
    stopped = turns(page)
    page.wait_for_timeout(1500)
    assert turns(page) == stopped
    page.locator("#run").click()
    page.locator(f"{IDLE} #game[data-awaits=nobody]").wait_for()
    text = saved(page).text()
    page.keyboard.press("n")
    page.get_by_label("Review a saved game").check()
    page.locator("[name=record]").fill(text.replace("\n1: ", "\n1: W", 1))
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#message")).to_contain_text("record: line 6: action: ")
    page.locator("[name=record]").fill(text)
    page.get_by_role("button", name="Start").click()
    page.locator(f"{IDLE} #game[data-turn='0'][data-turns='24']").wait_for()
    expect(page.locator("#message")).to_be_hidden()
    page.locator("#log").press("ArrowRight")
    page.locator(f"{IDLE} #game[data-turn='1']").wait_for()
    expect(page.locator("#reasons .share").first).to_be_visible()
    assert page.locator("#table .card.back").count() == 0


def test_beliefs_are_shown_when_asked_for_and_after_the_end(page: Page) -> None:
    """Beliefs that only a mouse can show, or that are too wide for a phone; an opponent that is hidden with them."""
    page.set_viewport_size({"width": 360, "height": 740})
    deal(page, 5)
    page.locator("[name=agent]").select_option("iter1, 8 simulations, expects skunk")
    page.get_by_role("button", name="Start").click()
    beliefs, button = page.get_by_role("region", name="Beliefs about the other player"), page.locator("#believe")
    cards = beliefs.get_by_role("list", name="believes of your hand").get_by_role("listitem")
    assert wait_for_turn(page) == "person"
    expect(button).to_be_hidden()
    while wait_for_turn(page) == "person":
        before = turns(page)
        page.keyboard.press("1")
        if page.locator("#choices").count():
            page.keyboard.press("1")
        page.locator(f"{IDLE} #game[data-turns='{before + 2}']").wait_for()
        if before == 0:
            expect(beliefs).to_contain_text("expects skunk")
            expect(cards).to_have_count(0)
            page.keyboard.press("b")
            expect(button).to_have_attribute("aria-pressed", "true")
            expect(cards).to_have_count(11)
            assert fits(page)
        if before == 2:
            expect(cards).to_have_count(10)
            button.click()
            expect(cards).to_have_count(0)
    expect(beliefs).to_contain_text("expected skunk, but it would not have played so")
    expect(button).to_be_hidden()
    page.keyboard.press("Home")
    page.locator(f"{IDLE} #game[data-turn='0']").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(f"{IDLE} #game[data-turn='1']").wait_for()
    expect(cards).to_have_count(11)
    expect(beliefs).to_contain_text("expects skunk")
    page.keyboard.press("n")
    page.get_by_role("button", name="Start").click()
    assert wait_for_turn(page) == "person"
    page.keyboard.press("1")
    page.locator(f"{IDLE} #game[data-turns='2']").wait_for()
    expect(cards).to_have_count(0)  # another game begins without them


def test_connect_four_is_played_on_its_board(page: Page) -> None:
    page.locator("[name=game]").select_option("connect_four")
    page.locator("[name=agent]").select_option("random")
    page.get_by_role("button", name="Start").click()
    while wait_for_turn(page) == "person":
        before = turns(page)
        page.locator("#moves button:not(:disabled)").first.click()
        page.locator(f"{IDLE} #game:not([data-turns='{before}'])").wait_for()
    expect(page.locator("#live")).to_contain_text("The game is over: ")


def test_what_fails_is_said_on_the_page(page: Page, address: str) -> None:
    page.get_by_role("button", name="Start").click()
    assert wait_for_turn(page) == "person"
    page.evaluate(MOVE_NOBODY_HAS)
    page.keyboard.press("1")
    expect(page.locator("#message")).to_contain_text("move: 'W' is not legal here; legal are ")
    page.goto("about:blank")  # or the page would be told of a new address, and not be loaded with it
    page.goto(f"{address}#gone")
    expect(page.locator("#message")).to_contain_text("game: unknown; ")
    expect(page.locator("#start")).to_be_visible()
    page.route("**/api/games", lambda route: route.abort())
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#message")).to_contain_text("The server does not answer")
