"""Rows as the text that the engine reads, by a function generated once for a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules_service.rules.chunks import Chunk
from rules_service.rules.columns import NAMES
from rules_service.rules.match import compile_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rules_service.rules.chunks import Alias, Step
    from rules_service.rules.columns import Classes, Column
    from rules_service.rules.conditions import Condition
    from rules_service.rules.vocabulary import Row, Vocabulary

#: Every fact has the same id and state, which the engine then never has to keep apart.
HEAD = '{"id":"1","sid":"0"'


def renderer_of(
    steps: Sequence[Step], tags: Mapping[Chunk, object], classes: Mapping[str, Classes], vocabulary: Vocabulary
) -> Callable[[Row], list[tuple[Any, str]]]:
    """A function that gives, for each chunk a row has to be shown to, its tag and the row as JSON text for it.

    The text holds only the columns that the chunk uses. The function never raises, whatever values the row holds.
    """
    writer = _Writer(tags, classes, vocabulary)
    body = writer.steps(steps, "    ")
    # The text is made of templates of this room and of numbered variables; nothing of a rule file is in it.
    source = "\n".join(
        ["def render(row):", "    get = row.get", "    texts = []", *writer.beginning, *body, "    return texts"]
    )
    exec(compile(source, "<renderer>", "exec"), writer.variables)  # noqa: S102
    render: Callable[[Row], list[tuple[Any, str]]] = writer.variables["render"]
    return render


class _Writer:
    """Collects the lines of the function and the variables that they refer to."""

    def __init__(self, tags: Mapping[Chunk, object], classes: Mapping[str, Classes], vocabulary: Vocabulary) -> None:
        #: Lines that compute what several chunks share.
        self.beginning: list[str] = []
        self.variables: dict[str, Any] = {**NAMES, "SETS": (frozenset, set), "members": _members, "join": "".join}
        self._tags = tags
        self._classes = classes
        self._vocabulary = vocabulary
        self._computed: dict[tuple[str, Any], str] = {}
        self._functions: dict[Condition, str] = {}

    def steps(self, steps: Sequence[Step], indent: str) -> list[str]:
        """The lines that append the texts of `steps`."""
        lines = []
        for step in steps:
            if isinstance(step, Chunk):
                lines.append(f"{indent}texts.append(({self._bind(self._tags[step])}, {self._text(step.aliases)}))")
                continue
            word = "if"
            for number, inner in step.branches.items():
                lines.append(f"{indent}{word} {self._class_of(step.source)} == {number}:")
                lines.extend(self.steps(inner, indent + "    "))
                word = "elif"
        return lines

    def _text(self, aliases: Mapping[Column, Alias]) -> str:
        """One chunk's text: for each attribute a fragment, picked by what was computed."""
        groups: dict[tuple[str, str, Any], list[tuple[Column, Alias]]] = {}
        for column, alias in aliases.items():
            shape: str = column.form if column.form in ("member", "truth") else "class"
            key = (shape, column.source, column.what if shape == "truth" else None)
            groups.setdefault(key, []).append((column, alias))
        fragments = [self._bind(HEAD)]
        for (shape, source, what), columns in groups.items():
            if shape == "class":
                fragments.append(f"{self._bind(self._table(source, columns))}[{self._class_of(source)}]")
            elif shape == "truth":
                pair = self._bind(tuple(_fragment(columns[0][1], truth) for truth in (0, 1)))
                fragments.append(f"{pair}[{self._truth_of(what)}]")
            else:
                table = self._bind({column.what: _fragment(alias, 1) for column, alias in columns})
                elements = self._elements_of(source)
                fragments.append(f'(members({elements}, {table}) if {elements} else "")')
        fragments.append(self._bind("}"))
        return f"join(({', '.join(fragments)}))"

    def _table(self, source: str, columns: Sequence[tuple[Column, Alias]]) -> list[str]:
        """The fragment of one attribute for each of its classes."""
        shown = [(alias, self._classes[source].shown(column)) for column, alias in columns]
        return [
            "".join(_fragment(alias, values[n]) for alias, values in shown) for n in range(self._classes[source].count)
        ]

    def _class_of(self, source: str) -> str:
        def expression(name: str) -> str:
            return self._classes[source].expression(self.variables, name)

        return self._once(("class", source), source, expression)

    def _elements_of(self, source: str) -> str:
        return self._once(("member", source), source, lambda name: f"v if isinstance(v := get({name}), SETS) else None")

    def _truth_of(self, what: Condition) -> str:
        """Computed at most once, and only where a chunk asks: a pattern takes long."""
        function = self._functions.get(what)
        if function is None:
            function = self._functions[what] = self._bind(compile_match(what, self._vocabulary))
        truth = self._once(("truth", what), None, lambda none: none)
        return f"({truth} if {truth} is not None else ({truth} := {function}(row)))"

    def _once(self, key: tuple[str, Any], bound: object, expression: Callable[[str], str]) -> str:
        if key not in self._computed:
            variable = f"x{len(self._computed)}"
            self.beginning.append(f"    {variable} = {expression(self._bind(bound))}")
            self._computed[key] = variable
        return self._computed[key]

    def _bind(self, value: object) -> str:
        name = f"k{len(self.variables)}"
        self.variables[name] = value
        return name


def _fragment(alias: Alias, number: int | None) -> str:
    if number is None or (alias.numbers is not None and number not in alias.numbers):
        return ""
    return f',"{alias.name}":{number}'


def _members(elements: Iterable[Any], table: Mapping[str, str]) -> str:
    return "".join([table[element] for element in elements if element in table])
