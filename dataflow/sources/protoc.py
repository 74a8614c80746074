"""protoc: the descriptors of a Protocol Buffer definition.

It runs in a process of its own (of grpcio-tools), so that neither its messages on stderr nor a crash reach the caller.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 20


class ProtocError(ValueError):
    """A definition does not compile; the text says where."""


def compile_definition(definition: str) -> bytes:
    """The serialized FileDescriptorSet of a definition, the definition last; it can import google/protobuf's own files
    only.

    Raises ProtocError with protoc's words, or when protoc does not end within SECONDS.
    """
    with tempfile.TemporaryDirectory(prefix="noren-proto-") as directory:
        source = Path(directory, "schema.proto")
        source.write_text(definition)
        target = Path(directory, "schema.bin")
        command = [
            sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{directory}", f"--descriptor_set_out={target}",
            "--include_imports", str(source),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ProtocError(f"protoc needed more than {SECONDS} seconds") from None
        if done.returncode:
            words = done.stderr.replace(f"{directory}/", "").strip()
            raise ProtocError(words.splitlines()[0] if words else f"protoc ended with {done.returncode}")
        return target.read_bytes()
