"""The real command line with every shipped YAML: it runs, it round-trips, and it refuses by name."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from support.cli_tools import CONFIGS, PROFILES, TINY, BuiltOnce, config, metrics, run, trained

from lit_trainer.checkpoints.reader import Checkpoint

ALL = sorted(path.name for path in CONFIGS.glob("*.yaml"))
OVERLAYS = sorted(path.name for path in PROFILES.glob("*.yaml"))


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def latest(name: str) -> Path:
    return sorted(Path("runs", name).glob("version_*"), key=lambda path: int(path.name.split("_")[1]))[-1]


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
@pytest.mark.parametrize("name", ALL)
def test_every_configuration_trains(name: str, overlay: str | None, iter600: Path, tmp_path: Path) -> None:
    """A key that no class takes, or a value that one refuses, in any YAML or overlay."""
    resumes = name == "iter600_to_1000.yaml" and overlay != "transformer.yaml"
    first = 600 if resumes else 0
    overlays = config(f"profiles/{overlay}") if overlay else []
    if name == "best_response.yaml":
        Path("checkpoints").mkdir()
        shutil.copy(iter600, "checkpoints/iter600.ckpt")
    run(
        "fit",
        *config(name),
        *overlays,
        *TINY,
        *(["--data.workers.count=1"] if overlay == "gpu.yaml" else []),
        f"--trainer.max_epochs={first + 1}",
        "--trainer.check_val_every_n_epoch=1",
        f"--ckpt_path={iter600 if resumes else 'null'}",
    )
    folder = latest(name.removesuffix(".yaml"))
    assert (folder / "config.yaml").is_file()
    assert (folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert list(folder.glob("events.out.tfevents.*"))
    assert metrics(folder, "val/win_rate/random").keys() >= {first}
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    for column in (
        "train/policy_loss",
        "train/value_loss",
        "train/entropy",
        "train/entropy_coef",
        "train/temperature",
    ):
        assert first in metrics(folder, column), column
    assert len(list(Path("runs").rglob("version_*"))) == 1  # TensorBoard and CSV share one run folder


@pytest.mark.parametrize("name", ALL)
def test_print_config_round_trips(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A printed configuration that does not mean what was given."""
    printed = []
    source = CONFIGS / name
    for _ in range(2):
        with pytest.raises(SystemExit) as stopped:
            run("fit", f"--config={source}", "--print_config")
        assert stopped.value.code == 0
        printed.append(capsys.readouterr().out)
        source = Path("printed.yaml")
        source.write_text(printed[-1])
    assert printed[0] == printed[1]
    given, full = yaml.safe_load((CONFIGS / name).read_text()), yaml.safe_load(printed[0])
    assert_within(given, full)


