"""Commands that bring recordings and weights to the stages."""

import errno
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file

from ser.data.demo import release
from ser.data.downloads import sources, transfer
from tests.data.downloads.archives import EMODB, archive
from tests.data.downloads.server import Server, whole
from tests.pretrained import hub as hubs
from tests.recordings import write_corpus


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
    assert "ser new-preset --corpus emodb" in out
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


@pytest.fixture
def shipped(project, emodb):
    """The project with a copy of the corpus that ships, and the link that comes with it."""
    folder = project / "data/shipped/emodb"
    shutil.copytree(emodb, folder)
    (project / "data/raw").mkdir()
    (project / "data/raw/emodb").symlink_to("../shipped/emodb")
    return folder


def test_link_corpus_goes_to_one_s_own_copy_and_back(ser, project, emodb, shipped):
    link = project / "data/raw/emodb"
    status, out, _ = ser("link-corpus", "emodb", emodb)
    assert status == 0
    assert link.readlink() == emodb
    assert "pointed to ../shipped/emodb until now" in out
    back = "ser link-corpus emodb data/shipped/emodb"
    assert f"ships with the project: `{back}`" in out
    status, out, _ = ser(*back.split()[1:])
    assert status == 0
    assert link.readlink().as_posix() == "../shipped/emodb"
    assert "ships with the project" not in out
    assert "git" not in out
    assert sorted(path.name for path in link.parent.iterdir()) == ["emodb"]


def test_git_passes_over_the_changed_link_after_the_command_that_is_named(
    ser, project, emodb, shipped
):
    def git(*words):
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
        return done.stdout

    git("init", "--quiet")
    git("add", "data/raw/emodb")
    git("commit", "--quiet", "--message", "the link")
    _, out, _ = ser("link-corpus", "emodb", emodb)
    assert git("diff", "--name-only").split() == ["data/raw/emodb"]
    skip, back = re.findall("`git ([^`]*skip-worktree [^`]*)`", out)
    git(*skip.split())
    assert git("diff", "--name-only") == ""
    git(*back.split())
    assert git("diff", "--name-only").split() == ["data/raw/emodb"]


@pytest.mark.parametrize("said", ["data/shipped/emodb", "data/raw/emodb", "{root}/data/raw/emodb"])
def test_a_link_inside_the_project_survives_a_move(ser, project, shipped, said, monkeypatch):
    assert ser("link-corpus", "emodb", said.format(root=project))[0] == 0
    monkeypatch.chdir(project.parent)
    moved = project.rename(project.with_name("moved"))
    assert (moved / "data/raw/emodb/wav/03a01Fa.wav").is_file()


def test_a_link_is_absolute_where_data_lies_outside_the_project(ser, project, tmp_path, shipped):
    (project / "data/raw/emodb").unlink()
    (project / "data/raw").rmdir()
    (tmp_path / "disk").mkdir()
    (project / "data/raw").symlink_to(tmp_path / "disk")
    assert ser("link-corpus", "emodb", "data/shipped/emodb")[0] == 0
    assert (tmp_path / "disk/emodb").readlink() == shipped


def test_link_corpus_refuses_a_folder_that_has_recordings_twice(ser, project, shipped):
    (shipped / "flac").mkdir()
    (shipped / "flac/03a01Fa.flac").touch()
    status, _, err = ser("link-corpus", "emodb", shipped)
    assert status == 1
    assert "1 recordings are there more than once" in err
    assert ser("link-corpus", "emodb", shipped / "wav")[0] == 0
    assert (project / "data/raw/emodb").readlink().as_posix() == "../shipped/emodb/wav"


def test_link_corpus_has_nothing_to_say_of_a_link_that_is_right_already(ser, project, emodb):
    ser("link-corpus", "emodb", emodb)
    status, out, _ = ser("link-corpus", "emodb", emodb)
    assert status == 0
    assert "until now" not in out


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


