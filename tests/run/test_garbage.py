"""The garbage collector of a worker: it looks at young objects, and not at what was there before the first client."""

import json

from wsgateway.run.garbage import THRESHOLDS

from .worker_process import output_of_a_worker


async def test_a_worker_that_serves_has_its_own_thresholds_and_has_frozen_what_it_began_with() -> None:
    output = await output_of_a_worker("import gc, json; print(json.dumps([gc.get_threshold(), gc.get_freeze_count()]))")
    thresholds, frozen = json.loads(output)
    assert thresholds[:2] == list(THRESHOLDS[:2])  # Python 3.14 has no third one
    # Its modules alone are some 50,000 objects; without a call to freeze there are none.
    assert frozen > 10_000
