import dataclasses
from pathlib import Path

import pytest

from ser.data import manifest
from ser.errors import RegistryError
from ser.params import read
from ser.project import Project
from ser.promotion import champion, measuring
from ser.promotion.champion import ChampionLine
from ser.registry import model_files, versions
from ser.registry.bundle import FILE, Bundle
from ser.registry.versions import CHAMPION
from ser.workflow.preset import Preset
from tests.promotion.support import NAME, known_version

FOUR = ("angry", "happy", "neutral", "sad")


@pytest.fixture
def registry(trained):
    return versions.open_registry(Path())


@pytest.fixture
def version(trained):
    return known_version("lstm-aam")


@pytest.fixture
def listed(trained):
    """Replace the manifest, for one test."""
    path = Project().manifest
    before = path.read_bytes()
    yield lambda utterances: manifest.write(path, utterances)
    path.write_bytes(before)


def line(**corpus):
    return ChampionLine.of({"name": "csv", "emotions": FOUR, **corpus}, "session")


def test_the_line_of_params_is_the_registered_model(version):
    params = read(Path("params.yaml"), Preset)
    found = ChampionLine.of(params.corpus.model_dump(mode="json"), params.split.protocol)
    assert found == line()
    assert found.model == found.former == NAME == version.name
    titled = line(title="helpline", emotions=("angry", "sad"))
    assert titled.model == "ser-csv-helpline-2-angry-sad-session"
    assert titled.former == NAME


def test_a_line_that_only_its_former_name_has_is_named_with_the_way_on(version, registry):
    registry.promote(version, expected=registry.resolve(NAME, CHAMPION))
    assert champion.require(line(), registry, CHAMPION).number == version.number
    # The short name is also that of the four classes; this version says that it is of these.
    with pytest.raises(RegistryError, match="there is no champion; `ser register"):
        champion.require(line(title="helpline"), registry, CHAMPION)
    own = registry.client.get_model_version(NAME, str(version.number)).tags["ser.task"]
    registry.client.delete_model_version_tag(NAME, str(version.number), "ser.task")
    registry.client.delete_tag(version.run_id, "ser.task")
    with pytest.raises(RegistryError) as refused:
        champion.require(line(title="helpline"), registry, CHAMPION)
    registry.client.set_model_version_tag(NAME, str(version.number), "ser.task", own)
    registry.client.set_tag(version.run_id, "ser.task", own)
    assert f"model ser-csv-helpline-session: there is no champion; {NAME} has" in str(refused.value)
    assert "--model" in str(refused.value)
    with pytest.raises(RegistryError, match="`ser register <model>-<loss>` registers"):
        champion.require(line(name="emodb"), registry, CHAMPION)


def test_a_champion_of_other_classes_or_another_corpus_is_refused(version, registry, tmp_path):
    folder = model_files.fetch_bundle(version.source, registry.uri, tmp_path)
    bundle = Bundle.read(folder / FILE)
    champion.require_own(version, bundle, line())
    for other in (line(emotions=("angry", "sad")), line(title="helpline"), line(name="emodb")):
        with pytest.raises(RegistryError, match=rf"is of csv \(.*of {other.task}; ask it by name"):
            champion.require_own(version, bundle, other)


def known(version, registry):
    champion.require_known_recordings(version, registry, Project(), min_shared=0.5)


def test_a_champion_of_other_recordings_is_refused(version, registry, listed):
    utterances = manifest.read(Project().manifest)
    known(version, registry)
    listed(utterances[:-1])
    known(version, registry)
    listed(utterances[: len(utterances) // 4])  # a part of what it was tested on
    known(version, registry)
    listed([dataclasses.replace(one, sha256=one.sha256[::-1]) for one in utterances])
    with pytest.raises(RegistryError, match=r"0 of \d+ are the same.*corpus\.name"):
        known(version, registry)


def test_without_a_manifest_or_a_note_of_recordings_there_is_nothing_to_compare(
    version, registry, listed, monkeypatch
):
    utterances = manifest.read(Project().manifest)
    listed([dataclasses.replace(one, sha256=one.sha256[::-1]) for one in utterances])
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "recordings_of", lambda *_: None)
        known(version, registry)
    Project().manifest.unlink()
    known(version, registry)
