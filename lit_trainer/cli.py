"""The command line: Lightning's CLI over this project's module and data, with errors before anything is written."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from lit_trainer.checkpoint import AtomicCheckpointIO, check_fits, iterations_done, read_checkpoint
from lit_trainer.cli_checks import fault_in
from lit_trainer.commands import COMMANDS, overview, run_command
from lit_trainer.datamodule import SelfPlayDataModule
from lit_trainer.module import AlphaZeroModule
from lit_trainer.progress import SelfPlayProgressBar


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
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_as_seed)
        parser.add_argument(
            "--evaluate_first",
            type=bool,
            default=False,
            help="Before a new run learns anything, evaluate its network, so that the curve shows where it began.",
        )

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "test":
            parser.set_defaults(verbose=False)  # `EvaluationReport` prints tables in place of hundreds of lines
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        super().parse_arguments(parser, args)
        subcommand = self.config.get("subcommand")
        if fault := fault_in(self.config[subcommand] if subcommand else self.config):
            parser.error(fault)

    def _parse_ckpt_path(self) -> None:
        """Take nothing from the checkpoint: Lightning would let its saved arguments win over the YAML and flags."""

    def instantiate_classes(self) -> None:
        """A value that a class refuses ends in one line, as a value that the parser refuses does."""
        try:
            super().instantiate_classes()
            self.datamodule.check_game(self.model.network)
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
        # each logger takes its run number before any of them has made a folder, so that they agree
        for logger in trainer.loggers:
            _ = logger.version
        return trainer

    def _check_checkpoint(self) -> None:
        path = self.config[self.subcommand].get("ckpt_path")
        if not path:
            return
        try:
            checkpoint = read_checkpoint(path)
            check_fits(checkpoint, self.model.network, repr(str(path)))
            done, wanted = iterations_done(checkpoint), self.trainer.max_epochs
            if self.subcommand == "fit" and wanted is not None and 0 <= wanted <= done:
                raise ValueError(
                    f"trainer.max_epochs: {wanted} given, but {str(path)!r} is of iteration {done}; expected more"
                )
        except (ValueError, OSError) as error:
            self.parser.error(str(error))

    def before_fit(self) -> None:
        self._check_checkpoint()
        if self.config[self.subcommand]["evaluate_first"] and not self.config[self.subcommand].get("ckpt_path"):
            self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)

    def before_validate(self) -> None:
        self._check_checkpoint()

    def before_test(self) -> None:
        self._check_checkpoint()


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


def main(args: ArgsType = None) -> None:
    """The command `lit-trainer`; `args` stands for ``sys.argv[1:]`` where given."""
    ignore_noise()
    given = sys.argv[1:] if args is None else args
    if isinstance(given, list) and given and given[0] in COMMANDS:
        run_command(given[0], given[1:])
        return
    try:
        LitTrainerCLI(args)
    finally:
        # Lightning does so for NCCL alone; gloo's threads, left over, now and then abort the end of a finished run
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
