"""For all tests."""

from hypothesis import settings

# How long an example takes says nothing on a machine that has other work.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
