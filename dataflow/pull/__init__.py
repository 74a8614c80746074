"""The pull loop: the embedded driver, one process a subscription. See README.md for how the parts fit."""
