"""Logs: one JSON object a line in a file, readable lines on a terminal.

WARNING = unexpected, nothing lost; ERROR = data lost or an operator must act.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.types import Processor


def configure_logs(process: str, level: str = "INFO", file: Path | None = None) -> None:
    """Set up structlog and the standard library's loggers, each line naming `process`.

    Args:
        file: appended to; None writes to stderr, which the supervisor appends to the process's log file.
    """
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Processor]
    if file is None and sys.stderr.isatty():
        renderers = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        # without local variables: those of a failed connection hold its password
        tracebacks = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        renderers = [tracebacks, structlog.processors.JSONRenderer()]

    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)

    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=common, processors=[remove_meta, *renderers])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # aiokafka builds a record for every request once the root logger is at DEBUG, where Faust sets it: 15 % of a stage
    for chatty in ("aiokafka", "kafka", "faust", "mode", "asyncio", "pymodbus", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
