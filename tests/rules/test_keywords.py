"""Keyword lists: what hits, on which channel, and that many keywords cost no more than few."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_service.rules.folding import fold, words_of
from rules_service.rules.keywords import KeywordIndex, KeywordList, parse_keywords
from rules_service.rules.substrings import Substrings
from rules_service.ruleset.reading import read_yaml
from tests.rules.tables import as_line

LINES = (Path(__file__).parent / "keyword_cases.txt").read_text().splitlines()
CASES = [re.split(" ; | ", line, maxsplit=1) for line in LINES if line and not line.startswith("#")]


def hits(keyword, text, match):
    return bool(KeywordIndex([KeywordList(name="list", match=match, any=(keyword,))]).find(text))


@pytest.mark.req("R3.14", "R3.15")
@pytest.mark.parametrize(("match", "case"), CASES, ids=[f"{match} {case}" for match, case in CASES])
def test_a_keyword_hits_as_its_list_says(match, case):
    keyword, text, expected = case.split(" ; ")
    assert hits(keyword, text, match) is (expected == "true")


def test_all_keywords_of_the_table_in_one_index_hit_as_they_do_alone():
    cases = [(match, *case.split(" ; ")[:2]) for match, case in CASES]
    lists = [KeywordList(name=f"{match} {word}", match=match, any=(word,)) for match, word, _ in dict.fromkeys(cases)]
    index = KeywordIndex(lists)
    for _, _, text in cases:
        expected = {f"{match} {keyword}" for match, keyword, _ in cases if hits(keyword, text, match)}
        assert index.find(text) == expected


@pytest.mark.req("R3.14")
@pytest.mark.parametrize("match", ["words", "prefix", "substring"])
def test_keywords_of_a_channel_count_on_that_channel_only(match):
    index = KeywordIndex(
        [KeywordList(name="outage", match=match, any=("macet",), by_channel={"twitter": ("down lagi",)})]
    )
    assert index.find("down lagi nih", "twitter") == {"outage"}
    assert index.find("down lagi nih", "whatsapp") == frozenset()
    assert index.find("down lagi nih") == frozenset()
    assert index.find("macet", "whatsapp") == index.find("macet", "twitter") == index.find("macet") == {"outage"}


def test_keywords_that_begin_alike_all_hit():
    words = ("a", "ab", "abc", "abd", "b", "abc d", "abc de")
    index = KeywordIndex([KeywordList(name=word, match="prefix", any=(word,)) for word in words])
    assert index.find("abcx") == {"a", "ab", "abc"}
    assert index.find("abc dex") == {"a", "ab", "abc", "abc d", "abc de"}
    assert index.find("bb") == {"b"}


def test_hostile_texts_are_only_texts():
    index = KeywordIndex(
        [KeywordList(name=match, match=match, any=("macet", "a b")) for match in ("words", "prefix", "substring")]
    )
    for text in ("", "\ud800", "\x00macet\x00", "a" * 200_000, "\u0301" * 1_000, "ﷺ" * 1_000, "a " * 50_000):
        assert index.find(text) <= {"words", "prefix", "substring"}
    assert index.find("x" * 100_000 + " macet") == frozenset(), "only the beginning of a very long text is read"


ALPHABET = st.text(alphabet="abc d", min_size=1, max_size=6)


@given(st.sets(ALPHABET, min_size=1, max_size=12), st.text(alphabet="abc dé", max_size=40))
def test_substrings_are_those_that_python_finds(strings, text):
    assert set(Substrings({one: one for one in strings}).find(text)) == {one for one in strings if one in text}


@given(st.sets(ALPHABET.filter(str.strip), min_size=1, max_size=12), st.text(alphabet="abc d", max_size=40))
def test_words_and_prefixes_are_those_that_comparing_word_by_word_finds(phrases, text):
    index = KeywordIndex(
        [
            KeywordList(name=f"{match}:{one}", match=match, any=(one,))
            for one in phrases
            for match in ("words", "prefix")
        ]
    )
    words = words_of(fold(text))
    expected = set()
    for one in phrases:
        wanted = one.split()
        for at in range(len(words) - len(wanted) + 1):
            window = words[at : at + len(wanted)]
            if window == wanted:
                expected.add(f"words:{one}")
            if window[:-1] == wanted[:-1] and window[-1].startswith(wanted[-1]):
                expected.add(f"prefix:{one}")
    assert index.find(text) == expected


SYLLABLES = ["ma", "cet", "ba", "yar", "ti", "dak", "bi", "sa", "re", "ho", "tel", "ke", "ta", "ga", "gal", "pe", "lo"]


@pytest.mark.parametrize("match", ["words", "prefix", "substring"])
def test_five_thousand_keywords_cost_at_most_twice_what_ten_do(match):
    chance = random.Random(5)
    text = " ".join("".join(chance.choices(SYLLABLES, k=3)) for _ in range(200))

    def keyword():
        # Begins like words of the text, and does not hit it.
        return "".join(chance.choices(SYLLABLES, k=2)) + "".join(chance.choices("xyz", k=6))

    indexes = {
        count: KeywordIndex([KeywordList(name=str(n), match=match, any=(keyword(),)) for n in range(count)])
        for count in (10, 5_000)
    }
    best = dict.fromkeys(indexes, float("inf"))
    # In turn, so that what else the machine does slows down both.
    for _ in range(50):
        for count, index in indexes.items():
            started = time.perf_counter()
            assert index.find(text) == frozenset()
            best[count] = min(best[count], time.perf_counter() - started)
    assert best[5_000] <= 2 * best[10]


MISTAKES = [
    ("macet", '1:1 type a keyword list is a mapping such as {any: [refund]}, not "macet"'),
    ("{any: [macet], matsh: words}", '1:16 unknown-key unknown key "matsh"; did you mean "match"?'),
    ("{any: [macet], match: word}", '1:23 value match is one of words, prefix, substring, not "word"'),
    ("{match: words}", '1:1 missing "list" has no keywords; list them under any: or by_channel:'),
    ("{any: macet}", '1:7 type expected a list of keywords, not "macet"'),
    ("{any: []}", "1:7 value an empty list; name at least one keyword"),
    ("{any: [macet, 404]}", "1:15 type a keyword is text, not the number 404; put it in quotes"),
    ('{any: ["!!!"]}', '1:8 value "!!!" has no letter or digit to look for'),
    ('{any: [" "], match: substring}', '1:8 value " " has no letter or digit to look for'),
    ("{by_channel: [twitter]}", "1:14 type by_channel is a mapping from channels to lists, not a list"),
    ("{by_channel: {twitter: down}}", '1:24 type expected a list of keywords, not "down"'),
    (
        "{by_channel: {twiter: [down]}}",
        '1:15 unknown-name no channel is called "twiter"; did you mean "twitter"?',
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_reported_at_its_place(text, expected):
    problems = []
    data, place = read_yaml("rules.yaml", text.encode(), problems)
    parse_keywords([("list", data, place)], channels=frozenset({"twitter", "whatsapp"}))
    assert [as_line(problem) for problem in problems] == [expected]


@pytest.mark.req("R3.14", "R3.15")
def test_lists_are_read_from_a_ruleset():
    text = b"""
system_down: {any: [sistem macet], by_channel: {twitter: [down lagi]}}
refund: {any: [uang kembali], match: prefix}
"""
    problems = []
    data, place = read_yaml("rules.yaml", text, problems)
    index = parse_keywords([(name, one, place.at(name)) for name, one in data.items()])
    assert problems == []
    assert index.find("Sistem macet, minta uang kembalinya", "whatsapp") == {"system_down", "refund"}
    assert index.find("down lagi", "twitter") == {"system_down"}
