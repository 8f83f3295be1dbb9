from ser.figures import ratings
from tests.evaluation.rated import rated


def test_each_rated_dimension_is_a_panel_with_every_test_rating():
    frame, _ = rated(num_seeds=1)
    test = frame[frame["part"] == "test"]
    figure = ratings.scatter(test, ("valence", "dominance"), title="lstm", footer="corpus x")
    assert [axes.get_xlabel() for axes in figure.axes] == ["valence, raters", "dominance, raters"]
    dots = figure.axes[0].collections[0].get_offsets()
    assert dots[:, 0].tolist() == test["valence"].tolist()
    assert dots[:, 1].tolist() == test["predicted_valence"].tolist()
    assert figure.get_suptitle() == "lstm"
    assert figure.get_supxlabel() == "corpus x"
