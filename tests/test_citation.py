"""CITATION.cff, as version 1.2.0 of the Citation File Format has it."""

import tomllib

import yaml

#: Of schema.json 1.2.0: what must be there, and what else may.
REQUIRED = {"authors", "cff-version", "message", "title"}
ALLOWED = REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license",
    "license-url", "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "type", "url", "version",
}  # fmt: skip


def test_the_citation_has_the_keys_of_the_schema_and_the_version_of_the_package(project):
    cited = yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))
    assert REQUIRED <= set(cited) <= ALLOWED
    assert cited["cff-version"] == "1.2.0"
    assert cited["type"] in ("software", "dataset")
    package = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert str(cited["version"]) == package["version"]
    assert cited["license"] == package["license"]
    assert cited["authors"] == [{"name": "The SER project's authors"}]
    assert all(isinstance(word, str) for word in cited["keywords"])
    assert len(cited["keywords"]) == len(set(cited["keywords"]))
