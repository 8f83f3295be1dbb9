import json

from ser.contracts import RunSpec
from ser.tracking import leaderboard, store, views
from ser.tracking.mlflow_tracker import open_experiment

NAME = "ser/demo/session"
TAGS = {"ser.corpus": "demo", views.HEADLINE: "test/uar"}


def shown(root, name=NAME):
    """The state that MLflow's page takes from the saved view."""
    client = store.connect(store.default_uri(root))
    tags = client.get_experiment_by_name(name).tags
    return json.loads(json.loads(tags[views.TAG])["state"])


def record(root, loss, uar, **params):
    experiment = open_experiment(NAME, note="note", tags=TAGS, root=root)
    shared = {"model": {"name": "lstm"}, "loss": {"name": loss}, **params}
    spec = RunSpec(f"lstm-{loss}", f"cell-{loss}", {"ser.fold": "all"}, shared)
    with experiment.run(spec) as tracker:
        tracker.log_metrics({"test/uar": uar})
    nested = RunSpec(f"lstm-{loss}/fold-1", f"fold-{loss}", {"ser.fold": "1"}, {"fold": 1})
    with experiment.run(nested, parent_key=f"cell-{loss}") as tracker:
        tracker.log_metrics({"test/uar": 1.0})


def test_what_the_view_searches_for_are_the_cells_best_first(root):
    record(root, "focal", 0.4)
    record(root, "ccc", 0.6)
    state = shown(root)
    client = store.connect(store.default_uri(root))
    experiment = client.get_experiment_by_name(NAME)
    runs = client.search_runs(
        [experiment.experiment_id],
        filter_string=state["searchFilter"],
        order_by=[f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"],
    )
    assert [run.info.run_name for run in runs] == ["lstm-ccc", "lstm-focal"]
    assert state["selectedColumns"][:3] == [
        f"metrics.`test/{name}`" for name in ("uar", "uar_low", "uar_high")
    ]
    assert state["columnOrder"] == state["selectedColumns"]


def test_the_note_begins_with_links_to_the_view(root):
    record(root, "focal", 0.4)
    client = store.connect(store.default_uri(root))
    experiment = client.get_experiment_by_name(NAME)
    link = views.address(experiment.experiment_id)
    assert link.startswith(f"#/experiments/{experiment.experiment_id}/runs?")
    assert f"viewStateShareKey={views.TAG.rpartition('.')[2]}" in link
    note = experiment.tags["mlflow.note.content"]
    assert note.startswith(f"[**Leaderboard**]({link}), ")
    assert note.endswith("note")


def test_params_that_differ_follow_the_scores_and_stay_when_a_run_comes_again(root):
    record(root, "focal", 0.4, recipe={"num_epochs": 3, "batch_size": 8})
    record(root, "ccc", 0.6, recipe={"num_epochs": 4, "batch_size": 8})
    assert not any(column.startswith("params") for column in shown(root)["selectedColumns"])
    assert leaderboard.find(store.default_uri(root), NAME) is not None
    params = ["params.`loss.name`", "params.`recipe.num_epochs`"]
    assert shown(root)["selectedColumns"][-2:] == params
    record(root, "ccc", 0.6)
    assert shown(root)["selectedColumns"][-2:] == params


def test_an_experiment_from_before_gets_a_leaderboard(root):
    open_experiment("ser/old/session", note="note", tags={}, root=root)
    client = store.connect(store.default_uri(root))
    assert views.TAG not in client.get_experiment_by_name("ser/old/session").tags
    assert leaderboard.find(store.default_uri(root), "ser/old/session") is not None
    assert shown(root, "ser/old/session")["orderByKey"] == "metrics.`test/uar`"


def test_there_is_no_leaderboard_of_an_experiment_that_is_not_there(root):
    assert leaderboard.find(store.default_uri(root), "ser/none/session") is None


def test_studies_are_ordered_by_what_they_maximise():
    state = json.loads(json.loads(views.value("dev/best_uar"))["state"])
    assert state["searchFilter"] == "tags.\"ser.trial\" = 'all'"
    assert state["orderByKey"] == "metrics.`dev/best_uar`"


def test_names_come_first_then_loss_and_recipe():
    keys = ("feature.hop_ms", "model.name", "recipe.num_epochs", "loss.gamma", "loss.name")
    runs = [{**dict.fromkeys(keys, number), "same": "x", "tuned.fold-1": number} for number in "12"]
    assert views.differing(runs) == [keys[1], keys[4], keys[3], keys[2], keys[0]]


def test_a_view_of_many_params_fits_into_a_tag():
    keys = [f"recipe.a_param_with_a_long_name_{number}" for number in range(200)]
    text = views.value("test/uar", keys)
    assert 4000 < len(text) <= views.MAX_TAG_CHARS
    columns = json.loads(json.loads(text)["state"])["selectedColumns"]
    assert f"params.`{keys[0]}`" in columns
