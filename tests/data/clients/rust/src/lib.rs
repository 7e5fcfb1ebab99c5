//! Nothing: the client alone is compiled where the program is left out.
