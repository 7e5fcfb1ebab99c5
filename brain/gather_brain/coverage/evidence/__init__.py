"""How far a passage of a note treats an aspect: what is compared, and how much each likeness weighs."""
