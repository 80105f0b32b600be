"""Words and digits: the pocket policy's tokens. Texts of the family come back exactly as they went in."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

PAD, BEGIN, STEP, END, PROSE, CODE, UNKNOWN, DRILL = (
    "<pad>", "<begin>", "<step>", "<end>", "<prose>", "<code>", "<unk>", "<drill>",
)  # fmt: skip
SPECIAL = (PAD, BEGIN, STEP, END, PROSE, CODE, UNKNOWN, DRILL)

# Phrases that always stand together are one token each: it makes sequences a third shorter. A minus sign
# that belongs to a number is part of its first digit, so that a model never confuses it with subtraction.
_PHRASES = (
    *('This equation can be written as "', '", where ', '". ', ", and ", " and ", ", ", ". "),
    *("Let's calculate ", "Then, the final equation is ", "So the answer is ", "From the steps above"),
    *("\n```python\n", "\n```", "print(", " = ", " =", " + ", " - ", " * "),
)
_CHARACTERS = tuple("()\".,-+*=\n '`")
_DIGITS = tuple("0123456789")
_SIGNED = tuple(f"-{digit}" for digit in _DIGITS)
_LETTERS = tuple("ABCDEFGH")
VOCABULARY = SPECIAL + _PHRASES + _CHARACTERS + _DIGITS + _SIGNED + _LETTERS


def _pattern() -> str:
    phrases = sorted(_PHRASES, key=len, reverse=True)
    escaped = "|".join("".join(f"\\{c}" if c in '.*+()"`' else c for c in phrase) for phrase in phrases)
    return rf"{escaped}|-\d|\d|[A-Z](?![A-Za-z])|[A-Za-z]+|[\s\S]"


def build_tokenizer() -> Tokenizer:
    """A fresh tokenizer over the fixed vocabulary; anything outside it becomes <unk>."""
    vocabulary = {token: index for index, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_pattern()), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that a checkpoint folder carries."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
