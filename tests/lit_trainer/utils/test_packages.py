"""Packages that a command imports first: remembered for worker processes, and refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lit_trainer.utils.packages import import_packages, named_packages


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three packages on the import path; those that were named before the test are named after it."""
    (tmp_path / "first_of_two.py").write_text("")
    (tmp_path / "second_of_two.py").write_text("")
    (tmp_path / "broken_one.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("lit_trainer.utils.packages._named", ())


def test_those_named_last_are_imported_and_remembered() -> None:
    """Names that add up over the commands of one process."""
    import_packages(["first_of_two", "second_of_two"])
    assert named_packages() == ("first_of_two", "second_of_two")
    assert {"first_of_two", "second_of_two"} <= sys.modules.keys()
    import_packages("second_of_two")
    assert named_packages() == ("second_of_two",)
    import_packages([])
    assert named_packages() == ()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("broken_one", "RuntimeError: no licence"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(name: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        import_packages([name])
    assert str(refused.value) == f"import: {name!r} cannot be imported: {why}"
