"""Full-width and other disguises of ASCII characters, one for one: positions stay."""

_ROLES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@._%+-:()?#&=~"
"""Characters that play a part in a pattern, but the slash: a full-width one ends a URL. Others cost nothing."""

HYPHENS = "‐‑‒–—―−ー﹣ｰ"
"""What people write for a hyphen; the long vowel marks because Japanese keyboards give them on the same key."""

BLANKS = "\u3000\u00a0\u2002\u2003\u2009\u202f"

FOLD = {
    **{ord(role) + 0xFEE0: role for role in _ROLES},
    **dict.fromkeys(map(ord, HYPHENS), "-"),
    **dict.fromkeys(map(ord, BLANKS), " "),
}
"""Table for `str.translate`."""

DISGUISES = "".join(map(chr, FOLD))


def folded(text: str) -> str:
    """The text with disguised characters in ASCII, character for character."""
    return text if text.isascii() else text.translate(FOLD)
