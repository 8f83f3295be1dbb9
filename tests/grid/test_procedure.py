from ser.grid import procedure
from ser.grid.procedure import Procedure

SPEAKERS = Procedure(normalisation="speaker")


def test_it_is_read_from_the_params_of_a_run_and_old_runs_have_the_usual_one():
    params = {"training": {"refit": True}, "recipe": {"normalisation": "session", "num_epochs": 3}}
    assert Procedure.of_params(params) == Procedure(refit=True, normalisation="session")
    assert Procedure.of_params({"recipe": {"num_epochs": 3}}) == Procedure()


def test_the_usual_procedure_has_nothing_to_be_said_of():
    assert Procedure().remarks == {}
    assert Procedure().tags == {
        "ser.refit": "false", "ser.transductive": "false", "ser.targets": "hard",
    }  # fmt: skip


def test_each_departure_is_said_with_the_cells_that_it_holds_for():
    usual, both = Procedure(), Procedure(refit=True, normalisation="speaker")
    (said,) = procedure.notices({"a": usual, "b": SPEAKERS, "c": SPEAKERS})
    assert said.startswith("Transductive (b, c): inputs are normalised per speaker")
    first, second = procedure.notices({"a": both, "b": both})
    assert first.startswith("Refitted (all cells): once dev had chosen the epoch")
    assert second.startswith("Transductive (all cells): ")
    assert procedure.notices({"a": usual, "b": usual}) == []


def test_soft_targets_are_said():
    soft = Procedure.of_params({"training": {"targets": "soft"}})
    assert soft == Procedure(targets="soft")
    assert soft.tags["ser.targets"] == "soft"
    (said,) = procedure.notices({"a": Procedure(), "b": soft})
    assert said.startswith("Soft (b): training learns the shares of the raters' votes")
    assert procedure.line({"b": soft}) == ", SOFT"


def test_another_precision_is_said():
    half = Procedure.of_params({"training": {"precision": "bfloat16"}})
    assert half == Procedure(precision="bfloat16")
    (said,) = procedure.notices({"a": Procedure(), "b": half})
    assert said.startswith("Bfloat16 (b): the forward passes of training are in bfloat16")


def test_the_line_below_a_figure_says_it_in_a_word():
    usual, both = Procedure(), Procedure(refit=True, normalisation="speaker")
    assert procedure.line({"lstm": usual, "vggish": usual}) == ""
    assert procedure.line({"lstm": both}) == ", REFITTED, TRANSDUCTIVE"
    assert procedure.line({"a": SPEAKERS, "b": usual, "c": both}) == (
        ", TRANSDUCTIVE (a, c), REFITTED (c)"
    )
