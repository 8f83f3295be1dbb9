"""How far an embedding lies from those of training, and how rare such a distance is.

One Gaussian per class with a covariance that all share; the distance of an embedding is the
Mahalanobis distance to the nearest class. Distances have no unit that a reader knows, so what is
said is their rank among distances of utterances that the Gaussians were not fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import save_file

from ser import arrays


@dataclass(frozen=True, slots=True)
class ClassGaussians:
    """Where the embeddings of each class lie.

    Args:
        means: Per class `(num_classes, embedding_dim)`, float64.
        whitening: `(embedding_dim, embedding_dim)`, float64: embeddings times it have
            covariance one within a class.
    """

    means: NDArray[np.float64]
    whitening: NDArray[np.float64]

    def distances(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Return the Mahalanobis distance to the nearest class, `(num_utterances,)`, at least 0.

        Args:
            embeddings: `(num_utterances, embedding_dim)`.

        Raises:
            ValueError: They have another number of dimensions.

        Source:
            Lee et al. (2018), arXiv:1807.03888, equation 2; here its negative's square root.
        """
        vectors = np.asarray(embeddings, dtype=np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != self.means.shape[1]:
            raise ValueError(
                f"embeddings have shape {vectors.shape}; expected (num_utterances, "
                f"{self.means.shape[1]})"
            )
        offsets = (vectors[:, None, :] - self.means) @ self.whitening  # (n, classes, dim)
        return np.asarray(np.linalg.norm(offsets, axis=2).min(axis=1))


def fit(embeddings: ArrayLike, labels: ArrayLike) -> ClassGaussians:
    """Return the mean of each class and the covariance within classes, shrunk.

    A few hundred utterances do not determine a covariance of a few hundred dimensions, so it
    is drawn towards a multiple of the identity, by as much as its own noise says.

    Args:
        embeddings: `(num_utterances, embedding_dim)`, of what was trained on.
        labels: Class indices `(num_utterances,)`; a class without utterances has no mean.

    Raises:
        ValueError: Shapes differ, there are fewer than two utterances, or all embeddings of
            every class are the same.

    Source:
        Lee et al. (2018), arXiv:1807.03888, equation 1; Ledoit and Wolf (2004),
        doi:10.1016/S0047-259X(03)00096-4, for the shrinkage.
    """
    # Only who registers a model fits; who serves it does without scikit-learn.
    from sklearn.covariance import ledoit_wolf

    vectors, ids = np.asarray(embeddings, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if vectors.ndim != 2 or ids.shape != vectors.shape[:1] or len(ids) < 2:
        raise ValueError(
            f"Gaussians need one row of embeddings per class index, at least two; got embeddings "
            f"{vectors.shape} and labels {ids.shape}"
        )
    classes, rows = np.unique(ids, return_inverse=True)
    means = np.stack([vectors[ids == label].mean(axis=0) for label in classes])
    covariance, _ = ledoit_wolf(vectors - means[rows], assume_centered=True)
    values, directions = np.linalg.eigh(covariance)
    if not values[-1] > 0:
        raise ValueError("all embeddings of every class are the same: there is no distance")
    # Unshrunk, where there are many utterances, a direction that no embedding uses has none.
    kept = np.maximum(values, values[-1] * np.finfo(np.float64).eps * len(values))
    return ClassGaussians(means, directions / np.sqrt(kept))


def held_out_distances(
    embeddings: ArrayLike, labels: ArrayLike, groups: Sequence[str], *, num_folds: int = 5
) -> NDArray[np.float64]:
    """Return the distance of each utterance from Gaussians that its group has no part in.

    Args:
        embeddings: `(num_utterances, embedding_dim)`.
        labels: Class indices `(num_utterances,)`.
        groups: Of each utterance, e.g. its speaker; a group is left out as a whole.
        num_folds: Groups are dealt into so many parts, or one each where there are fewer.

    Returns:
        `(num_utterances,)`, at least 0.

    Raises:
        ValueError: There is one group only, or see `fit`.
    """
    vectors, ids = np.asarray(embeddings, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    names, group_rows = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"to leave a group out takes two or more, got {len(names)}")
    part_of = group_rows % min(num_folds, len(names))
    distances = np.empty(len(vectors))
    for part in np.unique(part_of):
        is_out = part_of == part
        distances[is_out] = fit(vectors[~is_out], ids[~is_out]).distances(vectors[is_out])
    return distances


def familiarity(distances: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the share of reference utterances that are at least as far away.

    Precisely (1 + number at least as far) / (1 + number), the p-value of the hypothesis that
    an utterance is of the same kind as the reference: of such utterances a share of at most
    `a` has a familiarity of at most `a`, whatever the distances' distribution.

    Args:
        distances: `(num_utterances,)`.
        reference: Distances of utterances that the Gaussians were not fitted on.

    Returns:
        `(num_utterances,)` in (0, 1]: 0.5 is as usual, near 0 is further than all of them.

    Raises:
        ValueError: The reference is empty.

    Source:
        Bates et al. (2023), "Testing for outliers with conformal p-values", equation 3,
        arXiv:2104.08279.

    Example:
        >>> familiarity([0.5, 2.0, 9.0], [1.0, 2.0, 3.0]).tolist()
        [1.0, 0.75, 0.25]
    """
    ordered = np.sort(np.asarray(reference, dtype=np.float64))
    if not len(ordered):
        raise ValueError("familiarity needs at least one distance of reference")
    num_nearer = np.searchsorted(ordered, np.asarray(distances, dtype=np.float64), side="left")
    return np.asarray((1 + len(ordered) - num_nearer) / (1 + len(ordered)))


@dataclass(frozen=True, slots=True)
class Reference:
    """What a new embedding is compared with.

    Args:
        gaussians: Fitted on what the model was trained on.
        distances: Of held-out utterances `(num_utterances,)`, ascending, float64.
    """

    gaussians: ClassGaussians
    distances: NDArray[np.float64]

    def familiarity(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Return the familiarity of embeddings `(num_utterances, embedding_dim)`, in (0, 1]."""
        return familiarity(self.gaussians.distances(embeddings), self.distances)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        tensors = {
            "means": self.gaussians.means,
            "whitening": self.gaussians.whitening,
            "distances": np.sort(self.distances),
        }
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            FileError: It is missing or damaged.
        """
        tensors = arrays.read(path, "means", "whitening", "distances")
        gaussians = ClassGaussians(tensors["means"], tensors["whitening"])
        return cls(gaussians, tensors["distances"])
