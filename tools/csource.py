# SPDX-License-Identifier: BSD-3-Clause
"""Reads C just well enough for the checks in this folder: comments, functions, nesting.

Not a compiler's parser. It knows the shapes that the tree's style allows, and takes
the text as clang-format leaves it; the tools that use it are tidy, layers and clauses.
Lines are counted from 1, as editors do.
"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\n|\S")
_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
_CONTROL = {"if", "for", "while", "switch"}
_NOT_A_NAME = {"__attribute__", "alignas", "_Alignas", "_Static_assert", "static_assert"}


@dataclass
class Comment:
    first: int
    last: int
    text: str


@dataclass
class Function:
    name: str
    above: int  # line on which what stands before the definition ends
    first: int
    last: int
    parameters: int
    depth: int  # levels of nesting


@dataclass
class Source:
    text: str
    comments: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    first_code: int = 0  # line of the first token that is neither comment nor directive; 0: none


def _blank(match_text, keep):
    """The same number of lines, with nothing on them but `keep`."""
    return keep + "\n" * match_text.count("\n")


class _Tokens:
    def __init__(self, code):
        self.text, self.line = [], []
        line = 1
        for match in _TOKEN.finditer(code):
            token = match.group()
            if token == "\n":
                line += 1
            else:
                self.text.append(token)
                self.line.append(line)

    def at(self, i):
        return self.text[i] if i < len(self.text) else ""

    def close(self, i):
        """Index of the bracket that closes the one at i."""
        depth = 0
        for j in range(i, len(self.text)):
            if self.text[j] in "([{":
                depth += 1
            elif self.text[j] in ")]}":
                depth -= 1
                if depth == 0:
                    return j
        return len(self.text) - 1


def _skip_simple(t, i):
    """Past the ';' that ends an expression or a declaration, initialisers included."""
    while i < len(t.text) and t.at(i) != ";":
        if t.at(i) == "}":
            return i
        i = t.close(i) + 1 if t.at(i) in "([{" else i + 1
    return i + 1


def _body(t, i, head, depth):
    """The statement that an `if` or a loop governs: (index after it, deepest level).

    A short one on the line of its `if` adds no level: nothing is indented by it.
    """
    deeper = t.at(i) == "{" or t.line[min(i, len(t.line) - 1)] != t.line[head]
    return _statement(t, i, depth + deeper, governed=True)


def _statement(t, i, depth, governed=False):
    token = t.at(i)
    if token == "{":
        inner = depth if governed else depth + 1
        return _block(t, i, inner)
    if token in ("case", "default") or (t.at(i + 1) == ":" and token.isidentifier()):
        while i < len(t.text) and t.at(i) != ":":
            i += 1
        return _statement(t, i + 1, depth, governed=t.at(i + 1) == "{")
    if token == "do":
        i, deepest = _body(t, i + 1, i, depth)
        return _skip_simple(t, i), deepest
    loop_macro = token.isupper() and t.at(i + 1) == "(" and t.at(t.close(i + 1) + 1) == "{"
    if token in _CONTROL or loop_macro:
        head = t.close(i + 1)
        i, deepest = _body(t, head + 1, head, depth)
        if token == "if" and t.at(i) == "else":
            chained = t.at(i + 1) == "if"
            i, other = _statement(t, i + 1, depth) if chained else _body(t, i + 1, i, depth)
            deepest = max(deepest, other)
        return i, deepest
    return _skip_simple(t, i), depth


def _block(t, i, depth):
    """The statements between '{' at i and its '}': (index after it, deepest level)."""
    deepest = depth
    i += 1
    while i < len(t.text) and t.at(i) != "}":
        i, reached = _statement(t, i, depth)
        deepest = max(deepest, reached)
    return i + 1, deepest


def _parameters(t, opening):
    end = t.close(opening)
    inside = t.text[opening + 1:end]
    if not inside or inside == ["void"]:
        return 0
    count, depth = 1, 0
    for token in inside:
        depth += (token in "([{") - (token in ")]}")
        count += token == "," and depth == 0
    return count


def _definition(t, start, brace):
    """The function whose tokens run from `start` to its '{', or None for anything else."""
    if t.at(brace - 1) != ")" or "=" in t.text[start:brace]:
        return None
    for i in range(start, brace):
        if t.at(i) == "(" and i > start and t.at(i - 1).isidentifier():
            if t.at(i - 1) not in _NOT_A_NAME:
                above = t.line[start - 1] if start else 0
                last, depth = _block(t, brace, 0)
                return Function(t.at(i - 1), above, t.line[start], t.line[last - 1],
                                _parameters(t, i), depth)
    return None


def _functions(t):
    found = []
    start = i = 0
    while i < len(t.text):
        if t.at(i) == "{":
            function = _definition(t, start, i)
            i = t.close(i) + 1
            if function:
                found.append(function)
                start = i
        elif t.at(i) in "([":
            i = t.close(i) + 1
        else:
            i += 1
            if t.at(i - 1) == ";":
                start = i
    return found


def parse(text):
    source = Source(text)

    def literal(match):
        piece = match.group()
        if not piece.startswith("/"):
            return _blank(piece, '""' if piece[0] == '"' else "0")
        first = text.count("\n", 0, match.start()) + 1
        source.comments.append(Comment(first, first + piece.count("\n"), piece))
        return _blank(piece, " ")

    code = _LITERAL.sub(literal, text)
    code = _DIRECTIVE.sub(lambda m: _blank(m.group(), ""), code)
    tokens = _Tokens(code)
    source.first_code = tokens.line[0] if tokens.line else 0
    source.functions = _functions(tokens)
    return source


def read(path):
    return parse(path.read_text(encoding="utf-8"))
