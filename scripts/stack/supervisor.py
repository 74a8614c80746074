"""The supervisor: starts the services of a home, watches them, stops them."""

import json
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack.endpoints import Endpoints, from_state
from scripts.stack.home import Home
from scripts.stack.process import Process, Report
from scripts.stack.services import HOST, SERVICES, Plan, Say, Service
from scripts.stack.warehouse.environment import Environment

START_SECONDS = 90
"""For all services together: a cold disk and a busy machine included; usually about four seconds."""


class StopRequestedError(Exception):
    """Somebody asked for a stop while the stack was starting."""


class DiedAtStartError(NorenError):
    """A service ended before it was ready."""


class Stack:
    """One stack in one home.

    home: directory of data, logs and state.
    project_id: the Google Cloud project of its datasets and topics.
    services: the table; the default is the whole stack.
    free_ports: do not try the default ports (tests that run side by side).
    say: is given a sentence of progress when something has to be installed first.
    environment: of the warehouse emulator; default: the one of the project of the current directory.
    """

    def __init__(
        self,
        home: Path,
        project_id: str,
        services: Sequence[Service] = SERVICES,
        *,
        free_ports: bool = False,
        say: Say = lambda _: None,
        environment: Environment | None = None,
    ) -> None:
        self.home, self.project_id, self.services = Home(home.resolve()), project_id, tuple(services)
        self.free_ports, self.say = free_ports, say
        self.environment = environment or Environment.of(Project.find().state)
        self.processes: dict[str, Process] = {}
        self._commands: dict[str, list[str]] = {}
        self._writing = threading.Lock()
        self.reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self.stop_requested = False

    @contextmanager
    def running(self) -> Iterator[Endpoints]:
        """The stack, up and answering; stopped when the block ends.

        Raises NorenError when one runs in this home already, or when a service dies at its start (with the last line of
        its log), and StopRequestedError after `request_stop` during the start.
        """
        with self.home.locked():
            self._wait_for_orphans()
            self.home.prepare([service.name for service in self.services])
            try:
                yield self._start()
            finally:
                self._stop()

    def request_stop(self) -> None:
        """Let `wait` (or a start under way) return. May be called from a signal handler."""
        self.stop_requested = True
        self.reports.put(None)

    def wait(self) -> None:
        """Block until `request_stop`. Raises NorenError when a service ends by itself."""
        while report := self.reports.get():
            if report.ready is None:
                raise NorenError(f"{report.service} stopped by itself: {self._reason(report.service)}")

    def kill(self, service: str) -> None:
        """SIGKILL one service, for tests of recovery; `wait` is not told."""
        process = self.processes[service]
        process.reports = queue.SimpleQueue()
        process.popen.kill()
        process.wait_stopped()

    def start_again(self, service: str) -> None:
        """Start a service that was killed on its port and data, and return when it serves.

        Two services may be started at once by two threads. Raises NorenError when it does not start.
        """
        reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        process = Process(service, self._commands[service], self.home.log(service), reports)
        self.processes[service] = process
        try:
            report = reports.get(timeout=START_SECONDS)
        except queue.Empty:
            raise NorenError(f"{service} was not ready after {START_SECONDS} s: {self._reason(service)}") from None
        if report is None or report.ready is None:
            raise DiedAtStartError(f"{service} did not start: {self._reason(service)}")
        process.reports = self.reports
        with self._writing:
            state = self.home.state() or {}
            state["services"][service] |= {"pid": process.pid, "started": process.started}
            self.home.write(self.home.state_file, json.dumps(state, indent=2))

    def _reason(self, service: str) -> str:
        process = self.processes[service]
        return f"{process.last_line()} (exit code {process.popen.poll()}, log {process.log})"

    def _start(self) -> Endpoints:
        ports = self._ports(self.free_ports)
        try:
            return self._start_on(ports)
        except DiedAtStartError:
            self._stop()
            # Somebody else may have taken a port between the look and the start; anything else would fail again.
            if not any(map(taken, ports.values())):
                raise
            self.reports = queue.SimpleQueue()
            return self._start_on(self._ports(True))

    def _ports(self, free: bool) -> dict[str, int]:
        """A port for each service: its default when that is free, else a free one."""
        ports: dict[str, int] = {}
        for service in self.services:
            port = service.port
            while free or taken(port) or port in ports.values():
                port = free_port()
                if port not in ports.values():
                    break
            ports[service.name] = port
        return ports

    def _start_on(self, ports: dict[str, int]) -> Endpoints:
        if self.stop_requested:
            raise StopRequestedError
        state = {"project_id": self.project_id, "supervisor": os.getpid(), "started": round(time.time(), 3)}
        self.home.write(self.home.state_file, json.dumps(state))
        plan = Plan(self.home, self.project_id, self.environment, ports)
        for service in self.services:
            if service.prepare:
                service.prepare(plan, self.say)
        for service in self.services:
            common = [
                "--port",
                str(ports[service.name]),
                "--data-dir",
                str(self.home.data(service.name)),
                "--watch-stdin",
            ]
            command = self._commands[service.name] = [*service.command(plan), *common]
            self.processes[service.name] = Process(service.name, command, self.home.log(service.name), self.reports)
        ready = self._wait_ready()
        entries = {service.name: self._entry(service, ready[service.name]) for service in self.services}
        self.home.write(self.home.state_file, json.dumps(state | {"services": entries}, indent=2))
        return from_state(self.home, {"project_id": self.project_id, "services": entries})

    def _entry(self, service: Service, ready: dict[str, Any]) -> dict[str, Any]:
        process = self.processes[service.name]
        where = {"address": service.address(ready["port"]), "scheme": service.scheme, "port": ready["port"]}
        return where | {"pid": process.pid, "started": process.started, "ready": ready}

    def _wait_ready(self) -> dict[str, dict[str, Any]]:
        ready: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + START_SECONDS
        while len(ready) < len(self.services):
            try:
                report = self.reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                missing = next(service.name for service in self.services if service.name not in ready)
                raise NorenError(
                    f"{missing} was not ready after {START_SECONDS} s: {self.processes[missing].last_line()} "
                    f"(log {self.home.log(missing)})"
                ) from None
            if report is None:
                raise StopRequestedError
            if report.ready is None:
                raise DiedAtStartError(f"{report.service} did not start: {self._reason(report.service)}")
            ready[report.service] = report.ready
        return ready

    def _stop(self) -> None:
        """Stop what runs, last service first, so that nothing talks to one that is gone."""
        for process in reversed(list(self.processes.values())):
            process.ask_to_stop()
            process.wait_stopped()
        self.processes.clear()
        self.home.state_file.unlink(missing_ok=True)

    def _wait_for_orphans(self, seconds: float = 20) -> None:
        """Services of a killed supervisor stop by themselves; they hold the data until then."""
        for name, entry in ((self.home.state() or {}).get("services") or {}).items():
            try:
                orphan = psutil.Process(entry["pid"])
                if orphan.create_time() == entry["started"]:
                    orphan.wait(seconds)
            except psutil.NoSuchProcess:
                continue
            except psutil.TimeoutExpired:
                raise NorenError(
                    f"{name} of an earlier stack still runs: stop it with `kill {entry['pid']}`."
                ) from None


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def taken(port: int) -> bool:
    """Whether somebody serves on this port of 127.0.0.1."""
    try:
        with socket.create_server((HOST, port)):
            return False
    except OSError:
        return True
