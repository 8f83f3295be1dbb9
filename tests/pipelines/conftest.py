import pytest

from tests.recordings import PARAMS, write_corpus


@pytest.fixture
def workspace(tmp_path, project, monkeypatch):
    """A folder with params, a raw corpus and the source, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "ser").symlink_to(project / "ser")
    write_corpus(tmp_path / "raw")
    return tmp_path


@pytest.fixture
def params(workspace):
    """Replace a text in params.yaml."""

    def replace(old, new):
        path = workspace / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace


@pytest.fixture
def stage(capsys):
    """Run a stage's main; give its exit status and what it wrote to stderr."""

    def run(main, *arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse
            status = ended.code
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def fails(stage):
    """Run a stage that must fail: exit status 1 and one message, no traceback."""

    def run(main, *arguments):
        status, err = stage(main, *arguments)
        assert status == 1, err
        assert err.count("error: ") == 1
        assert "Traceback" not in err
        return err[err.index("error: ") :]

    return run
