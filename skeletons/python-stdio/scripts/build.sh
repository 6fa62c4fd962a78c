#!/bin/sh
# Makes .venv with what requirements.txt names. .venv/ready says that it is complete.
set -eu
cd "$(dirname "$0")/.."
rm -f .venv/ready
"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
touch .venv/ready
