"""The garbage collector of a worker: it looks at young objects, and not at what was there before the first client."""

import json
import subprocess
import sys

from wsgateway.run.garbage import THRESHOLDS

from .worker_process import output_of_a_worker


async def test_a_worker_that_serves_has_its_own_thresholds_and_has_frozen_what_it_began_with() -> None:
    output = await output_of_a_worker("import gc, json; print(json.dumps([gc.get_threshold(), gc.get_freeze_count()]))")
    thresholds, frozen = json.loads(output)
    assert thresholds[:2] == list(THRESHOLDS[:2])  # Python 3.14 has no third one
    # Its modules alone are some 50,000 objects; without a call to freeze there are none.
    assert frozen > 10_000


WASTE = """\
import gc, weakref
from wsgateway.run.garbage import settle
class Node: pass
gc.disable()
node = Node()
node.itself = node
waste = weakref.ref(node)
del node
assert waste() is not None
settle()
print(waste())
"""


def test_what_is_garbage_before_it_serves_is_not_kept_for_ever() -> None:
    done = subprocess.run([sys.executable, "-c", WASTE], capture_output=True, check=True)
    assert done.stdout == b"None\n"
