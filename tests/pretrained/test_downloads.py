"""Downloads from a small Hub on the loopback address; nothing leaves this machine."""

import errno
import json
import socket
import time

import httpx2
import pytest
from huggingface_hub import constants, file_download

from ser import runtime
from ser.errors import FullDiskError, WeightsError
from ser.pretrained import checkpoints, downloads
from tests.pretrained import hub as hubs
from tests.pretrained.support import write_as_published, write_sharded

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
ID = "facebook/hubert-tiny"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 377607901\n"


@pytest.fixture
def cache(tmp_path):
    """An empty Hugging Face cache."""
    return tmp_path / "cache"


@pytest.fixture
def hub(cache, monkeypatch):
    """A hub without any checkpoint, which the client takes for the real one."""
    with hubs.serve() as served:
        hubs.connect(served.endpoint, cache, monkeypatch)
        yield served


class NobodysError(Exception):
    """Related to no error that the client raises today."""


def refusal():
    with pytest.raises((WeightsError, FullDiskError)) as caught:
        downloads.download(ID, COMMIT)
    assert constants.HF_HUB_OFFLINE
    return str(caught.value)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_fetched_even_offline_and_only_what_is_needed(hub, cache, copied):
    (copied / "pytorch_model.bin").write_bytes(b"old")
    (copied / "tf_model.h5").write_bytes(b"other")
    (copied / "processor_config.json").write_text("{}")
    hub.put(ID, COMMIT, copied)
    folder = downloads.download(ID, COMMIT)
    assert names_in(folder) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "processor_config.json",
    ]
    assert folder == checkpoints.locate(ID, COMMIT)
    assert checkpoints.digest(folder) == checkpoints.digest(copied)
    assert constants.HF_HUB_OFFLINE
    hub.sent.clear()
    downloads.download(ID, COMMIT)
    assert hub.sent == []


def test_shards_are_fetched_with_their_index(hub, hubert, tmp_path):
    source = write_sharded(tmp_path / "sharded", hubert)
    (source / "pytorch_model.bin").write_bytes(b"old")
    hub.put(ID, COMMIT, source)
    folder = downloads.download(ID, COMMIT)
    assert names_in(folder) == [name for name in names_in(source) if name != "pytorch_model.bin"]
    assert checkpoints.digest(folder) == checkpoints.digest(source)


def test_the_older_format_is_fetched_where_there_is_no_other(hub, hubert, tmp_path):
    source = write_as_published(tmp_path / "published", hubert, "hubert")
    hub.put(ID, COMMIT, source)
    assert names_in(downloads.download(ID, COMMIT)) == names_in(source)


def test_a_transfer_that_breaks_goes_on_where_it_broke(hub, copied):
    size = (copied / "model.safetensors").stat().st_size
    assert size > 20_000
    hub.put(ID, COMMIT, copied)
    hub.cuts["model.safetensors"] = [5_500, 9_000]
    folder = downloads.download(ID, COMMIT)
    starts = [start for name, start in hub.sent if name == "model.safetensors"]
    assert starts == [0, 5_000, 14_000]  # whole chunks of 1000 bytes are kept
    assert (folder / "model.safetensors").read_bytes() == (
        copied / "model.safetensors"
    ).read_bytes()


def test_a_command_that_gave_up_fetches_no_file_twice(hub, copied):
    hub.put(ID, COMMIT, copied)
    hub.cuts["model.safetensors"] = [0] * 6
    message = refusal()
    assert f"{ID}@0123456789ab: cannot be downloaded: the connection to {hub.endpoint}" in message
    assert "run the same command again" in message
    with pytest.raises(WeightsError, match=r"missing model\.safetensors"):
        checkpoints.locate(ID, COMMIT)
    hub.sent.clear()
    downloads.download(ID, COMMIT)
    assert hub.sent == [("model.safetensors", 0)]


def test_a_damaged_file_in_the_cache_is_fetched_again(hub, copied):
    hub.put(ID, COMMIT, copied)
    folder = downloads.download(ID, COMMIT)
    whole = (folder / "model.safetensors").read_bytes()
    for damaged in (POINTER, whole[:-1], b""):
        (folder / "model.safetensors").resolve().write_bytes(damaged)
        with pytest.raises(WeightsError, match=f"`ser download-weights {ID} --revision {COMMIT}`"):
            checkpoints.locate(ID, COMMIT)
        hub.sent.clear()
        downloads.download(ID, COMMIT)
        assert (folder / "model.safetensors").read_bytes() == whole
        assert hub.sent == [("model.safetensors", 0)]


