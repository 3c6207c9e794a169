"""How well lines are read: metrics, the report, pictures."""
