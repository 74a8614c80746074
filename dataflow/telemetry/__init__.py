"""What the data plane tells of itself: metrics, traces, health. OpenTelemetry comes only where it is asked for."""
