import pandas as pd
import pytest

from ser.evaluation import published
from tests import synthetic

IEMOCAP = synthetic.card(name="iemocap", synthetic=False)
SESSION, RANDOM = (synthetic.split_report(protocol=name) for name in ("session", "random"))


def grid():
    cells = [(model, "cross_entropy") for model in ("lstm", "hubert", "wav2vec2")]
    cells.append(("vggish", "aam"))
    scores = {"uar": 0.6, "uar_low": 0.5, "uar_high": 0.7, "wa": 0.61, "wa_low": 0.51}
    return pd.DataFrame(
        [{"model": m, "loss": loss, **scores, "wa_high": 0.71} for m, loss in cells]
    )


def test_facts_hold_the_study_s_twenty_cells_and_their_validity():
    facts = published.facts()
    study = facts[facts["system"] == "study"]
    assert len(study) == 20
    assert study.duplicated(["model", "loss"]).sum() == 0
    assert set(facts["validity"]) == {"valid", "doubtful", "invalid"}
    # The HuBERT row tells scripted from improvised: none of it is emotion.
    assert set(study[study["model"] == "hubert"]["validity"]) == {"invalid"}
    assert facts["published"].between(0, 1).all()
    assert facts[["source", "split", "selection", "reason"]].notna().all(axis=None)


def test_under_the_session_protocol_only_speaker_independent_numbers_stand_beside_ours():
    table = published.table(grid(), IEMOCAP, SESSION)
    assert list(table.columns) == list(published.COLUMNS)
    compared = table[table["comparable"]]
    assert set(compared["protocol"]) == {"session"}
    assert set(compared["model"]) == {"wav2vec2", "hubert"}
    uar = compared[compared["metric"] == "uar"].iloc[0]
    assert (uar["ours"], uar["ours_low"], uar["ours_high"]) == (0.6, 0.5, 0.7)
    wa = compared[compared["metric"] == "wa"].iloc[0]
    assert (wa["ours"], wa["ours_low"], wa["ours_high"]) == (0.61, 0.51, 0.71)
    assert table[~table["comparable"]]["ours"].isna().all()
    assert "of the same task and protocol" in published.statement(table)


def test_under_the_study_s_own_protocol_its_valid_cells_are_compared_and_hubert_is_not():
    table = published.table(grid(), IEMOCAP, RANDOM).query("system == 'study'")
    compared = table[table["comparable"]]
    assert compared[["model", "loss"]].to_numpy().tolist() == [
        ["lstm", "cross_entropy"],
        ["wav2vec2", "cross_entropy"],
    ]
    hubert = table[(table["model"] == "hubert") & (table["loss"] == "cross_entropy")].iloc[0]
    assert "scripted" in hubert["why_not"]
    # Four classes and the same split, and yet it was scored through an untrained layer.
    aam = table[(table["model"] == "vggish") & (table["loss"] == "aam")].iloc[0]
    assert not aam["comparable"]
    assert "never trained" in aam["why_not"]
    focal = table[(table["model"] == "lstm") & (table["loss"] == "focal")].iloc[0]
    assert focal["why_not"] == "not trained here"


@pytest.mark.parametrize("changed", [{"name": "emodb"}, {"synthetic": True}])
def test_on_other_corpora_nothing_is_comparable(changed):
    card = IEMOCAP.model_copy(update=changed)
    table = published.table(grid(), card, SESSION)
    assert not table["comparable"].any()
    assert not published.speaks_of(card, table)
    assert published.speaks_of(IEMOCAP, table)


def test_other_number_of_classes_is_another_task():
    table = published.table(
        grid(), IEMOCAP.model_copy(update={"emotions": ("angry", "happy")}), SESSION
    )
    assert not table["comparable"].any()
