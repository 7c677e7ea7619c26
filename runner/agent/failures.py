"""Failed attempts at a turn: which are tried again, which pass to the next model, which may be billed."""

from __future__ import annotations

from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
)

_PASSING = (
    ModelRateLimitError,
    ModelUnavailableError,
    ModelServerError,
    ModelConnectionError,
    ModelRequestTimeout,
)
# Waiting does not help, another model may.
_OF_THIS_MODEL = (
    ModelQuotaExceededError,
    ModelAuthenticationError,
    ModelNotFoundError,
    ModelContextWindowExceededError,
)

_NOT_SERVED = (
    ModelRateLimitError,
    ModelUnavailableError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
)


def is_passing(error: Exception) -> bool:
    """True when the same model may well answer in a moment."""
    return isinstance(error, _PASSING)


def is_of_this_model(error: Exception) -> bool:
    """True when another model may answer what this one does not.

    A request that is refused for what it says is the same request elsewhere: it fails.
    """
    if isinstance(error, ContentFilterError):
        return False
    if type(error) is ModelAPIError or isinstance(error, UnexpectedModelBehavior):
        return True  # an answer that cannot be read
    return is_passing(error) or isinstance(error, _OF_THIS_MODEL)


def may_be_billed(error: Exception) -> bool:
    """True when the request may have reached the provider and no answer says that it was not served."""
    if isinstance(error, ModelConnectionError):
        return error.phase not in ("pool", "connect")
    if isinstance(error, (ModelHTTPError, *_NOT_SERVED)):
        return error.in_stream
    return True  # given up on, or answered with something that cannot be read


def retry_after_s(error: Exception) -> float:
    """Seconds that the provider asked to wait; 0 when it did not."""
    return (error.retry_after or 0.0) if isinstance(error, ModelAPIError) else 0.0


def as_run_error(error: Exception) -> AgentRunError:
    """``error`` as one that ends the run with a sentence; an SDK's own error is no answer of the model."""
    if isinstance(error, AgentRunError):
        return error
    named = UnexpectedModelBehavior(f"{type(error).__name__}: {error}")
    named.__cause__ = error
    return named
