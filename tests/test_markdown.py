import pytest

from ser import markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a | b\n\n## c", "a \\| b ## c"),
        ("[a](javascript:x)", "\\[a\\](javascript:x)"),
        ("![a](x) `b` **c** ~~d~~ $e$", "!\\[a\\](x) \\`b\\` \\*\\*c\\*\\* \\~\\~d\\~\\~ \\$e\\$"),
        ("&lt; \\", "&amp;lt; \\\\"),
        ("Jörg (10), 3 %", "Jörg (10), 3 %"),
        (7, "7"),
    ],
)
def test_a_name_is_shown_and_never_read_as_markup(text, shown):
    assert markdown.plain(text) == shown


def test_code_has_no_backtick_and_no_line_end():
    assert markdown.code("a\n`b`") == "a 'b'"
