from ser.project import Project
from ser.workflow import used_folds


def test_the_folds_that_are_used_are_those_that_were_trained(trained):
    project = Project()
    assert used_folds.keys(project) == {path.name for path in project.kept_folds.iterdir()}
    assert not (trained / "mlflow.db").exists()


def test_the_folds_of_a_cell_without_copies_are_used_too(trained):
    before = used_folds.keys(Project())
    params = (trained / "params.yaml").read_text()
    twin = "{lstm-aam: {model: lstm, loss: aam, feature: mfcc}}"
    try:
        more = params.replace("without_copies: {}", f"without_copies: {twin}")
        (trained / "params.yaml").write_text(more)
        both = used_folds.keys(Project())
    finally:
        (trained / "params.yaml").write_text(params)
    assert before < both
    assert len(both - before) == len(before) // 5  # one cell of five, once more


def test_other_params_use_other_folds(trained, tmp_path):
    before = used_folds.keys(Project())
    params = (trained / "params.yaml").read_text()
    try:
        (trained / "params.yaml").write_text(params.replace("seeds: [0]", "seeds: [0, 1]"))
        more = used_folds.keys(Project())
        (trained / "params.yaml").write_text(params.replace("num_epochs: 2", "num_epochs: 3"))
        other = used_folds.keys(Project())
    finally:
        (trained / "params.yaml").write_text(params)
    assert before < more
    assert len(more) == 2 * len(before)
    assert len(other & before) == len(before) * 4 // 5  # of five cells, those of four models
