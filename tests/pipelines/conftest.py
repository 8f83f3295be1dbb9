import pytest


@pytest.fixture
def workspace(project_with_params):
    """A folder with params, a raw corpus and the source, as the working directory."""
    return project_with_params


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
