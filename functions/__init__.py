"""One folder per Lambda: ``handler.py`` translates, calls a service and answers; ``settings.py`` reads its environment.

The collector of cycles looks rarely: imports and calls make many objects that stay, or go by their reference count, and looking
through them every 700 was an eighth of a cold start (docs/benchmarks.md). 50,000 containers are some megabytes at most.
"""

import gc

gc.set_threshold(50_000, 20, 20)
