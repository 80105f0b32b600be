// A formula's TeX, read as what one would type into the calculator. What it does not know stays as its name.

const SIGNS = { times: " * ", cdot: " * ", ast: " * ", div: " / ", pi: " pi ", le: "<=", ge: ">=", ne: "!=", approx: "=", "%": "%", lfloor: "floor(", rfloor: ")", lceil: "ceil(", rceil: ")", lvert: "|", rvert: "|", vert: "|" };
const NOTHING = new Set(["left", "right", "big", "Big", "bigl", "bigr", "displaystyle", "quad", "qquad", "limits", ",", ";", ":", "!", " ", "$", "\\"]);
const UNITS = new Set(["text", "textrm", "textbf", "mbox"]); // dollars, cm: no part of a calculation
const DEEPEST = 40;
const TOKEN = /\\([a-zA-Z]+|.)\s*|\s*([{}[\]^_&~])|([^\\{}[\]^_&~\s]|\s+)/gy;
// A whole number right before a fraction of numbers is a mixed number, and no product.
const MIXED = /(?<![\d.^])(\d+)\s*(\\frac\s*(?:\{\d+\}\s*\{\d+\}|\d\s*\d))/g;

function tokens(tex) {
  const source = tex.replaceAll("{,}", "").replace(/\\[dtc]frac/g, "\\frac").replace(MIXED, "{$1 + $2}");
  return [...source.matchAll(TOKEN)].map(([whole, command, mark, text]) => (command ? { command } : { text: mark ?? text ?? whole }));
}

/** With brackets, unless it is one number, one name, or has them already. */
function grouped(text) {
  return /^(?:[\d.,]+|[a-z]+|\([^()]*\))$/i.test(text) ? text : `(${text})`;
}

/** The calculator's reading of `tex`. */
export function plain(tex) {
  const list = tokens(tex);
  let index = 0;
  let depth = 0;

  /** Everything up to the closing mark `end`, or to the end of the formula. */
  function until(end) {
    let text = "";
    depth += 1;
    while (index < list.length && depth < DEEPEST && (end === null || list[index].text !== end)) text += one();
    index += 1;
    depth -= 1;
    return text.replace(/ {2,}/g, " ").trim();
  }

  /** What a command applies to: a group, or the next thing alone. */
  function argument() {
    while (list[index]?.text?.trim() === "") index += 1;
    if (index >= list.length) return "";
    if (list[index].text !== "{") return one();
    index += 1;
    return until("}");
  }

  function root() {
    if (list[index]?.text !== "[") return `sqrt(${argument()})`;
    index += 1;
    const degree = until("]");
    return `${grouped(argument())}^(1/${grouped(degree)})`;
  }

  function chosen() {
    const [all, some] = [grouped(argument()), grouped(argument())];
    return `(${all}!/(${some}!*(${all} - ${some})!))`;
  }

  function one() {
    const { command, text } = list[index++];
    if (text === "{") {
      return grouped(until("}"));
    }
    if (text === "^") return `^${grouped(argument())}`;
    if (text === "_") return `_${grouped(argument())} `;
    if (text !== undefined) return text === "&" || text === "~" ? " " : text;
    if (command === "frac") return `(${grouped(argument())}/${grouped(argument())})`;
    if (command === "sqrt") return root();
    if (command === "binom") return chosen();
    if (command === "boxed" || command.startsWith("math")) return argument();
    if (command === "log" && list[index]?.text === "_") return " log";
    if (UNITS.has(command)) return argument() && " ";
    return NOTHING.has(command) ? "" : (SIGNS[command] ?? ` ${command} `);
  }
  return until(null);
}
