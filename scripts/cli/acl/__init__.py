"""`noren acl`: who sees what, from the files of iam/."""

import gc

import click

from scripts.cli.verbs import Table, Verbs

VERBS: Table = {
    "apply": ("scripts.cli.acl.apply:apply_command", "Make the access lists of all datasets what iam/ says."),
    "diff": ("scripts.cli.acl.diff:diff_command", "Say what a change means in people and columns."),
    "drift": ("scripts.cli.acl.drift:drift_command", "Compare live datasets with the files, and say who granted what."),
    "explain": ("scripts.cli.acl.explain:explain_command", "Say who can see what, and why."),
    "grant-temporary": (
        "scripts.cli.acl.grant_temporary:grant_temporary",
        "Grant a group something for hours or days, with a reason.",
    ),
    "import": ("scripts.cli.acl.import_:import_command", "Write the files from a live project."),
    "lint": ("scripts.cli.acl.lint:lint_command", "Check the files of iam/ against rules, and mend what is safe."),
    "schemas": ("scripts.cli.acl.schemas:schemas_command", "Write the JSON Schemas that editors complete by."),
    "matrix": ("scripts.cli.acl.explain:matrix_command", "People by datasets: who has which right."),
    "plan": ("scripts.cli.acl.plan:plan_command", "Say what apply would change."),
    "who-read": ("scripts.cli.acl.who_read:who_read_command", "Say who read which classified column, from audit logs."),
}


@click.group(cls=Verbs, verbs=VERBS, epilog="Example: noren acl apply --dry-run")
@click.pass_context
def acl(context: click.Context) -> None:
    """Access as code: who sees what, from the files of iam/."""
    if gc.isenabled():  # a verb keeps what it reads until it ends, seconds later: collections would walk it in vain
        gc.disable()
        context.call_on_close(gc.enable)
