// Python in a step, coloured by a small tokenizer that only ever makes text nodes.

const FENCE = /^([\s\S]*?)\n?```(?:python|py)?[ \t]*\n([\s\S]*?)\n?```\s*([\s\S]*)$/;
const KEYWORDS = new Set(("False None True and as assert async await break class continue def del elif else except finally for from global if "
  + "import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "));
const TOKEN = /(#[^\n]*)|("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(\b\d[\w.]*\b)|([A-Za-z_]\w*)|([^\w\s"'#]+|["'#])|(\s+)/g;

/** Cuts a step into its prose and its fenced Python, or null where it has no code. */
export function splitCode(text) {
  const match = FENCE.exec(text);
  return match ? { before: match[1], code: match[2], after: match[3] } : null;
}

function kind([, comment, string, number, name]) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  if (name && KEYWORDS.has(name)) return "keyword";
  return "";
}

/** A <pre> with the code, one span a coloured token. */
export function codeBlock(code, label) {
  const pre = document.createElement("pre");
  pre.className = "code";
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", label);
  const inner = document.createElement("code");
  for (const match of code.slice(0, 20000).matchAll(TOKEN)) {
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
  pre.append(inner);
  return pre;
}

/** Turns the plain text of `element` into prose and highlighted code, where it holds a fenced block. */
export function renderCode(element) {
  if (element.children.length || !element.textContent.includes("```")) return;
  const parts = splitCode(element.textContent);
  if (!parts) return;
  element.replaceChildren(...[parts.before.trim(), codeBlock(parts.code, "Python"), parts.after.trim()].filter(Boolean));
}
