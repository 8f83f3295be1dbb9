import pytest

from ser import plain_yaml
from ser.errors import ParamsError
from ser.params import parse
from ser.workflow.preset import Preset
from tests.workflow.support import GOOD, check


def test_sections_may_be_empty_and_then_have_their_defaults():
    found = check()
    assert found.launcher == "python -m"
    assert found.synthetic_corpora == ()
    assert found.synthetic_weights == {}
    assert found.extracted["mfcc"].weights == "none"
    assert found.corpus.name == "emodb"
    assert found.split.protocol == "session"
    assert found.models["lstm"].pooling == "stats"
    assert found.cells["lstm-cross_entropy"].feature == "mfcc"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"lstm": {}, "wrong": {}}}, "no model is named 'wrong'"),
        ({"trainings": {}}, "trainings: there is no such key; did you mean 'training'?"),
        ({"recipes": {"other": {}}}, "cells.lstm-cross_entropy: there is no recipes.lstm"),
        ({"models": {}}, "cells.lstm-cross_entropy: there is no models.lstm"),
        ({"losses": {}}, "cells.lstm-cross_entropy: there is no losses.cross_entropy"),
        (
            {"extracted": {"mel": {"weights": "none"}}},
            "extracted names 'mel', but there is no features.mel",
        ),
        ({"extracted": {"mel": {"weights": "none"}}}, "its feature 'mfcc' is not extracted"),
        ({"cells": {"best": GOOD["cells"]["lstm-cross_entropy"]}}, "must be lstm-cross_entropy"),
        ({"extracted": {}}, "extracted: Dictionary should have at least 1 item"),
        ({"baselines": {"feature": "logmel"}}, "baselines.feature 'logmel' is not extracted"),
        ({"cells": {}}, "cells: Dictionary should have at least 1 item"),
        ({"launcher": ""}, "launcher: String should have at least 1 character"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ParamsError) as caught:
        check(**changes)
    assert message in str(caught.value)


def test_a_loss_without_a_form_for_votes_is_refused_beside_soft_targets():
    aam = {"model": "lstm", "loss": "aam", "feature": "mfcc"}
    both = {
        "losses": {"cross_entropy": {}, "aam": {}},
        "cells": {"lstm-aam": aam, **GOOD["cells"]},
    }
    assert check(training={"targets": "soft"}).training.targets == "soft"
    assert "lstm-aam" in check(**both).cells
    with pytest.raises(ParamsError) as caught:
        check(training={"targets": "soft"}, **both)
    assert "training.targets: soft has no meaning for the loss aam" in str(caught.value)
    assert "loss cross_entropy" not in str(caught.value)


def test_all_that_is_missing_for_a_cell_is_said_at_once():
    with pytest.raises(ParamsError) as caught:
        check(models={}, losses={}, recipes={})
    for section in ("models.lstm", "losses.cross_entropy", "recipes.lstm"):
        assert f"there is no {section}" in str(caught.value)


TUNED = {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}


@pytest.mark.parametrize(
    ("section", "cure"),
    [
        ("synthetic_corpora", "synthetic_corpora: []"),
        ("synthetic_weights", "synthetic_weights: {}"),
        ("tuning", "tuning: {cells: {}}"),
        ("robustness", "robustness: {without_copies: {}}"),
        ("cross_corpus", "cross_corpus: {corpora: {}, cells: {}}"),
    ],
)
def test_what_dvc_reads_is_required_with_what_to_write(section, cure):
    content = {key: value for key, value in GOOD.items() if key != section}
    with pytest.raises(ParamsError, match=r"dvc\.yaml reads it") as refused:
        parse(content, Preset, where="params.yaml")
    assert f"write `{cure}`" in str(refused.value)
    name, value = cure.split(": ", 1)
    parse({**content, name: plain_yaml.load(value)}, Preset, where="params.yaml")


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("tuning", "cells"),
        ("robustness", "without_copies"),
        ("cross_corpus", "corpora"),
        ("cross_corpus", "cells"),
    ],
)
def test_what_dvc_reads_in_a_section_is_required_there(section, key):
    with pytest.raises(ParamsError, match=rf"{section}\.{key} is missing, dvc.yaml reads it"):
        check(**{section: {}})


def test_the_weights_of_a_feature_are_required_for_dvc_reads_them():
    with pytest.raises(
        ParamsError, match=r"mfcc\.weights: .*dvc.yaml reads it; write `weights: none`"
    ):
        check(extracted={"mfcc": {}})


