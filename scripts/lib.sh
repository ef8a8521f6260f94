# shellcheck shell=bash
#
# What the scripts share: messages, progress, packages, and who runs the test servers.
# Sourced by scripts/{servers,demo,test}; it sets no traps and starts nothing by itself.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Everything that the scripts install or start for tests lives here; deleting it forgets it all.
SERVERS_DIR=${WIREGATE_SERVERS_DIR:-$ROOT/.servers}
MINIMUM_RUST=1.92
export PATH="$PATH:$HOME/.cargo/bin:/usr/sbin:/sbin"

if [ -t 2 ]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' RED='' PLAIN=''
fi

# Messages go to standard error: standard output belongs to what a command answers.
step() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
note() { printf '    %s%s%s\n' "$DIM" "$*" "$PLAIN" >&2; }
warn() { printf '%s!!  %s%s\n' "$RED" "$*" "$PLAIN" >&2; }
die() {
    warn "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root or sudo: $*"
    fi
}

# progress LABEL LOG COMMAND…: runs a slow command into LOG, and says every few seconds that it still runs
# and what it last wrote. On failure the end of the log is shown and the command's status returned.
progress() {
    local label=$1 log=$2
    shift 2
    step "$label"
    local began=$SECONDS status=0 shown=0
    "$@" >"$log" 2>&1 </dev/null &
    local pid=$!
    # shellcheck disable=SC2064  # the process id is meant as of now
    trap "kill $pid 2>/dev/null; trap - INT TERM; kill -INT \$\$" INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - began - shown >= 10)); then
            shown=$((SECONDS - began))
            note "$shown s: $(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-90)"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM
    if [ "$status" -ne 0 ]; then
        warn "$label failed (status $status); the end of $log:"
        tail -n 25 "$log" >&2
        return "$status"
    fi
    note "done in $((SECONDS - began)) s"
}

package_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# apt-get, which may find that a fresh machine's own first update has its lock: it waits for `install`, but not
# for `update`.
apt_get() {
    local status try
    for try in 1 2 3 4 5 6; do
        status=0
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" || status=$?
        [ "$status" -eq 100 ] && [ "$1" = update ] && [ "$try" -lt 6 ] || return "$status"
        sleep 10
    done
}

install_packages() {
    # Debian starts a service when its package arrives; a test machine did not ask for that. An
    # administrator's own policy-rc.d is respected.
    local guard=/usr/sbin/policy-rc.d ours=''
    if [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        ours=yes
    fi
    local status=0
    apt_get update -q || status=$?
    if [ "$status" -eq 0 ]; then
        apt_get install -y -q --no-install-recommends "$@" || status=$?
    fi
    [ -z "$ours" ] || as_root rm -f "$guard"
    return "$status"
}

# Where this machine gets Debian's packages from.
debian_site() {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | head -n 1
}

# need PACKAGE…: installs the Debian packages that are not there yet.
need() {
    local missing=() package
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null || die "please install by hand (this is not Debian): ${missing[*]}"
    mkdir -p "$SERVERS_DIR"
    progress "Installing Debian packages: ${missing[*]}" "$SERVERS_DIR/apt.log" install_packages "${missing[@]}"
}

# need_command COMMAND PACKAGE…: installs packages only where the command is missing.
need_command() {
    local command=$1
    shift
    command -v "$command" >/dev/null || need "$@"
}

version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

rust_version() { rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }

# A Rust that can build the workspace: the machine's own, else the distribution's.
need_rust() {
    need_command cc build-essential
    need_command cmake cmake
    local package candidate
    if [ -z "$(rust_version)" ]; then
        for package in rustup cargo; do
            candidate=$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
            [ -n "$candidate" ] && [ "$candidate" != '(none)' ] || continue
            if [ "$package" = rustup ]; then
                need rustup
                progress 'Installing the stable Rust toolchain' "$SERVERS_DIR/rustup.log" rustup default stable
            elif version_at_least "${candidate%%[-+~]*}" "$MINIMUM_RUST"; then
                need cargo rustc
            fi
            [ -z "$(rust_version)" ] || break
        done
    fi
    local version
    version=$(rust_version)
    [ -n "$version" ] || die "no Rust here, and this distribution's packages have none from $MINIMUM_RUST on: install it with rustup, then run this again"
    version_at_least "$version" "$MINIMUM_RUST" || die "Rust $version is too old: Wiregate needs $MINIMUM_RUST or newer (rustup update)"
}

# The servers refuse to run as root. Root lends its servers to a system user; anybody else runs them alone.
server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
        return
    fi
    if ! getent passwd wiregate-test >/dev/null; then
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --user-group wiregate-test ||
            die 'cannot make the system user wiregate-test that the test servers run as'
    fi
    echo wiregate-test
}

# as_server COMMAND…: runs it as the servers' user, in a folder that this user can enter.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && setpriv --reuid wiregate-test --regid wiregate-test --clear-groups env HOME=/nonexistent "$@")
    else
        (cd / && "$@")
    fi
}

# A TCP port of 127.0.0.1 that nobody listens on now, below the kernel's range for outgoing connections.
free_port() {
    local port
    for _ in $(seq 200); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die 'found no free port between 20000 and 32000'
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The newest bin folder of Debian's PostgreSQL, 15 first: that is what the reference figures are from.
debian_postgres_bin() {
    local bin
    for bin in /usr/lib/postgresql/15/bin $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$bin/initdb" ]; then
            echo "$bin"
            return
        fi
    done
    return 1
}
