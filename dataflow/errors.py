"""The one error that a user sees."""


class NorenError(Exception):
    """Something the user can mend, in one sentence: what is wrong, where (file, line or field), and the way out.

    The command line prints the sentence and exits with 1; no traceback. Its text never holds a raw personal value
    or a key.
    """
