// Python in a step, coloured by a small tokenizer that only ever makes text nodes.

const FENCE = /^( {0,6})(`{3,})([^`]*)$/;
const PLAIN_INDENT = 3;
const DEEPEST_INDENT = 6;
const LONGEST_COLOURED = 20000;
const PYTHON_WORDS = ["python", "py", "python3"];
const KEYWORDS = new Set(("False None True and as assert async await break class continue def del elif else except finally for from global if "
  + "import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "));
const TOKEN = /(#[^\n]*)|("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(\b\d[\w.]*\b)|([A-Za-z_]\w*)|([^\w\s"'#]+|["'#])|(\s+)/g;

const holdsPython = (word) => PYTHON_WORDS.includes(word.trim().toLowerCase());

/** The fence that opens on a line; one indented as under a list's number has to say that it holds Python. */
function opening(line) {
  const found = FENCE.exec(line);
  return found && (found[1].length <= PLAIN_INDENT || holdsPython(found[3])) ? found : null;
}

/** The line that closes the fence which opens on line `start`; past the last one where none does. */
function closing(lines, start, [, deep, fence]) {
  const found = lines.findIndex((line, index) => {
    const [, indent, ticks = "", word = ""] = (index > start && FENCE.exec(line)) || [];
    return ticks.length >= fence.length && !word.trim() && indent.length <= Math.max(PLAIN_INDENT, deep.length);
  });
  return found < 0 ? lines.length : found;
}

const indentOf = (line) => /^ */.exec(line)[0].length;

/** A step's lines, the first, where it is a fence, indented as the line after it: a step begins without white space. */
function asIndented([first, ...rest]) {
  const fence = FENCE.exec(first);
  if (!fence || !holdsPython(fence[3])) return [first, ...rest];
  const indent = indentOf(rest.find((line) => line.trim()) ?? "");
  return [" ".repeat(Math.min(indent, DEEPEST_INDENT)) + first.trimStart(), ...rest];
}

/** The lines without the indentation that all of them share, up to `most`: less of one would change the program. */
function outdented(lines, most) {
  const indents = lines.filter((line) => line.trim()).map(indentOf);
  const cut = indents.length ? Math.min(most, ...indents) : 0;
  return lines.map((line) => line.slice(cut));
}

/** The lines of a step by turns as { prose } and { code }, as `ml.segmentation` cuts what it runs; null without any Python. */
export function splitCode(text) {
  const lines = asIndented(text.split("\n"));
  const parts = [{ prose: [] }];
  for (let index = 0; index < lines.length; index += 1) {
    const fence = opening(lines[index]);
    const end = fence ? closing(lines, index, fence) : index;
    if (fence && holdsPython(fence[3])) {
      parts.push({ code: outdented(lines.slice(index + 1, end), fence[1].length) }, { prose: [] });
    } else parts.at(-1).prose.push(...lines.slice(index, end + 1));
    index = end;
  }
  return parts.length > 1 ? parts : null;
}

function kind([, comment, string, number, name]) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  if (name && KEYWORDS.has(name)) return "keyword";
  return "";
}

/** A <pre> with the code, one span a coloured token; what is longer goes on without colours. */
export function codeBlock(code, label) {
  const pre = document.createElement("pre");
  pre.className = "code";
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", label);
  const inner = document.createElement("code");
  for (const match of code.slice(0, LONGEST_COLOURED).matchAll(TOKEN)) {
    const name = kind(match);
    if (!name) {
      inner.append(match[0]);
      continue;
    }
    const span = document.createElement("span");
    span.className = `token-${name}`;
    span.textContent = match[0];
    inner.append(span);
  }
  inner.append(code.slice(LONGEST_COLOURED));
  pre.append(inner);
  return pre;
}

/** Turns the plain text of `element` into prose and highlighted code, where it holds a fenced block. */
export function renderCode(element) {
  if (element.children.length || !element.textContent.includes("```")) return;
  const parts = splitCode(element.textContent);
  if (!parts) return;
  element.replaceChildren(...parts.map(({ prose, code }) => (code ? codeBlock(code.join("\n"), "Python") : prose.join("\n").trim())).filter(Boolean));
}