@pytest.mark.parametrize(
    "command", [("link-corpus", "emodb", "../corpora/emodb"), ("download-corpus", "emodb")]
)
def test_a_place_that_cannot_be_written_to_is_known_before_the_work(
    ser, project, emodb, publisher, monkeypatch, command
):
    # Whoever runs the tests may write everywhere.
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    status, out, err = ser(*command)
    assert (status, out) == (1, "")
    assert err == (f"error: data/raw/emodb: {project} may not be written to; name another place\n")
    assert list(project.iterdir()) == []


def test_a_full_disk_leaves_the_link_that_was_there(ser, project, emodb, monkeypatch):
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/emodb").symlink_to("/gone")

    def full(path, target, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(target), None, str(path))

    monkeypatch.setattr(Path, "symlink_to", full)
    status, _, err = ser("link-corpus", "emodb", emodb)
    assert status == 1
    assert "the disk is full ([Errno 28] No space left on device: 'data/raw/emodb')" in err
    assert [path.readlink() for path in (project / "data/raw").iterdir()] == [Path("/gone")]


def test_link_corpus_reads_a_table_as_the_params_say(ser, project, tmp_path):
    table = tmp_path / "calls"
    table.mkdir()
    rows = [f"{name}.wav,{label},s{name}" for name, label in (("a", "proud"), ("b", "calm"))]
    (table / "utterances.csv").write_text("\n".join(["path,label,speaker", *rows]))
    for name in "ab":
        (table / f"{name}.wav").touch()
    params = "corpus: {name: calls, parser: csv, num_sessions: 2, emotions: [%s, calm]}\n"
    (project / "params.yaml").write_text(params % "bored")
    status, _, err = ser("link-corpus", "calls", table)
    assert status == 1
    assert "['proud'] are neither in corpus.emotions" in err
    (project / "params.yaml").write_text(params % "proud")
    status, out, _ = ser("link-corpus", "calls", table)
    assert status == 0
    assert "next: `make repro`" in out


def test_another_corpus_than_that_of_the_params_is_said_to_be_read_with_its_defaults(
    ser, project, tmp_path
):
    folder = tmp_path / "cremad"
    (folder / "AudioWAV").mkdir(parents=True)
    (folder / "AudioWAV" / "1001_DFA_ANG_XX.wav").touch()  # and no table of the actors
    status, _, err = ser("link-corpus", "cremad", folder)
    assert status == 1
    assert "so cremad was read with its defaults: if a preset of yours" in err


def test_two_tables_never_share_a_link(ser, project, tmp_path):
    tables = {}
    for name in ("calls", "visits"):
        tables[name] = tmp_path / name
        write_corpus(tables[name])
    status, _, err = ser("link-corpus", "calls", tables["calls"])
    assert status == 1
    assert "params.yaml first: below corpus, `name: calls` and `parser: csv`" in err

    for name, folder in tables.items():
        (project / "params.yaml").write_text(f"corpus: {{name: {name}, parser: csv}}\n")
        assert ser("link-corpus", name, folder)[0] == 0
    for name, folder in tables.items():
        assert (project / "data" / "raw" / name).resolve() == folder.resolve()


def test_a_table_without_a_name_gets_no_link_and_keeps_one_that_it_has(ser, project, tmp_path):
    write_corpus(tmp_path / "calls")
    write_corpus(tmp_path / "visits")
    (project / "params.yaml").write_text("corpus: {name: csv}\n")
    status, _, err = ser("link-corpus", "csv", tmp_path / "calls")
    link = project / "data" / "raw" / "csv"
    assert (status, link.exists()) == (1, False)
    assert "two tables of that name would share link, experiments and models" in err
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "calls")
    assert ser("link-corpus", "csv", tmp_path / "calls")[0] == 0
    assert ser("link-corpus", "csv", tmp_path / "visits")[0] == 1
    assert link.resolve() == (tmp_path / "calls").resolve()


def test_link_corpus_lists_the_corpora_it_knows(ser, project, emodb):
    status, _, err = ser("link-corpus", "emodbb", emodb)
    assert status == 1
    assert "emodb, iemocap" in err


@pytest.fixture
def publisher(monkeypatch):
    """A server on the loopback address in the place of the publisher of EmoDB."""
    server = Server(content=EMODB)
    stop = server.begin()
    published = sources.PublishedArchive(server.url, "archive.zip", "http://the.page", "40 kB")
    monkeypatch.setattr(sources, "ARCHIVES", {"emodb": published})
    monkeypatch.setattr(transfer, "PAUSES_S", ())
    monkeypatch.setenv("NO_PROXY", "*")
    yield server
    stop()


