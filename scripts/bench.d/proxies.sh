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

# process_of LEG CANDIDATE: the process that serves this leg. HAProxy and the gateway have a listener for each leg,
# pgbouncer and the relay a process.
process_of() {
    case $2 in
        pgbouncer | relay) echo "$1-$2" ;;
        *) echo "$2" ;;
    esac
}

configure() { # FILE PROCESS [SED…]: prints the path of the filled-in config
    local from=$1 to=$WORK/$2.${1##*.}
    shift 2
    sed -e "s|@UPSTREAM_PORT@|$TO_PORT|; s|@MYSQL_UPSTREAM_PORT@|${MYSQL_UPSTREAM_PORT:-1}|; s|@ADMIN_PORT@|$ADMIN_PORT|" \
        -e "s|@DIR@|$WORK|g; s|@CORES@|[0]|; s|@VERIFIER@|$VERIFIER|" "$@" "$ROOT/bench/peers/$from" >"$to"
    printf '%s' "$to"
}

# take_port KEY: a port that nobody has, and none that was given out here.
take_port() {
    local port
    while :; do
        port=$(free_port)
        case " ${PORTS[*]} " in *" $port "*) ;; *) break ;; esac
    done
    PORTS[$1]=$port
}

start_proxy() { # LEG NAME UPSTREAM_PORT
    local leg=$1 name=$2 config process each TO_PORT=$3
    process=$(process_of "$leg" "$name")
    [ -z "${PIDS[$process]:-}" ] || return 0
    ADMIN_PORT=$(free_port)
    for each in plain tls login mysql; do
        if [ "$process" = "$name" ] || [ "$each" = "$leg" ]; then take_port "$each-$name"; fi
    done
    # Who has a listener for each leg has the plain one's port by this name.
    local own=$leg
    [ "$process" != "$name" ] || own=plain
    local ports=(-e "s|@PORT@|${PORTS[$own-$name]}|; s|@TLS_PORT@|${PORTS[tls-$name]:-}|; s|@LOGIN_PORT@|${PORTS[login-$name]:-}|; s|@MYSQL_PORT@|${PORTS[mysql-$name]:-}|")
    case $name in
        direct)
            PORTS[plain-direct]=$TO_PORT PORTS[mysql-direct]=${MYSQL_UPSTREAM_PORT:-}
            return
            ;;
        haproxy)
            config=$(configure haproxy.cfg "$process" "${ports[@]}")
            spawn "$process" "${PROXY_CPUS[@]}" "$HAPROXY" -db -f "$config"
            ;;
        pgbouncer)
            local auth=trust tls=disable
            [ "$leg" != tls ] || tls=require
            [ "$leg" != login ] || auth=scram-sha-256 tls=require
            config=$(configure pgbouncer.ini "$process" "${ports[@]}" -e "s|@AUTH_TYPE@|$auth|; s|@TLS_MODE@|$tls|")
            # It refuses to run as root.
            local lent=()
            if [ "$(id -u)" -eq 0 ]; then
                lent=(setpriv --reuid "$(server_user)" --regid "$(server_user)" --clear-groups)
            fi
            spawn "$process" "${PROXY_CPUS[@]}" "${lent[@]}" "$PGBOUNCER" "$config"
            ;;
        relay)
            [ "$leg" != mysql ] || TO_PORT=$MYSQL_UPSTREAM_PORT
            spawn "$process" "${PROXY_CPUS[@]}" "$RELAY" --listen "127.0.0.1:${PORTS[$leg-$name]}" --upstream "127.0.0.1:$TO_PORT"
            ;;
        wiregate*)
            config=$(configure "$name.toml" "$process" "${ports[@]}")
            BENCH_UPSTREAM_PASSWORD=app-secret spawn "$process" "${PROXY_CPUS[@]}" "$WIREGATE_BIN" run --config "$config"
            ;;
    esac
    for _ in $(seq 100); do
        if ! kill -0 "${PIDS[$process]}" 2>/dev/null; then break; fi
        if ! port_is_free "${PORTS[$leg-$name]}"; then return 0; fi
        sleep 0.1
    done
    warn "$process does not start; the end of its log:"
    tail -n 20 "$WORK/$process.log" >&2
    exit 1
}

# What the proxies show their clients, and what they let in.
prepare_proxies() {
    local file
    VERIFIER=$(superuser "$SERVER" postgres -c "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    cp "$TLS_DIR/server.crt" "$TLS_DIR/server.key" "$WORK/"
    cat "$TLS_DIR/server.crt" "$TLS_DIR/server.key" >"$WORK/server.pem"
    printf '"trust_user" ""\n"app" "%s"\n' "$VERIFIER" >"$WORK/userlist.txt"
    for file in server.crt server.key server.pem userlist.txt; do
        # pgbouncer runs as the servers' user.
        chmod 600 "$WORK/$file"
        [ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$WORK/$file"
    done
}

# Every process that a case asks for.
start_proxies() { # UPSTREAM_PORT
    local case name
    for case in "${CASES[@]}"; do
        for name in $(candidates_of "$case"); do start_proxy "$(leg_of "$case")" "$name" "$1"; done
    done
}

stop_proxies() {
    local name
    for name in "${!PIDS[@]}"; do end_process "$name"; done
}

# A proxy that encrypts behind our back, or a gateway that forgot its policy, would give figures of nothing.
check_proxies() {
    local name
    [ "$(superuser "$SERVER" postgres -c 'SHOW ssl')" = off ] || die 'the server offers TLS'
    for name in "${CANDIDATES[@]}"; do
        if [ -n "${PORTS[plain-$name]:-}" ]; then
            [ "$(psql_at "${PORTS[plain-$name]}" bench -c 'SELECT 1')" = 1 ] || die "$name does not answer; see $WORK"
        fi
        if any_case 'mysql*' && [ -n "${PORTS[mysql-$name]:-}" ]; then
            [ "$(mysql_at "${PORTS[mysql-$name]}" -e 'SELECT 1')" = 1 ] || die "$name does not answer MySQL; see $WORK"
        fi
    done
    if one_of wiregate "${CANDIDATES[@]}"; then
        check_policy "${PORTS[plain-wiregate]}"
        if any_case 'mysql*'; then check_mysql_policy "${PORTS[mysql-wiregate]}"; fi
    fi
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

mysql_at() { # PORT [ARGS…]
    local port=$1
    shift
    "$MYSQL_BIN/mariadb" --no-defaults --batch --skip-column-names --skip-ssl --host=127.0.0.1 --port="$port" --user=trust_user --connect-timeout=10 bench "$@"
}

check_mysql_policy() { # PORT
    local row='SELECT holder FROM wide_masked WHERE id = 1' plain masked
    plain=$(mysql_at "$MYSQL_UPSTREAM_PORT" -e "$row")
    masked=$(mysql_at "$1" -e "$row")
    [ "$plain" != "$masked" ] && [ ${#plain} -eq ${#masked} ] || die "Wiregate does not redact MariaDB's wide_masked.holder: $masked"
    row='SELECT * FROM wide_plain WHERE id = 1'
    [ "$(mysql_at "$MYSQL_UPSTREAM_PORT" -e "$row")" = "$(mysql_at "$1" -e "$row")" ] || die 'Wiregate changes wide_plain, on which no mask is'
    if mysql_at "$1" -e 'DROP TABLE bench_no_such_table' >"$WORK/refusal" 2>&1 || ! grep -q 'no dropping' "$WORK/refusal"; then
        die "Wiregate does not refuse DROP TABLE: $(cat "$WORK/refusal")"
    fi
}
