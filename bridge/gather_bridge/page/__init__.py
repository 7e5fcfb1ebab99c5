"""The run page: a run as it is, followed live in a browser, made of the snapshot on the server.

Everything that it serves is its own: no other site is asked, and nothing in a page is executed but `static/`.
"""
