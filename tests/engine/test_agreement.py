from ser.engine import agreement


def test_what_differs_is_named_with_both_values_and_how_many_more():
    ours = {**{f"name{n}": "1" for n in range(7)}, "same": "x", "long": "a" * 64}
    theirs = {**{f"name{n}": "2" for n in range(1, 7)}, "same": "x", "long": "b" * 64}
    said = str(agreement.refusal(theirs, ours))
    assert said.startswith(
        f"its result would be another one: long is {'a' * 21}... there and {'b' * 21}... here; "
        "name0 is 1 there and absent here; name1 is 1 there and 2 here"
    )
    assert "; and 3 more; bring its code, params.yaml and data" in said
    assert "same" not in said