def test_download_corpus_shows_the_terms_fetches_and_links(ser, project, publisher):
    status, out, _ = ser("download-corpus", "emodb")
    assert status == 0
    link = (project / "data/raw/emodb").readlink().as_posix()
    assert link == "../downloads/emodb/unpacked"
    assert (project / "data/raw/emodb/wav/03a01Fa.wav").is_file()
    for words in ("licence: CC0-1.0", "cite:    Burkhardt", "http://the.page", "40 kB to fetch"):
        assert words in out
    assert f"data/raw/emodb -> {link}: 3 utterances\nnext: " in out
    assert "`git add -f data/raw/emodb`" in out


def test_download_corpus_has_nothing_to_do_the_second_time_and_says_so(ser, project, publisher):
    ser("download-corpus", "emodb")
    status, out, err = ser("download-corpus", "emodb")
    assert status == 0
    expected = "data/raw/emodb -> data/downloads/emodb/unpacked: everything is there already\n"
    assert (out, err) == (expected, "")
    assert len(publisher.asked) == 1


def test_download_corpus_replaces_a_link_that_leads_elsewhere(ser, project, publisher, emodb):
    ser("link-corpus", "emodb", emodb)
    out = ser("download-corpus", "emodb", "--to", "there/emodb")[1]
    assert f"pointed to {emodb} until now" in out
    assert (project / "data/raw/emodb").resolve() == project / "there/emodb/unpacked"
    ser("link-corpus", "emodb", emodb)
    assert (
        f"pointed to {emodb} until now" in ser("download-corpus", "emodb", "--to", "there/emodb")[1]
    )
    assert len(publisher.asked) == 1


def test_download_corpus_asks_nobody_where_a_real_folder_is_in_the_way(ser, project, publisher):
    kept = project / "data/raw/emodb/mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    status, _, err = ser("download-corpus", "emodb")
    assert status == 1
    assert "real folder" in err
    assert publisher.asked == []
    assert kept.exists()


def test_download_corpus_fails_with_one_message_and_goes_on_later(ser, project, publisher):
    publisher.script.append(whole(stop_at=20_000))
    status, _, err = ser("download-corpus", "emodb")
    assert status == 1
    assert err.startswith(f"error: {publisher.url}: the connection ended before the file did; ")
    assert err.endswith("run `ser link-corpus emodb PATH`\n")
    assert not (project / "data/raw").exists()
    assert ser("download-corpus", "emodb")[0] == 0


def test_download_corpus_links_nothing_that_is_not_the_corpus(ser, project, publisher):
    publisher.content = archive([("readme.txt", b"moved")])
    status, _, err = ser("download-corpus", "emodb")
    assert status == 1
    assert "is not this corpus: expected recordings named" in err
    assert not (project / "data/raw").exists()


@pytest.mark.parametrize("digest", ["abc", "g" * 64, "0" * 63])
def test_download_corpus_takes_no_half_digest(ser, project, publisher, digest):
    assert ser("download-corpus", "emodb", "--sha256", digest)[0] == 2
    assert publisher.asked == []


def test_download_corpus_takes_a_digest_in_any_case(ser, project, publisher):
    digest = hashlib.sha256(EMODB).hexdigest()
    assert ser("download-corpus", "emodb", "--sha256", "A" * 64)[0] == 1
    assert ser("download-corpus", "emodb", "--sha256", digest.upper())[0] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cremad", "`git clone --depth 1 -c 'lfs.fetchinclude=AudioWAV/*' https://github.com/"),
        ("iemocap", "https://sail.usc.edu/iemocap/iemocap_release.htm"),
        ("emodbb", "there are: emodb, ravdess"),
    ],
)
def test_download_corpus_says_how_to_get_what_it_cannot_fetch(ser, project, name, words):
    status, out, err = ser("download-corpus", name)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {name}: ")
    assert words in err
    assert list(project.iterdir()) == []


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
