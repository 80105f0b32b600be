// The small part of Markdown that models write: bold, italics, headings, lists, quotes, tables and code, as nodes of
// the page. The text is hostile: it only ever becomes text nodes; links, pictures and HTML stay what was written.
// Arithmetic comes first: where a sign could mean either (2*3*4, a_1, a line that begins with "- 5"), it stays.
import { codeBlock } from "./code.js";
import { formulaNode, split, watchRoom } from "./math.js";
import { inline } from "./markdown-inline.js";
import { nameTurning } from "./unseen.js";

const LONGEST = 40000;
const DEEPEST = 5;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)[ \t]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*$/;
const ITEM = /^( {0,3})([-*]|(?:0|[1-9]\d{0,3})\.)([ \t]+)(?=\S)/;
// Before a number it is "greater than", which a line may begin with.
const QUOTE = /^ {0,3}>(?![ \t]*[-+]?[.$]?\d) ?/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,})[ \t]*$/;
const SEPARATOR = /^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$/;
const WORDS = /\p{L}{2,}/u;
const PRIVATE = { first: 0xe000, last: 0xf8ff };

/** A sign that the text does not have, to stand for the pieces that Markdown must not look into. */
function freeSign(text) {
  for (let code = PRIVATE.first; code <= PRIVATE.last; code += 1) {
    const sign = String.fromCharCode(code);
    if (!text.includes(sign)) return sign;
  }
  return null;
}

function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

/** Turns lines into nodes. The formulas and code spans in them are `sign`, one each, in the order of `pieces`. */
class Blocks {
  constructor(sign, pieces) {
    this.sign = sign;
    this.pieces = pieces;
    this.taken = 0;
    this.plainUntil = new WeakMap(); // of lines that look like a list and are arithmetic, where they end
  }

  hasWords(line) {
    return WORDS.test(line) || line.includes(this.sign);
  }

  inline(text) {
    return inline(text, this.sign, () => this.node(this.pieces[this.taken++]));
  }

  node(piece) {
    return piece.code === undefined ? formulaNode(piece) : element("code", piece.code);
  }

  build(lines, depth = 0) {
    const nodes = [];
    let paragraph = [];
    const flush = () => {
      if (paragraph.length) nodes.push(element("p", ...this.inline(paragraph.join("\n"))));
      paragraph = [];
    };
    for (let index = 0; index < lines.length;) {
      const found = lines[index].trim() ? this.block(lines, index, depth) : null;
      if (found || !lines[index].trim()) flush();
      if (found) nodes.push(found.make());
      else if (lines[index].trim()) paragraph.push(lines[index]);
      index = found ? found.next : index + 1;
    }
    flush();
    return nodes;
  }

  /**
   * The block that begins at this line, {next, make}, or null: then it is part of a paragraph. It is made only when
   * what stands before it is, because formulas are given out in their order.
   */
  block(lines, index, depth) {
    if (depth > DEEPEST) return null;
    return this.heading(lines, index) ?? this.rule(lines, index) ?? this.table(lines, index)
      ?? this.list(lines, index, depth) ?? this.quote(lines, index, depth);
  }

  heading(lines, index) {
    const match = HEADING.exec(lines[index]);
    const stands = (line) => line === undefined || !line.trim();
    // One "#" alone in the middle of text is more often a comment of code than a heading.
    if (!match || (match[1].length === 1 && !(stands(lines[index - 1]) && stands(lines[index + 1])))) return null;
    const make = () => {
      const line = element("p", element("strong", ...this.inline(match[2])));
      line.className = "markdown-heading";
      return line;
    };
    return { make, next: index + 1 };
  }

  /** Only between empty lines: a row of dashes below numbers is a sum. */
  rule(lines, index) {
    const isAlone = RULE.test(lines[index]) && !lines[index - 1]?.trim() && !lines[index + 1]?.trim() && lines.length > 1;
    return isAlone ? { make: () => element("hr"), next: index + 1 } : null;
  }

  list(lines, index, depth) {
    const first = ITEM.exec(lines[index]);
    if (!first || index < (this.plainUntil.get(lines) ?? 0)) return null;
    const isOrdered = /\d/.test(first[2]);
    const items = [];
    let next = index;
    while (next < lines.length) {
      const match = ITEM.exec(lines[next]);
      if (!match || (isOrdered ? !/\d/.test(match[2]) : match[2] !== first[2])) break;
      const [head, lead] = match;
      const end = this.itemEnd(lines, next + 1, lead.length + 2);
      const own = lines.slice(next + 1, end).map((line) => line.slice(Math.min(head.length, line.length - line.trimStart().length)));
      items.push({ number: parseInt(match[2], 10), lines: [lines[next].slice(head.length), ...own] });
      next = this.nextItem(lines, end);
    }
    if (isOrdered && items.length < 2 && !this.hasWords(items[0].lines[0])) return null;
    if (!isOrdered && !items.every((item) => WORDS.test(item.lines[0]))) {
      // "- 5" is a minus there, also in the lines that follow.
      this.plainUntil.set(lines, next);
      return null;
    }
    const make = () => element(isOrdered ? "ol" : "ul", ...items.map((item) => {
      const entry = element("li", ...tight(this.build(item.lines, depth + 1)));
      if (isOrdered) entry.value = item.number; // The number that was written, whatever stands before it.
      return entry;
    }));
    return { make, next };
  }

