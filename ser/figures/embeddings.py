"""What the losses make of the same utterances: embeddings of one fold in the plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from ser import components
from ser.figures import style

#: t-SNE asks for fewer neighbours than there are points.
_PERPLEXITY = 30.0

#: More points cover one another, and t-SNE takes minutes for them.
MOST_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embeddings of one fold's test part under one seed.

    Args:
        vectors: `(num_utterances, embedding_dim)`.
        labels: Class indices `(num_utterances,)`.
        prototypes: One per class `(num_classes, embedding_dim)`, of a cosine head; else None.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    prototypes: NDArray[np.float32] | None = None


def plane(embeddings: Embeddings, *, method: str) -> tuple[NDArray[np.float64], bool]:
    """Return the points in the plane, utterances first, then prototypes.

    A cosine head reads directions only, so its embeddings and prototypes are first
    brought to length one. t-SNE keeps neighbourhoods and no distances: what lies between
    two groups there means nothing.

    Args:
        embeddings: Of one fold.
        method: `pca` (the two directions of most variance) or `tsne`.

    Returns:
        Points `(num_utterances [+ num_classes], 2)`, and whether prototypes are among them.

    Raises:
        ValueError: Another method.

    Source:
        van der Maaten & Hinton (2008), "Visualizing Data using t-SNE", JMLR 9.
    """
    points = embeddings.vectors.astype(np.float64)
    prototypes = embeddings.prototypes
    if prototypes is not None:
        points = np.concatenate([points, prototypes.astype(np.float64)])
        points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    if method == "pca":
        drawn = PCA(n_components=2, svd_solver="full").fit_transform(points)
    elif method == "tsne":
        perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
        drawn = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(points)
    else:
        raise ValueError(f"method must be pca or tsne, got {method!r}")
    return drawn.astype(np.float64), prototypes is not None


def thinned(embeddings: Embeddings) -> Embeddings:
    """Return at most `MOST_DRAWN` of the utterances, drawn at random, the same each time."""
    num_utterances = len(embeddings.labels)
    if num_utterances <= MOST_DRAWN:
        return embeddings
    drawn = np.random.default_rng(0).choice(num_utterances, MOST_DRAWN, replace=False)
    rows = np.sort(drawn)
    return replace(embeddings, vectors=embeddings.vectors[rows], labels=embeddings.labels[rows])


def embedding_maps(
    of_loss: Mapping[str, Embeddings], emotions: Sequence[str], *, title: str, footer: str
) -> Figure:
    """Return one column per loss: PCA above, t-SNE below; stars are prototypes.

    Of more than `MOST_DRAWN` utterances so many are shown, and the title says so.

    Args:
        of_loss: Loss -> embeddings of the same fold.
        emotions: Class names in order.
        title: Above the figure.
        footer: Below it: corpus, protocol, synthetic or real.

    Returns:
        The figure.
    """
    num_utterances = max(len(embeddings.labels) for embeddings in of_loss.values())
    if num_utterances > MOST_DRAWN:
        title += f", {MOST_DRAWN} of its {num_utterances} utterances"
        of_loss = {loss: thinned(embeddings) for loss, embeddings in of_loss.items()}
    with mpl.rc_context(style.STYLE):
        size = max(2.5 * len(of_loss), 5.0), 5.9
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(2, len(of_loss), squeeze=False)
        for column, (loss, embeddings) in enumerate(of_loss.items()):
            for row, method in enumerate(("pca", "tsne")):
                axes = panels[row, column]
                points, has_prototypes = plane(embeddings, method=method)
                spoken = points[: len(embeddings.labels)]
                for index, emotion in enumerate(emotions):
                    chosen = spoken[embeddings.labels == index]
                    colour = style.PALETTE[index % len(style.PALETTE)]
                    axes.scatter(*chosen.T, s=9, color=colour, alpha=0.75, lw=0, label=emotion)
                    if has_prototypes:
                        place = points[len(spoken) + index]
                        axes.scatter(*place, s=170, marker="*", color=colour, ec="black", zorder=3)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(True)
                axes.spines[:].set_color("lightgrey")
                if row == 0:
                    axes.set_title(components.in_words(loss))
                if column == 0:
                    axes.set_ylabel({"pca": "PCA", "tsne": "t-SNE"}[method])
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, markerscale=2)
        style.label(figure, title, footer)
    return figure
