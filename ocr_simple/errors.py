"""Errors that several parts raise. Each message names the value at fault and the fix."""


class DataError(ValueError):
    """Options or text that cannot give training lines."""


class TrainError(RuntimeError):
    """Training cannot start or continue."""
