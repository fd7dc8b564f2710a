"""What can go wrong, told in one line: what was given, what is accepted, what to do."""


class BlueriderError(Exception):
    """The world failed (disk, network, a damaged model); the command line exits with
    `exit_code`.
    """

    exit_code = 1


class InputError(BlueriderError, ValueError):
    """What the user gave cannot be used."""

    exit_code = 2


class WeightsError(BlueriderError):
    """A file of weights or its config is missing, damaged or of another architecture."""


class OfflineError(BlueriderError):
    """Something has to be fetched and the network may not, or cannot, be used."""