def test_every_fiftieth_iteration_is_kept_by_its_name() -> None:
    """An `iter600.ckpt` that the first configuration does not leave for the second."""
    sizes = ["--data.generation.games=1", "--data.steps_per_iteration=1", "--data.generation.simulations=1"]
    quiet = ["--evaluate_first=false", "--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
    run("fit", *config("iter0_to_600.yaml"), *TINY, *sizes, *quiet, "--trainer.max_epochs=50")
    folder = latest("iter0_to_600") / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["iter50.ckpt", "last.ckpt"]
    assert Checkpoint.read(folder / "iter50.ckpt").iteration == 50


def assert_within(given: object, full: object, at: str = "") -> None:
    if isinstance(given, dict):
        assert isinstance(full, dict), at
        for key, value in given.items():
            if key.endswith("+"):  # adds to the list of the shared defaults
                name = key.removesuffix("+")
                assert_within(value, full[name][-len(value) :], f"{at}.{name}")
            else:
                assert_within(value, full[key], f"{at}.{key}")
    elif isinstance(given, list):
        assert isinstance(full, list) and len(given) == len(full), at
        for k, (value, other) in enumerate(zip(given, full, strict=True)):
            assert_within(value, other, f"{at}[{k}]")
    elif at.endswith("class_path"):  # may be printed by its full module path
        assert str(given).rsplit(".", 1)[1] == str(full).rsplit(".", 1)[1], at
    else:
        assert given == full, at


def test_the_plan_of_iter600_to_1000(capsys: pytest.CaptureFixture[str]) -> None:
    """A value of the system's plan that drifted, in the configuration or in the shared defaults."""
    with pytest.raises(SystemExit):
        run("fit", *config("iter600_to_1000.yaml"), "--print_config")
    plan = yaml.safe_load(capsys.readouterr().out)
    callbacks: dict[str, list[dict[str, object]]] = {}
    for entry in plan["trainer"]["callbacks"]:
        callbacks.setdefault(entry["class_path"].split(".")[-1], []).append(entry.get("init_args", {}))
    span = {"decay_type": "linear", "first_iteration": 600, "last_iteration": 1000}
    (entropy,), (temperature,) = callbacks["EntropyScheduleCallback"], callbacks["TemperatureScheduleCallback"]
    assert entropy.items() >= {"start_coef": 0.04, "end_coef": 0.01, **span}.items()
    assert temperature.items() >= {"start_temp": 1.0, "end_temp": 0.5, **span}.items()
    kept, last = callbacks["ModelCheckpoint"]
    assert (last["filename"], last["every_n_epochs"]) == ("last", 1)
    assert kept["every_n_epochs"] == 50
    assert plan["trainer"]["gradient_clip_val"] == 0.5
    assert plan["trainer"]["check_val_every_n_epoch"] == 25
    assert (plan["trainer"]["max_epochs"], plan["seed_everything"]) == (1000, 42)
    model, data = plan["model"], plan["data"]
    assert model["network"]["init_args"]["condition"] == "belief"
    assert model["optimizer"]["init_args"]["lr"] == 1e-3
    assert model["lr_scheduler"]["init_args"].items() >= {"T_max": 400, "eta_min": 1e-5}.items()
    assert (data["generation"]["opponent_model"], data["evaluation"]["opponent_model"]) == ("told", "told")
    assert data["test"]["opponent_model"] == ["none", "told", "infer"]
    assert (data["evaluation"]["simulations"], data["replay"]["hide_condition"]) == (0, 0.2)
    pool = plan["data"]["opponent_pool"]
    assert pool["class_path"] == "lit_trainer.AdaptiveOpponentPool"
    shares = pool["init_args"]
    assert (shares["self_play_share"], shares["past_share"], shares["max_past"]) == (0.25, 0.05, 10)
    assert len(shares["opponents"]) == 10
    assert (plan["data"]["generation"]["games"], plan["data"]["replay"]["positions"]) == (8192, 800_000)
    assert "workers" in yaml.safe_load((CONFIGS / "iter600_to_1000.yaml").read_text())["data"]


def test_resume_at_600_takes_the_configuration_s_values(iter600: Path) -> None:
    """Fails if the checkpoint's schedules or rate silently win over the configuration's."""
    run(
        "fit",
        *config("iter600_to_1000.yaml", "profiles/laptop.yaml"),
        *TINY,
        f"--ckpt_path={iter600}",
        "--trainer.max_epochs=602",
        "--trainer.check_val_every_n_epoch=1",
        "--trainer.log_every_n_steps=1",
        "--data.evaluation.games=10",  # so that it loses some, and not as many to each
    )
    folder = latest("iter600_to_1000")
    entropy, temperature = metrics(folder, "train/entropy_coef"), metrics(folder, "train/temperature")
    assert entropy == {600: pytest.approx(0.04), 601: pytest.approx(0.04 - 0.03 / 400)}
    assert temperature == {600: pytest.approx(1.0), 601: pytest.approx(1.0 - 0.5 / 400)}
    assert metrics(folder, "iteration") == {600: 601, 601: 602}
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    # two of the schedule's 400 iterations are done
    rates = [1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * 2 / 400)) / 2]
    assert [group["lr"] for group in saved["optimizer_states"][0]["param_groups"]] == pytest.approx(rates, rel=1e-9)
    # moments of the first leg were kept, and its count of steps: 4 are of this one
    steps = torch.load(iter600, weights_only=True)["global_step"]
    assert {int(state["step"]) for state in saved["optimizer_states"][0]["state"].values()} == {steps + 4}
    weights = saved["SelfPlayDataModule"]["opponent_pool"]["weights"]
    assert sum(weights.values()) == pytest.approx(1.0) and min(weights.values()) >= 0.05 - 1e-12
    assert len(set(weights.values())) > 1  # adapted after evaluation
    pre, post = metrics(folder, "train/grad_norm_pre_clip"), metrics(folder, "train/grad_norm_post_clip")
    assert pre and max(post.values()) <= 0.5 + 1e-4


