"""The whole experiment as stages, each a plain command: `plan` says which, `runner` runs what has not been run,
`results` gathers what came of it and `report` writes it down.
"""
