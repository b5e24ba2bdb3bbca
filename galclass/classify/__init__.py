"""Stage `classify`: every frame of the simulations, and single pictures, by a trained network.

The thesis's ``.out`` file is written beside each table. Its first line is the number of frames. Each further
line is one frame in the order of the pack: the class number (1 oval, 2 rectangle, 3 obround) and the
probabilities of the three classes in that order with six decimals, separated by single spaces; a class that
the network does not know has probability 0. A network that knows "none of these" adds a fourth column for it,
and its class number is 4::

    2
    2 0.012000 0.958000 0.030000
    1 0.991000 0.004000 0.005000
"""

from galclass.classify.screening import run, summary, thesis_rows
from galclass.classify.single import pictures

__all__ = ["pictures", "run", "summary", "thesis_rows"]
