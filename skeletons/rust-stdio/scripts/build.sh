#!/bin/sh
# Makes bin/greeter.
set -eu
cd "$(dirname "$0")/.."
cargo build --release
mkdir -p bin
cp "${CARGO_TARGET_DIR:-target}/release/greeter" bin/greeter
