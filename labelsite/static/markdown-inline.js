// Emphasis inside a line. Stricter than Markdown's own rules, because "*" multiplies and "_" makes an index.

// A text full of openings that nothing closes would be searched to its line's end for each of them.
const MOST_MISSES = 300;
const DEEPEST = 4;
const ESCAPED = /^\\[*_`#~]/;
const WORD = /[\p{L}\p{N}]/u;
// Korean, Chinese and Japanese write on beside bold without a space: "**42**입니다".
const UNSPACED = /[\p{scx=Hang}\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}]/u;
// What ends an operand, a formula's sign among it: a star after it multiplies, unless words stand between the stars.
const OPERAND = /[\p{N})\]\uE000-\uF8FF]\s*$/u;
const FORMULA = /^[\uE000-\uF8FF]/;
const MARKS = [
  { mark: "***", tags: ["strong", "em"] },
  { mark: "**", tags: ["strong"] },
  { mark: "*", tags: ["em"] },
  { mark: "_", tags: ["em"] },
];

/** Whether a mark beside this character is inside a word, or multiplies. */
function isInWord(mark, char) {
  return char === mark[0] || (WORD.test(char) && !(mark.length > 1 && UNSPACED.test(char)));
}

/** Whether what stands between two marks is emphasised words and no arithmetic. */
function isEmphasis(mark, before, inside, after) {
  if (!inside.trim() || /^\s|\s$/.test(inside) || inside.includes("\n")) return false;
  if (isInWord(mark, before.at(-1) ?? "") || isInWord(mark, after[0] ?? "")) return false;
  if ((OPERAND.test(before) || FORMULA.test(after)) && !/\p{L}{2,}/u.test(inside)) return false;
  if (mark.length > 1) return true;
  return /\p{L}/u.test(inside) && !/[=+/^<>*_]/.test(inside) && !/^[-−\d]|[-−]$/.test(inside);
}

function closing(text, mark, from) {
  const lineEnd = text.indexOf("\n", from);
  const end = lineEnd < 0 ? text.length : lineEnd;
  for (let at = text.indexOf(mark, from); at >= 0 && at < end; at = text.indexOf(mark, at + 1)) {
    if (text[at - 1] === "\\") continue;
    // Of a longer run of stars, the last ones close.
    let last = at;
    while (mark[0] === "*" && mark.length > 1 && text[last + mark.length] === "*") last += 1;
    return last;
  }
  return -1;
}

/** The nodes inside elements of these names, the outermost first. */
function wrapped(tags, nodes) {
  const element = document.createElement(tags[0]);
  element.append(...(tags.length > 1 ? [wrapped(tags.slice(1), nodes)] : nodes));
  return element;
}

/** The nodes of a text; `next()` makes the node of the piece that each `sign` stands for. */
export function inline(text, sign, next, depth = 0) {
  const nodes = [];
  let plain = "";
  let misses = 0;
  const flush = () => { if (plain) nodes.push(plain); plain = ""; };
  for (let index = 0; index < text.length;) {
    const char = text[index];
    if (char === sign) {
      flush();
      nodes.push(next());
      index += 1;
    } else if (char === "\\" && ESCAPED.test(text.slice(index, index + 2))) {
      plain += text[index + 1];
      index += 2;
    } else {
      const found = (char === "*" || char === "_") && misses < MOST_MISSES && depth < DEEPEST ? emphasis(text, index) : null;
      if (found) {
        flush();
        nodes.push(wrapped(found.tags, inline(found.inside, sign, next, depth + 1)));
        index = found.end;
        continue;
      }
      // A run of the same mark that opens nothing is taken whole, so that no part of it opens something else.
      let run = 1;
      if (char === "*" || char === "_") {
        misses += 1;
        while (text[index + run] === char) run += 1;
      }
      plain += text.slice(index, index + run);
      index += run;
    }
  }
  flush();
  return nodes;
}

function emphasis(text, index) {
  const kind = MARKS.find(({ mark }) => text.startsWith(mark, index));
  if (!kind) return null;
  const start = index + kind.mark.length;
  const end = closing(text, kind.mark, start);
  if (end < 0) return null;
  const inside = text.slice(start, end);
  const lineStart = text.lastIndexOf("\n", index) + 1;
  const after = text.slice(end + kind.mark.length, end + kind.mark.length + 2);
  if (!isEmphasis(kind.mark, text.slice(Math.max(lineStart, index - 40), index), inside, after)) return null;
  return { inside, tags: kind.tags, end: end + kind.mark.length };
}