@pytest.mark.parametrize("name", ["a.b", "a/b", "../x", "${x}", "é", "", "a b"])
def test_a_name_that_dvc_or_the_disk_would_take_apart_is_refused(name):
    with pytest.raises(ParamsError, match="letters, digits, _ and - alone"):
        check(synthetic_weights={name: {"architecture": "hubert"}})
    with pytest.raises(ParamsError, match=r"extracted\.mfcc\.weights"):
        check(extracted={"mfcc": {"weights": f"/{name}"}})


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("models", {"lstm": {"hidden_size": 10**9}}),
        ("models", {"lstm": {"embedding_dim": 10**9}}),
        ("recipes", {"lstm": {"num_epochs": 10**9}}),
        ("recipes", {"lstm": {"batch_size": 10**9}}),
        ("training", {"num_threads": 10**9}),
        ("training", {"seeds": [2**32]}),
        ("split", {"seed": 2**32}),
        ("synthetic_weights", {"x": {"architecture": "hubert", "hidden_size": 10**9}}),
    ],
)
def test_what_no_machine_holds_is_refused(section, entry):
    with pytest.raises(ParamsError, match="should be less than"):
        check(**{section: entry})


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"lstm-focal": TUNED}, r"tuning\.cells\.lstm-focal: there is no cells\.lstm-focal"),
        (
            {"lstm-cross_entropy": {**TUNED, "feature": "logmel"}},
            r"model, loss and feature must be those of cells\.lstm-cross_entropy",
        ),
    ],
)
def test_a_tuned_cell_must_be_one_of_the_cells(cells, message):
    with pytest.raises(ParamsError, match=message):
        check(tuning={"cells": cells})


COPIED = {
    "recipes": {"lstm": {"copies": {"clean": 0.5, "speed_0.9": 0.5}}},
    "features": {"mfcc": {"copies": ["clean", "speed_0.9"]}},
}


def test_a_cell_without_copies_must_be_one_of_the_cells_and_have_some_to_leave_out():
    def twin(name="lstm-cross_entropy", **changes):
        return {"without_copies": {name: {**TUNED, **changes}}}

    assert list(check(**COPIED, robustness=twin()).robustness.without_copies) == [
        "lstm-cross_entropy"
    ]
    where = r"robustness\.without_copies\."
    with pytest.raises(ParamsError, match=where + r"lstm-aam: there is no cells\.lstm-aam"):
        check(**COPIED, robustness=twin("lstm-aam"))
    with pytest.raises(ParamsError, match=where + "lstm-cross_entropy: model, loss and feature"):
        check(**COPIED, robustness=twin(feature="logmel"))
    with pytest.raises(ParamsError, match=where + r"lstm-cross_entropy: recipes\.lstm\.copies is"):
        check(robustness=twin())


def test_cells_across_corpora_must_be_cells_and_have_another_corpus():
    cells, demo = {"lstm-cross_entropy": TUNED}, {"demo": {"name": "demo"}}
    found = check(cross_corpus={"corpora": demo, "cells": cells}).cross_corpus
    assert found.corpora["demo"].utterances_per_session == 84
    assert found.normalisation == "recipe"
    for section, message in (
        ({"corpora": {}, "cells": cells}, "cross_corpus.corpora no corpus to test on"),
        ({"corpora": demo, "cells": {"lstm-aam": TUNED}}, "there is no cells.lstm-aam"),
        ({"corpora": {"emodb": {"name": "emodb"}}, "cells": {}}, "the section corpus' own"),
        ({"corpora": {"a-b": {"name": "demo"}}, "cells": {}}, "letters, digits and _ alone"),
        ({"corpora": {"x": {"name": "nobody"}}, "cells": {}}, "named 'nobody'"),
    ):
        with pytest.raises(ParamsError) as refused:
            check(cross_corpus=section)
        assert message in str(refused.value)


def test_shares_of_copies_that_are_not_extracted_are_refused_once_with_the_cure():
    shares = {"clean": 0.5, "speed_0.9": 0.5}
    cells = {
        f"lstm-{loss}": {"model": "lstm", "loss": loss, "feature": "mfcc"}
        for loss in ("cross_entropy", "focal")
    }
    changes = {
        "losses": {"cross_entropy": {}, "focal": {}},
        "cells": cells,
        "recipes": {"lstm": {"copies": shares}},
    }
    with pytest.raises(ParamsError) as refused:
        check(**changes)
    message = (
        "recipes.lstm.copies draws from 'speed_0.9', but features.mfcc.copies has: clean; write "
        "it there too, or give its share to another"
    )
    assert str(refused.value).count(message) == 1
    found = check(**changes, features={"mfcc": {"copies": ["clean", "speed_0.9"]}})
    assert found.recipes["lstm"].copies == shares


