"""What the emulator's own python runs: the launcher and the patches. Imports nothing else of the project."""
