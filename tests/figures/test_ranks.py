from ser.evaluation.ranks import Ranking
from ser.figures import ranks, style

FOOT = "corpus demo (SYNTHETIC speech), protocol session"


def test_diagram_names_losses_ranks_and_the_corpus(tmp_path):
    ranking = Ranking({"focal": 1.5, "cross_entropy": 2.0, "aam": 3.8}, 10, 0.02, 1.1)
    drawn = ranks.critical_difference(ranking, title="Losses over speakers", footer=FOOT)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert any("cross entropy  2.00" in text for text in texts)
    assert any("critical difference 1.10" in text for text in texts)
    assert drawn.get_supxlabel() == FOOT
    bars = [line for line in drawn.axes[0].lines if line.get_linewidth() == 4]
    assert len(bars) == 1
    png = style.save(drawn, tmp_path / "ranks")
    assert png.stat().st_size
    assert png.with_suffix(".svg").stat().st_size
