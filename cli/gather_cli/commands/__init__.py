"""One module for each command, imported only when it is called; `Options` are what all of them have."""
