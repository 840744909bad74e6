"""The command line: Lightning's CLI with this project's module and data. It reports errors before writing."""

from __future__ import annotations

import glob
import logging
import os
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, RichProgressBar, TQDMProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities import rank_zero_info

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.writer import AtomicCheckpointIO
from lit_trainer.cli.checkpoint_checks import checked_checkpoint
from lit_trainer.cli.commands import overview
from lit_trainer.cli.config_checks import LARGEST_SEED, fault_in
from lit_trainer.cli.config_files import StrictParser
from lit_trainer.cli.moved_settings import moved_settings
from lit_trainer.cli.run_folders import RunFolders, RunTrainer, name_loggers, newest_saved
from lit_trainer.cli.slurm import SlurmRequeue, slurm_job
from lit_trainer.cli.trainer_checks import late_fault
from lit_trainer.learning.data_module import SelfPlayDataModule
from lit_trainer.learning.module import AlphaZeroModule
from lit_trainer.learning.rates import schedule_warning
from lit_trainer.reporting.progress_bar import SelfPlayProgressBar
from lit_trainer.utils.memory import is_out_of_memory
from lit_trainer.utils.packages import HELP, import_packages

log = logging.getLogger(__name__)


class _Parser(StrictParser, LightningArgumentParser):
    """Parses as Lightning's parser does, and reads YAML strictly."""


DEFAULTS = Path(__file__).with_name("defaults.yaml")
"""Values that all runs share: the command line's own defaults."""

SEED = "PL_GLOBAL_SEED"
"""The environment's seed, which Lightning takes for `seed_everything: true`."""


class LitTrainerCLI(LightningCLI):
    """Runs `fit`, `validate` and `test` of an AlphaZero run.

    In a resumed run, the YAML and the flags win over what the checkpoint remembers. ``defaults.yaml`` holds the values
    that all runs share.

    Args:
        args: Arguments after `lit-trainer`. None: ``sys.argv[1:]``.
        run: Whether to run a subcommand. False: only makes trainer, module and data, and takes no subcommand.
    """

    def __init__(self, args: ArgsType = None, run: bool = True) -> None:
        super().__init__(
            AlphaZeroModule,
            SelfPlayDataModule,
            trainer_class=RunTrainer,
            seed_everything_default=42,
            save_config_kwargs={"overwrite": True},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_class=_Parser,
            parser_kwargs={
                "prog": "lit-trainer",
                "description": "Train and measure an AlphaZero agent.",
                "epilog": overview(),
            },
            args=args,
            run=run,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Returns Lightning's subcommands except `predict`, which this project has no data for."""
        return {key: value for key, value in LightningCLI.subcommands().items() if key != "predict"}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the shared defaults and this project's own arguments."""
        parser.default_config_files = [glob.escape(str(DEFAULTS))]
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_as_seed)
        parser.add_argument("--import", type=str | list[str], default=[], help=HELP)
        parser.add_argument(
            "--run_name", type=str, default="run", help="Name of the run's folder. Loggers without a name take it."
        )
        parser.add_argument(
            "--evaluate_first",
            type=bool,
            default=False,
            help="Whether to evaluate a new run's network before it learns, so that the curve shows where it began.",
        )

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "test":
            parser.set_defaults(verbose=False)  # `EvaluationReport` prints tables instead of hundreds of lines
        if subcommand != "fit":
            parser.add_argument(
                "--untrained",
                type=bool,
                default=False,
                help="Whether to measure a network with random weights where no checkpoint is given.",
            )
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the arguments and ends with one error if a setting has an old name or an impossible value."""
        given = sys.argv[1:] if args is None else args
        if isinstance(given, list) and (moved := moved_settings(given)):
            parser.error(moved)
        super().parse_arguments(parser, args)
        subcommand = self.config.get("subcommand")
        settings = self.config[subcommand] if subcommand else self.config
        if fault := fault_in(settings):
            parser.error(fault)
        try:
            import_packages(settings["import"])
        except ValueError as error:
            parser.error(str(error))
        name_loggers(settings)

    def _parse_ckpt_path(self) -> None:
        """Takes nothing from the checkpoint. Lightning would let its saved arguments win over YAML and flags."""

    def instantiate_classes(self) -> None:
        """Makes trainer, module and data. A value that a class refuses ends in one line, as in the parser."""
        try:
            super().instantiate_classes()
            self.datamodule.check_game(self.model.network)
        except (MemoryError, RuntimeError, OverflowError) as error:
            advice = "not enough memory; lower the size of model.network or data.replay.positions: "
            self.parser.error(f"{advice if is_out_of_memory(error) else ''}{error}")
        except (ValueError, TypeError, OSError, ImportError, MisconfigurationException) as error:
            self.parser.error(str(error))
        try:
            self.model.configure_optimizers()  # already here, because the run's folder is made before Lightning asks
        except (ValueError, TypeError) as error:
            self.parser.error(f"model.optimizer, model.lr_scheduler: {error}")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Makes the trainer, with this project's parts where the configuration names no others."""
        given = self._get(self.config_init, "trainer")["callbacks"]
        chosen = [*given] if isinstance(given, list) else [given]  # Lightning adds to the list
        trainer = super().instantiate_trainer(**kwargs)
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        bar = trainer.progress_bar_callback
        if (
            bar is not None and type(bar) in (TQDMProgressBar, RichProgressBar) and bar not in chosen
        ):  # Lightning's own choice
            callbacks.remove(bar)
            callbacks.insert(0, SelfPlayProgressBar())
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        job = slurm_job()
        if job is not None and not any(isinstance(callback, SlurmRequeue) for callback in callbacks):
            callbacks.append(SlurmRequeue(job, trainer.default_root_dir))
        assert isinstance(trainer, RunTrainer)
        self.folders = RunFolders(trainer, self._get(self.config, "run_name"))
        return trainer

    def _check(self) -> None:
        """Ends with one error if the subcommand cannot do its work, before anything is played. Makes the folders."""
        command, settings = str(self.subcommand), self.config[self.subcommand]
        restarted = self._go_on_where_slurm_stopped()
        try:
            if fault := late_fault(command, self.trainer, self.datamodule):
                raise ValueError(fault)
            checkpoint = checked_checkpoint(command, settings, self.trainer, self.model, self.datamodule)
            if command == "fit":
                self._warn_of_schedule(checkpoint)
            self.folders.check(settings.get("ckpt_path"), may_overwrite=restarted)
        except (ValueError, OSError) as error:
            self.parser.error(str(error))
        self.folders.claim()

    def _warn_of_schedule(self, checkpoint: Checkpoint | None) -> None:
        """Warns if the learning rate's schedule and the run's length do not fit."""
        made, iterations = self.model.configure_optimizers(), self.trainer.max_epochs
        if not isinstance(made, dict) or iterations is None or iterations < 0 or self.trainer.max_steps >= 0:
            return
        warning = schedule_warning(
            made["optimizer"],
            made["lr_scheduler"]["scheduler"],
            interval=self.model.lr_interval,
            iterations=iterations,
            steps_per_iteration=self.datamodule.steps_per_iteration,
            checkpoint=checkpoint,
        )
        if warning and self.trainer.is_global_zero:
            log.warning(warning)

    def _go_on_where_slurm_stopped(self) -> bool:
        """Takes the newest checkpoint that the job left before SLURM restarted it, in place of `ckpt_path`."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if self.subcommand == "fit" and isinstance(callback, SlurmRequeue) and (path := callback.checkpoint()):
                rank_zero_info(f"SLURM started job {callback.job} again: it goes on from {path}")
                self.config[self.subcommand]["ckpt_path"] = self.config_init[self.subcommand]["ckpt_path"] = path
                return True
        return False

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs a subcommand. If a run ends before its end, the last line says how to go on."""
        try:
            super()._run_subcommand(subcommand)
        except BaseException as error:
            if subcommand == "fit" and self.trainer.state.status == TrainerStatus.INTERRUPTED:
                if isinstance(error, Exception):
                    error.add_note(self._how_to_go_on())  # the last line of the traceback
                elif self.trainer.is_global_zero:
                    print(self._how_to_go_on(), file=sys.stderr)
            raise

    def _how_to_go_on(self) -> str:
        path = newest_saved(self.trainer) or self.config[self.subcommand].get("ckpt_path")
        if path is None:
            return "There is no checkpoint yet: the same command begins anew."
        return f"To go on: the same command with --ckpt_path {shlex.quote(str(path))}"

    def before_fit(self) -> None:
        """Checks everything, then evaluates a new run's network if `evaluate_first` is set."""
        self._check()
        if self.config[self.subcommand]["evaluate_first"] and not self.config[self.subcommand].get("ckpt_path"):
            self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)

    def before_validate(self) -> None:
        """Checks everything."""
        self._check()

    def before_test(self) -> None:
        """Checks everything."""
        self._check()


