import json

import pytest

from ser.data import leakage, splits
from ser.data.protocols import SplitParams
from ser.data.split_report import SplitReport
from tests import synthetic


@pytest.fixture
def report():
    utterances = synthetic.corpus()
    params = SplitParams(protocol="random")
    audited = leakage.audit(splits.split(utterances, params), utterances, "random")
    return synthetic.split_report(protocol="random", params=params, folds=audited)


def test_the_file_has_the_fields_as_keys_in_order(report, tmp_path):
    path = tmp_path / "split_report.json"
    report.write(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == json.dumps(content, indent=2) + "\n"
    assert list(content) == [
        "protocol", "speaker_independent", "params", "manifest_sha256", "split_sha256", "folds",
        "num_untested", "untested",
    ]  # fmt: skip
    fold = content["folds"][0]
    assert list(fold) == [
        "fold", "num_utterances", "duration_s", "counts", "speakers", "sessions", "shared",
        "left_out",
    ]  # fmt: skip
    assert list(fold["shared"]) == ["train-dev", "train-test", "dev-test"]
    shared = ["speaker", "dialogue", "session", "audio", "sentences"]
    assert list(fold["shared"]["train-test"]) == shared


def test_what_is_read_is_what_was_written(report, tmp_path):
    report.write(tmp_path / "split_report.json")
    assert SplitReport.read(tmp_path / "split_report.json") == report


def test_a_fold_is_found_by_its_number(report):
    assert report.fold(2).fold == 2
    with pytest.raises(KeyError):
        report.fold(9)