def test_an_unknown_copy_of_a_feature_is_refused_with_what_there_is():
    with pytest.raises(ParamsError, match=r"mfcc\.copies: no copy is named 'echo'; there are: cle"):
        check(features={"mfcc": {"copies": ["clean", "echo"]}})


@pytest.mark.parametrize("protocol", ["session", "speaker", "superb", "random"])
def test_babble_is_refused_under_protocols_that_deal_the_utterances_of_a_session(protocol):
    changes = {
        "split": {"protocol": protocol},
        "features": {"mfcc": {"copies": ["clean", "babble_10db"]}},
        "recipes": {"lstm": {"copies": {"clean": 0.5, "babble_10db": 0.5}}},
    }
    if protocol in ("session", "speaker"):
        check(**changes)
    else:
        with pytest.raises(ParamsError, match=rf"'babble_10db', which would mix .*{protocol}; "):
            check(**changes)


RATED = {"corpus": {"name": "demo", "emotions": []}}
CCC = {
    "losses": {"ccc": {"targets": "ratings"}},
    "cells": {"lstm-ccc": {"model": "lstm", "loss": "ccc", "feature": "mfcc"}},
}


def test_a_corpus_without_classes_takes_the_loss_that_learns_none():
    assert check(**RATED, **CCC).corpus.emotions == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (RATED, "losses.cross_entropy learns classes, and corpus.emotions is empty; without"),
        (CCC, "losses.ccc.targets: ratings learns no classes, and corpus.emotions has 4; write"),
        (
            {**RATED, **CCC, "tuning": {"cells": {"lstm-ccc": CCC["cells"]["lstm-ccc"]}}},
            "tuning.cells: not supported without classes (corpus.emotions); write `{}`",
        ),
    ],
)
def test_what_asks_for_classes_that_are_not_there_is_refused(changes, message):
    with pytest.raises(ParamsError) as caught:
        check(**changes)
    assert message in str(caught.value)


CELL = {"model": "lstm__wide", "loss": "focal__hard", "feature": "mfcc__fine"}
ENTRIES = {
    "features": {"mfcc": {}, "mfcc__fine": {"hop_ms": 5.0}},
    "models": {"lstm": {}, "lstm__wide": {"hidden_size": 128}},
    "losses": {"cross_entropy": {}, "focal__hard": {"gamma": 4.0}},
    "recipes": {"lstm": {}, "lstm__wide": {"num_epochs": 3}},
    "extracted": {"mfcc": {"weights": "none"}, "mfcc__fine": {"weights": "none"}},
    "cells": {**GOOD["cells"], "lstm__wide-focal__hard": CELL},
}


def test_a_component_may_have_several_entries_each_with_its_params_and_recipe():
    found = check(**ENTRIES)
    assert found.models["lstm__wide"].hidden_size == 128
    assert found.features["mfcc__fine"].hop_ms == 5.0
    assert found.losses["focal__hard"].gamma == 4.0
    assert found.models["lstm"].hidden_size != 128
    with pytest.raises(ParamsError, match=r"models\.lstm__wide\.width: there is no such key"):
        check(**{**ENTRIES, "models": {"lstm": {}, "lstm__wide": {"width": 1}}})
    with pytest.raises(ParamsError, match=r"there is no recipes\.lstm__wide"):
        check(**{**ENTRIES, "recipes": {"lstm": {}}})
    with pytest.raises(ParamsError, match=r"models\.lstm__a-b: .*write lstm__a_b"):
        check(models={"lstm": {}, "lstm__a-b": {}})


def test_one_feature_under_two_names_is_refused_for_it_would_be_stored_twice():
    default = {"hop_ms": check().features["mfcc"].hop_ms}
    with pytest.raises(ParamsError) as caught:
        check(**{**ENTRIES, "features": {"mfcc": {}, "mfcc__fine": default}})
    assert "features.mfcc__fine has all settings of features.mfcc" in str(caught.value)
    assert "name mfcc in the cells that read mfcc__fine" in str(caught.value)
    # The same settings of two extractors are two features.
    assert check(features={"mfcc": {}, "logmel": {}}).features.keys() == {"mfcc", "logmel"}
