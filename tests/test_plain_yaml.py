"""What is YAML here, and what is refused before it costs anything."""

import pytest

from ser import plain_yaml


def test_plain_values_anchors_and_merges_are_read():
    text = (
        "shared: &shared {a: 1}\nmerged: {<<: *shared, b: [x, 2.5, null, true]}\nagain: *shared\n"
    )
    assert plain_yaml.load(text) == {
        "shared": {"a": 1},
        "merged": {"a": 1, "b": ["x", 2.5, None, True]},
        "again": {"a": 1},
    }
    assert plain_yaml.load("") is None
    assert plain_yaml.load("{'1e3': 1e3, e3: 1.2.3}") == {"1e3": "1e3", "e3": "1.2.3"}


def test_a_text_is_parsed_once_and_what_a_caller_changes_is_its_own(monkeypatch):
    plain_yaml.load("twice: [1, 2]")["twice"].append(3)
    monkeypatch.setattr(plain_yaml.yaml, "load", None)
    assert plain_yaml.load("twice: [1, 2]") == {"twice": [1, 2]}


def bomb(num_levels, width=9):
    """A few lines that stand for width ** num_levels values."""
    lines = [f"a0: &a0 [{','.join(['x'] * width)}]"]
    for level in range(1, num_levels):
        inner = ",".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{inner}]")
    return "\n".join(lines)


MERGES = "\n".join(
    (
        "a: &a {x: 1}",
        f"b: &b {{<<: [{','.join(['*a'] * 1000)}]}}",
        f"c: {{<<: [{','.join(['*b'] * 1000)}]}}",
    )
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(20), "stands for more than 200000 values"),
        (MERGES, "stands for more than 200000 values"),
        (CHAIN, "nested deeper than 32"),
        ("[" * 100_000, "nested deeper than 32"),
        ("{a: " * 100_000, "nested deeper than 32"),
        ("a: &a [*a]", "alias 'a' repeats nothing before it"),
        ("a: *b", "alias 'b' repeats nothing before it"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands twice"),
        ("a: {1e3: 2}", "line 1, column 5: the key '1e3' is a number to DVC; put it in quotes"),
        ("0o17: 2", "the key '0o17' is a number to DVC"),
        ("? [1]\n: 2", "a key must be plain"),
        ("? {a: 1}\n: 2", "a key must be plain"),
        ("a: " + "9" * 5000, "is no int; put it in quotes if it is text"),
        ("a: 0x" + "f" * 5000, "at most 63 bits, got a whole number of 20000 bits"),
        ("a: 2024-13-45", "line 1, column 4: '2024-13-45' is no timestamp"),
        ("a: !!int b", "'b' is no int"),
        ("a: !!float b", "'b' is no float"),
        ("a: !!bool b", "'b' is no bool"),
        ("a: !!timestamp b", "'b' is no timestamp"),
        ("a: !!python/object:os.system b", "could not determine a constructor"),
        ("a: !" + "b" * 10**5 + " c", "line 1"),
        ("a: \0", "control characters are not allowed"),
        ("\ta: 1", "line 1"),
        ("a: 1\n---\nb: 1", "expected a single document"),
        ("a: {<<: 1}", "expected a mapping or list of mappings for merging"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_in_one_short_sentence(text, message):
    with pytest.raises(ValueError, match=r".") as refused:
        plain_yaml.load(text)
    assert message in str(refused.value)
    assert len(str(refused.value)) <= 400


def test_as_much_as_a_lock_of_hundreds_of_stages_is_read():
    stage = {"cmd": "x", "deps": [{"path": f"p{i}", "md5": "0" * 32} for i in range(40)]}
    text = "\n".join(f"stage{i}: {stage}" for i in range(300))
    assert len(plain_yaml.load(text)) == 300
