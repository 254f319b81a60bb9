"""One folder per Lambda: ``handler.py`` translates, calls a service and answers; ``settings.py`` reads its environment."""
