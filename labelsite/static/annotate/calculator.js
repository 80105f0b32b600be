// A calculator with its own small parser: the page's security policy allows no eval, and neither do we.
import { byId, make } from "./elements.js";

const FUNCTIONS = {
  sqrt: Math.sqrt, abs: Math.abs, ln: Math.log, log: Math.log10, exp: Math.exp, sin: Math.sin, cos: Math.cos, tan: Math.tan,
  asin: Math.asin, acos: Math.acos, atan: Math.atan, floor: Math.floor, ceil: Math.ceil, round: Math.round,
};
const TOKEN = /\s*(?:(\d[\d,]*\.?\d*(?:e[+-]?\d+)?|\.\d+)|([a-z]+)|(\*\*|[-+*/^%!(),_|]))/iy;

function tokens(text) {
  const found = [];
  const source = text.replace(/[×·⋅]/g, "*").replace(/÷/g, "/").replace(/∣/g, "|").replace(/[−–]/g, "-").replace(/π/g, "pi").replace(/√/g, "sqrt").trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) throw new Error("syntax");
    found.push(match[1] !== undefined ? { number: Number(match[1].replaceAll(",", "")) } : { word: (match[2] ?? match[3]).toLowerCase() });
  }
  return found;
}

function factorial(value) {
  if (!Number.isInteger(value) || value < 0 || value > 170) throw new Error("factorial");
  let product = 1;
  for (let factor = 2; factor <= value; factor += 1) product *= factor;
  return product;
}

/** The value of an arithmetic expression; throws where it has none. */
export function evaluate(text, last = 0) {
  const list = tokens(text);
  let index = 0;
  let bars = 0; // opened and not closed: inside of a pair the next one closes it
  const peek = () => list[index]?.word;
  const take = (word) => (peek() === word ? Boolean(++index) : false);
  const need = (word) => { if (!take(word)) throw new Error(`expected ${word}`); };

  function atom() {
    const token = list[index++];
    if (token === undefined) throw new Error("end");
    if (token.number !== undefined) return token.number;
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
      return Math.abs(value);
    }
    if (token.word === "pi") return Math.PI;
    if (token.word === "e") return Math.E;
    if (token.word === "ans") return last;
    const known = Object.hasOwn(FUNCTIONS, token.word) ? FUNCTIONS[token.word] : null;
    if (!known) throw new Error(token.word);
    const base = token.word === "log" && take("_") ? atom() : null;
    const apply = base === null ? known : (value) => known(value) / known(base);
    if (!take("(")) return apply(atom());
    const value = sum();
    need(")");
    return apply(value);
  }
  function postfix() {
    let value = atom();
    for (;;) {
      if (take("!")) value = factorial(value);
      else if (peek() === "%" && (list[index + 1] === undefined || /^[-+*/^),|]$/.test(list[index + 1].word ?? ""))) { index += 1; value /= 100; }
      else return value;
    }
  }
  function power() {
    const base = postfix();
    return take("^") || take("**") ? base ** signed() : base;
  }
  function signed() {
    if (take("-")) return -signed();
    return take("+") ? signed() : power();
  }
  function product() {
    let value = signed();
    for (;;) {
      if (take("*")) value *= signed();
      else if (take("/")) value /= signed();
      else if (take("%")) { const by = signed(); value -= by * Math.floor(value / by); }
      else if (list[index]?.number !== undefined || peek() === "(" || (peek() === "|" && !bars) || /^[a-z]/.test(peek() ?? "")) value *= power();
      else return value;
    }
  }
  function sum() {
    let value = product();
    for (;;) {
      if (take("+")) value += product();
      else if (take("-")) value -= product();
      else return value;
    }
  }
  const value = sum();
  if (index < list.length || !Number.isFinite(value)) throw new Error("syntax");
  return value;
}

/** Twelve digits hide the noise of binary fractions: 0.1 + 0.2 is 0.3. */
export function format(value) {
  return String(Number(value.toPrecision(12)));
}

export function startCalculator(words) {
  let last = 0;
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
      byId("calculator-history").prepend(make("li", {}, `${input.value} = ${format(last)}`));
      while (byId("calculator-history").children.length > 6) byId("calculator-history").lastChild.remove();
      output.textContent = format(last);
      input.select();
    } catch {
      output.textContent = words.calculatorError;
    }
  });
}
