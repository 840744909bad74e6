"""The stubs beside compiled modules: they name what there is, and describe it as the compiled code does."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import sim_core

FOLDER = Path(sim_core.__file__).parent
STUBS = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.pyi"))


def module(stub: str) -> ModuleType:
    return importlib.import_module(f"sim_core.{stub.replace('/', '.')}")


def described(stub: str) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef, object]]:
    """Yields each class, function and method of a stub, with its counterpart in the compiled module."""
    compiled = module(stub)
    for node in ast.parse((FOLDER / f"{stub}.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef):
            owner = getattr(compiled, node.name)
            yield node.name, node, owner
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name != "__init__":
                    yield f"{node.name}.{member.name}", member, getattr(owner, member.name)
        elif isinstance(node, ast.FunctionDef):
            yield node.name, node, getattr(compiled, node.name)


def test_every_compiled_module_has_a_stub() -> None:
    compiled = {path.name.partition(".")[0] for path in FOLDER.rglob("*.so")}
    assert compiled and compiled <= {Path(stub).name for stub in STUBS}


@pytest.mark.parametrize("stub", STUBS)
def test_stubs_describe_what_they_name(stub: str) -> None:
    """Fails if the stub's docstring, which editors show, differs from the compiled one, which `help` shows."""
    for name, node, found in described(stub):
        text = ast.get_docstring(node)
        if not name.rpartition(".")[2].startswith("__"):
            assert text, f"{name} has no docstring in the stub"
        compiled = inspect.getdoc(found) if getattr(found, "__doc__", None) else None
        if compiled and compiled.startswith(f"{name}("):
            continue  # what `namedtuple` writes by itself
        if compiled and text and not name.rpartition(".")[2].startswith("__"):
            assert text == compiled, name
