"""What is installed from elsewhere: pinned, hashed, from the package index alone, and without a known weakness.

`scripts/audit` runs it. The locks are checked always; the weaknesses where the advisory service can be reached.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import click

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://pypi.org/simple"
FILES = "files.pythonhosted.org"
"""Where the index has its files."""

SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS = 300


@dataclass(frozen=True)
class Weakness:
    """A published weakness of what is installed. fixed: versions without it."""

    package: str
    version: str
    id: str
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"take {' or '.join(self.fixed)}" if self.fixed else "no version is without it yet"
        return f"{self.package} {self.version}: {self.id}; {fixed}."


def lock_problems(lock: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a uv.lock, one sentence a problem."""
    for package in lock.get("package", []):
        name, source = f"{package['name']} {package.get('version', '')}".strip(), package.get("source", {})
        if source == {"editable": "."}:
            continue  # this project
        if source != {"registry": INDEX}:
            where = ", ".join(f"{kind} {place}" for kind, place in source.items()) or "nowhere"
            yield f"uv.lock: {name} comes from {where}; take it from {INDEX}."
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        if not files:
            yield f"uv.lock: {name} has no file."
        for file in files:
            address = urlparse(str(file.get("url", "")))
            if (address.scheme, address.hostname) != ("https", FILES):
                yield f"uv.lock: {name} is fetched from {address.hostname or 'nowhere'}; take it from {FILES}."
            if not SHA256.fullmatch(str(file.get("hash", ""))):
                yield f"uv.lock: {name} has a file without a SHA-256."


def requirements_problems(name: str, text: str) -> Iterator[str]:
    """The same of a file of requirements, as pip reads it: every one pinned and hashed, no other index."""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        requirement, *options = line.split(" --")
        if line.startswith("-"):
            yield f"{name}: {line.split()[0]} is an option; only pinned requirements belong there."
        elif not re.fullmatch(r"[A-Za-z0-9._\-\[\],]+==[^\s;*]+(\s*;.*)?", requirement.strip()):
            yield f"{name}: {requirement.split()[0]} is not pinned with ==."
        elif not options or not all(re.fullmatch(r"hash=sha256:[0-9a-f]{64}", each.strip()) for each in options):
            yield f"{name}: {requirement.split('==')[0]} has no SHA-256, or another option."


def pinned(lock: dict[str, Any]) -> list[str]:
    """`name==version` of everything but this project."""
    return [f"{each['name']}=={each['version']}" for each in lock["package"] if "registry" in each.get("source", {})]


def weaknesses(requirements: Sequence[str], *options: str) -> tuple[list[Weakness], int] | None:
    """Known weaknesses, and how many of the requirements the service knew; None when it cannot be asked.

    options: more of pip-audit's.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "requirements.txt"
        file.write_text("\n".join(requirements) + "\n")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "15", *options]
        try:
            done = subprocess.run(  # noqa: S603  (our own interpreter)
                command, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return None
    return read_report(done.stdout)


def read_report(output: str) -> tuple[list[Weakness], int] | None:
    """What pip-audit's JSON says. A package that the service does not know was not checked: a mirror without advisories
    knows none."""
    try:
        found = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        return None
    checked = [each for each in found if "skip_reason" not in each]
    if not checked:
        return None
    weak = [
        Weakness(each["name"], each["version"], weakness["id"], tuple(weakness["fix_versions"]))
        for each in checked
        for weakness in each["vulns"]
    ]
    return weak, len(checked)


@click.command(epilog="Example: scripts/audit")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def main(as_json: bool) -> None:
    """Check what is installed from elsewhere: hashes, where it comes from, and known weaknesses.

    Where the advisory service cannot be reached it says so, and only the locks are checked. Exit code 1 when something
    is wrong.
    """
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    problems = list(lock_problems(lock))
    for file in sorted(ROOT.glob("scripts/**/requirements*.lock")):
        problems += requirements_problems(str(file.relative_to(ROOT)), file.read_text("utf-8"))
    wanted = pinned(lock)
    asked = weaknesses(wanted)
    weak, checked = asked or ([], 0)
    problems += [str(each) for each in weak]
    if as_json:
        click.echo(json.dumps({"packages": len(wanted), "checked": checked, "problems": problems}))
    else:
        for problem in problems:
            click.echo(problem)
        click.echo(f"{len(wanted)} packages are pinned; {len(problems)} problems.")
        if not checked:
            click.echo("Known weaknesses could not be checked: the advisory service cannot be asked from here.")
        else:
            click.echo(f"{checked} of them were checked for known weaknesses.")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
