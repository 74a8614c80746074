"""A whole stack as one process: what `noren up --detach` leaves running.

Speaks the protocol of `process.py` itself: prints `READY {...}` (service -> address) on stdout, stops on SIGTERM.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from dataflow.errors import NorenError
from scripts.stack.supervisor import Stack, StopRequestedError


def main() -> None:
    parser = argparse.ArgumentParser("scripts.stack", description="Run the local stack until SIGTERM or SIGINT.")
    parser.add_argument("--home", type=Path, required=True, help="directory of data, logs and state")
    parser.add_argument("--project", required=True, help="Google Cloud project of datasets and topics")
    parser.add_argument("--free-ports", action="store_true", help="do not try the default ports")
    options = parser.parse_args()
    try:
        stack = Stack(options.home, options.project, free_ports=options.free_ports)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stack.request_stop())
        with stack.running() as endpoints:
            sys.stdout.write(f"READY {json.dumps({name: e.address for name, e in endpoints.services.items()})}\n")
            sys.stdout.flush()
            stack.wait()
    except StopRequestedError:
        return
    except NorenError as error:
        sys.exit(f"noren: {error}")


if __name__ == "__main__":
    main()
