"""What names, texts for people and socket paths may look like."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from landfast.policy.errors import InvalidError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
MAX_TEXT = 500
MAX_TICKET = 64
MAX_SOCKET_PATH = 107  # sun_path of unix(7), without the final NUL


def parse_name(text: str) -> str:
    """A class or a group. Raises `InvalidError`."""
    if not _NAME.fullmatch(text):
        raise InvalidError(
            f"{text[:80]!r} is no name", "use 1 to 63 of a-z, 0-9 and '-', beginning with a letter or a digit"
        )
    return text


def parse_text(text: str, most: int = MAX_TEXT) -> str:
    """One line for people: printable, not blank at either end. Raises `InvalidError`."""
    if not text or text != text.strip():
        raise InvalidError(f"{text[:80]!r} is empty, or has blanks at an end", "write one line of text")
    if len(text) > most or not text.isprintable():
        raise InvalidError(
            f"{text[:40]!r}... is too long, or has a character that cannot be printed",
            f"write one line of at most {most} printable characters",
        )
    return text


def parse_ticket(text: str) -> str:
    """The name of a ticket in some other system. Raises `InvalidError`."""
    return parse_text(text, MAX_TICKET)


def parse_socket_path(text: str) -> str:
    """The path of a unix socket, as it is written to connect to it, or `@` and an abstract name.

    Raises `InvalidError`.
    """
    parse_text(text)
    if not text.startswith(("/", "@")) or len(text) < 2 or len(text.encode()) > MAX_SOCKET_PATH:
        raise InvalidError(
            f"{text!r} is no name of a unix socket",
            f"write an absolute path, or @ and an abstract name, of at most {MAX_SOCKET_PATH} bytes",
        )
    return text if text.startswith("@") else parse_normal_path(text)


def parse_normal_path(text: str) -> str:
    if {"", ".", ".."} & set(text[1:].split("/")):
        raise InvalidError(f"{text!r} has an empty component, or '.' or '..'", "write the path without them")
    return text


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not among `known`."""
    words = sorted(known)
    near = get_close_matches(text, words, 1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(words) or 'nothing'}"
