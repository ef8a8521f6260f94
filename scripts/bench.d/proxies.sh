# shellcheck shell=bash
#
# Starts and stops what is measured, and makes sure that it does what it is measured for.
# Sourced by scripts/bench; every process that it starts is in PIDS and ended by end_processes.

declare -A PIDS=() PORTS=()

# spawn NAME COMMAND…: in the background, output to a log; the process is the command itself, not a shell.
spawn() {
    local name=$1
    shift
    (cd "$WORK" && exec "$@") >"$WORK/$name.log" 2>&1 </dev/null 6>&- &
    PIDS[$name]=$!
}

end_process() { # NAME
    local pid=${PIDS[$1]:-}
    [ -n "$pid" ] || return 0
    unset "PIDS[$1]"
    kill -TERM "$pid" 2>/dev/null || as_root kill -TERM "$pid" 2>/dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$pid" 2>/dev/null; then
        warn "$1 does not stop; killing it"
        kill -KILL "$pid" 2>/dev/null || as_root kill -KILL "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}

end_processes() {
    local name
    for name in "${!PIDS[@]}"; do end_process "$name"; done
}

configure() { # FILE NAME UPSTREAM_PORT: prints the path of the filled-in config
    local to=$WORK/$2.${1##*.}
    sed -e "s|@PORT@|${PORTS[$2]}|; s|@UPSTREAM_PORT@|$3|; s|@ADMIN_PORT@|$ADMIN_PORT|; s|@DIR@|$WORK|; s|@CORES@|[0]|" \
        "$ROOT/bench/peers/$1" >"$to"
    printf '%s' "$to"
}

start_proxy() { # NAME UPSTREAM_PORT
    local name=$1 config
    ADMIN_PORT=$(free_port)
    PORTS[$name]=$(free_port)
    case $name in
        direct) PORTS[$name]=$2 && return ;;
        haproxy)
            config=$(configure haproxy.cfg "$name" "$2")
            spawn "$name" "${PROXY_CPUS[@]}" "$HAPROXY" -db -f "$config"
            ;;
        pgbouncer)
            config=$(configure pgbouncer.ini "$name" "$2")
            cp "$ROOT/bench/peers/userlist.txt" "$WORK/"
            # It refuses to run as root.
            local lent=()
            if [ "$(id -u)" -eq 0 ]; then
                lent=(setpriv --reuid "$(server_user)" --regid "$(server_user)" --clear-groups)
            fi
            spawn "$name" "${PROXY_CPUS[@]}" "${lent[@]}" "$PGBOUNCER" "$config"
            ;;
        relay)
            spawn "$name" "${PROXY_CPUS[@]}" "$RELAY" --listen "127.0.0.1:${PORTS[$name]}" --upstream "127.0.0.1:$2"
            ;;
        wiregate)
            config=$(configure wiregate.toml "$name" "$2")
            spawn "$name" "${PROXY_CPUS[@]}" "$WIREGATE_BIN" run --config "$config"
            ;;
    esac
    for _ in $(seq 100); do
        if ! kill -0 "${PIDS[$name]}" 2>/dev/null; then break; fi
        if ! port_is_free "${PORTS[$name]}"; then return 0; fi
        sleep 0.1
    done
    warn "$name does not start; the end of its log:"
    tail -n 20 "$WORK/$name.log" >&2
    exit 1
}

start_proxies() { # UPSTREAM_PORT
    local name
    for name in "${CANDIDATES[@]}"; do start_proxy "$name" "$1"; done
}

stop_proxies() {
    local name
    for name in "${CANDIDATES[@]}"; do end_process "$name"; done
}

# A proxy that encrypts behind our back, or a gateway that forgot its policy, would give figures of nothing.
check_proxies() {
    local name
    [ "$(superuser "$SERVER" postgres -c 'SHOW ssl')" = off ] || die 'the server offers TLS'
    for name in "${CANDIDATES[@]}"; do
        [ "$(psql_at "${PORTS[$name]}" bench -c 'SELECT 1')" = 1 ] || die "$name does not answer; see $WORK/$name.log"
    done
    if one_of wiregate "${CANDIDATES[@]}"; then check_policy "${PORTS[wiregate]}"; fi
    note "all of these answer: ${CANDIDATES[*]}"
}

check_policy() { # PORT
    local row='SELECT holder FROM wide_masked WHERE id = 1' plain masked refusal
    plain=$(psql_at "$UPSTREAM_PORT" bench -c "$row")
    masked=$(psql_at "$1" bench -c "$row")
    [ "$plain" != "$masked" ] && [ ${#plain} -eq ${#masked} ] || die "Wiregate does not redact wide_masked.holder: $masked"
    row='SELECT * FROM wide_plain WHERE id = 1'
    [ "$(psql_at "$UPSTREAM_PORT" bench -c "$row")" = "$(psql_at "$1" bench -c "$row")" ] ||
        die 'Wiregate changes wide_plain, on which no mask is'
    # There is no such table, so that nothing is lost where the refusal fails.
    refusal=$(psql_at "$1" bench -v VERBOSITY=sqlstate -c 'DROP TABLE bench_no_such_table' 2>&1) || true
    [[ $refusal == *42501* ]] || die "Wiregate does not refuse DROP TABLE: $refusal"
    for _ in $(seq 30); do
        if grep -rqs bench_no_such_table "$WORK/audit"; then return 0; fi
        sleep 0.1
    done
    die 'Wiregate has not written the refusal to its audit log within 3 s'
}
