"""Published checkpoints from the Hugging Face Hub into its local cache: the only way to fetch.

The client takes up a transfer that breaks where it broke, and fetches no complete file
twice. What came is then checked as every stage will check it.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ser import runtime
from ser.errors import FileError, FullDiskError, SerError, WeightsError, translating
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
        WeightsError: The name is wrong, the Hub cannot be reached or refuses, the cache may not
            be written to, or what was published cannot be used.
        FullDiskError: The cache's disk is full.
        FileError: A published file that should be JSON is none.
    """
    problem = checkpoints.problem_of(checkpoint, revision)
    if problem:
        raise WeightsError(problem)
    cached = checkpoints.cached_folder(checkpoint, revision)
    with _online():
        if not cached.is_dir():
            _require_writable(cached, checkpoint, revision)
            _require_reachable(checkpoint, revision)
        folder = _fetch_all(checkpoint, revision)
    _require_usable(folder, checkpoint, revision)
    return checkpoints.locate(checkpoint, revision)


def _require_writable(cached: Path, checkpoint: str, revision: str) -> None:
    """Refuse a cache that may not be written to, before anything is asked for."""
    above = next(place for place in cached.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise WeightsError(
            f"{checkpoints.title(checkpoint, revision)}: cannot be downloaded: {above} may not be "
            f"written to; {_cure_of_cache()}"
        )


def _require_reachable(checkpoint: str, revision: str) -> None:
    """Ask the Hub for anything, once: the client would try for half a minute before it fails.

    Raises:
        WeightsError: No answer; any answer will do.
    """
    from huggingface_hub import constants, get_session

    with translating(partial(_failed, checkpoint, revision)):
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

    fetch = partial(huggingface_hub.snapshot_download, checkpoint, revision=revision)
    # The client lets errors of HTTP through, of the disk, and of the storage behind the Hub.
    say = partial(_failed, checkpoint, revision)
    with translating(say):
        fetched = fetch(allow_patterns=list(names))
    folder = Path(fetched)
    damaged = [name for name in names if (folder / name).is_file() and _is_damaged(folder / name)]
    if damaged:
        with translating(say):
            fetch(allow_patterns=damaged, force_download=True)
    return folder


def _is_damaged(path: Path) -> bool:
    try:
        checkpoint_files.require_whole_file(path)
    except (FileError, WeightsError):
        return True
    return False


def _failed(checkpoint: str, revision: str, error: Exception) -> SerError:
    """Return what a failure of the client means."""
    from huggingface_hub import constants

    failed = f"{checkpoints.title(checkpoint, revision)}: cannot be downloaded"
    if runtime.disk_full(error):
        return FullDiskError(
            f"{failed}: no space is left on the disk of {constants.HF_HUB_CACHE}; free some, or "
            f"set the environment variable HF_HOME, here and for the stages, to a folder of "
            f"another disk, and run the same command again: it goes on where it ended"
        )
    return WeightsError(f"{failed}: {_reason(error, checkpoint, revision)}")


def _cure_of_cache() -> str:
    return (
        "mend its rights, or set the environment variable HF_HOME, here and for the stages, to a "
        "folder that may be written to"
    )


def _reason(error: Exception, checkpoint: str, revision: str) -> str:
    """Return why a download failed, and what to do, for people."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # Where the client found nothing in its cache either, it wraps what went wrong first.
    is_wrapped = isinstance(error, LocalEntryNotFoundError | ValueError)
    said = error.__cause__ if is_wrapped and error.__cause__ is not None else error
    if isinstance(said, HfHubHTTPError):
        return _refusal(said, f"{constants.ENDPOINT}/{checkpoint}", revision)
    is_of_network = isinstance(said, ConnectionError | TimeoutError)
    if isinstance(said, OSError) and said.errno and not is_of_network:
        return f"{said}; {_cure_of_cache()}"
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
