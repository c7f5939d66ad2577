"""Tokens to the syntax tree, by recursive descent.

Precedence from loose to tight: OR, AND, NOT, comparison (not chained), + -, * / %, unary -, `.name` and `[index]`.
Grammar: AWS IoT developer guide, "AWS IoT SQL reference"; version 2016-03-23.
"""

from decimal import Decimal
from typing import Final

from hedgerow.core.rulesql import syntax as tree
from hedgerow.core.rulesql.errors import SqlParseError
from hedgerow.core.rulesql.lexer import Kind, Token, tokens
from hedgerow.core.rulesql.values import NUMBERS

CASTS: Final = frozenset(
    {"string", "nvarchar", "text", "ntext", "varchar", "int", "integer", "double", "decimal", "bool", "boolean"}
)
COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
MAX_DEPTH: Final = 32
MAX_OPERATORS: Final = 256


def parse(text: str) -> tree.Statement:
    """Parse a statement; raise SqlParseError that says what was not expected and where."""
    parser = Parser(tokens(text))
    statement = parser.statement()
    parser.expect_end()
    return statement


class Parser:
    """Walks over tokens once."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._depth = 0
        self._operators = 0
        self._in_where = False

    def statement(self) -> tree.Statement:
        variables = self._variables()
        self._keyword("SELECT")
        selection = self._selection()
        source = None
        if self._take_keyword("FROM"):
            token = self._advance()
            if token.kind is not Kind.STRING:
                raise SqlParseError(f"FROM needs a topic filter in single quotes at position {token.position}")
            source = token.text
        where = None
        if self._take_keyword("WHERE"):
            self._in_where = True
            where = self.expression()
        return tree.Statement(variables, selection, source, where)

    def expression(self) -> tree.Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SqlParseError(f"the expression is nested more than {MAX_DEPTH} levels deep")
        try:
            return self._or()
        finally:
            self._depth -= 1

    def expect_end(self) -> None:
        token = self._peek()
        if token.kind is not Kind.END:
            raise self._unexpected(token)

    def _variables(self) -> tuple[tuple[str, tree.Expression], ...]:
        if not self._take_keyword("SET"):
            return ()
        found: dict[str, tree.Expression] = {}
        while True:
            token = self._advance()
            if token.kind is not Kind.VARIABLE:
                raise self._unexpected(token)
            if token.text in found:
                raise SqlParseError(f"the variable {token.text} is set twice")
            self._sign("=")
            found[token.text] = self.expression()
            if not self._take_sign(","):
                return tuple(found.items())

    def _selection(self) -> tree.Selection:
        if self._peek().text == "VALUE" and not self._is_field(self._tokens[self._next + 1]):
            self._advance()
            value = None if self._take_sign("*") else self.expression()
            return tree.Selection(True, value, ())
        items = [self._item()]
        while self._take_sign(","):
            items.append(self._item())
        return tree.Selection(False, None, tuple(items))

    @staticmethod
    def _is_field(following: Token) -> bool:
        """Tell whether the word before this token is a field that happens to be called `value`."""
        return following.text in ("FROM", "AS", ",", "") or (
            following.kind is Kind.SIGN and following.text in "+/%=<>."
        )

    def _item(self) -> tree.Item:
        expression = None if self._take_sign("*") else self.expression()
        if self._take_keyword("AS"):
            path = [self._name()]
            while self._take_sign("."):
                path.append(self._name())
            return tree.Item(expression, tuple(path))
        return tree.Item(expression, () if expression is None else (_key_of(expression),))

    def _or(self) -> tree.Expression:
        left = self._and()
        while self._take_keyword("OR"):
            self._count()
            left = tree.Binary("OR", left, self._and())
        return left

    def _and(self) -> tree.Expression:
        left = self._not()
        while self._take_keyword("AND"):
            self._count()
            left = tree.Binary("AND", left, self._not())
        return left

    def _not(self) -> tree.Expression:
        if self._take_keyword("NOT"):
            self._count()
            return tree.Unary("NOT", self._not())
        return self._comparison()

    def _comparison(self) -> tree.Expression:
        left = self._sum()
        token = self._peek()
        if token.kind is Kind.SIGN and token.text in COMPARISONS:
            self._advance()
            return tree.Binary(token.text, left, self._sum())
        return left

    def _sum(self) -> tree.Expression:
        left = self._product()
        while (sign := self._take_sign("+", "-")) is not None:
            self._count()
            left = tree.Binary(sign, left, self._product())
        return left

    def _product(self) -> tree.Expression:
        left = self._unary()
        while (sign := self._take_sign("*", "/", "%")) is not None:
            self._count()
            left = tree.Binary(sign, left, self._unary())
        return left

    def _unary(self) -> tree.Expression:
        if self._take_sign("-"):
            self._count()
            return tree.Unary("-", self._unary())
        return self._postfix()

    def _count(self) -> None:
        """Bound the operators of a statement, and with them how deep its tree can be."""
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise SqlParseError(f"the statement has more than {MAX_OPERATORS} operators")

    def _postfix(self) -> tree.Expression:
        found = self._primary()
        while True:
            if self._take_sign("."):
                self._count()
                found = tree.Member(found, self._name())
            elif self._take_sign("["):
                self._count()
                found = tree.Index(found, self.expression())
                self._sign("]")
            else:
                return found

    def _primary(self) -> tree.Expression:
        token = self._advance()
        match token.kind:
            case Kind.NUMBER:
                return tree.Literal(_number(token.text))
            case Kind.STRING:
                return tree.Literal(token.text)
            case Kind.VARIABLE:
                return tree.Variable(token.text)
            case Kind.NAME:
                return self._named(token)
            case Kind.KEYWORD:
                return self._worded(token)
            case Kind.SIGN:
                return self._signed(token)
            case Kind.END:
                raise self._unexpected(token)

    def _named(self, token: Token) -> tree.Expression:
        if not self._take_sign("("):
            return tree.Field(token.text)
        name = token.text.lower()
        if name == "cast":
            return self._cast()
        arguments: list[tree.Expression] = []
        if not self._take_sign(")"):
            arguments.append(self._argument())
            while self._take_sign(","):
                arguments.append(self._argument())
            self._sign(")")
        return tree.Call(name, tuple(arguments), token.position)

    def _argument(self) -> tree.Expression:
        return tree.Raw() if self._take_sign("*") else self.expression()

    def _cast(self) -> tree.Expression:
        value = self.expression()
        self._keyword("AS")
        kind = self._advance()
        if kind.text.lower() not in CASTS:
            raise SqlParseError(f"cast knows no type {kind.text!r}")
        self._sign(")")
        return tree.Cast(value, kind.text.lower())

    def _worded(self, token: Token) -> tree.Expression:
        match token.text:
            case "TRUE" | "FALSE":
                return tree.Literal(token.text == "TRUE")
            case "NULL":
                return tree.Literal(None)
            case "CASE":
                return self._case()
            case "VALUE" | "SET" | "END":
                return tree.Field(token.written)
            case _:
                raise self._unexpected(token)

    def _case(self) -> tree.Expression:
        value = self.expression()
        branches = []
        while self._take_keyword("WHEN"):
            wanted = self.expression()
            self._keyword("THEN")
            branches.append((wanted, self.expression()))
        if not branches:
            raise SqlParseError("CASE needs at least one WHEN")
        otherwise = self.expression() if self._take_keyword("ELSE") else None
        self._keyword("END")
        return tree.Case(value, tuple(branches), otherwise)

    def _signed(self, token: Token) -> tree.Expression:
        match token.text:
            case "(":
                found = self._nested() if self._take_keyword("SELECT") else self.expression()
                self._sign(")")
                return found
            case "{":
                return self._object()
            case "[":
                return tree.ArrayOf(self._listed("]"))
            case _:
                raise self._unexpected(token)

    def _nested(self) -> tree.Expression:
        if self._in_where:
            raise SqlParseError("Unexpected token, 'SELECT': a nested query may not stand in WHERE")
        selection = self._selection()
        self._keyword("FROM")
        source = self._postfix()
        where = self.expression() if self._take_keyword("WHERE") else None
        return tree.Nested(selection, source, where)

    def _object(self) -> tree.Expression:
        members: list[tuple[str, tree.Expression]] = []
        while not self._take_sign("}"):
            if members:
                self._sign(",")
            key = self._advance()
            if key.kind is not Kind.STRING:
                raise SqlParseError(f"a key of an object is a string, at position {key.position}")
            self._sign(":")
            members.append((key.text, self.expression()))
        return tree.ObjectOf(tuple(members))

    def _listed(self, closing: str) -> tuple[tree.Expression, ...]:
        items: list[tree.Expression] = []
        while not self._take_sign(closing):
            if items:
                self._sign(",")
            items.append(self.expression())
        return tuple(items)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not Kind.END:
            self._next += 1
        return token

    def _name(self) -> str:
        token = self._advance()
        if token.kind not in (Kind.NAME, Kind.KEYWORD):
            raise self._unexpected(token)
        return token.written or token.text

    def _take_keyword(self, word: str) -> bool:
        token = self._peek()
        if token.kind is Kind.KEYWORD and token.text == word:
            self._advance()
            return True
        return False

    def _keyword(self, word: str) -> None:
        if not self._take_keyword(word):
            raise SqlParseError(f"expected {word}, {self._unexpected(self._peek()).message}")

    def _take_sign(self, *signs: str) -> str | None:
        token = self._peek()
        if token.kind is Kind.SIGN and token.text in signs:
            self._advance()
            return token.text
        return None

    def _sign(self, sign: str) -> None:
        if self._take_sign(sign) is None:
            raise SqlParseError(f"expected {sign!r}, {self._unexpected(self._peek()).message}")

    @staticmethod
    def _unexpected(token: Token) -> SqlParseError:
        if token.kind is Kind.END:
            return SqlParseError("Unexpected end of the statement")
        return SqlParseError(f"Unexpected token, {token.text!r} at position {token.position}")


def _number(text: str) -> int | Decimal:
    try:
        return int(text) if text.isdigit() else NUMBERS.create_decimal(text)
    except (ArithmeticError, ValueError):
        raise SqlParseError(f"the number {text[:40]} is out of range") from None


def _key_of(expression: tree.Expression) -> str:
    """Answer the key that an item without AS goes under: its last name, or its function's."""
    match expression:
        case tree.Field(name) | tree.Member(_, name):
            return name
        case tree.Call(name):
            return name
        case tree.Cast():
            return "cast"
        case _:
            raise SqlParseError("an item of SELECT that is neither a field nor a function needs AS and a name")
