"""The lineage of expressions. What is not named here is a function of all its arguments."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

from sqlglot import exp

from iam.functions import NAMESPACES, PLAIN
from iam.lineage.scope import Relation, Scope, refused
from iam.lineage.value import NOTHING, ROWS, Passage, Value, either, element, opaque, tinted
from iam.lineage.value import field as field_of

COUNTING = (exp.Count, exp.CountIf, exp.ApproxDistinct, exp.Grouping)
"""Functions that leave only how many there are."""
COUNTING_NAMES = frozenset({"APPROX_COUNT_DISTINCT", "COUNT", "COUNTIF"})
RANKING = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)
CHOOSING = (exp.AnyValue, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead, exp.NthValue)
"""Functions that give their first argument of one row, whole."""
PASSING = (exp.Paren, exp.Alias, exp.IgnoreNulls, exp.RespectNulls, exp.Filter)
CHOICES = (exp.If, exp.Case, exp.Coalesce, exp.Nullif)
DYNAMIC = (exp.Parameter, exp.Placeholder, exp.SessionParameter)
WINDOW = frozenset(["this", "partition_by", "order", "spec", "alias", "over", "first"])
DATE_PARTS = frozenset(
    [
        "MICROSECOND",
        "MILLISECOND",
        "SECOND",
        "MINUTE",
        "HOUR",
        "DAY",
        "WEEK",
        "ISOWEEK",
        "MONTH",
        "QUARTER",
        "YEAR",
        "ISOYEAR",
        "DAYOFWEEK",
        "DAYOFYEAR",
        "DATE",
        "TIME",
        "DATETIME",
        "SUNDAY",
        "MONDAY",
        "TUESDAY",
        "WEDNESDAY",
        "THURSDAY",
        "FRIDAY",
        "SATURDAY",
    ]
)


class Expressions:
    """What of an interpreter looks at expressions; `query.Lineage` is the whole."""

    def influence(self, how: str, *values: Value) -> None:
        raise NotImplementedError

    def captured(self) -> AbstractContextManager[list[Value]]:
        raise NotImplementedError

    def subquery(self, node: exp.Expr, scope: Scope) -> Relation:
        raise NotImplementedError

    def only(self, node: exp.Expr, known: frozenset[str]) -> None:
        raise NotImplementedError

    @staticmethod
    def influencing(inner: dict[str, set[str]]) -> Value:
        return Value(dict.fromkeys(inner, Passage.DERIVED))

    def each(self, node: exp.Expr, scope: Scope) -> Iterator[Value]:
        """The values of a node's children."""
        for child in node.iter_expressions():
            yield self.value(child, scope)

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """Where an expression's value comes from. Raises LineageError."""
        if isinstance(node, exp.Literal | exp.DataType | exp.Var | exp.Null | exp.Boolean | exp.Star):
            return NOTHING
        if isinstance(node, exp.Column):
            return self.column(node, scope)
        if isinstance(node, exp.Identifier):
            return scope.find([node.name]) or NOTHING if node.name.lower() in scope.names else NOTHING
        if isinstance(node, exp.Dot):
            return self.dot(node, scope)
        if isinstance(node, DYNAMIC):
            raise refused("a parameter or variable: what it is only a run knows", node)
        if isinstance(node, exp.Subquery | exp.Select | exp.SetOperation):
            return self.scalar(node, scope)
        if isinstance(node, exp.Exists):
            with self.captured() as inside:
                relation = self.subquery(node.this, scope)
            return opaque([*inside, relation.row])
        if isinstance(node, exp.In):
            return self.in_(node, scope)
        if isinstance(node, PASSING):
            return self.passed(node, scope)
        if isinstance(node, exp.Distinct):
            many = [self.value(child, scope) for child in node.expressions]
            return many[0] if len(many) == 1 else opaque(many)
        if isinstance(node, exp.Order | exp.Limit | exp.HavingMax):
            return self.ordered(node, scope)
        if isinstance(node, COUNTING):
            return self.counted(node, scope)
        if isinstance(node, exp.Window):
            return self.window(node, scope)
        if isinstance(node, exp.Struct):
            return self.struct(node, scope)
        if isinstance(node, exp.Array):
            return self.array(node, scope)
        if isinstance(node, exp.ArrayAgg):
            return Value(item=self.value(node.this, scope))
        if isinstance(node, exp.ArrayConcat):
            return Value(item=either([NOTHING, *(element(value) for value in self.each(node, scope))]))
        if isinstance(node, exp.Bracket):
            index = [self.value(child, scope) for child in node.expressions]
            return tinted(element(self.value(node.this, scope)), *index)
        if isinstance(node, CHOICES):
            return self.choice(node, scope)
        if isinstance(node, exp.ArgMax | exp.ArgMin):
            self.influence("order", self.value(node.expression, scope))
            return self.value(node.this, scope)
        if isinstance(node, CHOOSING):
            return self.passed(node, scope)
        if isinstance(node, exp.Cast):
            return self.cast(node, scope)
        if isinstance(node, exp.Unnest):
            return element(opaque(self.each(node, scope)))
        if isinstance(node, exp.Anonymous):
            return self.call(node.name.upper(), node, scope)
        if isinstance(node, exp.Lambda):
            return self.lambda_(node, NOTHING, scope)
        if isinstance(node, exp.Query | exp.Table | exp.Command):
            raise refused("a query stands where a value is expected", node)
        return self.function(node, scope)

    def counted(self, node: exp.Expr, scope: Scope) -> Value:
        found = opaque(self.each(node, scope), Passage.COUNTED)
        return found if found.sources else ROWS

    def passed(self, node: exp.Expr, scope: Scope) -> Value:
        """The first child's value, which the others have a part in."""
        first, *rest = self.each(node, scope)
        return tinted(first, *rest)

    def column(self, node: exp.Column, scope: Scope) -> Value:
        names = [part.name for part in node.parts]
        found = scope.find(names)
        if found is not None:
            return found
        if len(names) == 1 and names[0].upper() in DATE_PARTS and isinstance(node.parent, exp.Func):
            return NOTHING
        raise refused(f"the column {'.'.join(names)} is not known", node)

    def dot(self, node: exp.Dot, scope: Scope) -> Value:
        """A field of an expression, or a function with its namespace."""
        if isinstance(node.expression, exp.Func):
            namespace = node.this.name.upper() if isinstance(node.this, exp.Identifier | exp.Var | exp.Column) else ""
            if namespace not in NAMESPACES:
                raise refused("a function of one's own: what it does is not seen", node)
            return self.call(f"{namespace}.{node.expression.name.upper()}", node.expression, scope)
        part = field_of(self.value(node.this, scope), node.expression.name)
        if part is None:
            raise refused(f"the field {node.expression.name} is not known", node)
        return part

    def call(self, name: str, node: exp.Expr, scope: Scope) -> Value:
        """A function that sqlglot has no type for."""
        bare = name.rpartition(".")[2]
        if "." not in name and name not in PLAIN:
            raise refused("a function that is not known: what it does is not seen", node)
        if "DECRYPT" in bare:
            found = self.function(node, scope)
            return Value(dict.fromkeys(found.everything(), Passage.DECRYPTED))
        if bare in COUNTING_NAMES or name in ("HLL_COUNT.EXTRACT", "HLL_COUNT.MERGE"):
            return self.counted(node, scope)
        return self.function(node, scope)

    def function(self, node: exp.Expr, scope: Scope) -> Value:
        """Some function of its arguments; a lambda's argument is an item of the arrays beside it."""
        children = list(node.iter_expressions())
        lambdas = [child for child in children if isinstance(child, exp.Lambda)]
        values = [self.value(child, scope) for child in children if not isinstance(child, exp.Lambda)]
        item = either([element(value) for value in values]) if values else NOTHING
        values += [self.lambda_(child, item, scope) for child in lambdas]
        found = opaque(values)
        if isinstance(node, exp.AggFunc) and not found.sources:
            return ROWS  # SUM(1) is a COUNT
        if "DECRYPT" in type(node).__name__.upper():
            return Value(dict.fromkeys(found.sources, Passage.DECRYPTED))
        return found

    def lambda_(self, node: exp.Lambda, item: Value, scope: Scope) -> Value:
        return self.value(node.this, scope.within({argument.name: item for argument in node.expressions}))

    def scalar(self, node: exp.Expr, scope: Scope) -> Value:
        relation = self.subquery(node, scope)
        if len(relation.columns) != 1:
            raise refused("a subquery that stands for a value has more than one column", node)
        return relation.columns[0][1]

    def in_(self, node: exp.In, scope: Scope) -> Value:
        values = [self.value(node.this, scope), *(self.value(child, scope) for child in node.expressions)]
        if node.args.get("query") is not None:
            with self.captured() as inside:
                relation = self.subquery(node.args["query"], scope)
            values += [*inside, relation.row]
        if node.args.get("unnest") is not None:
            values.append(self.value(node.args["unnest"], scope))
        return opaque(values)

    def ordered(self, node: exp.Expr, scope: Scope) -> Value:
        """What is left of an aggregate's argument when ORDER BY, LIMIT or HAVING MAX is taken off."""
        self.influence("order", *(self.value(child, scope) for child in node.iter_expressions() if child != node.this))
        return self.value(node.this, scope)

    def window(self, node: exp.Window, scope: Scope) -> Value:
        self.only(node, WINDOW)
        named = node.args.get("alias")
        if named is not None:
            if named.name.lower() not in scope.windows:
                raise refused("a window that is not named", node)
            self.only(scope.windows[named.name.lower()], WINDOW)
        frames = [node, *([scope.windows[named.name.lower()]] if named is not None else [])]
        keys = [self.value(key, scope) for frame in frames for key in frame.args.get("partition_by") or ()]
        orders = [
            value for frame in frames if frame.args.get("order") for value in self.each(frame.args["order"], scope)
        ]
        self.influence("window", *keys, *orders)
        inner = self.value(node.this, scope)
        ranked = node.this.this if isinstance(node.this, exp.IgnoreNulls | exp.RespectNulls) else node.this
        if not isinstance(ranked, RANKING):
            return inner
        return opaque(orders) if any(value.everything() for value in orders) else ROWS

    def struct(self, node: exp.Struct, scope: Scope) -> Value:
        fields: dict[str, Value] = {}
        for number, child in enumerate(node.expressions):
            if isinstance(child, exp.PropertyEQ):
                fields[child.this.name] = self.value(child.expression, scope)
            else:
                named = isinstance(child, exp.Column | exp.Alias | exp.Dot)
                fields[(child.alias_or_name if named else "") or f"_field_{number + 1}"] = self.value(child, scope)
        return Value(fields=fields)

    def array(self, node: exp.Array, scope: Scope) -> Value:
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
            return Value(item=self.scalar(node.expressions[0], scope))
        return Value(item=either([NOTHING, *self.each(node, scope)]))

    def choice(self, node: exp.Expr, scope: Scope) -> Value:
        """IF, CASE, COALESCE, NULLIF: one of the results, by conditions that tell something too."""
        results: list[Value] = []
        conditions: list[Value] = []
        if isinstance(node, exp.Coalesce):
            results = list(self.each(node, scope))
        elif isinstance(node, exp.Nullif):
            results, conditions = [self.value(node.this, scope)], [self.value(node.expression, scope)]
        else:
            for branch in node.args.get("ifs") or [node]:
                conditions.append(self.value(branch.this, scope))
                results += self.given(branch, ("true", "false"), scope)
            if isinstance(node, exp.Case):
                conditions += self.given(node, ("this",), scope)
                results += self.given(node, ("default",), scope)
        return tinted(either(results), *conditions)

    def given(self, node: exp.Expr, keys: Iterable[str], scope: Scope) -> list[Value]:
        return [self.value(node.args[key], scope) for key in keys if node.args.get(key) is not None]

    def cast(self, node: exp.Cast, scope: Scope) -> Value:
        """A cast to a STRUCT renames the fields by position; any other is a function of its argument."""
        inner, names = self.value(node.this, scope), [part.name for part in node.to.expressions]
        if inner.fields is not None and len(names) == len(inner.fields) and all(names):
            return Value(fields=dict(zip(names, inner.fields.values(), strict=True)))
        return inner if inner.item is not None and inner.item.fields is None else opaque([inner])
