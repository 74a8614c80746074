"""The engine's rules held against a real BigQuery: the same cases, in datasets that are thrown away."""
