"""What several tests share: `from support.lines import batch`."""
