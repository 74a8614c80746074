"""The local stack: real services as subprocesses of one supervisor, bound to 127.0.0.1, with data under `.noren/`."""
