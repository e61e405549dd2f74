"""Whatever a rule file holds, it is read as it is meant or refused with a reason: never a crash, a hang or a guess."""

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_service.decide import check_ruleset, load_ruleset
from rules_service.problems import KINDS
from rules_service.ruleset.reading import MAX_DEPTH, read_yaml
from tests.ruleset.corpus import VARIABLES, base
from tests.scene import travel_files

#: Seconds of the processor that reading any one file may take, on a slow machine; what hangs takes for ever.
MOST_S = 10.0


def read(content):
    problems = []
    began = time.process_time()
    data, _ = read_yaml("case.yaml", content if isinstance(content, bytes) else content.encode(), problems)
    assert time.process_time() - began < MOST_S
    return data, [(problem.line, problem.kind) for problem in problems]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

#: What is refused, each with the line and kind of the first problem.
REFUSED = {
    "an alias bomb": (BOMB, (1, "syntax")),
    "an anchor": ("a: &x 1\n", (1, "syntax")),
    "an alias of itself": ("a: &x [*x]\n", (1, "syntax")),
    "ten megabytes of text": (b"a: " + b"x" * 10_000_000, (1, "limit")),
    "ten megabytes of keys": (b"".join(b"k%d: 1\n" % n for n in range(900_000)), (1, "limit")),
    "many values": ("[" + "1," * 250_000 + "]", (1, "limit")),
    "10,000 lists in each other": ("[" * 10_000, (1, "limit")),
    "10,000 closed lists in each other": ("[" * 10_000 + "]" * 10_000, (1, "limit")),
    "10,000 mappings in each other": ("{a: " * 10_000, (1, "limit")),
    "10,000 levels of indentation": ("".join(" " * n + "a:\n" for n in range(1_000)), (51, "limit")),
    "10,000 dashes": ("- " * 10_000, (1, "limit")),
    "10,000 question marks": ("? " * 10_000, (1, "syntax")),
    "a tab as indentation": ("a:\n\tb: 1\n", (2, "syntax")),
    "a tab after a dash": ("a:\n-\tb: 1\n\tc: 2\n", (2, "syntax")),
    "a NUL": ("a: x\0y\n", (1, "syntax")),
    "a bell": ("a: x\ay\n", (1, "syntax")),
    "a NUL alone": ("\0", (1, "syntax")),
    "Latin-1": ("version: 1\nname: Zoë\n".encode("latin-1"), (2, "encoding")),
    "UTF-16 with its mark": ("version: 1\n".encode("utf-16"), (1, "encoding")),
    "UTF-16 without": ("version: 1\n".encode("utf-16-le"), (1, "syntax")),
    "UTF-32": ("version: 1\n".encode("utf-32"), (1, "encoding")),
    "half a character": (b"a: \xf0\x9f\x98", (1, "encoding")),
    "half a surrogate pair": (b"a: \xed\xa0\x80", (1, "encoding")),
    "random bytes": (random.Random(1).randbytes(10_000), (1, "encoding")),
    "a duplicate key": ("a: 1\nb: 2\na: 3\n", (3, "duplicate")),
    "a duplicate key, quoted": ("a: 1\n'a': 3\n", (2, "duplicate")),
    "a duplicate key inside": ("a: {b: 1, b: 2}\n", (1, "duplicate")),
    "a merge key of an alias": ("a: &x {b: 1}\nc: {<<: *x}\n", (1, "syntax")),
    "a tag of Python": ("a: !!python/object/apply:os.system [ls]\n", (1, "syntax")),
    "a tag on a scalar": ("a: !!python/name:os.system x\n", (1, "syntax")),
    "a tag of YAML": ("a: !!str 5\n", (1, "syntax")),
    "a tag on a mapping": ("a: !!set {b, c}\n", (1, "syntax")),
    "a tag of one's own": ("a: !secret x\n", (1, "syntax")),
    "several documents": ("a: 1\n---\nb: 2\n", (2, "syntax")),
    "an end and another document": ("a: 1\n...\nb: 2\n", (3, "syntax")),
    "a list as a key": ("[a, b]: 1\n", (1, "syntax")),
    "a mapping as a key": ("{a: 1}: 2\n", (1, "syntax")),
    "an alias as a key": ("*a : 1\n", (1, "syntax")),
    "an unclosed quote": ('a: "b\nc: d\n', (1, "syntax")),
    "an unclosed list": ("a: [b\n", (2, "syntax")),
    "a colon in a plain text": ("a: b: c\n", (1, "syntax")),
    "a directive": ("%YAML 3.0\n---\na: 1\n", (1, "syntax")),
    "a percent sign alone": ("%", (1, "syntax")),
    "an at sign": ("a: @b\n", (1, "syntax")),
    "an escape that is none": ('a: "\\q"\n', (1, "syntax")),
    "a very long line that is too much": ("a: " + "x" * 1_000_001, (1, "limit")),
}

