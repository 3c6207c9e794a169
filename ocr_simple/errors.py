"""Errors that several parts raise. Each message names the value at fault and the fix."""


class LineError(ValueError):
    """Options or text from which no lines can be drawn."""


class FontError(LineError):
    """A font file that cannot be used."""


class TrainError(ValueError):
    """Training cannot start or continue."""


class DatasetError(ValueError):
    """A data set that cannot be used. The message names each place, the problem and the fix."""


class NoDatasetError(DatasetError):
    """There is no data set at a place."""
