from typing import Annotated, Literal

import pytest
from pydantic import Field

from ser import params
from ser.errors import ParamsError


class Fit(params.Section):
    num_epochs: int = Field(gt=0)
    learning_rate: float = 0.001


class Stage(params.StageParams):
    fit: Fit
    losses: params.component_map("ser.losses")
    corpus: params.component("ser.data.corpora")


GOOD = """
fit: {num_epochs: 3, learning_rate: 1e-4}
losses: {cross_entropy: {}}
corpus: {name: emodb, emotions: [sad, angry]}
another stage's section: 1
"""


def write(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sections_are_typed_and_frozen_and_defaults_are_filled_in(tmp_path):
    stage = params.read(write(tmp_path, GOOD), Stage)
    # PyYAML reads 1e-4 as a string; the typed field repairs it.
    assert stage.fit.learning_rate == 1e-4
    assert stage.corpus.emotions == ("angry", "sad")
    assert stage.corpus.max_rejected == 0
    with pytest.raises(ValueError, match="frozen"):
        stage.fit.num_epochs = 4


def test_everything_that_is_wrong_is_said_together_with_its_path(tmp_path):
    text = """
fit: {num_epochs: 0, learning_rat: 1}
losses: {cross_entropy: {gamma: 2}, fcal: {}}
corpus: {name: emodb, max_rejected: -1, emotions: [angry, mad]}
"""
    with pytest.raises(ParamsError) as caught:
        params.read(write(tmp_path, text), Stage)
    message = str(caught.value)
    for part in (
        "params.yaml",
        "fit.num_epochs",
        "fit.learning_rat",
        "losses.cross_entropy.gamma",
        "losses.fcal: no loss is named 'fcal'; there are: ",
        "cross_entropy",
        "corpus.max_rejected",
        "corpus.emotions: unknown emotions 'mad'",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "stands twice"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping of sections, got nothing; `make use PRESET=emodb`"),
        ("#" * 2**22, "larger than 2097152 bytes"),
    ],
)
def test_files_that_are_no_params_are_refused(tmp_path, text, message):
    with pytest.raises(ParamsError, match=message):
        params.load_mapping(write(tmp_path, text))


@pytest.mark.parametrize("content", [b"a: \xe9", "a: b".encode("utf-16")])
def test_a_file_in_another_encoding_is_refused(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match="not UTF-8 text"):
        params.load_mapping(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ParamsError, match="cannot be read: Is a directory"):
        params.load_mapping(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert params.load_mapping(write(tmp_path, "\ufeffa: 1\n")) == {"a": 1}


def test_a_missing_file_names_the_cure(tmp_path):
    with pytest.raises(ParamsError, match="make use PRESET=emodb"):
        params.load_mapping(tmp_path / "params.yaml")


def test_a_section_with_a_component_needs_its_name(tmp_path):
    text = GOOD.replace("name: emodb, ", "")
    with pytest.raises(ParamsError, match=r"one of: .*emodb"):
        params.read(write(tmp_path, text), Stage)


def test_infinity_and_nan_are_no_numbers(tmp_path):
    for value in (".inf", ".nan"):
        text = GOOD.replace("1e-4", value)
        with pytest.raises(ParamsError, match=r"fit\.learning_rate"):
            params.read(write(tmp_path, text), Stage)


def test_one_entry_is_read_without_the_others(tmp_path):
    path = write(tmp_path, "losses: {cross_entropy: null, broken: {}}\n")
    entry = params.read_entry(path, "losses", "ser.losses", "cross_entropy")
    assert type(entry).__module__ == "ser.losses.cross_entropy"


def test_params_read_again_leave_no_class_behind(tmp_path):
    """One a time would be garbage that whatever looks at all classes has to pass."""
    path = write(tmp_path, GOOD)
    params.read(path, Stage)
    params.read_entry(path, "losses", "ser.losses", "cross_entropy")
    before = set(params.Section.__subclasses__())
    params.read(path, Stage)
    params.read_entry(path, "losses", "ser.losses", "cross_entropy")
    assert set(params.Section.__subclasses__()) == before


def test_a_missing_entry_names_section_and_cure(tmp_path):
    path = write(tmp_path, "losses: {}\n")
    with pytest.raises(ParamsError, match="losses has no entry cross_entropy"):
        params.read_entry(path, "losses", "ser.losses", "cross_entropy")


def test_a_misspelt_key_is_named_with_the_one_that_was_meant(tmp_path):
    text = GOOD.replace("num_epochs", "num_epoch").replace("{}", "{class_wieghts: 1}")
    with pytest.raises(ParamsError) as caught:
        params.read(write(tmp_path, text), Stage)
    assert "fit.num_epoch: there is no such key; did you mean 'num_epochs'?" in str(caught.value)
    assert "losses.cross_entropy.class_wieghts: there is no such key" in str(caught.value)


def test_a_misspelt_component_is_named_with_the_one_that_was_meant(tmp_path):
    with pytest.raises(ParamsError, match="did you mean 'emodb'"):
        params.read(write(tmp_path, GOOD.replace("emodb", "emobd")), Stage)


@pytest.mark.parametrize("name", ["__base__", "_x", "model_config", "schema", "a.b", "../x", "1"])
def test_any_name_may_stand_where_a_component_is_expected(tmp_path, name):
    text = GOOD.replace("{cross_entropy: {}}", f"{{{name}: {{}}}}")
    with pytest.raises(ParamsError, match=r"no loss is named"):
        params.read(write(tmp_path, text), Stage)


def test_a_word_that_yaml_takes_for_another_type_is_to_be_quoted(tmp_path):
    text = GOOD.replace("name: emodb", "name: csv, label_map: {no: sad}")
    with pytest.raises(ParamsError, match="valid string, got False; put it in quotes"):
        params.read(write(tmp_path, text), Stage)


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "".join(f"key{number}: [{number}]\n" for number in range(5000)),
        GOOD.replace("3,", f"{{a: {'b' * 10**6}}},"),
        GOOD.replace("emodb", "e" * 10**6),
        GOOD.replace("{cross_entropy: {}}", f"{{{', '.join(f'k{i}: 1' for i in range(5000))}}}"),
    ],
    ids=["many keys", "long value", "long name", "many components"],
)
def test_a_message_stays_short_whatever_the_file_holds(tmp_path, text):
    class Whole(params.Section):
        fit: Fit
        losses: params.component_map("ser.losses")
        corpus: params.component("ser.data.corpora")

    text = text.replace("another stage's section: 1\n", "")
    with pytest.raises(ParamsError) as caught:
        params.read(write(tmp_path, text), Whole)
    assert len(str(caught.value)) < 3000


def test_literal_names_are_checked(tmp_path):
    class Choice(params.Section):
        kind: Literal["a", "b"]

    class OneSection(params.StageParams):
        choice: Choice

    with pytest.raises(ParamsError, match=r"choice\.kind: Input should be 'a' or 'b'"):
        params.read(write(tmp_path, "choice: {kind: c}\n"), OneSection)


def test_the_marks_of_tunable_params_are_found_and_nothing_else():
    class Searched(params.ComponentParams):
        margin: Annotated[float, params.Tunable(0.0, 1.0, unit="rad", published=0.5)] = 0.2
        size: int = 3

    class Inherited(Searched):
        """A subclass has its parent's."""

    expected = {"margin": params.Tunable(0.0, 1.0, unit="rad", published=0.5)}
    assert params.tunables(Searched) == params.tunables(Inherited) == expected
    assert Searched(margin=7).margin == 7.0
