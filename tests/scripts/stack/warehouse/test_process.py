import time
from pathlib import Path
from typing import Any

import psutil

from scripts.stack.endpoints import load


def test_it_listens_on_loopback_only_and_stops_with_its_stdin_in_mid_query(launch: Any, tmp_path: Path) -> None:
    with (stack := launch(tmp_path)).running() as endpoints:
        ready = endpoints["warehouse"].ready
        process = stack.processes["warehouse"].popen
        sockets = [c.laddr for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"]
        listening = {(address.ip.removeprefix("::ffff:"), address.port) for address in sockets}
        assert listening == {("127.0.0.1", ready["port"]), ("127.0.0.1", ready["grpc_port"])}

        numbers = "UNNEST(GENERATE_ARRAY(1, 1000000))"
        endless = f"SELECT COUNT(*) FROM {numbers} a, {numbers} b WHERE a * b = 7"
        load(tmp_path).warehouse_client().query(endless, job_retry=None)
        began = time.monotonic()
        process.stdin.close()
        assert process.wait(20) == 0
        assert time.monotonic() - began < 15
        assert "stopped the running job noren-test:" in endpoints.home.log("warehouse").read_text()
