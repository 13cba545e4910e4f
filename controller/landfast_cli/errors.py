"""What can end a command.

CliError            says the thing, the place and the remedy; `status` is the exit status
├── AnswerIsNoError     1: refused, not proved, in conflict with what is there
├── BadInputError       2: usage, a bad file, something that does not exist
└── CouldNotError       3: connection, permission
"""


class CliError(Exception):
    """An error that a person can act on."""

    status = 3


class AnswerIsNoError(CliError):
    status = 1


class BadInputError(CliError):
    status = 2


class CouldNotError(CliError):
    status = 3
