"""What crowds, idlers and floods cost a gateway: `python -m tests.load` prints figures, and the suite holds small ones.

The gateway is a process of its own, which is measured; the clients and the upstream are in this one.
"""
