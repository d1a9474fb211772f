# The Debian packages that pagefs is built and tested with, and how to get them.
# Sourced by mount.sh, tests/run and tests/bench/run.

PACKAGES_BUILD="gcc libc6-dev cmake ninja-build pkg-config libfuse3-dev fuse3 libxxhash-dev
                libisal-dev libsmartcols-dev liburing-dev liblz4-dev"
# What the commands that mount.sh suggests need.
PACKAGES_DEMO="xz-utils xxhash bsdextrautils util-linux"
PACKAGES_TEST="clang clang-format libclang-rt-dev libcmocka-dev python3 git
               postgresql-15 postgresql-contrib libdb5.3-dev libsqlite3-dev sqlite3 fio rsync attr
               acl e2fsprogs strace xxd jq procps man-db patch"
# The peers that tests/bench/run measures pagefs beside, and what it drives them with.
PACKAGES_BENCH="python3 util-linux e2fsprogs libcmocka-dev libdb5.3-dev libsqlite3-dev liblmdb-dev
                postgresql-15 fio linux-perf"

# install_packages NAME...: installs those that are missing; quick when none is.
install_packages()
{
    local missing=() name as_root=()

    for name in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "missing packages, and no apt-get to install them: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "missing packages, install them as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
