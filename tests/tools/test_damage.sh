#!/bin/bash
# Damaged stores under right checksums: what pagectl verify says of each, and what opening it does.
exec python3 "$(dirname "$0")/damage.py" "$1"
