"""Keyword lists: which of them hit a text, in time that grows with the text and not with the number of keywords."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rules_service.problems import describe, hint
from rules_service.rules.folding import fold, words_of
from rules_service.rules.substrings import Substrings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules_service.problems import Place

#: How a keyword has to stand in a text; see KeywordList.
Match = Literal["words", "prefix", "substring"]
MATCHES: tuple[Match, ...] = ("words", "prefix", "substring")

#: Keywords that one list may have, and characters that one keyword may have.
MOST_KEYWORDS = 5_000
LONGEST_KEYWORD = 200

#: Channel (None: every channel) to the names of the lists that hit.
_Hits = dict[str | None, set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordList:
    """Keywords under one name. A list hits a text if one of its keywords does.

    words: the keyword's words in a row, each a whole word. prefix: the same, but the last one may go on (`bayar` hits
    `bayarnya`). substring: the keyword anywhere, inside words too.
    """

    name: str
    match: Match = "words"
    #: Looked for on every channel.
    any: tuple[str, ...] = ()
    #: Looked for besides, on one channel each.
    by_channel: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """What may follow the words so far; the root follows none."""

    next: dict[str, _Node] = field(default_factory=dict)
    #: Lists whose keyword is complete here.
    hits: _Hits = field(default_factory=dict)
    #: Last words that may go on, with the lists then hit.
    prefixes: dict[str, _Hits] = field(default_factory=dict)
    #: Their lengths, shortest first, and how they begin, as far as the shortest goes; made when the node is complete.
    lengths: tuple[int, ...] = ()
    beginnings: frozenset[str] = frozenset()


class KeywordIndex:
    """Finds the keyword lists that hit a text; one index for all lists and rules. Immutable after it is made."""

    def __init__(self, lists: Iterable[KeywordList]) -> None:
        self._root = _Node()
        substrings: dict[str, _Hits] = {}
        for one in lists:
            for channel, keywords in ((None, one.any), *one.by_channel.items()):
                for keyword in keywords:
                    if one.match == "substring":
                        hits = substrings.setdefault(fold(keyword), {})
                    else:
                        hits = self._place(words_of(fold(keyword)), one.match)
                    hits.setdefault(channel, set()).add(one.name)
        _measure_prefixes(self._root)
        self._substrings = Substrings(substrings) if substrings else None

    def find(self, text: str, channel: str | None = None) -> frozenset[str]:
        """The names of the lists that hit `text` on `channel`; None: only keywords meant for every channel count."""
        folded = fold(text)
        found: list[_Hits] = [] if self._substrings is None else self._substrings.find(folded)
        if self._root.next or self._root.lengths:
            self._find_words(words_of(folded), found)
        names: set[str] = set()
        for hits in found:
            names.update(hits.get(None, ()))
            if channel is not None:
                names.update(hits.get(channel, ()))
        return frozenset(names)

    def _place(self, words: list[str], match: Match) -> _Hits:
        node = self._root
        for word in words[:-1] if match == "prefix" else words:
            node = node.next.setdefault(word, _Node())
        return node.prefixes.setdefault(words[-1], {}) if match == "prefix" else node.hits

    def _find_words(self, words: list[str], found: list[_Hits]) -> None:
        first, lengths = self._root.next, self._root.lengths
        for index, word in enumerate(words):
            if lengths:
                _find_prefixes(self._root, word, found)
            node = first.get(word)
            at = index + 1
            while node is not None:
                if node.hits:
                    found.append(node.hits)
                if at == len(words):
                    break
                if node.lengths:
                    _find_prefixes(node, words[at], found)
                node = node.next.get(words[at])
                at += 1


def _find_prefixes(node: _Node, word: str, found: list[_Hits]) -> None:
    # Nearly every word is sorted out by its beginning, however many keywords there are.
    if word[: node.lengths[0]] not in node.beginnings:
        return
    for length in node.lengths:
        if length > len(word):
            return
        hits = node.prefixes.get(word[:length])
        if hits is not None:
            found.append(hits)


def _measure_prefixes(node: _Node) -> None:
    if node.prefixes:
        node.lengths = tuple(sorted({len(prefix) for prefix in node.prefixes}))
        node.beginnings = frozenset(prefix[: node.lengths[0]] for prefix in node.prefixes)
    for following in node.next.values():
        _measure_prefixes(following)


def parse_keywords(
    entries: Iterable[tuple[str, object, Place]], *, channels: frozenset[str] | None = None
) -> KeywordIndex:
    """The index of the section `keywords`; an entry is a list's name, what stands under it, and where that stands.

    Every mistake is reported at its place, and the keyword or list left out. `channels`: the known ones, if they are.
    """
    lists = (_parse_list(name, data, place, channels) for name, data, place in entries)
    return KeywordIndex([one for one in lists if one is not None])


def _parse_list(name: str, data: object, place: Place, channels: frozenset[str] | None) -> KeywordList | None:
    if not isinstance(data, dict):
        place.problem("type", f"a keyword list is a mapping such as {{any: [refund]}}, not {describe(data)}")
        return None
    accepted = ("any", "match", "by_channel")
    for key in data:
        if key not in accepted:
            place.at(key).problem("unknown-key", f'unknown key "{key}"{hint(key, accepted)}', key=True)
    match = data.get("match", "words")
    if match not in MATCHES:
        place.at("match").problem("value", f"match is one of {', '.join(MATCHES)}, not {describe(match)}")
        return None
    if "any" not in data and "by_channel" not in data:
        place.problem("missing", f'"{name}" has no keywords; list them under any: or by_channel:')
    every = _parse_keywords(data["any"], place.at("any"), match) if "any" in data else ()
    by_channel = data.get("by_channel", {})
    if not isinstance(by_channel, dict):
        where = place.at("by_channel")
        where.problem("type", f"by_channel is a mapping from channels to lists, not {describe(by_channel)}")
        return None
    for channel in by_channel:
        if not isinstance(channel, str) or (channels is not None and channel not in channels):
            where = place.at("by_channel", channel)
            where.problem("unknown-name", f'no channel is called "{channel}"{hint(channel, channels or ())}', key=True)
    named = {key: _parse_keywords(data, place.at("by_channel", key), match) for key, data in by_channel.items()}
    return KeywordList(name=name, match=match, any=every, by_channel=named)


def _parse_keywords(data: Any, place: Place, match: Match) -> tuple[str, ...]:
    if not isinstance(data, list):
        place.problem("type", f"expected a list of keywords, not {describe(data)}")
        return ()
    if not data:
        place.problem("value", "an empty list; name at least one keyword")
    if len(data) > MOST_KEYWORDS:
        place.problem("limit", f"a list has at most {MOST_KEYWORDS} keywords, not {len(data)}")
        return ()
    return tuple(keyword for index, keyword in enumerate(data) if _is_keyword(keyword, place.at(index), match))


def _is_keyword(data: object, place: Place, match: Match) -> bool:
    if not isinstance(data, str):
        quotes = "; put it in quotes" if isinstance(data, bool | int | float) else ""
        place.problem("type", f"a keyword is text, not {describe(data)}{quotes}")
        return False
    if len(data) > LONGEST_KEYWORD:
        place.problem("limit", f"a keyword has at most {LONGEST_KEYWORD} characters, not {len(data)}")
        return False
    folded = fold(data)
    if match == "substring" and folded.strip():
        return True
    if match != "substring" and words_of(folded):
        return True
    place.problem("value", f'"{data}" has no letter or digit to look for')
    return False
