"""What the pages name is there: files, links, commands, options, modules, settings."""

import ast
import importlib
import itertools
import re
import shlex
import textwrap

import pytest
import typer
import yaml

from ser.cli.app import app
from tests.docs import markdown

MAX_WIDTH = 100
#: Programs of others, and what the shell brings.
OTHERS = {
    "base64", "cd", "cp", "curl", "dvc", "export", "find", "git", "kill", "mlflow", "optuna",
    "optuna-dashboard", "pip", "python", "sed", "source", "until", ".", "PYTEST", "apt-get",
    "ruff", "trainer_speed.py", "docker", "head", "ray", "scp", "sbatch", "kubectl",
}  # fmt: skip
#: Presets that the commands of a page make.
OWN_PRESETS = {"demo-speaker", "my-corpus"}


@pytest.fixture(scope="session")
def pages(project):
    return markdown.pages(project)


@pytest.fixture(scope="session")
def subcommands():
    """Name of a command of `ser` -> its options."""
    group = typer.main.get_command(app)
    return {
        name: {option for param in command.params for option in (*param.opts, "--help")}
        for name, command in group.commands.items()
    }


@pytest.fixture(scope="session")
def targets(project):
    text = (project / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z-]+):.*?## ", text, re.MULTILINE))


def words_of(command):
    """The words of each simple command of a line, assignments before it left out."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split, lexer.commenters = True, ""
    for is_between, part in itertools.groupby(lexer, lambda word: set(word) <= set("&|;")):
        words = list(part)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words and not is_between:
            yield words


def faults(words, targets, subcommands, project):
    """Yield what a simple command names that is not there."""
    program, arguments = words[0].removeprefix(".venv/bin/"), words[1:]
    if program == "make":
        wanted = {word for word in arguments if "=" not in word and not word.startswith("-")}
        yield from (f"make {word}" for word in wanted - targets)
        presets = [word.partition("=")[2] for word in arguments if word.startswith("PRESET=")]
        known = {path.stem for path in (project / "configs").glob("*.yaml")} | OWN_PRESETS
        yield from (f"PRESET={name}" for name in presets if name not in known and "<" not in name)
    elif program == "ser":
        name = arguments[0] if arguments else "--help"
        if name.startswith("-"):
            return
        if name not in subcommands:
            yield f"ser {name}"
            return
        options = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        yield from (f"ser {name} {option}" for option in options - subcommands[name])
    elif program == "python" and arguments[:1] == ["-m"]:
        module = arguments[1].split(".")
        if module[0] in ("pipelines", "benchmarks", "ser") and not (
            project.joinpath(*module).is_dir()
            or project.joinpath(*module).with_suffix(".py").is_file()
        ):
            yield arguments[1]


def test_every_command_of_a_block_is_one_that_exists(pages, project, targets, subcommands):
    wrong = {
        f"{page.name}: {fault}"
        for page in pages
        for command in markdown.commands(page)
        for words in words_of(command)
        for fault in faults(words, targets, subcommands, project)
    }
    assert wrong == set()


def test_every_program_in_a_block_is_known(pages):
    shown = {
        words[0].removeprefix(".venv/bin/")
        for page in pages
        for command in markdown.commands(page)
        for words in words_of(command)
    }
    assert shown - OTHERS - {"make", "ser", "done", "do", "sleep"} == set()


def test_every_command_between_backticks_is_one_that_exists(pages, project, targets, subcommands):
    wrong = {
        f"{page.name}: {fault}"
        for page in pages
        for piece in markdown.inline(page)
        if re.match(r"(\.venv/bin/)?(ser|make) [a-z]", piece)
        for words in words_of(piece)
        for fault in faults(words, targets, subcommands, project)
    }
    assert wrong == set()


def test_every_make_target_and_every_command_stands_on_some_page(pages, targets, subcommands):
    text = "\n".join(page.read_text("utf-8") for page in pages)
    assert [t for t in sorted(targets) if not re.search(rf"make {t}\b", text)] == ["clean", "help"]
    assert [c for c in sorted(subcommands) if f"ser {c}" not in text] == []


def test_every_link_leads_to_a_file_and_a_heading(pages):
    broken = []
    for page in pages:
        for link in markdown.links(page):
            path, _, heading = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (heading and heading not in headings(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def headings(page):
    """Anchors as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def test_every_page_is_linked_from_another(pages, project):
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages
        for link in markdown.links(page)
    }
    assert [page.name for page in pages if page not in linked and page.stem != "README"] == []


def test_the_readme_and_the_cards_name_the_same_corpora(project):
    cards = {path.stem for path in (project / "docs" / "corpora").glob("*.md")}
    links = markdown.links(project / "README.md")
    assert {link.split("/")[-1][:-3] for link in links if link.startswith("docs/corpora/")} == cards


def test_every_python_and_yaml_block_parses(pages):
    for page in pages:
        for block in markdown.blocks(page):
            if block.language == "python":
                ast.parse(textwrap.dedent(block.text))
            elif block.language in ("yaml", "json"):
                assert yaml.safe_load(block.text) is not None, (page.name, block.text)


