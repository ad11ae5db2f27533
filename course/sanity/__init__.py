"""The sanity tests of Adebayo et al. (2018) for anybody's method: `course sanity FILE`.

- `subjects` holds the networks, the examples, and the copies of a network that are destroyed;
- `reader` runs a reader's own function in a process of its own;
- `trials` explains every network with a method and compares the maps;
- `verdicts` says in words what the numbers mean, and by which rule;
- `report`, with `charts` and `pictures`, writes the page.
"""