  /** Where an item's own lines end: what is indented, or goes on without an empty line and begins nothing new. */
  itemEnd(lines, from, indent) {
    let end = from;
    for (let index = from; index < lines.length; index += 1) {
      const line = lines[index];
      if (!line.trim()) continue;
      const isIndented = line.length - line.trimStart().length >= indent;
      if (!isIndented && (index > end || ITEM.test(line) || HEADING.test(line) || QUOTE.test(line) || SEPARATOR.test(lines[index + 1] ?? ""))) break;
      end = index + 1;
    }
    return end;
  }

  /** Past the empty lines before a further item, which are no part of either. */
  nextItem(lines, end) {
    let next = end;
    while (next < lines.length && !lines[next].trim()) next += 1;
    return next < lines.length && ITEM.test(lines[next]) ? next : end;
  }

  quote(lines, index, depth) {
    let next = index;
    while (next < lines.length && QUOTE.test(lines[next])) next += 1;
    const inside = lines.slice(index, next).map((line) => line.replace(QUOTE, ""));
    if (next === index || !inside.some((line) => WORDS.test(line))) return null;
    return { make: () => element("blockquote", ...this.build(inside, depth + 1)), next };
  }

  table(lines, index) {
    if (!lines[index].includes("|") || !SEPARATOR.test(lines[index + 1] ?? "")) return null;
    const columns = cells(lines[index + 1]).length;
    if (cells(lines[index]).length !== columns) return null;
    let next = index + 2;
    while (next < lines.length && lines[next].includes("|")) next += 1;
    // An empty cell, or one with a formula alone, would be a header without any text.
    const tagOf = (cell, isHead) => (isHead && /[\p{L}\p{N}]/u.test(cell) ? "th" : "td");
    const row = (line, isHead) => element("tr", ...cells(line).map((cell) => element(tagOf(cell, isHead), ...this.inline(cell))));
    const make = () => {
      const head = element("thead", row(lines[index], true));
      const body = element("tbody", ...lines.slice(index + 2, next).map((line) => row(line, false)));
      const wrap = element("div", element("table", head, body));
      wrap.className = "markdown-table";
      wrap.tabIndex = 0;
      return wrap;
    };
    return { make, next };
  }
}

/** One paragraph in an item needs no paragraph's margins. */
function tight(nodes) {
  return nodes.flatMap((node, index) => (index === 0 && node.tagName === "P" && !node.className ? [...node.childNodes] : [node]));
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Cuts text into prose and fenced code; a fence that nothing closes is prose, as it was written. */
function fenced(text) {
  const lines = text.split("\n");
  const parts = [];
  let prose = [];
  for (let index = 0; index < lines.length; index += 1) {
    const open = FENCE.exec(lines[index]);
    const end = open ? lines.findIndex((line, at) => at > index && line.trim().startsWith(open[1]) && /^(`+|~+)$/.test(line.trim())) : -1;
    if (end < 0) {
      prose.push(lines[index]);
      continue;
    }
    parts.push({ prose: prose.join("\n") }, { code: lines.slice(index + 1, end).join("\n"), language: open[2] });
    prose = [];
    index = end;
  }
  parts.push({ prose: prose.join("\n") });
  return parts.filter((part) => part.code !== undefined || part.prose.trim());
}

function proseNodes(text) {
  const sign = text.length > LONGEST ? null : freeSign(text);
  if (sign === null) return [element("p", text)];
  const pieces = split(text, { code: true });
  const marked = pieces.map((piece) => piece.text ?? sign).join("");
  return new Blocks(sign, pieces.filter((piece) => piece.text === undefined)).build(marked.split("\n"));
}

/** What `text` says, as nodes with formulas in them. A screen reader names code by its language. */
export function markdownNodes(text) {
  return fenced(text).flatMap((part) => (part.code === undefined ? proseNodes(part.prose) : [codeBlock(part.code, part.language || "Python")]));
}

/** Turns the plain text of `holder` into formatted text. Safe to call twice. */
export function renderMarkdown(holder) {
  if (holder.dataset.mathDone) return;
  holder.dataset.mathDone = "1";
  holder.classList.add("markdown");
  holder.replaceChildren(...markdownNodes(holder.textContent));
  nameTurning(holder);
  watchRoom(holder);
}