def _as_seed(seed: bool | int) -> int:
    """Returns the number that Lightning, too, takes for this value of `seed_everything`."""
    given = os.environ.get(SEED, "0") if seed is True else int(seed)
    if not str(given).isdecimal() or int(given) > LARGEST_SEED:
        raise ValueError(f"{SEED}: {given!r} given, expected a whole number from 0 to {LARGEST_SEED}")
    return int(given)


_NOISE = (
    ".*exists and is not empty. Previous log files.*",  # the folder is new: the TensorBoard logger has just made it
    "The dirpath has changed from .*",  # a resumed run has its own folder
    ".*`IterableDataset` has `__len__` defined.*",  # its length is exact, and no loader process reads it
    ".*isinstance.treespec, LeafSpec.*",
    ".*LightningCLI's args parameter is intended.*",
    ".*does not have many workers which may be a bottleneck.*",
    # these are summed over all processes before they are logged
    r".*It is recommended to use `self\.log\('(iteration|selfplay/|val/|test/).*sync_dist=True.*",
)


def ignore_noise() -> None:
    """Hides warnings that every run would show and no user can act on."""
    for message in _NOISE:
        warnings.filterwarnings("ignore", message)


def run_lightning(args: ArgsType = None) -> None:
    """Runs `LitTrainerCLI`, and ends the processes' group afterwards.

    Args:
        args: Arguments after `lit-trainer`. None: ``sys.argv[1:]``.
    """
    ignore_noise()
    try:
        LitTrainerCLI(args)
    finally:
        # Lightning does this for NCCL only. Threads that gloo leaves behind sometimes abort a finished run.
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
