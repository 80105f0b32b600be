"""Where Monty and CPython differ, found by running both: the sandbox must say what CPython says."""

import contextlib
import io
import time

import pytest

from ml.execution import Sandbox, Verdict
from ml.execution.differences import may_differ
from ml.execution.monty import Doubt, MontyLayer
from tests.ml.execution.test_sandbox import needs_confinement

FLOATS = (
    0.0,
    -0.0,
    0.5,
    -1.5,
    2.5,
    2.675,
    1.15,
    1e16 / 3,
    1 / 3,
    1e-7,
    1e-4,
    1e16,
    1e22,
    1e100,
    0.045,
    -7.25,
    5e-324,
)
INTS = (0, 1, -7, 255, 10**15, 2**53 + 1, 2**64, -(10**25))
DIVIDENDS, DIVISORS = (7, -7, 7.5, -7.5, 10**25, 0.3, True), (2, -2, 3, 2.5, -0.1, 10**12)
SPECS = (".2f", ".0f", "g", ".3e", "%", ",", ".17g", "08.1f")
LISTS = ("[3, 1, 2]", "[0.1] * 10", "[1e100, 1.0, -1e100]", "['b', 'a', 'B']", "[1, 0.1, 0.2]", "range(7)")

TABLES = {
    "round to digits": [f"round({x!r}, {n})" for x in FLOATS for n in (0, 1, 2, 3, 10)],
    "round to powers of ten": [f"round({x}, {n})" for x in (15, 25, 35, -25, 12345) for n in (-1, -2, 0, 2)],
    "round floats to tens": ["round(1234.5, -2)", "round(1.7976931348623157e308, -2)"],
    "round to an integer": [f"round({x!r})" for x in FLOATS],
    "format floats": [f"'{{:{s}}}'.format({x!r})" for x in FLOATS for s in SPECS],
    "percent signs": [f"{s!r} % {x!r}" for x in FLOATS for s in ("%.2f", "%g", "%e", "%s", "%d")],
    "str of floats": [f"str({x!r}), {x!r} * 3, int({x!r})" for x in FLOATS],
    "divmod": [f"divmod({a}, {b}), {a} % {b}, {a} // {b}" for a in DIVIDENDS for b in DIVISORS],
    "powers": [f"({a}) ** ({b})" for a in (2, -2, 10, 0.5) for b in (-1, 0, 5, 0.5, 100)],
    "inverses": [f"pow({a}, {b}, {m})" for a in (3, 2, -2) for b in (-1, -2, 5) for m in (7, 13)],
    "int of text": [f"int({s!r})" for s in (" 12 ", "1_000", "+5", "１２", "١٢")],
    "float of text": [f"float({s!r})" for s in ("inf", "1_0.5", ".5", "1e400", "１.５")],
    "int formats": [f"'{{:{s}}}'.format({i})" for i in INTS for s in ("d", ",", "x", "b", "e", ".2f", "+", "08d")],
    "sums and sorting": [f"{f}({xs})" for xs in LISTS[:3] + LISTS[4:] for f in ("sum", "sorted", "max")],
    "sorted words": ["sorted(['b', 'a', 'B'])", "sorted('hello', reverse=True)", "sorted([3, 1], key=str)"],
    "sets": ["{3, 1, 2}", "list({5, 3, 9, 1})", "set([3, 1, 2])", "sorted({3, 1})", "{i % 4 for i in (3, 2)}"],
    "set operators": ["frozenset([2, 1])", "{1: 2, 3: 4}.keys() & {3, 1}", "f'{ {3, 1, 2} }'"],
    "hashes": ["hash(0.5)", "hash(2**64)"],
    "attributes": ["hasattr(1.0, 'is_integer')", "getattr(1.0, 'hex', None) is None", "(2.0).is_integer()"],
    "special functions": [f"math.{f}({x})" for f in ("gamma", "lgamma", "cbrt", "erfc", "atanh") for x in (0.3, 0.7)],
    "functions": [f"math.{f}({x})" for f in ("sin", "exp", "log", "tanh", "sqrt", "erf") for x in (0.3, 7.1)],
    "short circuits": ["any(6 % d == 0 for d in (3, 0))", "next(i for i in range(5) if i > 2)"],
    "empty matches": ["__import__('re').sub('x*', '-', 'abxd')", "__import__('re').findall('a*', 'baac')"],
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox()
    yield made
    made.close()


def cpython(code):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "__main__"})
    return printed.getvalue()


