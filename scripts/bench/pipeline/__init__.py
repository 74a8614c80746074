"""The pipeline under measurement: a server, a pipeline and an emulator of its own, from message to row."""
