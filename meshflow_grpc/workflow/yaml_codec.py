"""Workflows as YAML: strict when read, complete when written, so that ``load_workflow(dump_workflow(w)) == w``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, InvalidWorkflowError
from meshflow_grpc.workflow.document import from_document, to_document
from meshflow_grpc.workflow.problem import Problem, dotted
from meshflow_grpc.workflow.validation import document_problems
from meshflow_grpc.workflow.yaml_tree import YamlSyntaxError, YamlTree, parse_scalar, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.workflow import Workflow


def load_workflow(text: str, *, source: str = "<inline>") -> Workflow:
    """Reads and validates a workflow.

    Raises InvalidWorkflowError with every problem found; the field of each is ``source:line:column`` and the path.
    """
    try:
        tree = parse_yaml(text)
    except YamlSyntaxError as error:
        raise InvalidWorkflowError.of(FieldViolation(f"{source}:{error.line}:{error.column}", str(error))) from error
    problems = [*tree.problems, *document_problems(tree.value)]
    if problems:
        raise _error(tree, problems, source)
    return from_document(tree.value)


def _error(tree: YamlTree, problems: Sequence[Problem], source: str) -> InvalidRequestError:
    located = []
    for problem in dict.fromkeys(problems):
        line, column = tree.place(problem.path, at_key=problem.at_key)
        located.append(((line, column), f"{source}:{line}:{column} {dotted(problem.path)}".rstrip(), problem.message))
    located.sort(key=lambda item: item[0])
    return InvalidWorkflowError.of(*(FieldViolation(field, message) for _, field, message in located))


_UNUSUAL_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")


class _Dumper(yaml.SafeDumper):
    """Writes without aliases, and quotes text that the core schema would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 - the base class's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if not isinstance(parse_scalar(text), str) or any(char in _UNUSUAL_BREAKS for char in text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text.rstrip("\n") else None)


def _represent_number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    text = repr(number)
    mantissa, exponent, power = text.partition("e")
    return dumper.represent_scalar(
        "tag:yaml.org,2002:float", text if "." in mantissa else f"{mantissa}.0{exponent}{power}"
    )


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_number)


def dump_workflow(workflow: Workflow) -> str:
    """Writes a workflow as YAML; fields at their default are left out, except kind and risk, which readers look for."""
    return yaml.dump(
        to_document(workflow), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
