"""The brain made equal to MongoDB: what differs between the two, and bringing it there."""
