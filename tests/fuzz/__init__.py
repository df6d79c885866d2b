"""Fuzzing of the code that reads untrusted input.

`make fuzz` runs every target under atheris, which finds inputs by coverage. `make test` runs the
inputs in corpus/.
"""
