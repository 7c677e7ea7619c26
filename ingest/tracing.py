"""Traces of our own work in OpenTelemetry's form; nothing is measured or sent unless the environment asks.

``OTEL_TRACES_EXPORTER=otlp`` asks for it. Where it goes, and with which headers, say the standard
``OTEL_EXPORTER_OTLP_*`` variables, which alone turn nothing on: machines of agents have them for those.
``OTEL_SDK_DISABLED=true`` turns it off. Spans carry ids, counts and error types, never texts of runs, and no
``gen_ai`` names, so that Fleetbook's own receiver may keep them without taking them for agents. The receiver
makes no spans itself: one that sends to itself would have something to say about each time it did.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_SWITCH = "OTEL_TRACES_EXPORTER"
_log = logging.getLogger("fleetbook.tracing")


@contextmanager
def span(name: str, **attributes: str | int | None) -> Iterator[None]:
    """What happens inside the ``with`` block, or the decorated function, as a span ``fleetbook.<name>``.

    ``attributes`` get the prefix too; those that are None are left out. An error is told by its type.
    """
    tracer = _tracer()
    if tracer is None:
        yield
        return
    from opentelemetry.trace import Status, StatusCode

    known = {f"fleetbook.{key}": told for key, told in attributes.items() if told is not None}
    with tracer.start_as_current_span(
        f"fleetbook.{name}", attributes=known, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):  # being stopped, or drawn anew, is no error
                current.set_attribute("error.type", type(error).__name__)
                current.set_status(Status(StatusCode.ERROR))
            raise


@cache
def _tracer() -> Tracer | None:
    """The tracer of this process, made when the first span begins; None when no traces are asked for.

    It is not made the process's global one: libraries that instrument themselves stay silent.
    """
    asked = os.environ.get(_SWITCH, "none").strip().lower()
    if asked in ("", "none") or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if asked != "otlp":
        _log.warning("No traces: %s is %r. Set it to otlp, or unset it.", _SWITCH, asked)
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("No traces: %s asks for them. Install the extra: `pip install '.[otel]'`.", _SWITCH)
        return None
    os.environ.setdefault("OTEL_SERVICE_NAME", "fleetbook")
    provider = TracerProvider(resource=Resource.create())  # flushes when the process ends
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("fleetbook")
