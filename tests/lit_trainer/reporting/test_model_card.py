"""The card of an exported network: its code runs, and it says what the checkpoint and its test know."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from support.cli_tools import ROOT, TINY, config, run

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.measurement_report import read_record
from lit_trainer.reporting.model_card import Exported, model_card
from sim_core import ACTIONS

SHIPPED = ROOT / "checkpoints" / "iter600.ckpt"


def test_the_card_s_code_runs(exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(exported)
    blocks = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() in ACTIONS


def test_the_card_says_what_the_checkpoint_knows(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    for fact in (
        "601,762 parameters",
        "| optimizer steps | 32,400 |",
        "AdamW, lr 0.0015",
        "CosineAnnealingLR by epoch",
    ):
        assert fact in card, fact
    assert "T_max 600" in card and "iteration 600" in card and "Unmeasured" in card
    assert str(ROOT) not in card and not re.search(r"\n\n\n|[{}]{2}|None", card)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning")
def test_the_card_has_what_a_test_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--data.test.games=6", "--data.test.simulations=[0]", "--data.test.opponents=[random]"]
    run("test", *config("quickstart.yaml"), *TINY, *flags, f"--ckpt_path={SHIPPED}")
    path = next(tmp_path.rglob("test.json"))
    run("export", f"--ckpt_path={SHIPPED}", "--out=player", f"--test_json={path}")
    card = Path("player", "README.md").read_text()
    said = json.loads(path.read_text())
    row = said["results"][0]
    counts = [row[name] for name in ("wins", "draws", "losses", "distinct_games")]
    cells = ["policy alone", "random", *counts, f"{100 * row['score']:.1f}"]
    assert "| " + " | ".join(map(str, cells)) + " |" in card
    assert said["date"] in card and "Unmeasured" not in card
    network = Checkpoint.read(SHIPPED).network
    assert read_record(path, network, 600) == said
    later = {"median_margin", "distinct_games", "independent_pairs"}
    earlier = said | {"results": [{key: row[key] for key in row if key not in later} for row in said["results"]]}
    path.write_text(json.dumps(earlier))
    assert read_record(path, network, 600) == earlier, "a file of a version that did not know them"
    for field, value in (("iteration", 599), ("rules_version", 0), ("format", 2), ("results", [{}])):
        path.write_text(json.dumps(said | {field: value}))
        with pytest.raises(ValueError, match=r"^test_json: .*test\.json' (measured|has format|is no record)"):
            read_record(path, network, 600)


def test_the_card_shows_what_the_player_knew_side_by_side(iter600: Path) -> None:
    """Scores told that a reader takes for those of the player that is not."""

    def row(simulations: int, opponent: str, wins: int, **more: str) -> dict[str, Any]:
        result = MatchResult(wins, 0, 4 - wins, wins / 4, 0.0, 1.0)
        return {"simulations": simulations, "opponent": opponent, **more, **asdict(result)}

    known = {"opponent_model": "told"}
    facts = {name: "" for name in ("date", "torch", "device", "seed")}
    exported = Exported(Checkpoint.read(iter600), iter600, 0.0)

    def card(*rows: dict[str, Any]) -> str:
        return model_card(exported, facts | {"results": rows}, "MIT")

    both = card(row(16, "queue", 3), row(16, "queue", 4, **known), row(0, "queue", 2), row(0, "queue", 1, **known))
    assert "| player | opponent | score % | score %, told | 95 % |" in both
    assert "| 16 simulations | queue | 75.0 | 100.0 |" in both and "| policy alone | queue | 50.0 | 25.0 |" in both
    told = card(row(16, "queue", 4, **known))
    assert "| 16 simulations, told | queue | 4 | 0 | 0 |" in told
    said = 'A player that is "told"'
    assert [said in text for text in (both, told, card(row(16, "queue", 3)))] == [True, True, False]


def test_the_card_says_the_licence_the_difference_and_the_file(iter600: Path) -> None:
    """Facts that come from neither the checkpoint nor its test."""
    exported = Exported(Checkpoint.read(iter600), iter600, 3e-6)
    card = model_card(exported, None, "CC-BY-4.0")
    assert card.startswith("---\nlicense: cc-by-4.0\n") and "CC-BY-4.0, for the weights" in card
    assert "difference between onnxruntime and torch was 3e-06" in card
    assert f"`iter600.ckpt`, SHA-256 `{hashlib.sha256(iter600.read_bytes()).hexdigest()}`" in card
    assert "auxiliary heads" not in card
