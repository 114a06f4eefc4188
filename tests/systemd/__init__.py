"""The unit and the socket under a real systemd: `python -m tests.systemd` boots a machine in qemu and prints a table.

    __main__    what is asked for, and the table
    machine     makes the machine's disk, boots it, and reads what it reports
    inside      runs in the machine, as a service of its own: all scenes, one after the other
    scenes      what is done to the gateway, and what must come of it
    unit        systemctl, the processes of the gateway, and its files
    sessions    clients of three dialects and a server that answers them, with `wsgateway.dialects` and threads

The machine is emulated. It has its own kernel and disk, no network, and no folder of the machine that it runs on: what
happens in it cannot reach the systemd, the /run or the /tmp of that one. This is not run in CI: as the emulation is not
accelerated, it takes a quarter of an hour.
"""
