"""The bug zoo: each entry breaks one rule of exactly-once on purpose, so that tests can be tested.

A bug removes a rule; it never drops or invents a record itself. Nothing here is imported unless a
bug is asked for by name.
"""
