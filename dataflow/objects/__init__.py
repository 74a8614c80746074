"""Objects that are created once and never changed. See README.md."""

from dataflow.objects.local import LocalObjects, Objects, create_file

__all__ = ["LocalObjects", "Objects", "create_file"]
