"""The configuration file: `schema` says what it may hold, `load` reads it and names every mistake by line.

The rest of the program sees the `Settings` of `model`, where all defaults are filled in and every name is resolved.
On the way there: `document` reads YAML and remembers where all stands, `units` and `addresses` read single values,
`rules` looks at what one key says about another, and `findings` is how a mistake is put into words.
"""
