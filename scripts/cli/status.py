"""`noren status`: what of the local stack is running, and where."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from dataflow.project import Project
from scripts.stack import endpoints
from scripts.stack.health import answers
from scripts.stack.home import Home


def report(home: Path) -> dict[str, Any]:
    """The stack in `home`: its `state` is stopped, starting or running; each service is asked whether it answers."""
    place = Home(home)
    pid, state = place.supervisor(), place.state()
    if pid is None:
        return {"home": str(home), "state": "stopped", "services": []}
    if state is None or "services" not in state:
        return {"home": str(home), "state": "starting", "supervisor": pid, "services": []}
    stack = endpoints.from_state(place, state)
    services = [
        {"name": s.name, "address": s.address, "pid": s.pid, "answering": answers(s)} for s in stack.services.values()
    ]
    head = {"home": str(home), "state": "running", "supervisor": pid, "project_id": stack.project_id}
    return {**head, "services": services}


@click.command(epilog="Example: noren status --json")
@click.option("--home", type=click.Path(path_type=Path), help="Directory of data, logs and state [.noren/local].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(home: Path | None, as_json: bool) -> None:
    """Show the services of the local stack. Exit code 1 when the stack does not run or a service does not answer."""
    found = report((home or Project.find().state / "local").resolve())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"The stack of {found['home']} is {found['state']}.")
        for service in found["services"]:
            said = "answers" if service["answering"] else "DOES NOT ANSWER"
            click.echo(f"{service['name']:<12}{service['address']:<28}process {service['pid']:<10}{said}")
    if found["state"] != "running" or not all(service["answering"] for service in found["services"]):
        sys.exit(1)