def test_a_flag_beats_yaml_and_checkpoint(iter600: Path) -> None:
    cli = trained(
        "fit",
        *config("iter600_to_1000.yaml"),
        *TINY,
        f"--ckpt_path={iter600}",
        "--trainer.max_epochs=601",
        "--trainer.limit_val_batches=0",
        "--model.optimizer.init_args.lr=5e-5",
        "--model.value_coef=0.7",
    )
    assert cli.trainer.optimizers[0].param_groups[0]["initial_lr"] == 5e-5
    assert cli.model.value_coef == 0.7


def test_parts_of_learning_are_settings(iter600: Path) -> None:
    """A setting of the command line that does not reach the network, the loss, the games or the start."""
    cli = trained(
        "fit",
        *config("iter0_to_600.yaml"),
        *TINY,
        "--trainer.max_epochs=1",
        "--trainer.limit_val_batches=0",
        "--evaluate_first=false",
        "--model.network.init_args.auxiliary=true",
        "--model.margin_coef=0.2",
        "--model.hand_coef=0.1",
        "--model.optimizer.init_args.lr=0.0",
        "--model.optimizer.init_args.weight_decay=0.0",
        f"--model.initial_weights={iter600}",
        "--data.generation.value_target=endgame",
    )
    saved = torch.load(iter600, weights_only=True)["state_dict"]
    assert all(torch.equal(value, cli.model.state_dict()[key]) for key, value in saved.items())
    assert cli.datamodule.generation.value_target == "endgame"
    folder = latest("iter0_to_600")
    terms = {name: metrics(folder, f"train/{name}")[0] for name in ("margin_loss", "hand_loss", "loss", "value_loss")}
    assert terms["margin_loss"] > 0.005 and 0.3 < terms["hand_loss"] < 1.5
    policy, bonus = metrics(folder, "train/policy_loss")[0], 0.02 * metrics(folder, "train/entropy")[0]
    expected = policy + terms["value_loss"] - bonus + 0.2 * terms["margin_loss"] + 0.1 * terms["hand_loss"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-4)