@needs_confinement
@pytest.mark.parametrize("expressions", TABLES.values(), ids=TABLES)
def test_builtins_print_what_cpython_prints(sandbox, expressions):
    code = "import math\n" + "\n".join(f"print({expression})" for expression in expressions)
    execution = sandbox.execute([code])
    assert (execution.verdict, execution.output) == (Verdict.OK, cpython(code))


@needs_confinement
@pytest.mark.parametrize(
    "code",
    [
        "try:\n    print(pow(3, -1, 7))\nexcept ValueError:\n    print('none')",
        "try:\n    print((2.0).is_integer())\nexcept (KeyError, Exception) as error:\n    print('none')",
        "try:\n    print((2.0).is_integer())\nexcept:\n    print('none')",
        "import re as r\nprint(r.sub('x*', '-', 'abxd'))",
        "import sys\nprint(sys.version_info[:2] < (3, 5))",
        "from math import gamma\nprint(gamma(25))",
    ],
)
def test_what_a_program_would_hide_is_left_to_real_python(sandbox, code):
    assert sandbox.execute([code]).output == cpython(code)


@needs_confinement
def test_a_step_that_follows_one_left_to_real_python_runs_there_too(sandbox):
    execution = sandbox.execute(["s = {5, 3, 9, 1}", "s.add(2)", "print(list(s))"])
    assert execution.output == cpython("print(list({1, 2, 3, 5, 9}))")


def test_rounding_is_right_in_monty_itself_and_after_a_resumed_step():
    layer = MontyLayer(processes=1)
    assert (
        layer.run(["x = 2.675", "print(round(x, 2), round(x), round(1.15, ndigits=1))"]).execution.output
        == "2.67 3 1.1\n"
    )
    assert layer.run(["x = 2.675", "y = round(x, 2)", "print(round(x, 2) == y)"]).execution.output == "True\n"
    own = ["def round(a, b):\n    return 'mine'", "print(round(1, 2))"]
    assert layer.run(own[:1]).execution.ok and layer.run(own).execution.output == "mine\n"
    assert layer.run(["print(round(1234.5, -2))"]).doubt is Doubt.LIKELY_OURS
    layer.close()


@pytest.mark.parametrize(
    "code",
    [
        "x = {'a': 1, **{'b': {}}}\nprint(f'{x} {len(x):>5}')",
        "print(len(set([1, 2])), sorted(set('ab')), max(set([3])))",
        "def f(x):\n    return {k: v for k, v in x}",
        "try:\n    x = 1 / 0\nexcept (ZeroDivisionError, KeyError) as error:\n    x = 0",
        "# set up the system {x, y}\nprint('try: set {1, 2}')\nreset = 1",
        "import math\nprint(round(math.sqrt(2), 2))",
        "x = {}\nx[(1, 2)] = [3]",
        'x = {\'a\': "it\'s {1}", **{ }}\nprint("""{1, 2} \'a""", \'\\\'{1}\')',
        "try:\n    x = 1 / 0\nexcept ( KeyError , IndexError ,ZeroDivisionError ) as error :\n    x = 0",
    ],
)
def test_ordinary_programs_stay_in_monty(code):
    assert not may_differ(code)


PIECES = ("import ", "{", "except ", "{ ", "'", '"""', "key set", "\\'", "(KeyError,", "except KeyError,")
PIECES += ("except Key   ", "Key   ", "\\'\n", '\\"', '\\"""\n', "\\'''\n", "{**", "'\\\n", "#'", '"""\\')


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("before", ["", "{", "except ", "{'", '{"""'])
def test_looking_through_a_long_text_takes_no_long_time(before, piece):
    started = time.perf_counter()
    may_differ(before + piece * 20_000)
    may_differ(before + piece * 20_000 + "}" * 20_000)
    assert time.perf_counter() - started < 2


def test_a_clause_of_many_blanks_is_read_at_once():
    started = time.perf_counter()
    assert may_differ("except " + "Key   " * 30 + "!:")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "code",
    [
        'print("""a\\"""", {3, 1, 2})',
        "print('a\\'', {3, 1, 2}, 'b')",
        "print('''it's''', {3, 1, 2})",
        "x = 'no end\nprint({3, 1, 2})",
        'print("#", {3, 1, 2})',
    ],
)
def test_a_set_beside_a_string_is_seen_wherever_the_string_ends(code):
    assert may_differ(code)


def test_without_a_second_layer_monty_s_own_word_stands():
    alone = Sandbox(use_processes=False)
    assert alone.execute(["print(len({1, 2, 3}))"]).output == "3\n"
    assert alone.execute(["print(pow(3, -1, 7))"]).verdict is Verdict.INFRASTRUCTURE
    assert alone.execute(["int('x')"]).verdict is Verdict.PROGRAM_ERROR
    alone.close()
