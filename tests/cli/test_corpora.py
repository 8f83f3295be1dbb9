"""Commands that bring recordings and weights to the stages."""

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file

from ser.data.demo import release
from tests.pretrained import hub as hubs


@pytest.fixture
def emodb(tmp_path):
    """A folder with one recording, named as EmoDB names them."""
    wav = tmp_path / "corpora" / "emodb" / "wav" / "03a01Fa.wav"
    wav.parent.mkdir(parents=True)
    soundfile.write(wav, np.zeros(1600), 16000)
    return wav.parent.parent


def test_link_corpus_makes_a_link_and_counts(ser, project, emodb):
    status, out, _ = ser("link-corpus", "emodb", emodb)
    assert status == 0
    assert (project / "data/raw/emodb").readlink() == emodb
    assert "1 utterances" in out
    # There is no preset of that name here, so the hint must not send anyone to one.
    assert "corpus to {name: emodb}" in out


def test_link_corpus_names_the_preset_of_the_corpus_where_there_is_one(ser, project, emodb):
    (project / "configs").mkdir()
    (project / "configs/emodb.yaml").write_text("")
    assert "make use PRESET=emodb" in ser("link-corpus", "emodb", emodb)[1]


def test_link_corpus_takes_a_path_relative_to_where_it_is_called(ser, project, emodb):
    assert ser("link-corpus", "emodb", "../corpora/emodb")[0] == 0
    assert (project / "data/raw/emodb/wav/03a01Fa.wav").exists()


def test_link_corpus_replaces_an_old_link_and_says_so(ser, project, emodb):
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/emodb").symlink_to("/gone")
    status, out, _ = ser("link-corpus", "emodb", emodb)
    assert status == 0
    assert "pointed to /gone until now" in out
    assert (project / "data/raw/emodb").readlink() == emodb


def test_link_corpus_never_replaces_a_real_folder(ser, project, emodb):
    kept = project / "data/raw/emodb/mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    status, _, err = ser("link-corpus", "emodb", emodb)
    assert status == 1
    assert "real folder" in err
    assert kept.exists()


def test_link_corpus_refuses_a_folder_that_is_not_the_corpus(ser, project, tmp_path):
    assert ser("link-corpus", "emodb", tmp_path)[0] == 1
    assert ser("link-corpus", "emodb", tmp_path / "gone")[0] == 1
    assert not (project / "data").exists()


def test_link_corpus_lists_the_corpora_it_knows(ser, project, emodb):
    status, _, err = ser("link-corpus", "emodbb", emodb)
    assert status == 1
    assert "emodb, iemocap" in err


def test_demo_corpus_is_made_with_the_params_of_the_project(ser, project, monkeypatch):
    made = []
    monkeypatch.setattr(release, "generate", lambda root, params, **_: made.append((root, params)))
    assert ser("demo-corpus")[0] == 0
    (project / "params.yaml").write_text("corpus: {name: demo, seed: 5}\n")
    assert ser("demo-corpus", project / "there")[0] == 0
    (project / "params.yaml").write_text("corpus: {name: emodb}\n")
    assert ser("demo-corpus")[0] == 0
    (project / "params.yaml").write_text("corpus: {name: demo, seed: many}\n")
    status, _, err = ser("demo-corpus")
    assert status == 1
    assert "seed" in err
    assert [(root.name, params.seed) for root, params in made] == [
        ("demo", 0),
        ("there", 5),
        ("demo", 0),
    ]


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine, with an empty cache for what comes from it."""
    with hubs.serve() as served:
        hubs.connect(served.endpoint, tmp_path / "cache", monkeypatch)
        yield served


def test_download_weights_takes_up_a_broken_transfer_and_says_what_it_has(
    ser, project, hub, tmp_path
):
    published = tmp_path / "published"
    published.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (published / name).write_text("{}")
    save_file({"weight": np.zeros(1000)}, published / "model.safetensors")
    hub.put("org/tiny", COMMIT, published)
    hub.cuts["model.safetensors"] = [2_000]
    status, out, err = ser("download-weights", "org/tiny", "--revision", COMMIT)
    assert status == 0
    assert "HTTP Request" not in err
    folder = tmp_path / "cache" / "models--org--tiny" / "snapshots" / COMMIT
    names = "config.json, preprocessor_config.json, model.safetensors"
    assert out == f"org/tiny: {folder}: {names}\n"
    assert [start for name, start in hub.sent if name == "model.safetensors"] == [0, 2_000]
    assert (folder / "model.safetensors").read_bytes() == (
        published / "model.safetensors"
    ).read_bytes()


def test_download_weights_refuses_in_one_message(ser, project, hub):
    status, out, err = ser("download-weights", "org/tiny", "--revision", COMMIT)
    assert (status, out) == (1, "")
    assert f"there is no {hub.endpoint}/org/tiny, or it is private" in err
    assert "Traceback" not in err
    status, _, err = ser("download-weights", "org/tiny", "--revision", "main")
    assert status == 1
    assert "commit of 40 hex digits" in err
    assert ser("download-weights", "org/tiny")[0] == 2
