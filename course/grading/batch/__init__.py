"""Judge a folder of strangers' submissions: `course grade`.

`submissions` reads them all into memory before anything runs, `worker` judges one exercise at a
time in a process that may die, `journal` keeps each result at once, and `results` and
`class_report` write them all at the end, from memory.
"""
