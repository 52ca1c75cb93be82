"""structlog: JSON in production, colours on a terminal. What could be a secret is masked before anything is written."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAME = re.compile(
    r"token|secret|password|authorization|cookie|ticket|api_key|credential|verifier", re.IGNORECASE
)
SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+|(?:token|secret|password|ticket|code|code_verifier|client_secret)=|://[^\s/:@]*:)[^\s&@\"']+"
)
MASK = "***"


def configure(*, style: str, level: str) -> None:
    """Sends every log line, of ours and of libraries, to stderr: as JSON (`style="json"`) or for a terminal."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if style == "json" else _unchanged,
        masked,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":  # without the values of variables, which may be secrets
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`event` with the values of secret-looking names, and secret-looking parts of texts, replaced."""
    for name, value in event.items():
        if SECRET_NAME.search(name):
            event[name] = MASK
        elif isinstance(value, str):
            event[name] = SECRET_TEXT.sub(rf"\1{MASK}", value)
    return event


def _unchanged(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event
