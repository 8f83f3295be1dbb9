import numpy as np
import pandas as pd
import pytest

from ser.evaluation import comparison, evidence
from ser.project import Project
from tests.evaluation.support import gathered


def test_everything_is_gathered_for_every_cell(tmp_path):
    found, grid, _ = gathered()
    assert len(found.calibration) == len(grid)
    assert set(zip(found.slices["model"], found.slices["loss"], strict=True)) == set(
        zip(grid["model"], grid["loss"], strict=True)
    )
    assert set(found.ranking.mean_ranks) == {"cross_entropy", "focal", "aam"}
    errors = found.pairs[found.pairs["family"].str.startswith("losses of")]["standard_error"]
    assert found.detectable == pytest.approx(
        comparison.detectable_difference(errors.median(), num_speakers=3)
    )
    evidence.write(Project(tmp_path), found)
    for name in ("pairs", "calibration", "slices", "published", "soft"):
        table = pd.read_csv(tmp_path / "reports" / f"{name}.csv")
        assert len(table) == len(getattr(found, name))
    assert found.gaps("lstm", "focal")["worst_speaker_uar"] <= 1


def test_best_loss_is_set_against_every_other_with_the_sign_of_its_lead():
    found, grid, summaries = gathered()
    for best in evidence.best_losses(grid, found.pairs):
        assert {best["loss"], *(other["loss"] for other in best["others"])} == {
            "cross_entropy", "focal", "aam",
        }  # fmt: skip
        for other in best["others"]:
            counts = [summaries[best["model"], x].by_seed for x in (best["loss"], other["loss"])]
            expected = comparison.compare(*counts)
            assert other["difference"] == pytest.approx(expected.difference)
            assert other["difference"] >= 0
            assert other["low"] <= other["difference"] <= other["high"]
            assert other["p_holm"] >= expected.p - 1e-9


def test_loss_that_a_model_lacks_is_not_ranked():
    _, _, summaries = gathered()
    del summaries["vggish", "aam"]
    assert evidence.rank_losses(summaries) is None  # two are left
    kept = evidence.rank_losses({c: s for c, s in summaries.items() if c[0] == "lstm"})
    assert set(kept.mean_ranks) == {"cross_entropy", "focal", "aam"}
    assert np.isclose(sum(kept.mean_ranks.values()), 1 + 2 + 3)


def test_one_cell_alone_has_no_pairs_and_no_ranking():
    found, grid, _ = gathered(losses=("focal",), models=("lstm",))
    assert found.pairs.empty
    assert found.ranking is None
    assert np.isnan(found.detectable)
    assert evidence.best_losses(grid, found.pairs)[0]["others"] == []
