"""Contract of import-linter: a library that only named modules import.

`forbidden`, which import-linter brings, names the modules that may not: a module that nobody
thought of passes. `OnlyIn` names those that may, and looks at all the others.
"""

from grimp import ImportGraph
from importlinter.application import output
from importlinter.domain import fields
from importlinter.domain.contract import Contract, ContractCheck, InvalidContractOptions
from importlinter.domain.imports import Module


class OnlyIn(Contract):
    """Only `allowed` modules, and what is inside them, import `library` themselves.

    Imports through another module do not count; imports inside a function do. The rule may not
    go stale: a module of `allowed` that is not there, and a library that no module imports, are
    refused.

    Configuration options:
        - library: a package from outside, by its top-level name.
        - allowed: the modules and packages that may import it.
    """

    type_name = "only_in"

    library = fields.ModuleField()
    allowed = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002
        """Whether nobody else imports the library."""
        self._refuse_stale_options(graph)
        importers = {
            importer
            for module in self._modules_of_the_library(graph)
            for importer in graph.find_modules_that_directly_import(module)
        }
        strangers = sorted(name for name in importers if not self._is_allowed(name))
        return ContractCheck(
            kept=not strangers,
            metadata={"imports": [self._where(graph, name) for name in strangers]},
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print who imports it and where, and who may."""
        for importer, lines in check.metadata["imports"]:
            where = ", ".join(f"l.{line}" for line in lines)
            output.print_error(f"- {importer} -> {self.library.name} ({where})", bold=False)
        allowed = ", ".join(sorted(module.name for module in self.allowed))
        output.print_error(
            f"Only these may import {self.library.name}: {allowed}. Move what needs it there.",
            bold=False,
        )
        output.new_line()

    def _refuse_stale_options(self, graph: ImportGraph) -> None:
        missing = sorted(m.name for m in self.allowed if m.name not in graph.modules)
        if missing:
            raise InvalidContractOptions({"allowed": f"there is no module {', '.join(missing)}."})
        if not self._modules_of_the_library(graph):
            raise InvalidContractOptions(
                {
                    "library": f"no module imports {self.library.name}: correct the name, or "
                    "drop the contract. It needs include_external_packages = true."
                }
            )

    def _modules_of_the_library(self, graph: ImportGraph) -> list[str]:
        return [name for name in graph.modules if Module(name).is_in_package(self.library)]

    def _is_allowed(self, name: str) -> bool:
        return any(Module(name).is_in_package(module) for module in self.allowed)

    def _where(self, graph: ImportGraph, importer: str) -> tuple[str, list[int]]:
        lines = {
            found["line_number"]
            for module in self._modules_of_the_library(graph)
            for found in graph.get_import_details(importer=importer, imported=module)
        }
        return importer, sorted(lines)