def test_every_module_and_every_name_of_it_that_a_page_names_is_there(pages):
    wrong = {}
    for page in pages:
        named = re.findall(r"`(ser\.[a-z_]+(?:\.\w+)*)(?:\(.*?\))?`", page.read_text("utf-8"))
        for name in set(named) - TAGS:
            try:
                resolve(name)
            except (ImportError, AttributeError) as error:
                wrong[f"{page.name}: {name}"] = str(error)
    assert wrong == {}


#: Tags of runs, which look like modules.
TAGS = {
    "ser.git_commit", "ser.git_commit_of", "ser.git_dirty", "ser.upstream_stages",
    "ser.dvc_lock_sha256",
    "ser.run_key", "ser.refit", "ser.transductive", "ser.targets", "ser.tuned", "ser.study",
    "ser.trial_state", "ser.restored", "ser.decision",
    "ser.failed_gates", "ser.decision_run_id", "ser.previous_champion", "ser.earlier_champions",
    "ser.predictions_sha256", "ser.corpus", "ser.task", "ser.new_line",
    "ser.overtaken_by", "ser.promoted_at", "ser.rolled_back_at",
    "ser.cell", "ser.protocol", "ser.weights", "ser.bundle_sha256", "ser.model_sha256",
    "ser.model_version", "ser.headline",
}  # fmt: skip


def resolve(name):
    """Import what a dotted name says: a module, or a name in it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return found
    raise ImportError(name)


def test_every_source_file_that_a_page_names_is_there(pages, project):
    # Decisions are kept as they were made, and adding.md names files that are to be written.
    kept = [p for p in pages if p.parent.name != "decisions" and p.name != "adding.md"]
    missing = {
        f"{page.name}: {path}"
        for page in kept
        for path in re.findall(
            r"`((?:ser|tests|pipelines|configs|docs|benchmarks)/[\w/.-]+)`", page.read_text("utf-8")
        )
        if not (project / path).exists()
    }
    assert missing == set()


def test_prose_is_not_wider_than_the_code(pages):
    wide = [
        f"{page.name}:{number}"
        for page in pages
        for number, line in markdown.prose(page)
        if len(line) > MAX_WIDTH and not re.fullmatch(r"\S+|.*\]\(\S+\)[.,;:]?", line.strip())
    ]
    assert wide == []


def test_prose_is_wrapped_at_one_width(pages):
    """A line of a paragraph ends where the next word would not fit."""
    early = []
    for page in pages:
        lines = list(markdown.prose(page))
        for (number, line), (following, after) in itertools.pairwise(lines):
            starts_anew = not after.strip() or re.match(r"\s*([-*]|\d+\.|\[!)\s", after)
            if following != number + 1 or not line.strip() or starts_anew:
                continue
            if len(line) + 1 + len(after.split()[0]) <= MAX_WIDTH:
                early.append(f"{page.name}:{number}")
    assert early == []


#: Abbreviation -> the words that a page must have too.
SPELT_OUT = {
    "UAR": "unweighted average recall",
    "WA": "weighted accuracy",
    "AAM": "additive angular margin",
    "CCC": "concordance correlation coefficient",
    "ECE": "expected calibration error",
    "MCC": "matthews' correlation coefficient",
    "MAE": "mean absolute error",
    "NLL": "negative log-likelihood",
    "MFCC": "mel-frequency cepstral coefficient",
    "SVM": "support vector machine",
    "LSTM": "long short-term memory",
    "TPE": "tree-structured parzen estimator",
    "ONNX": "open neural network exchange",
}


def test_a_page_spells_out_the_abbreviations_that_it_uses(project):
    unexplained = []
    for page in [project / "README.md", *(project / "docs").glob("*.md")]:
        text = re.sub(r"<!-- results:.*?/results -->", "", page.read_text("utf-8"), flags=re.DOTALL)
        plain = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
        words = " ".join(text.lower().split())
        unexplained += [
            f"{page.name}: {short}"
            for short, long in SPELT_OUT.items()
            if re.search(rf"\b{short}s?\b", plain) and long not in words
        ]
    assert unexplained == []


def test_the_glossary_knows_every_abbreviation_and_is_in_order(project):
    text = (project / "docs" / "glossary.md").read_text("utf-8")
    words = [row for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE) if row != "word"]
    assert words == sorted(words, key=str.lower)
    assert [short for short in SPELT_OUT if not re.search(rf"\b{short}\b", text)] == []


def test_the_words_that_stopped_readers_stand_nowhere(project, pages):
    sentences = (
        "Whatever is frozen is a feature",
        "gives away",
        "brought on test",
        "a key said twice",
        "must be said",
        "no one set of params",
        "is in its test part",
    )
    sources = [
        path
        for folder in ("ser", "pipelines", "configs")
        for pattern in ("*.py", "*.j2", "*.yaml")
        for path in (project / folder).rglob(pattern)
    ]
    found = {
        f"{path.name}: {sentence}"
        for path in [*pages, *sources, project / "dvc.yaml"]
        for sentence in sentences
        if sentence in path.read_text("utf-8")
    }
    assert found == set()
