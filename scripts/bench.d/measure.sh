# shellcheck shell=bash
#
# Runs the cases and appends a line to the samples for each run.
# Sourced by scripts/bench; the columns are those of bench/src/sample.rs.

# cpu_of NAME: user and system time of the process, all its threads, in milliseconds.
cpu_of() {
    local pid=${PIDS[$1]:-} stat fields
    if [ -z "$pid" ]; then
        echo '0 0'
        return
    fi
    stat=$(<"/proc/$pid/stat")
    # The command's name may hold spaces; what follows the last parenthesis does not.
    read -ra fields <<<"${stat##*) }"
    echo "$((fields[11] * 1000 / TICKS)) $((fields[12] * 1000 / TICKS))"
}

resident_bytes() { # PID
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}

value() { # KEY: from `load`'s key=value line on standard input; 0 where it is absent
    local found
    found=$(sed -n "s/.*\b$1=\(-\{0,1\}[0-9.]*\).*/\1/p" | head -n 1)
    echo "${found:-0}"
}

begin_samples() {
    TICKS=$(getconf CLK_TCK)
    echo 'case,round,candidate,done,seconds,bytes,user_ms,system_ms,p50_us,p90_us,p99_us,p999_us,max_us,memory_bytes' >"$SAMPLES"
}

pgbench_at() { # PORT CLIENTS [ARGS…]: a line as `load` prints it
    local port=$1 clients=$2 seconds=${RUN_SECONDS%.*} threads=$LOAD_THREADS
    shift 2
    # pgbench counts whole seconds only.
    [ "${seconds:-0}" -ge 1 ] || seconds=1
    [ "$clients" -ge "$threads" ] || threads=$clients
    timeout $((seconds + 60)) "${LOAD_CPUS[@]}" env PGSSLMODE="${PGSSLMODE:-disable}" "$PG_BIN/pgbench" -h 127.0.0.1 -p "$port" \
        -U "${PGUSER:-trust_user}" -n "$@" -c "$clients" -j "$threads" -T "$seconds" bench >"$WORK/pgbench.out" 2>&1 || return 1
    awk -v seconds="$seconds" '
        /number of transactions actually processed:/ { done = $NF }
        /number of failed transactions:/ { failed = $5 }
        END { if (done == "" || failed > 0) exit 1; printf "done=%s seconds=%s\n", done, seconds }' "$WORK/pgbench.out"
}

sysbench_at() { # PORT CLIENTS auto|disable: prepared statements, or texts
    local seconds=${RUN_SECONDS%.*}
    [ "${seconds:-0}" -ge 1 ] || seconds=1
    timeout $((seconds + 60)) "${LOAD_CPUS[@]}" sysbench oltp_point_select --mysql-host=127.0.0.1 --mysql-port="$1" \
        --mysql-user=trust_user --mysql-db=bench --tables=1 --table-size=100000 --db-ps-mode="$3" --threads="$2" \
        --time="$seconds" --percentile=99 run >"$WORK/sysbench.out" 2>&1 || return 1
    # In whole milliseconds with two decimals; the median is the open-loop case's to tell.
    awk '
        /^ *transactions:/ { done = $2 }
        /^ *total time:/ { seconds = substr($3, 1, length($3) - 1) }
        /^ *99th percentile:/ { p99 = $3 * 1000 }
        END { if (done == "") exit 1; printf "done=%s seconds=%s p99_us=%s\n", done, seconds, p99 }' "$WORK/sysbench.out"
}

load_at() { # PORT COMMAND [ARGS…]
    local port=$1
    shift
    timeout $((${RUN_SECONDS%.*} + 60)) "${LOAD_CPUS[@]}" "$LOAD" --port "$port" "$@" 2>"$WORK/load.err"
}

