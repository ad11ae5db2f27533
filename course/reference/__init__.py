"""The methods and networks a second time, in Torch: the oracle that answers are compared with.

Nothing here imports `course.autograd`, `course.nn`, `course.models` or `course.methods`.
"""
