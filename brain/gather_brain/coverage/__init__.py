"""How well notes cover what a department is for; pure."""
