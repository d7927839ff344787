"""What a template names, checked before it is ever filled."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from collector.alerting.templates.nodes import Action, Branch, Dot, Inner, Node, Pipeline, Variable

# Declared in front of every template.
GIVEN = frozenset({"", "labels", "value", "externalLabels", "externalURL"})


def check(nodes: Collection[Node], labels: Collection[str] | None, *, value: bool) -> None:
    """
    Check the variables and labels that *nodes* name.

    Raises:
        ValueError: One is not known.
    """
    _block(nodes, set(GIVEN), labels, value=value)


def _block(nodes: Collection[Node], known: set[str], labels: Collection[str] | None, *, value: bool) -> None:
    for node in nodes:
        if isinstance(node, Action):
            _pipeline(node.pipeline, known, labels, value=value)
        elif isinstance(node, Branch):
            inner = set(known)
            _pipeline(node.pipeline, inner, labels, value=value)
            _block(node.body, set(inner), labels, value=value)
            _block(node.otherwise, set(inner), labels, value=value)


def _pipeline(pipeline: Pipeline, known: set[str], labels: Collection[str] | None, *, value: bool) -> None:
    for name, fields in _named(pipeline):
        if name not in known:
            raise ValueError(f"the variable '${name}' is not known; use $labels.<name> or $value")
        if not value and (name == "value" or (name == "" and fields[:1] == ("Value",))):
            raise ValueError(
                "'$value' is not known in a label of a breaker's alert: it would be another alert at each look"
            )
        if name == "labels" and labels is not None and fields and fields[0] not in labels:
            raise ValueError(f"there will be no label {fields[0]!r}; known: {', '.join(sorted(labels))}")
    if pipeline.declares:
        known.update(pipeline.names)
    elif not known.issuperset(pipeline.names):
        raise ValueError(f"the variable '${pipeline.names[0]}' is assigned and was not declared with ':='")


def _named(pipeline: Pipeline) -> Iterator[tuple[str, tuple[str, ...]]]:
    for command in pipeline.commands:
        for operand in command:
            if isinstance(operand, Variable):
                yield operand.name, operand.fields
            elif isinstance(operand, Dot) and operand.fields[:1] == ("Value",):
                yield "", operand.fields
            elif isinstance(operand, Inner):
                yield from _named(operand.pipeline)