REFUSALS = {
    "misspelt key": (["--data.gamez=3"], "gamez"),
    "misspelt key of a class": (["--model.network.init_args.widht=3"], "widht"),
    "unknown opponent": (["--data.opponent_pool.init_args.opponents=[random,nobody]"], "nobody"),
    "unknown opponent in evaluation": (["--data.evaluation.opponents=[nobody]"], "nobody"),
    "unknown opponent in a test": (["--data.test.opponents=[nobody]"], "test.opponents"),
    "half a deal in a test": (["--data.test.games=3"], "test.games"),
    "a test twice": (["--data.test.simulations=[4,4]"], "test.simulations"),
    "a test with fewer than no simulations": (["--data.test.simulations=[-1]"], "test.simulations"),
    "unknown decay type": (
        [
            "--trainer.callbacks+=callbacks.EntropyScheduleCallback",
            "--trainer.callbacks.decay_type=quadratic",
        ],
        "quadratic",
    ),
    "weights under the floor": (
        [
            "--data.opponent_pool=lit_trainer.AdaptiveOpponentPool",
            "--data.opponent_pool.opponents=[random,online]",
            "--data.opponent_pool.weights={random: 0.99, online: 0.01}",
        ],
        "floor",
    ),
    "missing checkpoint": (["--ckpt_path=nowhere.ckpt"], "nowhere.ckpt"),
    "no workers": (["--data.workers.count=0"], "workers"),
    "another evaluator": (["--data.generation.evaluator=onnx_int4"], "evaluator"),
    "a search that is not there": (["--data.generation.search.c_puct=-1"], "c_puct"),
    "negative games": (["--data.generation.games=-1"], "generation.games"),
    "not a number": (["--data.generation.simulations=many"], "simulations"),
    "another game": (["--model.network.init_args.game=connect_four"], "connect_four"),
    "twice": (["--data.evaluation.opponents=[random,random]"], "twice"),
    "a margin that no head learns": (["--model.margin_coef=0.1"], "margin_coef"),
    "a rule that is not there": (
        ["--data.opponent_pool=lit_trainer.AdaptiveOpponentPool", "--data.opponent_pool.rule=pfsp"],
        "rule",
    ),
    "a frozen checkpoint that is not there": (
        [
            "--data.opponent_pool=lit_trainer.OpponentPool",
            "--data.opponent_pool.opponents=[frozen]",
            "--data.opponent_pool.checkpoints={frozen: {path: nowhere.ckpt}}",
        ],
        "checkpoints.frozen.path: there is no file 'nowhere.ckpt'",
    ),
    "initial weights that are not there": (["--model.initial_weights=nowhere.ckpt"], "initial_weights: "),
    "threads": (
        ["--data.generation.threads=1025"],
        "generation.threads: 1025 given, expected a whole number from 1 to 1,024",
    ),
    "simulations": (
        ["--data.generation.simulations=1000001"],
        "simulations: 1000001 given, expected a whole number from 0 to 1,000,000",
    ),
    "a batch of no machine": (["--data.batch_size=1000000000000"], "batch_size: 1000000000000 given"),
    "a window of no machine": (["--data.replay.positions=1000000000000"], "replay.positions: 1000000000000 given"),
    "a network of no machine": (["--model.network.init_args.width=1000000000"], "width: 1000000000 given"),
    "more than C can hold": ([f"--trainer.max_epochs={10**30}"], "trainer.max_epochs: 1000"),
    "devices": (["--trainer.devices=5000"], "trainer.devices: 5000 given, expected at most 1,024"),
    "a target that is not there": (["--data.generation.value_target=end"], "value_target"),
    "unknown game": (["--data.game=chess"], "chess"),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_fault_ends_in_one_readable_error_before_anything_is_written(
    fault: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flags, named = REFUSALS[fault]
    with pytest.raises(SystemExit) as stopped:
        run("fit", *config("iter0_to_600.yaml"), *TINY, *flags)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert named in message and "Traceback" not in message
    assert len(re.findall(r"^error: ", message, re.MULTILINE)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("subcommand", ["fit", "validate", "test"])
@pytest.mark.parametrize("fault", ["other network", "truncated", "no checkpoint", "a weight is missing"])
def test_a_checkpoint_that_does_not_fit_is_refused(
    fault: str, subcommand: str, iter600: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, flags = iter600, []
    if fault == "other network":
        flags = ["--model.network.init_args.width=64"]
    elif fault == "a weight is missing":
        path = tmp_path / "bad.ckpt"
        checkpoint = torch.load(iter600, weights_only=True)
        del checkpoint["state_dict"]["network.stem.weight"]
        torch.save(checkpoint, path)
    else:
        path = tmp_path / "bad.ckpt"
        path.write_bytes(iter600.read_bytes()[:100_000] if fault == "truncated" else b"hello")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as stopped:
        run(subcommand, *config("iter0_to_600.yaml"), *TINY, *flags, f"--ckpt_path={path}")
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "ckpt_path" in message
    if fault == "other network":
        assert "width" in message and "256" in message and "64" in message
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("fault", ["weights alone", "another window"])
def test_a_run_that_could_not_go_on_writes_nothing(
    fault: str, iter600: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A traceback after the run's folder was made; or a run that goes on without its optimizer or positions."""
    checkpoint = torch.load(iter600, weights_only=True)
    if fault == "weights alone":  # as `save_weights_only` writes it
        for key in ("callbacks", "optimizer_states", "lr_schedulers"):
            del checkpoint[key]
    else:
        checkpoint["SelfPlayDataModule"]["replay"] = {"game": "beasty_bar", "rules_version": 9}
    torch.save(checkpoint, tmp_path / "bad.ckpt")
    with pytest.raises(SystemExit) as stopped:
        run("fit", *config("iter600_to_1000.yaml"), *TINY, "--ckpt_path=bad.ckpt")
    message = " ".join(capsys.readouterr().err.split())
    assert stopped.value.code == 2 and "Traceback" not in message
    said = {"weights alone": "model.initial_weights", "another window": "version 9"}[fault]
    assert re.search(rf"error: ckpt_path: 'bad\.ckpt' cannot be taken: .*{said}", message), message
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ckpt"]


def test_what_lightning_would_take_under_slurm_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a run goes on from a checkpoint that nobody named or checked."""
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"anything")
    for name, value in {"JOB_ID": "1", "JOB_NAME": "a", "NTASKS": "1", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    for name in ("LOCALID", "NODEID"):
        monkeypatch.setenv(f"SLURM_{name}", "0")
    with pytest.raises(SystemExit) as stopped:
        run("fit", *config("quickstart.yaml"), *TINY)
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "hpc_ckpt_1.ckpt' lies there" in message and "Traceback" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["hpc_ckpt_1.ckpt"]


def test_validate_prints_a_table(iter600: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("validate", *config("iter0_to_600.yaml"), *TINY, f"--ckpt_path={iter600}", "--data.evaluation.games=6")
    printed = capsys.readouterr().out
    for name in ("random", "outcome_heuristic", "distilled_outcome"):
        assert name in printed


def test_test_measures_a_checkpoint(iter600: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A match that is missing from the tables or the file, or a file that does not say what was measured."""
    opponents = ["random", "outcome_heuristic", "ismcts:5"]
    flags = ["--data.test.games=6", "--data.test.simulations=[0,3]", f"--data.test.opponents=[{','.join(opponents)}]"]
    flags += ["--data.test.opponent_model=none"]
    # its adaptive pool weighs ten opponents; a test may name others
    run("test", *config("iter600_to_1000.yaml"), *TINY, *flags, f"--ckpt_path={iter600}")
    printed = capsys.readouterr().out
    assert "Policy alone" in printed and "3 simulations" in printed
    assert printed.count("ismcts:5 ") == 2 and "test/win_rate" not in printed
    folder = latest("iter600_to_1000")
    assert (folder / "test.png").read_bytes().startswith(b"\x89PNG")
    said = json.loads((folder / "test.json").read_text())
    assert (said["checkpoint"], said["iteration"], said["seed"], said["game"]) == (str(iter600), 600, 42, "beasty_bar")
    assert said["network"]["init_args"]["width"] == 256 and said["test_games"] == 6
    assert said["search"]["dirichlet_fraction"] == 0.0
    assert [(row["simulations"], row["opponent"]) for row in said["results"]] == [
        (simulations, name) for simulations in (0, 3) for name in opponents
    ]
    assert set(said["ms_per_move"]) == {"sims:0", "sims:3", "ismcts:5"}
    for row in said["results"]:
        assert row["wins"] + row["draws"] + row["losses"] == row["games"] == 6
        assert row["low"] <= row["score"] <= row["high"] and row["margin_low"] <= row["margin"] <= row["margin_high"]
        name = f"test/sims_{row['simulations']}/win_rate/{row['opponent']}"
        assert list(metrics(folder, name, "step").values()) == [pytest.approx(row["score"])]
    first = next(row for row in said["results"] if row["opponent"] == "random")
    assert list(metrics(folder, "test/win_rate/random", "step").values()) == [pytest.approx(first["score"])]


def test_a_whole_run_by_the_installed_command_ends_well(tmp_path: Path) -> None:
    """An entry point that is missing, or that ends in a status other than 0."""
    command = [str(Path(sys.executable).with_name("lit-trainer")), "fit", *config("quickstart.yaml"), *TINY]
    done = subprocess.run([*command, "--trainer.max_epochs=1"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Evaluation at iteration 0" in done.stdout and "learning_curve.png" in done.stdout


AGENT = '''
class First:
    """Plays the first legal action, and counts."""

    played = 0

    def select_action(self, state, legal_actions):
        First.played += 1
        return legal_actions[0]
'''


def test_an_agent_written_in_python_joins_by_class_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that is accepted and then never asked, in training or in evaluation."""
    (tmp_path / "my_package.py").write_text(AGENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    pool = {
        "class_path": "lit_trainer.OpponentPool",
        "init_args": {
            "agents": {"mine": {"class_path": "my_package.First"}},
            "opponents": ["random", "outcome_heuristic", "mine"],
            "self_play_share": 0.1,
            "past_share": 0.0,
        },
    }
    overlay = {"data": {"opponent_pool": pool}, "trainer": {"limit_val_batches": 0}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(overlay))
    flags = [
        *config("quickstart.yaml"),
        "--config=mine.yaml",
        *TINY,
        "--trainer.max_epochs=1",
        "--evaluate_first=false",
    ]
    run("fit", *flags)
    import my_package  # type: ignore[import-not-found]

    in_training = my_package.First.played
    assert in_training >= 12
    run("validate", *flags[:-1], "--trainer.limit_val_batches=1.0", "--untrained=true")
    assert my_package.First.played > in_training


NETWORK = """
import torch
from lit_trainer import PolicyValueNetwork

class Boundless(PolicyValueNetwork):
    def __init__(self, game: str = "beasty_bar", width: int = 1) -> None:
        super().__init__(game)
        self.weights = torch.empty(2**50)
"""


def test_a_network_that_no_memory_holds_ends_in_one_readable_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if torch's error for it, which is no ValueError, ends in a traceback."""
    (tmp_path / "boundless.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        BuiltOnce([*config("quickstart.yaml"), "--model.network=boundless.Boundless"], run=False)
    assert stopped.value.code == 2
    assert "error: not enough memory; lower the size of model.network" in capsys.readouterr().err
