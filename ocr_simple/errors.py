"""Errors that several parts raise. Each message names the value at fault and the fix."""


class LineError(ValueError):
    """Options or text from which no lines can be drawn."""


class TrainError(ValueError):
    """Training cannot start or continue."""