run_once() { # CASE ROUND CANDIDATE
    local before after line process
    process=$(process_of "$(leg_of "$1")" "$3")
    read -ra before <<<"$(cpu_of "$process")"
    if ! line=$(drive "$1" "$3"); then
        FAILED=$((FAILED + 1))
        warn "$1 through $3 failed: $(tail -n 1 "$WORK/load.err" "$WORK/pgbench.out" "$WORK/sysbench.out" 2>/dev/null | tr '\n' ' ')"
        return 0
    fi
    read -ra after <<<"$(cpu_of "$process")"
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,0\n' "$1" "$2" "$3" "$(value 'done' <<<"$line")" \
        "$(value seconds <<<"$line")" "$(value bytes <<<"$line")" $((after[0] - before[0])) $((after[1] - before[1])) \
        "$(value p50_us <<<"$line")" "$(value p90_us <<<"$line")" "$(value p99_us <<<"$line")" \
        "$(value p999_us <<<"$line")" "$(value max_us <<<"$line")" >>"$SAMPLES"
}

rounds() {
    local round case candidate
    for round in $(seq "$ROUNDS"); do
        step "Round $round of $ROUNDS"
        for case in "${CASES[@]}"; do
            [ "$case" != idle5000 ] || continue
            for candidate in $(candidates_of "$case"); do run_once "$case" "$round" "$candidate"; done
            note "$case: $(summary "$case" "$round")"
        done
    done
}

summary() { # CASE ROUND: CPU of each candidate in this round
    awk -F, -v wanted="$1" -v round="$2" '$1 == wanted && $2 == round && $7 + $8 > 0 {
        printf "%s %.2f µs  ", $3, ($7 + $8) * 1000 / $4 }' "$SAMPLES"
}

# Where Wiregate's cycles go in each case; its samples are no part of the figures.
profiles() {
    local case
    need_command perf linux-perf
    one_of wiregate "${CANDIDATES[@]}" || die '--profile wants the candidate wiregate'
    mkdir -p "$OUT"
    for case in "${CASES[@]}"; do
        [ "$case" != idle5000 ] || continue
        step "Profile of $case"
        perf record -q -F 1999 -p "${PIDS[wiregate]}" -o "$WORK/perf.data" >"$WORK/perf.log" 2>&1 6>&- &
        PIDS[perf]=$!
        drive "$case" wiregate >"$WORK/profile.out" || warn "$case failed under perf"
        # SIGTERM makes it write what it has.
        end_process perf
        {
            echo "# $case through Wiregate: $(cat "$WORK/profile.out")"
            perf report -i "$WORK/perf.data" --stdio --sort dso 2>/dev/null | grep -v '^#' | grep .
            echo
            perf report -i "$WORK/perf.data" --stdio --sort dso,symbol --percent-limit 0.4 2>/dev/null | sed 's| *-  *- *$||' | grep -v '^#' | grep .
        } >"$OUT/profile-$case.txt" || warn "no profile of $case: $(tail -n 1 "$WORK/perf.log")"
    done
}

# What the gateway says of itself, beside what is seen from outside: for each work a fresh process, whose quantiles
# since its start are then those of the work. The same queries go straight, through the relay and through the gateway,
# tick by tick (`load paired`).
OWN_WORKS=(point plain masked found)

own_query() { # WORK: its statement; none is the prepared point query
    case $1 in
        plain) echo 'SELECT * FROM wide_plain LIMIT 200' ;;
        masked) echo 'SELECT * FROM wide_masked LIMIT 200' ;;
        found) echo 'SELECT * FROM found_dense LIMIT 200' ;;
    esac
}

