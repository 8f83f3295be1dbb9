from pipelines import weights
from ser.pretrained import checkpoints

SECTION = """
synthetic_weights:
  hubert: {architecture: hubert, hidden_size: 16, num_layers: 1, conv_dim: 8}
  large: {architecture: wav2vec2, hidden_size: 16, num_layers: 2, conv_dim: 8, norm: layer, seed: 7}
"""


def made(run, folder, name):
    (folder / "params.yaml").write_text(SECTION)
    return run(weights.main, name)


def test_the_checkpoint_of_a_name_is_written(workspace, stage):
    status, err = made(stage, workspace, "large")
    assert (status, err) == (0, "")
    folder = checkpoints.locate("data/weights/large", None)
    assert checkpoints.read_config(folder, "wav2vec2")["num_hidden_layers"] == 2
    assert checkpoints.origin("data/weights/large", None) == "random weights (seed 7)"
    assert not (workspace / "data" / "weights" / "hubert").exists()


def test_writing_twice_gives_the_same_bytes(workspace, stage):
    digests = set()
    for _ in range(2):
        assert made(stage, workspace, "hubert")[0] == 0
        digests.add(checkpoints.digest(workspace / "data" / "weights" / "hubert"))
    assert len(digests) == 1


def test_a_name_that_is_not_there_and_wrong_settings_are_refused(workspace, fails):
    assert "no entry 'gone'; there are: hubert, large" in made(fails, workspace, "gone")
    (workspace / "params.yaml").write_text(SECTION.replace("num_layers: 1", "num_layers: 0"))
    message = fails(weights.main, "hubert")
    assert "synthetic_weights.hubert.num_layers" in message
    assert not (workspace / "data" / "weights").exists()


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(weights.main)[0] == 2
