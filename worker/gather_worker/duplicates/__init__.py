"""How duplicates are decided, from texts and what is known of them; pure."""
