"""The second driver: the same core as a Beam pipeline, for Dataflow."""
