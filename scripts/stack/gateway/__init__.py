"""The gateway: a proxy before the BigQuery emulator that knows the caller and enforces the datasets' live access
lists."""
