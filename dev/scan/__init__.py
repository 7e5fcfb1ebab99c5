"""`make scan`: public scanners over charts, Dockerfiles and code, and what is accepted, with reasons."""
