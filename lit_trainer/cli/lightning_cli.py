"""The command line: Lightning's CLI over this project's module and data, with errors before anything is written."""

from __future__ import annotations

import glob
import sys
import warnings
from pathlib import Path
from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.writer import AtomicCheckpointIO
from lit_trainer.cli.commands import overview
from lit_trainer.cli.config_checks import fault_in
from lit_trainer.cli.config_files import StrictParser
from lit_trainer.cli.moved_settings import moved_settings
from lit_trainer.cli.run_folders import FolderError, RunFolders, name_loggers
from lit_trainer.cli.slurm import SlurmRequeue, slurm_job
from lit_trainer.learning.data_module import SelfPlayDataModule
from lit_trainer.learning.module import AlphaZeroModule
from lit_trainer.learning.resume import check_resumable, check_weights
from lit_trainer.reporting.progress_bar import SelfPlayProgressBar
from lit_trainer.utils.memory import is_out_of_memory


class _Parser(StrictParser, LightningArgumentParser):
    """Lightning's parser, that reads YAML strictly."""


DEFAULTS = Path(__file__).with_name("defaults.yaml")
"""Values that all runs share: the command line's own defaults."""


class LitTrainerCLI(LightningCLI):
    """`fit`, `validate` and `test` of an AlphaZero run.

    In a resumed run the YAML and the flags win over what the checkpoint remembers.
    """

    def __init__(self, args: ArgsType = None, run: bool = True) -> None:
        super().__init__(
            AlphaZeroModule,
            SelfPlayDataModule,
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
        return {key: value for key, value in LightningCLI.subcommands().items() if key != "predict"}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.default_config_files = [glob.escape(str(DEFAULTS))]
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_as_seed)
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
            parser.set_defaults(verbose=False)  # `EvaluationReport` prints tables in place of hundreds of lines
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        given = sys.argv[1:] if args is None else args
        if isinstance(given, list) and (moved := moved_settings(given)):
            parser.error(moved)
        super().parse_arguments(parser, args)
        subcommand = self.config.get("subcommand")
        settings = self.config[subcommand] if subcommand else self.config
        if fault := fault_in(settings):
            parser.error(fault)
        name_loggers(settings)

    def _parse_ckpt_path(self) -> None:
        """Take nothing from the checkpoint: Lightning would let its saved arguments win over the YAML and flags."""

    def instantiate_classes(self) -> None:
        """A value that a class refuses ends in one line, as a value that the parser refuses does."""
        try:
            super().instantiate_classes()
            self.datamodule.check_game(self.model.network)
        except (MemoryError, RuntimeError, OverflowError) as error:
            advice = "not enough memory; lower the size of model.network or data.replay.positions: "
            self.parser.error(f"{advice if is_out_of_memory(error) else ''}{error}")
        except (ValueError, TypeError, OSError, ImportError, MisconfigurationException) as error:
            self.parser.error(str(error))
        try:
            self.model.configure_optimizers()  # here already, since a run's folder is made before Lightning asks
        except (ValueError, TypeError) as error:
            self.parser.error(f"model.optimizer, model.lr_scheduler: {error}")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        trainer = super().instantiate_trainer(**kwargs)
        # in place of Lightning's own bar, unless another was configured or none is wanted
        if type(trainer.progress_bar_callback) in (TQDMProgressBar, RichProgressBar):
            trainer.callbacks.remove(trainer.progress_bar_callback)  # type: ignore[attr-defined]
            trainer.callbacks.insert(0, SelfPlayProgressBar())  # type: ignore[attr-defined]
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # unless another was configured
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        if (job := slurm_job()) is not None and not any(
            isinstance(callback, SlurmRequeue)
            for callback in trainer.callbacks  # type: ignore[attr-defined]
        ):
            trainer.callbacks.append(SlurmRequeue(job, trainer.default_root_dir))  # type: ignore[attr-defined]
        self.folders = RunFolders(trainer)
        return trainer

    def _check_checkpoint(self) -> None:
        path = self.config[self.subcommand].get("ckpt_path")
        if not path:
            self._check_none_is_taken()
            return
        try:
            checkpoint = Checkpoint.read(path)
            checkpoint.check_fits(self.model.network)
            done, wanted = self._checked_iteration(checkpoint), self.trainer.max_epochs
            if self.subcommand == "fit" and wanted is not None and 0 <= wanted <= done:
                raise ValueError(
                    f"trainer.max_epochs: {wanted} given, but {str(path)!r} is of iteration {done}; expected more"
                )
        except (ValueError, OSError) as error:
            others = sorted(other.name for other in Path(path).parent.glob("*.ckpt") if other != Path(path))
            self.parser.error(f"{error}" + (f". Beside it lie {', '.join(others)}" if others else ""))

    def _checked_iteration(self, checkpoint: Checkpoint) -> int:
        """The iteration of a checkpoint that holds all that is needed."""
        done = checkpoint.iteration
        try:
            if self.subcommand == "fit":
                check_resumable(checkpoint, self.model, self.datamodule)
            else:
                check_weights(checkpoint, self.model)
        except ValueError as error:
            raise ValueError(f"ckpt_path: {checkpoint.name} cannot be taken: {error}") from None
        return done

    def _check_none_is_taken(self) -> None:
        """Under SLURM Lightning would go on from what its own handler of SIGUSR1 wrote, where no other is named."""
        folder = Path(self.trainer.default_root_dir)
        if slurm_job() is not None and (found := sorted(folder.glob("hpc_ckpt_*"))):
            self.parser.error(
                f"trainer.default_root_dir: {str(found[-1])!r} lies there, from which Lightning would go on; expected "
                "it elsewhere, or a ckpt_path"
            )

    def _take_folders(self) -> None:
        """Refuse folders that cannot be written, before work is lost to one; then take the run's own."""
        try:
            self.folders.check()
            self.folders.claim()
        except FolderError as error:
            self.parser.error(str(error))

    def _go_on_where_slurm_stopped(self) -> None:
        """Take an earlier life's newest checkpoint in place of `ckpt_path`, which the job was started with."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, SlurmRequeue) and (path := callback.checkpoint()):
                rank_zero_info(f"SLURM started job {callback.job} again: it goes on from {path}")
                self.config[self.subcommand]["ckpt_path"] = self.config_init[self.subcommand]["ckpt_path"] = path

    def before_fit(self) -> None:
        self._go_on_where_slurm_stopped()
        self._check_checkpoint()
        self._take_folders()
        if self.config[self.subcommand]["evaluate_first"] and not self.config[self.subcommand].get("ckpt_path"):
            self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)

    def before_validate(self) -> None:
        self._check_checkpoint()
        self._take_folders()

    def before_test(self) -> None:
        self._check_checkpoint()
        self._take_folders()


def _as_seed(seed: bool | int) -> int:
    return 0 if isinstance(seed, bool) else seed


_NOISE = (
    ".*exists and is not empty. Previous log files.*",  # the folder is new: TensorBoard's logger has just made it
    "The dirpath has changed from .*",  # a resumed run has a folder of its own
    ".*`IterableDataset` has `__len__` defined.*",  # its length is exact, and there are no loader workers
    ".*isinstance.treespec, LeafSpec.*",
    ".*LightningCLI's args parameter is intended.*",
    ".*does not have many workers which may be a bottleneck.*",
    # these are summed over all processes before they are logged
    r".*It is recommended to use `self\.log\('(iteration|selfplay/|val/|test/).*sync_dist=True.*",
)


def ignore_noise() -> None:
    """Let Python say nothing of what every run would be warned of and no user can act on."""
    for message in _NOISE:
        warnings.filterwarnings("ignore", message)


def run_lightning(args: ArgsType = None) -> None:
    """Run `LitTrainerCLI`; `args` stands for ``sys.argv[1:]`` where given."""
    ignore_noise()
    try:
        LitTrainerCLI(args)
    finally:
        # Lightning does so for NCCL alone; gloo's threads, left over, now and then abort the end of a finished run
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
