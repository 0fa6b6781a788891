"""Retries of requests to the Hub after transient failures, and one-line errors for the others."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ..errors import AsciiMazeError
from ..terminal import OnProgress
from .secrets import without_secrets

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TRIES = 6
# Seconds; if the Hub asks for a longer wait, an error says so.
PATIENCE = 600
_TRANSIENT = (408, 412, 429, 500, 502, 503, 504)
T = TypeVar("T")


def repeated(action: Callable[[], T], on_progress: OnProgress, sleep: Callable[[float], None]) -> T:
    """Run an idempotent action up to `TRIES` times, while its failures are transient."""
    for attempt in range(1, TRIES):
        try:
            return action()
        except Exception as error:
            wait = _wait_before_another_try(error, attempt)
            if wait is None:
                raise
            on_progress("waiting for the Hub", attempt, TRIES)
            sleep(wait)
    return action()


def _wait_before_another_try(error: Exception, attempt: int) -> float | None:
    """Seconds to wait before a retry; None if the failure is permanent or the wait longer than `PATIENCE`.

    A new repository exists shortly before its branch `main`, so a missing revision is transient.
    """
    from huggingface_hub.errors import RevisionNotFoundError
    from huggingface_hub.utils import parse_ratelimit_headers

    cause = _cause(error)
    if _is_dropped(cause) or isinstance(cause, RevisionNotFoundError):
        return 2.0 ** (attempt - 1)
    response = getattr(cause, "response", None)
    if response is None or response.status_code not in _TRANSIENT:
        return None
    asked, limit = response.headers.get("Retry-After", ""), parse_ratelimit_headers(response.headers)
    if asked.isdecimal():
        wait = float(asked)
    elif response.status_code == 429 and limit and not limit.remaining:
        wait = float(limit.reset_in_seconds)
    else:
        wait = 2.0 ** (attempt - 1)
    return wait if wait <= PATIENCE else None


def _cause(error: BaseException) -> BaseException:
    """The underlying error: the client wraps a failed upload in a RuntimeError."""
    while getattr(error, "response", None) is None and not _is_dropped(error) and error.__cause__:
        error = error.__cause__
    return error


def _is_dropped(error: BaseException) -> bool:
    """Whether a connection was refused, dropped or timed out, or a proxy answered instead of the Hub."""
    from httpx2 import NetworkError, RemoteProtocolError, TimeoutException

    return isinstance(error, NetworkError | RemoteProtocolError | TimeoutException | json.JSONDecodeError)


def explain(error: Exception, where: str, endpoint: str) -> str:
    """A one-line message that says what went wrong and what to do."""
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled

    cause = _cause(error)
    response = getattr(cause, "response", None)
    status = response.status_code if response is not None else None
    said = getattr(cause, "server_message", None) or str(cause) or type(cause).__name__
    if isinstance(cause, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the Hub cannot be reached; unset it"
    if isinstance(cause, GatedRepoError):
        return f"{where} is gated and this account has no access to it; request access on its page"
    if status == 401:
        return "the Hub rejects this token as expired or wrong; run `hf auth login`"
    if status == 403:
        return f"this account, or its token, may not write to {where} ({said})"
    if status == 404:
        return f"{where} does not exist, or this account has no access to it ({said})"
    if status == 412:
        return f"{where} kept receiving other commits; gave up after {TRIES} tries, try again later"
    if response is not None and status == 429:
        seconds = response.headers.get("Retry-After")
        wait = f"{seconds} s" if seconds else "a while"
        return f"the Hub has received too many requests from this account; wait {wait}"
    if _is_dropped(cause) or (status or 0) >= 500:
        tried = f"the Hub at {endpoint} did not answer after {TRIES} tries ({status or said})"
        return f"{tried}; run the same command again to send what is missing"
    if status == 402:
        return f"the Hub asks for payment before it takes {where}; see the account's billing page ({said})"
    return f"{where}: the Hub refused ({said})" if response is not None else f"{where}: {said}"


def effective_token(api: "HfApi") -> str | None:
    """The token sent with its requests; None if not logged in."""
    from huggingface_hub import get_token

    return api.token if isinstance(api.token, str) else get_token()


@contextmanager
def in_one_line(api: "HfApi", where: str) -> Iterator[None]:
    """Turn the client's errors into one line without tokens.

    The client's progress bars and warnings are off inside the block: its warning at every retry shows the signed URL
    of an upload.

    Raises:
        AsciiMazeError: in place of the client's HTTP, Hub and network errors.
    """
    from httpx2 import HTTPError
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    verbosity, hidden = logging.get_verbosity(), are_progress_bars_disabled()
    if verbosity == logging.WARNING:  # otherwise the user has set it
        logging.set_verbosity_error()
    if not hidden:
        disable_progress_bars()
    try:
        yield
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        # The client raises many kinds: HTTP, Hub, offline mode, a malformed response, a failed upload.
        said = " ".join(_hide(explain(error, where, api.endpoint), api).split())
        raise AsciiMazeError(said) from _hidden(error, api)
    finally:
        logging.set_verbosity(verbosity)
        if not hidden:
            enable_progress_bars()


def _hide(text: str, api: "HfApi") -> str:
    return without_secrets(text.replace(effective_token(api) or "***", "***"))


def _hidden(error: Exception, api: "HfApi") -> Exception:
    """The error with its causes, for `--debug`, without credentials that a server has echoed."""
    link: BaseException | None = error
    while link:
        link.args = tuple(_hide(arg, api) if isinstance(arg, str) else arg for arg in link.args)
        link = link.__cause__ or link.__context__
    return error
