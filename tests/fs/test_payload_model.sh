#!/bin/bash
# 100,000 random operations on views/payload against a model in memory; PS_LONG=1 for more.
. "$(dirname "$0")/lib.sh"

model=$root/tests/fs/payload_model.py
operations=$((${PS_LONG:-0} ? 200000 : 33400))

for page_size in 4096 8192 65536; do
    check "payload agrees with its model in $operations operations on pages of $page_size" \
        python3 "$model" "$bin" "$page_size" "$operations"
    cat out.check
done
finish