own_latency() { # UPSTREAM_PORT
    local work page query ways=()
    one_of wiregate "${CANDIDATES[@]}" || return 0
    for work in "${OWN_WORKS[@]}"; do
        [ "$work" != found ] || any_case 'found*' || continue
        step "Wiregate's own word: $work"
        start_proxy plain relay "$1"
        start_proxy plain wiregate "$1"
        query=$(own_query "$work")
        mapfile -t ways < <(load_at 0 paired --ways "${PORTS[plain-relay]},$1,${PORTS[plain-wiregate]}" ${query:+--query "$query"} \
            --rate "$OWN_RATE" --seconds "$OWN_SECONDS" --accounts $((SCALE * 100000)))
        page=$(metrics_page) || page=''
        end_process wiregate
        end_process plain-relay
        if [ ${#ways[@]} -ne 3 ]; then
            FAILED=$((FAILED + 1))
            warn "$work through a fresh wiregate failed: $(tail -n 1 "$WORK/load.err")"
            continue
        fi
        {
            printf '%s' "$work"
            for quantile in 0.5 0.99 0.999; do printf ',%s' "$(own_quantile gateway 'listener="bench"' "$quantile" <<<"$page")"; done
            printf ',%s' "$(own_quantile rule_gateway 'rule="' 0.5 <<<"$page")"
            for key in above_p25_us above_p50_us above_p75_us p50_us; do printf ',%s' "$(value "$key" <<<"${ways[2]}")"; done
            printf ',%s,%s\n' "$(value p50_us <<<"${ways[0]}")" "$(value p50_us <<<"${ways[1]}")"
        } >>"$WORK/own.csv"
        note "$(tail -n 1 "$WORK/own.csv")"
    done
}

metrics_page() {
    exec 7<>"/dev/tcp/127.0.0.1/$ADMIN_PORT"
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&7
    cat <&7
    exec 7>&-
}

own_quantile() { # METRIC LABEL QUANTILE: in microseconds, from a page of metrics on standard input; empty where none is
    awk -v metric="wiregate_$1_seconds_quantile{" -v label="$2" -v quantile="quantile=\"$3\"" '
        index($0, metric) == 1 && index($0, label) && index($0, quantile) && $NF > 0 { printf "%.1f", $NF * 1e6; exit }'
}

# Memory is no matter of rounds: one fresh process each, its growth over many sessions.
idle_sessions() {
    local candidate port
    start_server "$IDLE_SERVER"
    settings "$IDLE_SERVER" max_connections=5200 shared_buffers=16MB
    port=$(server_of "$IDLE_SERVER" PORT)
    for candidate in "${CANDIDATES[@]}"; do
        [ "$candidate" != direct ] || continue
        step "$IDLE_SESSIONS idle sessions through $candidate"
        start_proxy plain "$candidate" "$port"
        if ! hold_sessions "$candidate"; then
            FAILED=$((FAILED + 1))
            warn "idle sessions through $candidate failed: $(tail -n 1 "$WORK/idle.err")"
        fi
        end_process idle
        end_process "$(process_of plain "$candidate")"
    done
}

hold_sessions() { # CANDIDATE
    local name before after fifo=$WORK/idle.hold port=${PORTS[plain-$1]}
    name=$(process_of plain "$1")
    # One session first: what the process allocates once is not a session's.
    "$LOAD" --port "$port" --database postgres idle 1 </dev/null >/dev/null 2>"$WORK/idle.err" || return 1
    sleep 0.5
    before=$(resident_bytes "${PIDS[$name]}")
    rm -f "$fifo" "$WORK/idle.out"
    mkfifo "$fifo"
    exec 5<>"$fifo"
    "${LOAD_CPUS[@]}" "$LOAD" --port "$port" --database postgres idle "$IDLE_SESSIONS" \
        <"$fifo" >"$WORK/idle.out" 2>"$WORK/idle.err" 5>&- 6>&- &
    PIDS[idle]=$!
    for _ in $(seq 1800); do
        [ ! -s "$WORK/idle.out" ] || break
        kill -0 "${PIDS[idle]}" 2>/dev/null || break
        sleep 0.1
    done
    sleep 1
    after=$(resident_bytes "${PIDS[$name]}")
    # The end of its standard input tells the load to let go.
    exec 5>&-
    [ -s "$WORK/idle.out" ] || return 1
    note "$(cat "$WORK/idle.out"): $(((after - before) / IDLE_SESSIONS)) bytes each"
    printf 'idle5000,1,%s,%s,%s,0,0,0,0,0,0,0,0,%s\n' "$1" "$IDLE_SESSIONS" "$(value seconds <"$WORK/idle.out")" \
        $((after - before)) >>"$SAMPLES"
}
