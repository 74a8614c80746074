"""The `noren` command line and the local stack."""
