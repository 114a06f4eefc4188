"""The configuration: its keys, how a file is read and checked, and what is made of the declarations of the keys.

Each key is declared once, by `declare.key` in the section of the file that it belongs to: `listeners`, `defaults`,
`routes`, `upstreams`, `health`, `process`; `whole` has the first level of the file, and `values` the kinds of values.
The sections are frozen dataclasses, and the rest of the program reads them as they are.

`load` reads a file: `document` its YAML, `include` those that it includes, `environment` its variables, `reader` its
values, `rules` what one key says about another, `files` the certificates that it names. `findings` puts mistakes into
words, and `complete` fills in what `defaults` say. `example` and `json_schema` print the declarations. `advice` and
`coverage` warn of what is allowed and hardly meant.
"""
