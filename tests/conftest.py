"""What all tests share."""

from hypothesis import settings

# A generated example that takes long tells of a busy machine, and of nothing else.
settings.register_profile("gather", deadline=None)
settings.load_profile("gather")
