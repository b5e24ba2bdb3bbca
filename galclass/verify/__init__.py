"""Stage `verify`: how much does a candidate look like the reference, and how much would chance give?

Each picture gets the thesis's score, the cosine between the grey pixels as they stand, and others that do not see how
the galaxy happens to lie on the page: the cosine once centre, size, turn and handedness are the same, that of what the
best ellipse leaves over, SIFT keypoints (Lowe 2004, IJCV 60, 91) that one transformation explains, the profiles of
the isophotes, and the distance in the classifier's last layer but one. Every score comes with its percentile among
random frames, ovals and real galaxies, and all together give one ranking, with the probability that the best of so
many candidates would be as good by chance.
"""

from galclass.verify.alignment import HALF_WIDTH, aligned, residual_picture
from galclass.verify.candidates import run
from galclass.verify.keypoints import NOT_INFORMATIVE, matched, sift
from galclass.verify.likeness import Reference, Sight, aligned_scores, compared, read_references
from galclass.verify.ranking import SCORES
from galclass.verify.single import pictures

__all__ = [
    "HALF_WIDTH",
    "NOT_INFORMATIVE",
    "SCORES",
    "Reference",
    "Sight",
    "aligned",
    "aligned_scores",
    "compared",
    "matched",
    "pictures",
    "read_references",
    "residual_picture",
    "run",
    "sift",
]
