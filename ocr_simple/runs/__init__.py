"""Training runs: folder, checkpoints, devices, progress."""
