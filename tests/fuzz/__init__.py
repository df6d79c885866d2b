"""What reads what a stranger wrote, given whatever a fuzzer makes up: each target says what must hold of any input.

`make fuzz` runs them under atheris, guided by coverage; `make test` runs the inputs that are kept in corpus/.
"""
