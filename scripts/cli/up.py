"""`noren up`: start the local stack."""

import signal
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dataflow.contract import load_contracts
from dataflow.project import Project
from scripts.stack import background
from scripts.stack.endpoints import Endpoints
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import Stack, StopRequestedError
from scripts.stack.warehouse.environment import Environment
from scripts.stack.warehouse.install import install


def show(console: Console, endpoints: Endpoints) -> None:
    """A table of services and addresses, and how to use them."""
    table = Table(box=None, pad_edge=False)
    for column in ("service", "address", "process"):
        table.add_column(column)
    for service in endpoints.services.values():
        table.add_row(service.name, service.address, str(service.pid))
    console.print(table)


def make_topics(project: Project, endpoints: Endpoints) -> None:
    """A topic and a subscription for each contract, so that an app can publish before any pipeline runs."""
    with LocalTopics(endpoints.project_id, endpoints.pubsub) as topics:
        topics.ensure(load_contracts(project.contracts).values())


@click.command(epilog="Example: noren up --detach")
@click.option("--home", type=click.Path(path_type=Path), help="Directory of data, logs and state [.noren/local].")
@click.option("--detach", is_flag=True, help="Leave it running in the background; `noren down` stops it.")
def up(home: Path | None, detach: bool) -> None:
    """Start the local stack: BigQuery emulator, Pub/Sub server and access gateway, on 127.0.0.1.

    Runs until Ctrl-C. Data is kept in the home directory and is there again at the next start.
    """
    project = Project.find()
    home = (home or project.state / "local").resolve()
    console = Console(stderr=True)
    install(Environment.of(project.state), console.print)
    if detach:
        with console.status("starting the local stack"):
            endpoints = background.start(home, project.id)
            make_topics(project, endpoints)
        show(console, endpoints)
        console.print("Runs in the background: `noren status` shows it, `noren down` stops it.")
        return
    stack = Stack(home, project.id, say=console.print)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.request_stop())
    status = console.status("starting the local stack", refresh_per_second=2)
    try:
        with status, stack.running() as endpoints:
            make_topics(project, endpoints)
            show(console, endpoints)
            status.update(f"running; data and logs in {home}; Ctrl-C stops it")
            stack.wait()
            status.update("stopping")
    except StopRequestedError:
        pass
    console.print("The local stack is stopped.")
