"""The methods and networks a second time, in Torch: the oracle of the checks.

Nothing here imports `course.autograd`, `course.nn`, `course.models` or
`course.methods`.
"""
