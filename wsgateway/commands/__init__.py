"""The commands of the command line: each has a module of its name, which `cli` imports when the command is given.

A module has one function, `define`, which gives the command's parser its description and options, and the default
`command`: a function that takes the parsed options, runs the command, prints its result and returns the exit status.
"""

GOOD, FAULT = 0, 1
