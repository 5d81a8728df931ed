"""The one error that a user is meant to see."""


class S3DError(Exception):
    """Something that the user can mend: what is wrong, why it matters, and how to mend it.

    Command lines print it without a traceback and exit with status 2; anything else that escapes is a bug (status 1).
    """

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what, why, fix)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  fix: {self.fix}"
