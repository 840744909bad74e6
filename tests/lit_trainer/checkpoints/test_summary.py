"""The words about a checkpoint are those of a real one."""

from __future__ import annotations

from pathlib import Path

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.summary import network_facts, run_facts


def test_a_real_run_is_told_in_its_numbers(checkpoint_path: Path) -> None:
    checkpoint = Checkpoint.read(checkpoint_path)
    facts = dict(network_facts(checkpoint) + run_facts(checkpoint))
    count = sum(parameter.numel() for parameter in checkpoint.network.parameters())
    assert facts["game"] == "beasty_bar" and facts["parameters"] == f"{count:,}"
    assert "width 24, blocks 1" in facts["network"]
    assert (facts["iteration"], facts["optimizer steps"], facts["lacks to go on"]) == ("1", "3", "nothing")
    assert facts["replay window"].endswith(" positions") and "AdamW" in facts["optimizer"]


def test_what_the_file_does_not_say_is_not_recorded(checkpoint_path: Path) -> None:
    contents = dict(Checkpoint.read(checkpoint_path).contents)
    del contents["optimizer_states"], contents["global_step"]
    facts = dict(run_facts(Checkpoint(contents)))
    assert facts["optimizer steps"] == facts["learning rate now"] == "not recorded"
    assert facts["lacks to go on"] == "optimizer_states"
