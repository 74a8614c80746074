"""Miller: `mlr put` over JSON lines, one process a round. The token is a nested keyed SHA-256."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench.loops import EMAIL, KEY
from scripts.bench.peers.programs.timing import answer, arguments

K = KEY.hex()
TOKEN = f'func token(str text): str {{ return substr(sha256("{K}" . sha256("{K}" . text)), 0, 31) }}'
TELEPHONE = "[+]?[0-9][0-9 ().-]{7,}[0-9]"  # PHONE: Miller's grammar has no \+ and \d in a literal
RULES = f"""
{TOKEN}
if (!is_string($user_id) || $location["latitude"] < -90 || $location["latitude"] > 90) {{ filter false }}
$event_id = token($event_id);
$user_id = token($user_id);
$session_id = token($session_id);
if (is_present($email)) {{ $email = token($email) }}
$location["latitude"] = roundm($location["latitude"], 0.01);
$location["longitude"] = roundm($location["longitude"], 0.01);
unset $location["accuracy"];
unset $device["device_model"];
unset $properties["referrer"];
$ip = sub($ip, "[0-9]+$", "0");
$device["os_version"] = sub(string($device["os_version"]), "[.].*", "");
$properties["note"] = gsub(gsub($properties["note"], "{EMAIL.pattern}", "<EMAIL>"), "{TELEPHONE}", "<PHONE>");
"""


def main() -> None:
    _, events, _ = arguments()
    with TemporaryDirectory() as directory:
        part = Path(directory) / "events.ndjson"
        part.write_bytes(b"\n".join(events) + b"\n")

        def run() -> None:
            command = ["mlr", "--ijsonl", "--ojsonl", "put", RULES, str(part)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own arguments

        answer(len(events), run)


main()
