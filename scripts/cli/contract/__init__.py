"""`noren contract`: what each field of a stream is; checked, compared, drafted and rendered."""

import click

from scripts.cli.verbs import Table, Verbs

VERBS: Table = {
    "check": ("scripts.cli.contract.check:check", "Check every contract; everything that is wrong at once."),
    "diff": ("scripts.cli.contract.diff:diff", "Say what changed since BASE, and who can read whom."),
    "new": ("scripts.cli.contract.new:new", "Draft a contract from a sample of events."),
    "propose": ("scripts.cli.contract.propose:propose", "Add the undeclared fields that a running stream counted."),
    "render": ("scripts.cli.contract.render:render", "Write what is made from the contracts."),
}


@click.group(cls=Verbs, verbs=VERBS, epilog="Example: noren contract check")
def contract() -> None:
    """What each field of a stream is: the files of dataflow/contracts/."""
