"""The main job of `scripts/demo`: events in, anonymized, modelled, granted, and asked for by four people."""
