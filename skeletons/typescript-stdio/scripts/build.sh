#!/bin/sh
# Makes dist/server.js, and node_modules with what package.json names.
set -eu
cd "$(dirname "$0")/.."
if [ -f package-lock.json ]; then
    npm ci --prefer-offline --no-audit --no-fund
else
    npm install --prefer-offline --no-audit --no-fund
fi
npm run build
