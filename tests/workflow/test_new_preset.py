"""A new preset: complete, valid, from one place, and never over a file that is there."""

import re
import shutil

import pytest
import yaml

from ser import components
from ser.errors import FileError, ParamsError, UnknownComponentError
from ser.params import load_mapping, read
from ser.project import Project
from ser.workflow import needs_diagnosis, new_preset, preset_head
from ser.workflow.new_preset import Wanted
from ser.workflow.preset import Preset

CSV = Wanted("mine", "csv", ("lstm", "whisper"), ("cross_entropy", "focal"))


@pytest.fixture
def here(tmp_path, project):
    """A project with the presets alone."""
    shutil.copytree(project / "configs", tmp_path / "configs")
    return Project(tmp_path)


def write(here, wanted=CSV, **options):
    path = here.presets / f"{wanted.name}.yaml"
    return path, new_preset.write(wanted, path, project=here, **options)


def wanted(**changes):
    return Wanted(
        **{"name": "mine", "corpus": "csv", "models": ["lstm"], "losses": ["focal"]} | changes
    )


def test_every_model_is_trained_with_every_loss(here):
    path, preset = write(here)
    assert read(path, Preset) == preset
    assert list(preset.cells) == [
        *("lstm-cross_entropy", "lstm-focal", "whisper-cross_entropy", "whisper-focal"),
    ]
    assert (preset.corpus.name, preset.corpus.parser) == ("mine", "csv")
    assert list(preset.extracted) == ["mfcc", "whisper"]
    assert set(preset.losses) == {"cross_entropy", "focal"}
    assert set(load_mapping(path)) == set(Preset.model_fields)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("mine", "mine"),
        ("Help-line v2", "help_line_v2"),
        ("2024", "preset_2024"),
        ("é", "preset_"),
        ("emodb", "preset_emodb"),
    ],
)
def test_a_table_gets_a_name_of_its_own_and_other_corpora_keep_theirs(here, name, called):
    corpus = write(here, wanted(name=name), force=True)[1].corpus
    assert (corpus.name, corpus.parser, corpus.title) == (called, "csv", None)
    _, emodb = write(here, wanted(name="of-emodb", corpus="emodb"))
    assert emodb.corpus.name == "emodb"


def test_every_setting_is_that_of_a_preset_that_is_there(here, project):
    _, preset = write(here)
    origin = read(project / "configs" / f"{new_preset.SOURCES[0]}.yaml", Preset)
    for section in ("features", "models", "losses", "recipes", "extracted"):
        for name, entry in getattr(preset, section).items():
            assert entry == getattr(origin, section)[name], (section, name)
    assert preset.training == origin.training


def test_a_further_entry_begins_as_the_model_itself_and_reads_its_feature(here):
    models = ["whisper", "whisper__tuned", "lstm__wide"]
    path, preset = write(here, wanted(models=models, losses=["focal"], tuned=["lstm__wide-focal"]))
    assert list(preset.cells) == ["whisper-focal", "whisper__tuned-focal", "lstm__wide-focal"]
    assert preset.models["whisper__tuned"] == preset.models["whisper"]
    assert preset.recipes["whisper__tuned"] == preset.recipes["whisper"]
    assert preset.cells["whisper__tuned-focal"].feature == "whisper"
    assert list(preset.extracted) == ["mfcc", "whisper"]
    assert list(preset.models) == models
    assert list(preset.tuning.cells) == ["lstm__wide-focal"]
    assert list(load_mapping(path)["recipes"]) == models
    with pytest.raises(ParamsError, match="--models data2vec_audio__a: no preset has it"):
        write(here, wanted(models=["data2vec_audio__a"]), force=True)
    with pytest.raises(UnknownComponentError, match="write lstm__a_b"):
        write(here, wanted(models=["lstm__a-b"]), force=True)


def test_comments_come_along(here):
    text = write(here)[0].read_text("utf-8")
    assert "gamma: 2.0                # 0 is cross-entropy" in text
    assert "#   checkpoint: openai/whisper-base" in text


