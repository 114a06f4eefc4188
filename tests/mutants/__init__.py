"""Whether the tests would notice: sampled changes of the code, of which each should have a test fail."""
