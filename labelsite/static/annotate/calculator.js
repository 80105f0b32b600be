// A calculator with its own small parser: the page's security policy allows no eval, and neither do we.
import { byId, make } from "./elements.js";
import { absolute, add, apply, ceil, factorial, floor, format, fraction, isNumber, less, logarithm, negative, over, power, read, remainder, round, rounded, squareRoot, times } from "./numbers.js";

const NOTHING = fraction(0n);
const TEN = fraction(10n);
const FUNCTIONS = {
  sqrt: squareRoot, abs: absolute, ln: apply(Math.log), log: (value) => logarithm(value, TEN), exp: apply(Math.exp), sin: apply(Math.sin), cos: apply(Math.cos), tan: apply(Math.tan),
  asin: apply(Math.asin), acos: apply(Math.acos), atan: apply(Math.atan), floor, ceil, round,
};
// A comma parts thousands and nothing else: 0,5 could be a half, or two numbers of a list.
const TOKEN = /\s*(?:((?:[1-9]\d{0,2}(?:,\d{3})+(?![\d,])|\d+)\.?\d*(?:e[+-]?\d+)?|\.\d+)|([a-z]+)|(\*\*|[-+*/^%!(),_|]))/iy;
// 10% - 3 takes from a tenth, 10 % (-3) is a remainder, and nobody can say which of them this is.
const EITHER_WAY = /\s%\s+-\S/;

/** What is typed can be read in more than one way; `word` names what the page says of it. */
function unclear(word) {
  throw Object.assign(new Error(word), { word });
}

function tokens(text) {
  const found = [];
  const source = text.replace(/[×·⋅]/g, "*").replace(/÷/g, "/").replace(/∣/g, "|").replace(/[−–]/g, "-").replace(/π/g, "pi").replace(/√/g, "sqrt").trim();
  if (EITHER_WAY.test(source)) unclear("calculatorPercent");
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) throw new Error("syntax");
    if (match[3] === ",") unclear("calculatorComma");
    found.push(match[1] !== undefined ? { number: read(match[1].replaceAll(",", "")) } : { word: (match[2] ?? match[3]).toLowerCase() });
  }
  return found;
}

/** The value of an arithmetic expression; throws where it has none. */
export function evaluate(text, last = NOTHING) {
  const list = tokens(text);
  let index = 0;
  let bars = 0; // opened and not closed: inside of a pair the next one closes it
  const peek = () => list[index]?.word;
  const take = (word) => (peek() === word ? Boolean(++index) : false);
  const need = (word) => { if (!take(word)) throw new Error(`expected ${word}`); };

  function atom() {
    const token = list[index++];
    if (token === undefined) throw new Error("end");
    if (token.number) return token.number;
    if (token.word === "(") {
      const value = sum();
      need(")");
      return value;
    }
    if (token.word === "|") {
      bars += 1;
      const value = sum();
      need("|");
      bars -= 1;
      return absolute(value);
    }
    if (token.word === "pi") return rounded(Math.PI);
    if (token.word === "e") return rounded(Math.E);
    if (token.word === "ans") return last;
    const known = Object.hasOwn(FUNCTIONS, token.word) ? FUNCTIONS[token.word] : null;
    if (!known) throw new Error(token.word);
    const base = token.word === "log" && take("_") ? atom() : null;
    const call = base === null ? known : (value) => logarithm(value, base);
    if (!take("(")) return call(atom());
    const value = sum();
    need(")");
    return call(value);
  }
  function postfix() {
    let value = atom();
    for (;;) {
      if (take("!")) value = factorial(value);
      else if (peek() === "%" && (list[index + 1] === undefined || /^[-+*/^)|]$/.test(list[index + 1].word ?? ""))) { index += 1; value = over(value, fraction(100n)); }
      else return value;
    }
  }
  function raised() {
    const base = postfix();
    return take("^") || take("**") ? power(base, signed()) : base;
  }
  function signed() {
    if (take("-")) return negative(signed());
    return take("+") ? signed() : raised();
  }
  function product() {
    let value = signed();
    for (;;) {
      if (take("*")) value = times(value, signed());
      else if (take("/")) value = over(value, signed());
      else if (take("%")) value = remainder(value, signed());
      else if (list[index]?.number && list[index - 1].number) unclear("calculatorTwoNumbers");
      else if (list[index]?.number || peek() === "(" || (peek() === "|" && !bars) || /^[a-z]/.test(peek() ?? "")) value = times(value, raised());
      else return value;
    }
  }
  function sum() {
    let value = product();
    for (;;) {
      if (take("+")) value = add(value, product());
      else if (take("-")) value = less(value, product());
      else return value;
    }
  }
  const value = sum();
  if (index < list.length || !isNumber(value)) throw new Error("syntax");
  return value;
}

export function startCalculator(words) {
  let last = NOTHING;
  const input = byId("calculator-input");
  const output = byId("calculator-output");
  const show = () => {
    try {
      output.textContent = input.value.trim() ? format(evaluate(input.value, last)) : format(last);
    } catch {
      output.textContent = "…";
    }
  };
  input.addEventListener("input", show);
  byId("calculator-form").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      last = evaluate(input.value, last);
      byId("calculator-history").prepend(make("li", {}, `${input.value} ${format(last).replace(/^(?!≈)/, "= ")}`));
      while (byId("calculator-history").children.length > 6) byId("calculator-history").lastChild.remove();
      output.textContent = format(last);
      input.select();
    } catch (error) {
      output.textContent = words[error.word] ?? words.calculatorError;
    }
  });
}
