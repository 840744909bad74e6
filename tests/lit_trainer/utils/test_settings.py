"""Groups of settings check their bounds whenever one is made."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest

from lit_trainer.utils.settings import Settings, whole


@dataclasses.dataclass(frozen=True)
class Matches(Settings):
    group: ClassVar[str] = "matches"
    games: int = whole(4, 2, 10, even=True)
    plies: int | None = whole(None, 0, 5)


@pytest.mark.parametrize(
    ("games", "message"), [(0, "0 given, expected a whole number from 2 to 10"), (5, "5 given, expected an even")]
)
def test_bounds_are_checked_when_made_and_when_replaced(games: int, message: str) -> None:
    assert Matches().games == 4
    for make in (lambda: Matches(games), lambda: dataclasses.replace(Matches(), games=games)):
        with pytest.raises(ValueError, match=rf"^matches\.games: {message}"):
            make()


def test_none_is_allowed_where_it_is_the_default() -> None:
    assert Matches().plies is None and Matches(plies=3).plies == 3
    with pytest.raises(ValueError, match=r"^matches\.plies: 6 given"):
        Matches(plies=6)
    with pytest.raises(ValueError, match=r"^matches\.games: None given"):
        Matches(games=None)  # type: ignore[arg-type]
