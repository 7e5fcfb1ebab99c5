"""How our HTTP clients reach an address: whom they trust, by which proxy, and how they unpack what comes."""