#: What is read, each with what it is read as.
READ = {
    "nothing": ("", None),
    "only comments": ("# a\n\n# b\n", None),
    "only a mark": ("---\n", None),
    "a byte order mark": ("\ufeffa: 1\n", {"a": 1}),
    "lines as Windows ends them": ("a: 1\r\nb:\r\n  - x\r\n", {"a": 1, "b": ["x"]}),
    "lines as old Macintoshes end them": ("a: 1\rb: 2\r", {"a": 1, "b": 2}),
    "`on` as a key": ("on: ticket.closed\n", {"on": "ticket.closed"}),
    "words for yes and no": (
        "[yes, no, on, off, y, n, Yes, TRUE, True]",
        ["yes", "no", "on", "off", "y", "n", "Yes", "TRUE", "True"],
    ),
    "true and false": ("{a: true, b: false}", {"a": True, "b": False}),
    "what looks octal": ("[010, 0o10, 00]", ["010", "0o10", "00"]),
    "what looks like base 60": ("[1:30, 190:20:30, 1:30.5]", ["1:30", "190:20:30", "1:30.5"]),
    "what looks hexadecimal or binary": ("[0x10, 0b101, 0xZZ]", ["0x10", "0b101", "0xZZ"]),
    "what is no finite number": ("[.inf, -.inf, .nan, .NaN]", [".inf", "-.inf", ".nan", ".NaN"]),
    "powers of ten": ("[1e5, 1E5, 1.0e5, 1.0e999]", ["1e5", "1E5", 100_000.0, "1.0e999"]),
    "numbers with underscores": ("[1_000, 1_0.5]", ["1_000", "1_0.5"]),
    "plain numbers": ("[0, 5, -5, +5, 1.5, -0.25]", [0, 5, -5, 5, 1.5, -0.25]),
    "numbers without a digit before or after the point": ("[.5, 5.]", [".5", "5."]),
    "very large numbers": (f"[{10**17}, {10**18}]", [10**17, str(10**18)]),
    "nothing in three ways": ("[~, null, '']", [None, None, ""]),
    "nothing in other words": ("[Null, NULL, none, nil]", ["Null", "NULL", "none", "nil"]),
    "dates": ("[2026-12-31, 2026-12-31T09:00:00Z]", ["2026-12-31", "2026-12-31T09:00:00Z"]),
    "dates as keys": ("{2026-12-24: closed}", {"2026-12-24": "closed"}),
    "numbers and truths as keys": (
        "{1: a, true: b, ~: c, 1.0: d}",
        {"1": "a", "true": "b", "~": "c", "1.0": "d"},
    ),
    "a version of its own": ("1.10", 1.1),
    "a merge key by itself": ("a: {<<: {b: 1}}\n", {"a": {"<<": {"b": 1}}}),
    "an equals sign": ("a: =\n", {"a": "="}),
    "emoji": ("🔥: 😀\n", {"🔥": "😀"}),
    "other scripts": ("名前: مرحبا\n", {"名前": "مرحبا"}),
    "an empty key": ("'': 1\n", {"": 1}),
    "a very long line": ("a: " + "x" * 900_000, {"a": "x" * 900_000}),
    "a very long key": ("? " + "k" * 900_000 + "\n: 1\n", {"k" * 900_000: 1}),
    "90,000 values": ("[" + "1," * 90_000 + "]", [1] * 90_000),
    "what one may write 50 deep": ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
    "variables": ('a: "${HOME}"\n', {"a": "${HOME}"}),
    "a folded text": ("a: >-\n  b\n  c\n", {"a": "b c"}),
    "a kept text": ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
    "text in quotes that looks like more": ("['true', \"5\", '~']", ["true", "5", "~"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_its_line(name):
    content, first = REFUSED[name]
    _, problems = read(content)
    assert problems[:1] == [first]


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_it_is_meant(name):
    content, expected = READ[name]
    data, problems = read(content)
    assert problems == []
    if "deep" not in name:
        assert repr(data) == repr(expected)


def test_a_whole_ruleset_with_each_of_them_beside_it_is_loaded_or_refused():
    for content, _ in (*REFUSED.values(), *READ.values()):
        beside = content if isinstance(content, bytes) else content.encode()
        began = time.process_time()
        ruleset, problems = load_ruleset({**base(), "case.yaml": beside})
        assert time.process_time() - began < MOST_S
        assert ruleset is None
        assert {problem.file for problem in problems} == {"case.yaml"}


def test_on_is_a_key_like_any_other():
    rule = b"version: 1\nrules: [{id: x, on: ticket.closed, then: [{note: Closed}]}]\n"
    ruleset, problems = load_ruleset({**base(), "case.yaml": rule})
    assert problems == []
    assert ruleset.rules.by_id["x"].on == {"ticket.closed"}


TEXTS = {
    "3,000 brackets": "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "150 brackets, which Python would refuse later": "{{ " + "[" * 150 + "]" * 150 + " }}",
    "5,000 minus signs": "{{ " + "-" * 5_000 + "1 }}",
    "2,000 sums": "{{ " + "1+" * 2_000 + "1 }}",
    "3,000 steps": "{{ ticket" + ".id" * 3_000 + " }}",
    "3,000 blocks": "{% if eta %}" * 3_000 + "{% endif %}" * 3_000,
    "5,000 digits": "{{ " + "9" * 5_000 + " }}",
    "an unknown test": "{{ 1 is odd_looking }}",
    "an endless range": "{{ range(10 ** 9) }}",
    "a product": "{{ 'x' * 10 }}",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_would_run_long_or_break_later_is_refused_at_once(name):
    rule = {"id": "x", "on": "ticket.closed", "then": [{"note": TEXTS[name]}]}
    began = time.process_time()
    _, problems = load_ruleset({**base(), "case.yaml": json.dumps({"version": 1, "rules": [rule]}).encode()})
    assert time.process_time() - began < MOST_S
    assert [problem.kind for problem in problems] == ["template"]


SNIPPETS = [
    b"\t", b"\0", b"\xff", b": ", b"- ", b"[", b"]", b"{", b"}", b'"', b"'", b"#", b"&a ", b"*a", b"!!str ", b"<<: ",
    b"\n", b"\r\n", b"---\n", b"~", b"yes", b"010", b"1e5", b".inf", b"-1", b"99999999999999999999", b"null", b"[]",
    b"{}", b"on", b"id", b"version", b"when: ", b"any: ", b"then: ", b"{{ ", b" }}", b"{% for x in ticket.tags %}",
    b"\xf0\x9f\x98\x80", b"2026-02-30", b"24:00-24:00", b"${X}", b"a" * 300, b"[" * 60, b"(?i)", b"service 1h",
]  # fmt: skip


def mutated(chance, content):
    """A rule file with a few parts lost, doubled, moved, or replaced by something strange."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice([0, 1, 1, 2, 8, 40, 200]))
        match chance.randrange(5):
            case 0:
                content = content[:start] + content[end:]
            case 1:
                content = content[:end] + content[start:end] + content[end:]
            case 2:
                content = content[:start] + chance.choice(SNIPPETS) + content[start:]
            case 3:
                content = content[:start] + chance.choice(SNIPPETS) + content[end:]
            case _:
                lines = content.split(b"\n")
                lines.insert(chance.randrange(len(lines) + 1), lines.pop(chance.randrange(len(lines))))
                content = b"\n".join(lines)
    return content


def loads_or_says_why(files):
    ruleset, problems, warnings = check_ruleset(files, VARIABLES)
    assert (ruleset is None) == bool(problems)
    for problem in problems:
        assert problem.kind in KINDS
        assert problem.line >= 1
        assert problem.col >= 1
        str(problem).encode("utf-8", "surrogatepass")
    assert not problems or not warnings
    return problems


FUZZ = settings(max_examples=80)


@FUZZ
@given(content=st.binary(max_size=400))
def test_random_bytes_are_loaded_or_refused(content):
    loads_or_says_why({**base(), "case.yaml": content})


@FUZZ
@given(content=st.text(alphabet="version: 1\n-[]{}\"'&*!|>%@`#,?\t abrules", max_size=200))
def test_random_text_is_loaded_or_refused(content):
    loads_or_says_why({**base(), "case.yaml": content.encode()})


@FUZZ
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_a_travel_ruleset_with_mistakes_is_loaded_or_refused(seed):
    chance = random.Random(seed)
    files = dict(travel_files())
    name = chance.choice(sorted(files))
    files[name] = mutated(chance, files[name])
    loads_or_says_why(files)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["30m", "high", "ticket.closed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def scalars(data, path=()):
    """The paths of everything in a document."""
    yield path
    for step, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from scalars(value, (*path, step))


@FUZZ
@given(data=st.data())
def test_any_value_anywhere_is_loaded_or_refused(data):
    name = data.draw(st.sampled_from(sorted(base())))
    content, _ = read_yaml(name, base()[name], [])
    path = data.draw(st.sampled_from(sorted(filter(None, scalars(content)), key=repr)))
    here = content
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = data.draw(VALUES)
    # JSON is YAML, but for what may stand in a text and the escapes of half characters.
    files = {**base(), name: json.dumps(content, ensure_ascii=True).encode()}
    loads_or_says_why(files)


def test_the_corpus_itself_with_mistakes_is_loaded_or_refused():
    for path in sorted((Path(__file__).parent / "problems").glob("*.yaml")):
        chance = random.Random(path.name)
        loads_or_says_why({**base(), "case.yaml": mutated(chance, path.read_bytes())})
