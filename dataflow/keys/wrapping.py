"""The key-encryption key: what wraps every other key. Cloud KMS in the cloud, a file on a laptop, one interface
(Tink's AEAD).

The local one is a Tink keyset in clear in a file that only its owner may read: it protects a laptop's data as far
as the
laptop's own disk does, and stands in for Cloud KMS, nothing more.
"""

from pathlib import Path
from typing import Any

from tink import TinkError, aead, new_keyset_handle, proto_keyset_format, secret_key_access

from dataflow.errors import NorenError
from dataflow.objects import create_file

aead.register()


def local_key(path: Path) -> Any:
    """The local key-encryption key in `path` (a Tink AEAD), made on first use, mode 0600.

    Raises NorenError when the file is damaged or others may read it.
    """
    if not path.exists():
        handle = new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        create_file(path, proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    if path.stat().st_mode & 0o077:
        raise NorenError(f"{path.name}: others may read the key-encryption key; run chmod 600 on it.")
    try:
        handle = proto_keyset_format.parse(path.read_bytes(), secret_key_access.TOKEN)
    except TinkError as error:
        raise NorenError(
            f"{path.name}: is no key-encryption key; restore it, what it wrapped is lost without."
        ) from error
    return handle.primitive(aead.Aead)
