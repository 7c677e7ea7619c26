"""The span of a page: what views may know of tracing."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ingest.tracing import span


def request_span(view: str) -> AbstractContextManager[None]:
    """One run of the page ``view`` as a span, where traces are asked for; see :mod:`ingest.tracing`."""
    return span("request", view=view)
