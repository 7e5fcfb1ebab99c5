"""What `gather-worker check` looks at before anything is paid: a module for each outside system, whose facts
are gathered first and then judged by pure functions; nothing is left behind anywhere.
"""
