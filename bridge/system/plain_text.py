"""Text from outside made safe for a terminal, a log or XML: names, prompts, recipes and errors that hold them.

A file's name or a foreign recipe may hold escape sequences that rewrite a terminal's title or lines, characters that
change the writing direction, and lone surrogates that no encoding can write.
"""

from __future__ import annotations

import re
from typing import TextIO

_UNFIT = re.compile(
    "[\0-\x1f\x7f-\x9f"  # control characters, escape included
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # writing direction
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # other line ends, invisible characters
    "\ud800-\udfff]"  # surrogates; \udc80 and up are bytes of names that are not UTF-8
)
_UNFIT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LINES = "\n\t"


def plain(text: str, keep: str = "") -> str:
    r"""Text with control characters escaped, like `\x1b`; characters in `keep` stay.  [any]"""
    return _UNFIT.sub(lambda found: found[0] if found[0] in keep else _written(ord(found[0])), text)


def _written(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # the byte in the name
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_plain(text: str) -> bool:
    """Whether a text is safe to pass on unchanged.  [any]"""
    return not _UNFIT.search(text)


def printed(text: str, stream: TextIO) -> str:
    """Lines as a stream can print them: plain, and in its encoding.  [any]"""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return plain(text, LINES).encode(encoding, "backslashreplace").decode(encoding, "replace")


def xml_text(text: str) -> str:
    """Text for XML 1.0; characters that it does not allow become the replacement character.  [any]"""
    return _UNFIT_IN_XML.sub("\ufffd", text)
