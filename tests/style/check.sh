#!/bin/bash
# Fails, naming files and lines, where C sources are not as .clang-format wants them.
set -u
cd "$(dirname "$0")/../.." || exit 2
find pagestore fs tools tests -name '*.[ch]' -print0 | sort -z |
    xargs -0 clang-format --dry-run -Werror
