"""`python -m scripts.cli`: the same as `noren`, with this very Python."""

from scripts.cli import main

main()
