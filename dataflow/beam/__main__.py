"""`python -m dataflow.beam`: launch the pipeline of one stream, with Beam's ordinary options."""

import logging
import os
import sys
from collections.abc import Sequence

from dataflow.beam.arguments import help_parser
from dataflow.errors import NorenError


def main(arguments: Sequence[str]) -> None:
    """Launch and return: the job runs on the service.

    Raises NorenError for options that do not fit.
    """
    if {"-h", "--help"} & set(arguments):
        help_parser().print_help()
        return
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # scaled by process; read when polars is imported
    from dataflow.beam.launch import launch

    launch(arguments)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        main(sys.argv[1:])
    except NorenError as error:
        sys.stderr.write(f"dataflow.beam: {error}\n")
        sys.exit(1)
