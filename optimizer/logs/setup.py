"""Setting a process's logging up."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from optimizer.logs.capture import Capture, is_stream
from optimizer.logs.events import event
from optimizer.logs.files import LogFile
from optimizer.logs.lines import JsonLines, Readable

VARIABLE = "FEATHERWEIGHT_LOG_LEVEL"
OURS = "optimizer"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_log = logging.getLogger(__name__)
_handlers: dict[str, LogFile] = {}
_starting = threading.Lock()

Process = Literal["app", "engine"]


def log_path(home: Path, process: Process) -> Path:
    """The log of a store's app or engine."""
    return home / f"{process}.log"


def stderr_path(home: Path) -> Path:
    """Where an engine that the app started prints; see :mod:`optimizer.logs.capture`."""
    return home / "engine.stderr"


def level() -> int:
    """What ``FEATHERWEIGHT_LOG_LEVEL`` says; INFO when it is none of :data:`LEVELS`."""
    said = os.environ.get(VARIABLE, "").strip().upper()
    return int(getattr(logging, said)) if said in LEVELS else logging.INFO


def start_logging(home: Path, process: Process) -> None:
    """Write this process's log to its file, from now on; once, however often it is called.

    It goes to stderr, too, in words, for a terminal or the journal: from an engine only, and not
    when its stderr is a file that is part of the log.

    Args:
        home: the store's folder.
        process: whose log it is.
    """
    with _starting:
        first = not _handlers
        if not _attach(home, process):
            return
        captured = is_stream(2, stderr_path(home))
        if first:
            logging.captureWarnings(True)
            _log_what_nobody_catches(chain=not captured)
        if process == "engine" and captured:
            Capture(stderr_path(home)).start()
        elif process == "engine" and not is_stream(2, log_path(home, process)):
            stream = logging.StreamHandler()
            stream.setFormatter(Readable())
            logging.getLogger().addHandler(stream)
    said = os.environ.get(VARIABLE, "").strip()
    if said and said.upper() not in LEVELS:
        text = f"{VARIABLE} is one of {', '.join(LEVELS)}; received {said!r:.40}, so it is INFO."
        event(_log, "setting_ignored", level=logging.WARNING, text=text)


@contextmanager
def logged(home: Path, process: Process) -> Iterator[None]:
    """Write to a log while something lasts; what nobody catches is not taken in."""
    with _starting:
        new = _attach(home, process)
    try:
        yield
    finally:
        if new:
            _detach(process)


def _attach(home: Path, process: Process) -> bool:
    """Send records to a log's file; ``False`` when they go there already."""
    path = log_path(home, process)
    if process in _handlers and _handlers[process].path == path:
        return False
    _detach(process)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _handlers[process] = LogFile(path)
    handler.setFormatter(JsonLines(process))
    wanted = level()
    # What other libraries say below a warning is theirs (the server's names every file it sends),
    # unless somebody looks for a fault.
    others = wanted if wanted == logging.DEBUG else max(wanted, logging.WARNING)
    handler.addFilter(lambda record: record.levelno >= others or record.name.startswith(OURS))
    root = logging.getLogger()
    for logger in (root, *_loggers_apart()):
        logger.addHandler(handler)
    root.setLevel(others)
    logging.getLogger(OURS).setLevel(wanted)
    return True


def _detach(process: Process) -> None:
    handler = _handlers.pop(process, None)
    if handler is not None:
        for logger in (logging.getLogger(), *_loggers_apart()):
            logger.removeHandler(handler)


def _loggers_apart() -> list[logging.Logger]:
    """Loggers that pass nothing on to the root, such as all of Streamlit's."""
    known = logging.root.manager.loggerDict.values()
    return [one for one in known if isinstance(one, logging.Logger) and not one.propagate]


def _log_what_nobody_catches(*, chain: bool) -> None:
    """Exceptions that end the process or one of its threads become entries of the log.

    Args:
        chain: whether they are printed as well.
    """
    print_error = sys.excepthook

    def of_process(kind: Any, error: BaseException, trace: Any) -> None:
        if not isinstance(error, KeyboardInterrupt):
            event(_log, "uncaught", level=logging.CRITICAL, error=error)
        if chain:
            print_error(kind, error, trace)

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            where = args.thread.name if args.thread else None
            event(_log, "uncaught", level=logging.ERROR, error=args.exc_value, thread=where)

    sys.excepthook = of_process
    threading.excepthook = of_thread
