"""The one way from a player's name to a player: parses the name and makes what it stands for.

Pools, validation, test, tournaments, reports, `play` and `web` all take the same names:

- ``random``, ``skunk``, ...: a built-in opponent;
- ``ismcts:1000``: tree search without a network, 1,000 iterations per move;
- ``FILE.ckpt``: the raw policy of a checkpoint; ``FILE.ckpt@64``: the checkpoint with 64 simulations per move;
- ``FOLDER`` and ``FOLDER@64``: the newest checkpoint in a run's folder;
- ``FILE.ckpt@64+told``: a checkpoint that knows which built-in opponent it plays; ``FILE.ckpt@64+infer``: one that
  finds out; ``FILE.ckpt@64+skunk`` and ``ismcts:1000+skunk``: a player that expects to play that opponent, whoever it
  plays;
- ``my_package.MyAgent`` and ``my_package.MyAgent(depth=3)``: an agent written in Python, with or without arguments.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from lit_trainer.checkpoints.newest import newest_checkpoint
from lit_trainer.players.engine_players import BuiltinOpponent, IsmctsOpponent, builtin_names
from lit_trainer.players.frozen import FrozenCheckpoint, read_frozen
from lit_trainer.players.protocols import Opponent, PlaysGames, with_opponent_model
from lit_trainer.players.python_player import PythonOpponent
from sim_core import get_game
from sim_core.runner_settings import MODELS, check_opponent_model
from sim_core.tree_search.settings import MAX_SIMULATIONS

FORMS = (
    "ismcts:N, FILE.ckpt, FILE.ckpt@SIMULATIONS, the folder of a run (each with +OPPONENT if it expects that one, a "
    "checkpoint with +told if it knows which, with +infer if it finds out), package.module.Agent(argument=value)"
)
"""All names but the built-in ones, for messages."""

SELF_PLAY = "self_play"
"""Name of the learner as its own opponent."""
PAST = "past"
"""Name of all past checkpoints together, in what is logged."""

_CLASS_PATH = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)+)(\(.*\))?", re.DOTALL)


def past_name(iteration: int | str) -> str:
    """Returns the name of a past checkpoint among the opponents of an iteration."""
    return f"{PAST}_{iteration}"


@dataclass(frozen=True)
class PlayerSpec:
    """Holds what a player's name says."""

    text: str
    """The name as it was given."""
    kind: Literal["builtin", "ismcts", "checkpoint", "agent"]
    name: str
    """Short name without folders, under which results are logged."""
    target: str = ""
    """Path of a checkpoint, or class path of an agent."""
    iterations: int = 0
    """Iterations per move of tree search without a network."""
    simulations: int | None = None
    """Simulations per move of a checkpoint. None: the name does not say."""
    opponent_model: str = "none"
    """Model of the other side that a checkpoint or tree search plays by, see `RunnerSettings`."""
    init_args: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Arguments of an agent."""


def parse(text: str, field: str = "agent", known: tuple[str, ...] = ()) -> PlayerSpec:
    """Parses a player's name. It looks for files and folders, but reads and imports nothing.

    Args:
        text: A name of one of the kinds above.
        field: Setting that holds the name, for messages.
        known: Further names that would be right, for messages.

    Raises:
        ValueError: Nothing is known by that name; says what would be right.

    >>> parse("ismcts:1000").iterations
    1000
    >>> parse("lit_trainer.IsmctsAgent(iterations=5)").name
    'IsmctsAgent(iterations=5)'
    """
    if not isinstance(text, str):
        raise ValueError(f"{field}: {text!r} given, expected the name of a player")
    plain, model = split_opponent_model(text)
    if text.partition(":")[0] == "ismcts":
        if model in MODELS[1:]:
            raise ValueError(f"{field}: {text!r} given, expected ismcts:N+NAME with a built-in opponent's name")
        return PlayerSpec(text, "ismcts", text, iterations=_iterations(plain, field), opponent_model=model)
    if text in builtin_names():
        return PlayerSpec(text, "builtin", text)
    path, simulations = split_simulations(plain)
    if path and (Path(path).exists() or path.endswith(".ckpt")):
        return _checkpoint_spec(text, path, simulations, model, field)
    if found := _CLASS_PATH.fullmatch(text):
        return _agent_spec(text, found[1], found[2] or "()", field)
    known = (*known, *builtin_names())
    near = difflib.get_close_matches(text, known, 1)
    raise ValueError(
        f"{field}: {text!r} is neither a known player nor a file; known are {', '.join(known)}, {FORMS}"
        + (f"; did you mean {near[0]!r}?" if near else "")
    )


def split_simulations(text: str) -> tuple[str, int | None]:
    """Splits ``PATH@N`` into the path and the simulations per move, which are None if there is no number.

    Only digits after the last ``@`` count. A path that ends this way itself needs one more ``@N``.

    >>> split_simulations("runs/a/last.ckpt@64"), split_simulations("a@2.ckpt"), split_simulations("odd@7@0")
    (('runs/a/last.ckpt', 64), ('a@2.ckpt', None), ('odd@7', 0))
    """
    found = re.fullmatch(r"(.+)@0*([0-9]+)", text, re.DOTALL)
    # at most nine digits, because int() raises its own error for thousands of them, and these are too many anyway
    return (found[1], int(found[2][:9])) if found else (text, None)


def split_opponent_model(text: str) -> tuple[str, str]:
    """Splits ``PLAYER+MODEL`` into the player and what it expects of the other side.

    Only "told", "infer" and names of built-in opponents after the last ``+`` count.

    >>> split_opponent_model("a.ckpt@64+told"), split_opponent_model("a+b.ckpt")
    (('a.ckpt@64', 'told'), ('a+b.ckpt', 'none'))
    """
    player, plus, model = text.rpartition("+")
    return (player, model) if plus and (model in MODELS[1:] or model in builtin_names()) else (text, "none")


def _iterations(text: str, field: str) -> int:
    # one way to write a number, so that one player has one name
    if not re.fullmatch(r"ismcts:[1-9][0-9]{0,9}", text) or int(text[7:]) > MAX_SIMULATIONS:
        raise ValueError(
            f"{field}: {text!r} given, expected ismcts:N with N iterations per move, 1 to {MAX_SIMULATIONS:,}"
        )
    return int(text[7:])


def _checkpoint_spec(text: str, path: str, simulations: int | None, model: str, field: str) -> PlayerSpec:
    if simulations is not None and simulations > MAX_SIMULATIONS:
        raise ValueError(f"{field}: {text[:100]!r} given, expected at most {MAX_SIMULATIONS:,} simulations per move")
    file, name = Path(path), _name_of_file(Path(path))
    if file.is_dir():
        found = newest_checkpoint(file)
        if found is None:
            raise ValueError(f"{field}: {text!r} given, but the folder {path!r} holds no checkpoint (*.ckpt)")
        file, name = found, _name_of_folder(file)
    elif not file.is_file():
        raise ValueError(f"{field}: {text!r} given, but there is no file {path!r}")
    name = re.sub(r"[^\w.=()+-]", "_", name)
    name = with_opponent_model(f"{name}@{simulations}" if simulations else name, model)
    return PlayerSpec(text, "checkpoint", name, str(file), 0, simulations, model)


def _name_of_file(path: Path) -> str:
    """Returns the file's name, with the run's before it for ``last.ckpt``, because every run has one."""
    return f"{_name_of_folder(path.parent)}_{path.stem}" if path.stem.startswith("last") else path.stem


def _name_of_folder(folder: Path) -> str:
    """Returns the name of a run that wrote into ``NAME/version_K/checkpoints``."""
    for part in (path.name for path in (folder.resolve(), *folder.resolve().parents)):
        if part and part != "checkpoints" and not re.fullmatch(r"version_\d+", part):
            return part
    return "run"


def _agent_spec(text: str, class_path: str, arguments: str, field: str) -> PlayerSpec:
    try:
        call = ast.parse(f"f{arguments}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError("more than one call")
        if call.args or any(word.arg is None for word in call.keywords):
            raise ValueError("every argument needs its name")
        init_args = {str(word.arg): _plain_value(word) for word in call.keywords}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error).split("\n")[0]
        raise ValueError(
            f"{field}: {text!r} given, expected package.module.Agent(argument=value, ...) with plain values: numbers, "
            f"texts in quotes, True, False, None, lists, dicts ({reason})"
        ) from None
    listed = ", ".join(f"{key}={value!r}" for key, value in init_args.items())
    name = class_path.rpartition(".")[2] + (f"({listed})" if listed else "")
    return PlayerSpec(
        text,
        "agent",
        re.sub(r"[^\w.=(),:'\[\]{} +-]", "_", name),
        class_path,
        init_args=MappingProxyType(init_args),
    )


def _plain_value(word: ast.keyword) -> Any:
    try:
        return ast.literal_eval(word.value)
    except (ValueError, TypeError):
        raise ValueError(f"{word.arg} is no plain value") from None


def make(
    player: str | PlayerSpec,
    field: str = "agent",
    *,
    simulations: int = 0,
    time_limit: float | None = None,
    read: dict[str, FrozenCheckpoint] | None = None,
    known: tuple[str, ...] = (),
) -> Opponent:
    """Makes what a player's name stands for. Checkpoints are read and agents imported now, and never again.

    Args:
        player: A name, or what `parse` made of one.
        field: Setting that holds the name, for messages.
        simulations: Simulations per move of a checkpoint whose name has no ``@N``. 0 plays the raw policy.
        time_limit: Seconds per move of an agent written in Python. None: no limit.
        read: Checkpoints already read, by path. A newly read one is added, so that each file is read once.
        known: Further names that would be right, for messages.

    Raises:
        ValueError: Nothing is known by that name, the checkpoint is damaged, or the agent cannot be made.
    """
    spec = parse(player, field, known) if isinstance(player, str) else player
    if spec.kind == "builtin":
        return BuiltinOpponent(spec.name)
    if spec.kind == "ismcts":
        return IsmctsOpponent(spec.iterations, spec.opponent_model)
    if spec.kind == "agent":
        source = {"class_path": spec.target, "init_args": dict(spec.init_args)}
        return PythonOpponent(spec.name, source, time_limit, field, repr(spec.text))
    read = {} if read is None else read
    if spec.target not in read:
        read[spec.target] = read_frozen(spec.target, field)
    wanted = simulations if spec.simulations is None else spec.simulations
    frozen = read[spec.target]
    check_opponent_model(spec.opponent_model, get_game(frozen.network.game), field)
    return dataclasses.replace(frozen, name=spec.name, simulations=wanted, opponent_model=spec.opponent_model)


def check_plays(opponent: PlaysGames, game: str, field: str) -> None:
    """Checks that an opponent plays a game.

    Args:
        opponent: The opponent.
        game: Name of the game.
        field: Setting that names the opponent, for messages.

    Raises:
        ValueError: It does not play the game; says which games it plays, and which opponents play this one.
    """
    if game not in opponent.games:
        raise ValueError(
            f"{field}: {opponent.name} plays {' and '.join(opponent.games)}, expected {game}, "
            f"whose built-in opponents are {', '.join(get_game(game).opponents)}"
        )
