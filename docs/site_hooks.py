"""What mkdocs.yml cannot say: two pages of the site lie at the root of the repository."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

#: File at the root -> its page of the site.
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, their links rewritten to hold inside `docs/`."""
    root = Path(config.config_file_path).parent
    for source, page in ROOT_PAGES.items():
        text = as_inside_docs((root / source).read_text("utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def as_inside_docs(text: str) -> str:
    """A page of the root, with links to `docs/` and to other pages of the root as in `docs/`."""
    text = text.replace("](docs/", "](")
    return re.sub(r"\]\(([A-Z]+\.md)", lambda link: f"]({ROOT_PAGES.get(link[1], link[1])}", text)
