"""The pipeline's own options, beside Beam's."""

import argparse
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions

from dataflow.beam.arguments import add_arguments
from dataflow.project import Project


class NorenOptions(PipelineOptions):
    """Options of this pipeline. Paths default to the project of the current directory."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)

    def paths(self) -> tuple[Path, Path, Path]:
        """(contracts, policy, keys). Raises NorenError when one is not given and there is no project here."""
        if self.contracts and self.policy and self.keys:
            return Path(self.contracts), Path(self.policy), Path(self.keys)
        project = Project.find()
        return (
            Path(self.contracts or project.contracts),
            Path(self.policy or project.policy),
            Path(self.keys or project.state / "local" / "keys"),
        )
