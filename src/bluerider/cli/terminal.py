"""What every command owes the terminal: one line for an error, peace with a closed pipe."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    try:
        sys.stderr.write(f"bluerider: {printable(' '.join(message.split()))}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens


def printable(text: str) -> str:
    """A text without what would steer a terminal: escapes, controls, marks of direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def prepare_streams() -> None:
    """Let text of any language through to any terminal; stand in for streams that are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: bluerider ... >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def settle_stdout() -> None:
    """Drop what stdout holds and cannot write, so that the interpreter exits quietly."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (OSError, ValueError):
            pass  # stdout is no file of the system


@contextmanager
def deaf() -> Iterator[None]:
    """Let a second Ctrl-C not tear apart what the first one set going."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
