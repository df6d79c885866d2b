"""The Python packages of this project, and the commands that lock and install them.

run.in, run.txt          packages for `make local` and the commands for AWS; installed into .venv
develop.in, develop.txt  the same, and packages for tests, fuzzing and benchmarks; into .venv
tools.in, tools.txt      packages for `make load`, `audit` and `test-all`; into .tools
install.py               `make install`: installs a lock, unless it is installed already
lock.py                  `make lock`: writes the locks (.txt): all packages pinned with hashes
sources.py               the digests of a lock's input files, which detect changes
"""
