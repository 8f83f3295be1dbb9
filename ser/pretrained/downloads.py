"""Published checkpoints from the Hugging Face Hub into its local cache: the only way to fetch.

The client takes up a transfer that breaks where it broke, and fetches no complete file
twice. What came is then checked as every stage will check it.
"""

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ser.errors import FileError, WeightsError
from ser.pretrained import checkpoint_files, checkpoints
from ser.pretrained.checkpoint_files import (
    CONFIG,
    PREPROCESSING,
    PROCESSOR,
    SAFETENSORS,
    SAFETENSORS_INDEX,
    TORCH_FILE,
    TORCH_INDEX,
)

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_UNAUTHORISED, _FORBIDDEN = 401, 403

#: How long the Hub may take to answer at all, in seconds.
_PATIENCE_S = 10.0


def download(checkpoint: str, revision: str) -> Path:
    """Fetch a published checkpoint into the local Hugging Face cache.

    It asks the Hub even where `HF_HUB_OFFLINE` is set: this function is called because a
    person asked for it. Of several formats of the same weights it fetches the one that is
    loaded. A file that is there already, but damaged, is fetched again.

    Args:
        checkpoint: Hugging Face id.
        revision: Its commit, 40 hex digits.

    Returns:
        The folder with the files, as `ser.pretrained.checkpoints.locate` accepts it.

    Raises:
        WeightsError: The name is wrong, the Hub cannot be reached or refuses, the disk is
            full, or what was published cannot be used.
        FileError: A published file that should be JSON is none.
    """
    import httpx2

    problem = checkpoints.problem_of(checkpoint, revision)
    if problem:
        raise WeightsError(problem)
    try:
        with _online():
            if not checkpoints.cached_folder(checkpoint, revision).is_dir():
                _require_reachable()
            folder = _fetch_all(checkpoint, revision)
    # The client lets errors of HTTP through, and of the storage behind the Hub; where it
    # cannot fetch a file again, it says so by a ValueError.
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{checkpoints.title(checkpoint, revision)}: cannot be downloaded: "
            f"{_reason(error, checkpoint, revision)}"
        ) from error
    _require_usable(folder, checkpoint, revision)
    return checkpoints.locate(checkpoint, revision)


def _require_reachable() -> None:
    """Ask the Hub for anything, once: the client would try for half a minute before it fails.

    Raises:
        httpx2.TransportError: No answer; any answer will do.
    """
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=_PATIENCE_S)


def _require_usable(folder: Path, checkpoint: str, revision: str) -> None:
    """Refuse what came, where the cure is not to fetch it."""
    from huggingface_hub import constants, get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    title = checkpoints.title(checkpoint, revision)
    missing = " and ".join(checkpoint_files.missing(folder))
    try:
        get_cached_repo_tree(checkpoint, revision=revision)
    except CachedRepoTreeNotFoundError as error:
        # The client then hands out whatever an older version of it has left in the cache.
        if missing:
            raise WeightsError(
                f"{title}: {constants.ENDPOINT} was not reached, and {folder} lacks {missing}; run "
                f"the same command again with a connection"
            ) from error
    if missing:
        raise WeightsError(
            f"{title}: it was published without {missing}, and cannot be used here; take another "
            f"revision or checkpoint"
        )
    published = "it was fetched twice and is so on the Hub: take another revision or checkpoint"
    checkpoint_files.require_whole(folder, cure=published)


def _fetch_all(checkpoint: str, revision: str) -> Path:
    folder = _fetch(
        checkpoint,
        revision,
        [CONFIG, PREPROCESSING, PROCESSOR, SAFETENSORS, SAFETENSORS_INDEX],
    )
    if checkpoint_files.weights_of(folder) is None:
        _fetch(checkpoint, revision, [TORCH_FILE, TORCH_INDEX])
    weights = checkpoint_files.weights_of(folder)
    if weights is not None and weights.index is not None:
        _fetch(checkpoint, revision, weights.shards)
    return folder


def _fetch(checkpoint: str, revision: str, names: Sequence[str]) -> Path:
    """Fetch those of some files that the Hub has; return the folder of the revision."""
    import huggingface_hub

    fetched = huggingface_hub.snapshot_download(
        checkpoint, revision=revision, allow_patterns=list(names)
    )
    folder = Path(fetched)
    damaged = [name for name in names if (folder / name).is_file() and _is_damaged(folder / name)]
    if damaged:
        huggingface_hub.snapshot_download(
            checkpoint, revision=revision, allow_patterns=damaged, force_download=True
        )
    return folder


def _is_damaged(path: Path) -> bool:
    try:
        checkpoint_files.require_whole_file(path)
    except (FileError, WeightsError):
        return True
    return False


def _reason(error: Exception, checkpoint: str, revision: str) -> str:
    """Return why a download failed, and what to do, for people."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    # Where the client found nothing in its cache either, it wraps what went wrong first.
    is_wrapped = isinstance(error, LocalEntryNotFoundError | ValueError)
    said = error.__cause__ if is_wrapped and error.__cause__ is not None else error
    if isinstance(said, HfHubHTTPError):
        return _refusal(said, f"{constants.ENDPOINT}/{checkpoint}", revision)
    if isinstance(said, OSError) and said.errno == errno.ENOSPC:
        return (
            f"no space is left on the disk of {constants.HF_HUB_CACHE}; free some, or set the "
            f"environment variable HF_HOME, here and for the stages, to a folder of another disk"
        )
    if (isinstance(said, OSError) and said.errno) or isinstance(said, HFValidationError):
        return str(said)
    first_line = str(said).strip().partition("\n")[0] or type(said).__name__
    return (
        f"the connection to {constants.ENDPOINT} failed or broke off ({first_line}); run the same "
        f"command again: files that are complete are not fetched again"
    )


def _refusal(said: "HfHubHTTPError", page: str, revision: str) -> str:
    """Return what an answer of the Hub means, and what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    status = said.response.status_code
    if isinstance(said, GatedRepoError) or status == _FORBIDDEN:
        return (
            f"the Hub refuses access; open {page}, log in, accept its conditions, and set the "
            f"environment variable HF_TOKEN to a token of that account"
        )
    if isinstance(said, RepositoryNotFoundError) or status == _UNAUTHORISED:
        return (
            f"there is no {page}, or it is private; compare the spelling, or set the environment "
            f"variable HF_TOKEN to a token that may read it"
        )
    if isinstance(said, RevisionNotFoundError):
        return f"it has no commit {revision}; {page}/commits/main lists them"
    return f"the Hub answers with status {status}; try again later"


@contextmanager
def _online() -> Iterator[None]:
    """Let the Hugging Face client use the network inside the block, and say nothing twice."""
    from huggingface_hub import constants

    logger = logging.getLogger("huggingface_hub")  # it has a handler of its own
    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    propagates, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logger.propagate = propagates
