"""Another preset's table under the data, as far as dvc.lock knows the table."""

import hashlib
import json

import pytest

from ser.errors import LineageError
from ser.project import Project
from ser.workflow.current_tables import require_tables


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.data.mkdir()
    made.manifest.write_text("a manifest\n")
    return made


def test_without_a_lock_nothing_is_known(project):
    require_tables(project)


@pytest.mark.parametrize("path", ["grid", "best", "soft", "robustness", "cross_corpus"])
def test_a_table_that_dvc_made_from_other_data_is_refused(project, path):
    path = f"reports/{path}.csv"
    table = project.root / path
    table.parent.mkdir(exist_ok=True)
    table.touch()

    def lock(manifest):
        made = {"path": path, "md5": md5(table)}
        read = {"path": "data/manifest.jsonl", "md5": manifest}
        stages = {"compare": {"cmd": "", "deps": [read], "outs": [made]}}
        project.lock.write_text(json.dumps({"stages": stages}))

    lock(md5(project.manifest))
    require_tables(project)
    lock("0" * 32)
    with pytest.raises(LineageError, match=rf"{path}: the stage compare .* data/manifest\.jsonl"):
        require_tables(project)
    # What dvc.lock does not know is compared by what it says alone.
    table.write_text(table.read_text() + "\n")
    require_tables(project)


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
