"""Embeddings in the plane."""

import numpy as np
import pytest

from ser.figures import embeddings
from ser.figures.embeddings import Embeddings
from tests.rounding import FORMULA

EMOTIONS = ("angry", "happy", "neutral", "sad")


def clusters(*, with_prototypes=False, scale=1.0):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 15)
    centres = 5 * np.eye(4, 8)
    vectors = scale * (centres[labels] + rng.normal(scale=0.2, size=(60, 8)))
    return Embeddings(
        vectors.astype(np.float32),
        labels,
        centres.astype(np.float32) if with_prototypes else None,
    )


def test_pca_keeps_the_two_directions_of_most_variance():
    given = clusters()
    points, has_prototypes = embeddings.plane(given, method="pca")
    centred = given.vectors - given.vectors.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), singular[:2], rtol=FORMULA)
    assert not has_prototypes


def test_tsne_keeps_the_classes_apart_and_gives_the_same_picture_again():
    first, _ = embeddings.plane(clusters(), method="tsne")
    again, _ = embeddings.plane(clusters(), method="tsne")
    np.testing.assert_array_equal(first, again)
    labels = clusters().labels
    centres = np.array([first[labels == label].mean(axis=0) for label in range(4)])
    nearest = np.linalg.norm(first[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, labels)


def test_prototypes_come_last_and_only_directions_count():
    points, has_prototypes = embeddings.plane(clusters(with_prototypes=True), method="pca")
    longer, _ = embeddings.plane(clusters(with_prototypes=True, scale=7.0), method="pca")
    assert has_prototypes
    assert points.shape == (64, 2)
    np.testing.assert_allclose(points, longer, atol=FORMULA)
    own = clusters().labels
    distances = np.linalg.norm(points[:60, None] - points[None, 60:], axis=2)
    assert (distances[np.arange(60), own] < 0.3).all()


def test_few_points_are_drawn_too():
    few = clusters()
    few = Embeddings(few.vectors[::12], few.labels[::12])
    assert embeddings.plane(few, method="tsne")[0].shape == (5, 2)


def test_of_many_utterances_some_are_drawn_always_the_same_and_the_title_says_so(monkeypatch):
    monkeypatch.setattr(embeddings, "MOST_DRAWN", 20)
    given = clusters(with_prototypes=True)
    fewer = embeddings.thinned(given)
    rows = [np.flatnonzero((given.vectors == one).all(axis=1))[0] for one in fewer.vectors]
    assert len(rows) == 20
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(fewer.labels, given.labels[rows])
    np.testing.assert_array_equal(fewer.vectors, embeddings.thinned(given).vectors)
    assert fewer.prototypes is given.prototypes
    figure = embeddings.embedding_maps({"aam": given}, EMOTIONS, title="test part", footer="")
    assert figure.get_suptitle() == "test part, 20 of its 60 utterances"
    drawn = [len(one.get_offsets()) for one in figure.axes[0].collections]
    assert sum(drawn) == 20 + len(EMOTIONS)  # and the prototypes


def test_of_few_utterances_all_are_drawn():
    given = clusters()
    assert embeddings.thinned(given) is given


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="pca or tsne, got 'umap'"):
        embeddings.plane(clusters(), method="umap")


def test_the_figure_has_a_column_per_loss_and_stars_for_prototypes():
    figure = embeddings.embedding_maps(
        {"cross_entropy": clusters(), "aam": clusters(with_prototypes=True)},
        EMOTIONS,
        title="lstm",
        footer="SYNTHETIC",
    )
    panels = figure.axes
    assert [axes.get_title() for axes in panels[:2]] == ["cross entropy", "aam"]
    assert [len(axes.collections) for axes in panels] == [4, 8, 4, 8]
    assert figure.get_supxlabel() == "SYNTHETIC"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(EMOTIONS)
