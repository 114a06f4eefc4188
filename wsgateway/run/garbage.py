"""The garbage collector of a process that serves.

Python frees an object as soon as nothing refers to it. The collector is only for objects that refer to each other, and
while it looks for them, all sessions wait. Ended sessions and replaced settings leave none, as `tests/serve` shows
(`test_garbage.py`); a refused request leaves some, which are young. So the collector looks at young objects, a few
thousand at a time, and hardly ever at all of them, which takes longer the more sessions there are.
"""

import gc

# How many objects more than before make it look at the youngest ones; how often it does that before it looks at those
# that were left, too; and how often it does that before it looks at all, which is after 25 million more objects. A
# session takes about 75. Since Python 3.14 the second number says how small a part of all others it looks at each time
# (a twenty-fifth), and the third one is ignored.
THRESHOLDS = (5000, 5, 1000)


def settle() -> None:
    """Set the collector for serving. Call it when everything that lasts has been made, such as modules and settings.

    It never looks at those again. What a reload makes is as old as can be from its beginning: see `settings_transfer`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
