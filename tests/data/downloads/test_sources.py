"""The table of publishers, and what is said of corpora that no command can fetch."""

import re
from urllib.parse import urlsplit

import pytest

from ser import components
from ser.data.downloads import sources
from ser.errors import DownloadError


def test_a_corpus_is_fetched_or_got_by_hand_and_has_a_parser():
    assert not sources.ARCHIVES.keys() & sources.BY_HAND.keys()
    assert {*sources.ARCHIVES, *sources.BY_HAND} <= set(components.names(components.CORPORA))


@pytest.mark.parametrize("corpus", sources.BY_HAND)
def test_what_no_command_can_fetch_is_answered_with_how_to_get_it(corpus):
    with pytest.raises(
        DownloadError, match=rf"^{corpus}: this command cannot fetch it: "
    ) as caught:
        sources.archive_of(corpus)
    assert re.search(rf"`ser (link-corpus ({corpus}|NAME) PATH|demo-corpus)`", str(caught.value))


def test_a_corpus_that_somebody_added_needs_no_entry(monkeypatch):
    monkeypatch.setattr(sources.components, "names", lambda _: ("savee",))
    with pytest.raises(DownloadError, match="savee: this command does not know where it is"):
        sources.archive_of("savee")


def test_an_unknown_name_is_answered_with_those_that_can_be_fetched():
    with pytest.raises(DownloadError) as caught:
        sources.archive_of("msp")
    assert "there are: emodb, ravdess. Of cremad, csv, demo, iemocap" in str(caught.value)


@pytest.mark.parametrize("corpus", sources.ARCHIVES)
def test_an_entry_is_complete(corpus):
    archive = sources.archive_of(corpus)
    assert urlsplit(archive.url).path.endswith(f"/{archive.name}")
    assert archive.name.endswith(".zip")
    if archive.digest:
        length = {"md5": 32, "sha256": 64}[archive.digest.algorithm]
        assert re.fullmatch(rf"[0-9a-f]{{{length}}}", archive.digest.value)


@pytest.mark.parametrize("corpus", sources.ARCHIVES)
def test_the_terms_name_page_licence_citation_and_size(corpus):
    parser = components.load(components.CORPORA, corpus)
    built = parser.build(parser.Params())
    text = sources.terms(corpus)
    for words in (built.licence, built.citation, sources.ARCHIVES[corpus].page, "MB to fetch"):
        assert words in text


def test_ravdess_says_that_it_is_not_for_commercial_use():
    assert "CC BY-NC-SA 4.0: not for commercial use" in sources.terms("ravdess")


@pytest.mark.parametrize("corpus", sources.ARCHIVES)
def test_the_card_of_the_corpus_names_the_same_archive(project, corpus):
    card = (project / "docs" / "corpora" / f"{corpus}.md").read_text(encoding="utf-8")
    archive = sources.ARCHIVES[corpus]
    assert archive.url.partition("?")[0] in card
    assert f"`ser download-corpus {corpus}`" in card
    assert archive.digest is None or archive.digest.value in card
