"""One program a peer, for its environment: `python -m scripts.bench.peers.programs.NAME EVENTS.ndjson COUNT BATCH`.

They import nothing of the project but scripts.bench.loops and each other, and run on Python 3.12 too.
"""
