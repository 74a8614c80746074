"""Who can see what, and why: answers of the access engine over a whole world, for people and as JSON."""

from iam.explain.matrix import Matrix, matrix
from iam.explain.people import members
from iam.explain.questions import Reader, Seen, Why, what, who, why

__all__ = ["Matrix", "Reader", "Seen", "Why", "matrix", "members", "what", "who", "why"]
