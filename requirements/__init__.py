"""What the project installs, and the commands that install and lock it.

run.in, run.txt          what `make local` and the commands for AWS need; installed into .venv
develop.in, develop.txt  run.txt, and what `make test`, `fuzz` and `bench` need; into .venv
tools.in, tools.txt      commands for maintainers; into .tools
install.py               `make install`: installs a lock, unless it is installed already
lock.py                  `make lock`: writes the locks (.txt), every package pinned with its hashes
sources.py               which files a lock was made from, and whether they have changed since
"""
