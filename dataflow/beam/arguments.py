"""The pipeline's own options as plain arguments: `--help` has to be quick, and importing Beam takes seconds."""

import argparse

SHARDS = 16
"""Default number of deduplication states, and so the most threads that deduplicate at once. More shards make smaller
parts of a batch: with 16 the pipeline took 14 us an event, with 64 it took 28 (README.md)."""

LOAD_SECONDS = 300
"""Default seconds that rows are gathered for one load job: 288 jobs a table and day, of the 1,500 that one may have
(https://cloud.google.com/bigquery/quotas#load_jobs); the house's own tables get as many from every stream."""

PROGRAM = "python -m dataflow.beam"

BEAM_OPTIONS = "https://beam.apache.org/releases/pydoc/current/apache_beam.options.pipeline_options.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Names are Beam's way, with underscores: Dataflow templates pass them on as they are."""
    parser.add_argument("--stream", help="the stream: the name of its contract, e.g. app_event")
    parser.add_argument("--subscription", help="its full path, projects/PROJECT/subscriptions/NAME")
    parser.add_argument("--contracts", help="directory of the contracts [dataflow/contracts]")
    parser.add_argument("--policy", help="file of the policy [dataflow/policy.yaml]")
    parser.add_argument("--keys", help="directory of the key ring, on every worker [.noren/local/keys]")
    parser.add_argument("--kms_key", help="key-encryption keys that wrap the ring, as in NOREN_KMS_KEY [local]")
    parser.add_argument("--country_file", help="MaxMind-format file, on every worker, for the country of an IP")
    parser.add_argument(
        "--shards", type=int, default=SHARDS, help=f"deduplication states, fixed for a job's life [{SHARDS}]"
    )
    parser.add_argument(
        "--load_seconds", type=int, default=LOAD_SECONDS, help=f"seconds from load job to load job [{LOAD_SECONDS}]"
    )


def help_parser() -> argparse.ArgumentParser:
    """What `--help` prints."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --stream STREAM --subscription PATH --runner DataflowRunner --project PROJECT [options]",
        description="Run the pipeline of one stream on Dataflow: Pub/Sub to the tables raw and anonymized.",
        epilog=f"All other options are Beam's own: {BEAM_OPTIONS}",
    )
    add_arguments(parser)
    return parser