@pytest.mark.parametrize("corpus", components.names(components.CORPORA))
def test_every_corpus_model_and_loss_will_do(here, corpus):
    models, losses = (components.names(kind) for kind in (components.MODELS, components.LOSSES))
    models = [name for name in models if name != "data2vec_audio"]  # see below
    path, preset = write(here, wanted(corpus=corpus, models=models, losses=losses))
    assert len(preset.cells) == len(models) * len(losses)
    assert preset.synthetic_corpora == (("demo",) if corpus == "demo" else ())
    assert preset.synthetic_weights == {}
    head = preset_head.read(path)
    assert head.corpus == corpus
    assert head.weights == needs_diagnosis.weights_of(preset)
    assert {"facebook/wav2vec2-base", "whisper-tiny.en"} < set(head.weights)
    assert head.gpu


def test_the_head_asks_for_what_the_models_need(here):
    head = preset_head.read(write(here)[0])
    assert (head.gpu, head.weights, head.memory_gb) == (False, ("whisper-tiny.en",), 1.0)
    assert (head.takes, head.disk_gb) == ("unknown", None)


def test_the_first_line_and_the_width_are_those_of_a_preset(here):
    lines = write(here)[0].read_text("utf-8").splitlines()
    assert lines[0] == "# Preset mine: lstm, whisper on csv."
    assert [line for line in lines if len(line) > 100] == []


def test_seeds_replace_those_of_the_source(here):
    assert write(here, wanted(seeds=[4, 2]))[1].training.seeds == (4, 2)


def test_wrong_seeds_are_refused_before_anything_is_written(here):
    with pytest.raises(ParamsError, match="seeds must be distinct"):
        write(here, wanted(seeds=[1, 1]))
    assert not (here.presets / "mine.yaml").exists()


def test_tuned_cells_search_their_loss_or_the_learning_rate(here):
    chosen = wanted(
        losses=["cross_entropy", "focal", "aam"], tuned=["lstm-focal", "lstm-cross_entropy"]
    )
    tuning = write(here, chosen)[1].tuning
    assert {name: cell.search for name, cell in tuning.cells.items()} == {
        "lstm-focal": ("loss",),
        "lstm-cross_entropy": ("learning_rate",),
    }


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"corpus": "timit"}, UnknownComponentError, r"named 'timit'; there are: .*\bcsv\b"),
        ({"models": ["lstm", "gru"]}, UnknownComponentError, r"named 'gru'; there are: .*\blstm\b"),
        ({"losses": ["mse"]}, UnknownComponentError, r"named 'mse'; there are: .*\bfocal\b"),
        (
            {"tuned": ["lstm-aam"]},
            ParamsError,
            "lstm-aam: no such cell; the preset has: lstm-focal",
        ),
    ],
)
def test_unknown_names_are_refused_with_what_there_is(here, changes, error, message):
    with pytest.raises(error, match=message):
        write(here, wanted(**changes))


def test_a_file_that_is_there_is_replaced_only_by_force(here):
    path, _ = write(here)
    before = path.read_text("utf-8")
    with pytest.raises(FileError, match="--force"):
        write(here, wanted())
    assert path.read_text("utf-8") == before
    assert list(write(here, wanted(), force=True)[1].cells) == ["lstm-focal"]


@pytest.mark.parametrize("name", new_preset.SOURCES)
def test_a_source_is_not_replaced_even_by_force(here, name):
    with pytest.raises(FileError, match="take their entries from it"):
        write(here, wanted(name=name), force=True)


def test_a_model_without_a_preset_has_its_defaults_and_its_own_feature(here):
    path, preset = write(here, wanted(models=["wavlm"]))
    assert preset.cells["wavlm-focal"].feature == "wavlm"
    assert re.search(r"^  wavlm: \{\} +# its defaults", path.read_text("utf-8"), re.MULTILINE)
    _, random = write(here, wanted(name="other", models=["hubert"]))
    assert random.features["hubert"].checkpoint == "facebook/hubert-base-ls960"


def test_a_model_whose_checkpoint_nobody_names_is_refused_with_the_way_out(here):
    with pytest.raises(ParamsError, match=r"features\.data2vec_audio\.checkpoint has no default"):
        write(here, wanted(models=["data2vec_audio"]))


def test_random_weights_of_a_source_are_not_taken(here):
    path = here.presets / "iemocap.yaml"
    content = load_mapping(path)
    content["cells"] = {
        name: cell for name, cell in content["cells"].items() if cell["model"] != "hubert"
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    _, preset = write(here, wanted(models=["hubert"]))
    assert preset.features["hubert"].checkpoint == "facebook/hubert-base-ls960"