@pytest.mark.parametrize("content", [POINTER, b"", b"<!DOCTYPE html>\n<html>"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_what_was_published_damaged_is_refused(hub, copied, name, content):
    (copied / name).write_bytes(content)
    hub.put(ID, COMMIT, copied)
    message = refusal()
    assert f"{name}: it is " in message
    assert "take another revision or checkpoint" in message


def test_what_lacks_files_is_refused_by_their_names(hub, copied, hubert, tmp_path):
    hub.put(ID, COMMIT, copied, names=["config.json", "tf_model.h5"])
    assert "published without model.safetensors (or pytorch_model.bin)" in refusal()
    sharded = write_sharded(tmp_path / "sharded", hubert)
    lost = sorted(sharded.glob("model-00002-of-*"))[0].name
    hub.put(ID, OTHER, sharded, names=[name for name in names_in(sharded) if name != lost])
    with pytest.raises(WeightsError, match=f"published without {lost}"):
        downloads.download(ID, OTHER)


def test_an_unknown_name_and_an_unknown_commit_are_told_apart(hub, copied):
    assert f"there is no {hub.endpoint}/{ID}, or it is private" in refusal()
    hub.put(ID, OTHER, copied)
    message = refusal()
    assert f"it has no commit {COMMIT}" in message
    assert f"{hub.endpoint}/{ID}/commits/main" in message


def test_a_gated_checkpoint_says_how_to_get_access(hub, copied, monkeypatch):
    hub.put(ID, COMMIT, copied)
    hub.gated.add(ID)
    message = refusal()
    assert f"open {hub.endpoint}/{ID}, log in, accept its conditions" in message
    assert "HF_TOKEN" in message
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody")
    assert downloads.download(ID, COMMIT)


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "or it is private"), (403, "accept its conditions"), (503, "status 503; try again")],
)
def test_a_hub_that_refuses_is_named_with_the_cure(hub, status, said):
    hub.status = status
    assert said in refusal()


def test_no_network_is_one_message_at_once(cache, monkeypatch, capfd):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    hubs.connect(endpoint, cache, monkeypatch)
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    message = refusal()
    assert f"the connection to {endpoint} failed" in message
    assert "\n" not in message
    assert waits == []  # the client on its own tries six times
    assert capfd.readouterr() == ("", "")


def test_what_the_client_says_of_a_retry_is_not_said_again_by_the_program(hub, copied, caplog):
    hub.put(ID, COMMIT, copied)
    hub.status = 503
    assert "status 503" in refusal()
    assert [record for record in caplog.records if record.name.startswith("huggingface_hub")] == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left on the disk of"),
        (OSError(errno.ENOSPC, "No space left on device"), "HF_HOME"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/blobs"),
            "Permission denied: '/blobs'",
        ),
        (httpx2.ReadError("Connection reset by peer"), "broke off (Connection reset by peer)"),
        (OSError("Consistency check failed:\nretry"), "broke off (Consistency check failed:)"),
        (RuntimeError("storage"), "broke off (storage)"),
        (PermissionError(errno.EACCES, "Permission denied", "/blobs"), "HF_HOME"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "broke off ([Errno 104] reset)"),
        (NobodysError("of the client's next version"), "broke off (of the client's next version)"),
    ],
)
def test_what_ends_a_transfer_is_one_message(hub, copied, monkeypatch, error, said):
    hub.put(ID, COMMIT, copied)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(file_download, "http_get", fail)
    message = refusal()
    assert said in message
    assert "\n" not in message


def test_a_full_disk_keeps_its_cure_on_the_command_line(hub, copied, monkeypatch, capsys):
    hub.put(ID, COMMIT, copied)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)
    assert runtime.run_main(lambda: downloads.download(ID, COMMIT) and None) == runtime.FAILED
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert f"no space is left on the disk of {constants.HF_HUB_CACHE}; free some, or set" in line


def test_a_cache_that_may_not_be_written_to_is_known_before_the_hub_is_asked(
    hub, copied, cache, monkeypatch
):
    hub.put(ID, COMMIT, copied)
    hub.status = 503
    # Whoever runs the tests may write everywhere.
    monkeypatch.setattr(downloads.os, "access", lambda *_: False)
    assert f"{cache.parent} may not be written to; mend its rights, or set" in refusal()
    assert not cache.exists()


def test_a_fault_of_ours_is_none_of_the_hub_s(hub, copied, monkeypatch):
    hub.put(ID, COMMIT, copied)
    monkeypatch.setattr(downloads, "_is_damaged", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        downloads.download(ID, COMMIT)


def test_what_is_there_needs_no_hub(hub, copied):
    hub.put(ID, COMMIT, copied)
    folder = downloads.download(ID, COMMIT)
    hub.status = 503
    assert downloads.download(ID, COMMIT) == folder


def test_a_hub_out_of_reach_is_not_said_to_lack_what_the_cache_lacks(hub, cache, copied):
    """An older client leaves no list of what was published."""
    place = cache / f"models--{ID.replace('/', '--')}" / "snapshots" / COMMIT
    place.mkdir(parents=True)
    (place / "config.json").write_bytes((copied / "config.json").read_bytes())
    hub.status = 503
    message = refusal()
    assert f"{hub.endpoint} was not reached, and {place} lacks model.safetensors" in message


def test_a_damaged_file_that_cannot_be_fetched_again_is_one_message(hub, copied):
    hub.put(ID, COMMIT, copied)
    folder = downloads.download(ID, COMMIT)
    (folder / "model.safetensors").resolve().write_bytes(POINTER)
    hub.status = 503
    assert "the Hub answers with status 503" in refusal()


def test_a_name_that_the_hub_does_not_allow_is_one_message(hub):
    for find in (checkpoints.locate, downloads.download):
        with pytest.raises(WeightsError, match=r"org/a--b: no name .* \(Cannot have -- or"):
            find("org/a--b", COMMIT)


def test_an_index_that_leads_out_of_the_folder_is_refused(hub, hubert, tmp_path):
    source = write_sharded(tmp_path / "sharded", hubert)
    index = source / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["encoder.layer_norm.bias"] = "../../secret.safetensors"
    index.write_text(json.dumps(content))
    hub.put(ID, COMMIT, source)
    with pytest.raises(WeightsError, match="which is not beside it"):
        downloads.download(ID, COMMIT)
