"""What shells get from the command line: completions, and the manual page.

Both are made of the parser when the package is built, by `python -m wsgateway.shells`, which needs the library shtab.
They are installed below share/ of the environment. What prints a completion later is the command `completion`.
"""

MANUAL = "share/man/man1/wsgateway.1"
