"""What an answer says of its cost, and what is booked for it: never less than was charged."""
