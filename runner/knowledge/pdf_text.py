"""The text of one PDF, in a process of its own: ``python pdf_text.py FILE`` writes one JSON line per page.

A PDF is a program for a parser, and some are written to hang or to fill memory: this process may use so much
of both and no more. Nothing of ours is imported here.
"""

from __future__ import annotations

import json
import resource
import sys

CPU_S = 30
MEMORY_BYTES = 1 << 30
MOST_PAGES = 2_000
MOST_CHARACTERS = 5_000_000


def main(path: str) -> int:
    """Write the pages of the PDF at ``path``; 0, or 3 with a sentence on stderr when it cannot be read."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        sys.stderr.write("the package pypdf is missing")
        return 3
    written = 0
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            sys.stderr.write("it is encrypted")
            return 3
        for number, page in enumerate(reader.pages[:MOST_PAGES], 1):
            text = page.extract_text()[: MOST_CHARACTERS - written]
            written += len(text)
            sys.stdout.write(json.dumps([number, text]) + "\n")
            if written >= MOST_CHARACTERS:
                break
    # What a broken file makes a parser raise is not a closed list; the process ends here either way.
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError,
            MemoryError, OSError, ArithmeticError, AssertionError, NotImplementedError) as error:  # fmt: skip
        sys.stderr.write(f"it is no readable PDF ({type(error).__name__}: {error})"[:300])
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
