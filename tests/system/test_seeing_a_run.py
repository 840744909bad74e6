"""What a run shows of itself: a real tiny one, read back from TensorBoard's event files; and other loggers."""

from __future__ import annotations

import importlib.util
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from support.cli_tools import ROOT, TINY, config, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_trainer.checkpoints.reader import Checkpoint

PAGE = (ROOT / "docs" / "seeing_a_run.md").read_text()
SETTINGS = [
    "--ckpt_path=null",
    "--evaluate_first=true",
    "--data.opponent_pool.init_args.opponents=[random,heuristic]",
    "--data.evaluation.opponent_model=[none,told]",
    "--trainer.check_val_every_n_epoch=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
]
FIGURES = ("evaluation/win_rates", "evaluation/scores", "opponents/weights", "value/calibration")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def events(folder: str) -> EventAccumulator:
    read = EventAccumulator(folder, size_guidance={"images": 0, "scalars": 0})
    read.Reload()
    return read


def named_scalars() -> set[str]:
    """Returns every scalar that the page's table names, with `random` for NAME and `told` for MODEL."""
    table = PAGE.split("## Scalars")[1].split("## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    return {
        name.replace("NAME", "random").replace("MODEL", "told")
        for cell in cells
        for name in re.findall(r"`([^`]+)`", cell)
    }


def test_a_run_and_its_resume_show_themselves() -> None:
    """A figure or a scalar that the page promises and the run lacks, or a history that a resume forgets."""
    flags = ["fit", *config("iter600_to_1000.yaml"), *TINY, *SETTINGS]
    run(*flags, "--trainer.max_epochs=2", "--data.generation.games=40")
    first = events("runs/iter600_to_1000/version_0")
    assert set(FIGURES) <= set(first.Tags()["images"])
    # before the first iteration there is neither a replay window nor a weight that an evaluation led to
    steps = {name: [image.step for image in first.Images(name)] for name in FIGURES}
    assert steps == {
        "evaluation/win_rates": [0, 4],
        "evaluation/scores": [0, 4],
        "opponents/weights": [4],
        "value/calibration": [4],
    }
    for name in FIGURES:
        picture = Image.open(io.BytesIO(first.Images(name)[-1].encoded_image_string)).convert("RGB")
        assert len(picture.getcolors(1 << 24)) > 20, f"{name} is blank"
    scalars = named_scalars()
    assert "selfplay/simulations_per_second" in scalars and "gpu/peak_memory_gib" in scalars
    missing = scalars - set(first.Tags()["scalars"]) - {"gpu/peak_memory_gib"}
    assert not missing
    assert "gpu/peak_memory_gib" not in first.Tags()["scalars"]
    assert 0.0 <= first.Scalars("val/value_calibration_error")[-1].value <= 2.0
    weights = [first.Scalars(f"opponents/weight/{name}")[-1].value for name in ("random", "heuristic")]
    assert sum(weights) == pytest.approx(1.0, abs=1e-6)

    checkpoint = "runs/iter600_to_1000/version_0/checkpoints/last.ckpt"
    run(*flags, "--trainer.max_epochs=4", f"--ckpt_path={checkpoint}")
    second = events("runs/iter600_to_1000/version_1")
    assert [image.step for image in second.Images("evaluation/win_rates")] == [8]
    saved = Checkpoint.read("runs/iter600_to_1000/version_1/checkpoints/last.ckpt").contents["callbacks"]
    (figures,) = (state for key, state in saved.items() if key.startswith("EvaluationFigures"))
    (history,) = (state["history"] for state in saved.values() if "history" in state)
    assert list(history["random"]) == [0, 2, 4]
    assert list(figures["weights"]["heuristic"]) == [0, 2, 4]


SNIPPETS = dict(
    zip(("csv", "wandb", "mlflow"), re.findall(r"```yaml\n(trainer:\n  logger:.*?)```", PAGE, re.DOTALL), strict=True)
)


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_logger_from_the_page_is_accepted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("logger.yaml").write_text(SNIPPETS[name])
    flags = [*config("quickstart.yaml"), "--config=logger.yaml", *TINY, "--evaluate_first=false"]
    with pytest.raises(SystemExit) as stopped:
        run("fit", *flags, "--print_config")
    assert stopped.value.code == 0
    assert "TensorBoardLogger" not in capsys.readouterr().out
    if name == "csv":
        run("fit", *flags, "--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1")
        folder = Path("runs/quickstart/version_0")
        assert "val/win_rate/random" in (folder / "metrics.csv").read_text()
        assert (folder / "learning_curve.png").is_file() and not list(folder.glob("events*"))
    elif importlib.util.find_spec(name) is None:
        with pytest.raises(SystemExit):
            run("fit", *flags)
        message = capsys.readouterr().err
        assert name in message and "Traceback" not in message
