"""The local BigQuery: local-bigquery from PyPI, pinned, as a subprocess in an environment of its own."""
