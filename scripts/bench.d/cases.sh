# shellcheck shell=bash
#
# The cases: who takes part, through which leg, and what drives it. Their words are in bench/src/report.rs.
# Sourced by scripts/bench.

QUICK_CASES=(point16 point1 rows rows_masked found_dense copy_masked mysql16 mysql_rows_masked idle5000)
DEFAULT_CASES=(point16 point1 open1 open16 rows rows_masked mysql16 mysql1 mysql_rows mysql_rows_masked idle5000)
MATRIX_CASES=(point16 point1 point120 simple16 extended16 tpcb16 batch16 rules16 open1 open16 open1000 tls16 connect
    rows rows_narrow rows_binary rows_masked rules_rows found_clean found_dense copy copy_masked copy_in
    mysql16 mysql1 mysql_text16 mysql_open16 mysql_rows mysql_rows_binary mysql_rows_masked idle5000)
VARIANTS=(wiregate-unrecorded wiregate-none wiregate-deny wiregate-masks wiregate-detect)

# The leg of a case: which of a proxy's ports it goes to.
leg_of() { # CASE
    case $1 in
        mysql*) echo mysql ;;
        tls16) echo tls ;;
        connect) echo login ;;
        *) echo plain ;;
    esac
}

# Who can take part: pgbouncer speaks no MySQL, a relay ends no TLS, and only who checks passwords can log in.
candidates_of() { # CASE
    local name
    for name in "${CANDIDATES[@]}"; do
        case $1:$name in
            mysql*:pgbouncer | tls16:direct | tls16:relay | connect:direct | connect:haproxy | connect:relay) ;;
            rules*:pgbouncer | rules*:relay | rules*:direct) ;;
            *) echo "$name" ;;
        esac
    done
    case $1 in rules*) printf '%s\n' "${VARIANTS[@]}" ;; esac
}

any_case() { # PATTERN: whether a case like this was asked for
    local name
    for name in "${CASES[@]}"; do
        # shellcheck disable=SC2254
        case $name in $1) return 0 ;; esac
    done
    return 1
}

drive() { # CASE CANDIDATE
    local port=${PORTS[$(leg_of "$1")-$2]} tls=direct
    case $1 in
        point16 | rules16) pgbench_at "$port" 16 -S -M prepared ;;
        point1) pgbench_at "$port" 1 -S -M prepared ;;
        point120) pgbench_at "$port" 120 -S -M prepared ;;
        simple16) pgbench_at "$port" 16 -S -M simple ;;
        extended16) pgbench_at "$port" 16 -S -M extended ;;
        tpcb16) pgbench_at "$port" 16 -M prepared ;;
        connect) PGSSLMODE=require PGUSER=app PGPASSWORD=app-secret pgbench_at "$port" 4 -S -C ;;
        batch16) load_at "$port" point --clients 16 --batch 10 --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000)) ;;
        open1) load_at "$port" point --clients 1 --rate 1000 --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000)) ;;
        open16) load_at "$port" point --clients 16 --rate "$OPEN_RATE" --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000)) ;;
        open1000)
            load_at "$port" point --clients 1000 --rate "$OPEN1000_RATE" --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000))
            ;;
        tls16)
            # pgbouncer waits to be asked for TLS, HAProxy cannot be asked; the gateway takes both.
            [ "$2" != pgbouncer ] || tls=request
            load_at "$port" point --clients 16 --tls "$tls" --ca "$TLS_DIR/ca.crt" --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000))
            ;;
        rows | rules_rows) load_at "$port" rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_plain' ;;
        rows_narrow) load_at "$port" rows --seconds "$RUN_SECONDS" --query 'SELECT id FROM wide_plain' ;;
        rows_binary) load_at "$port" rows --binary --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_plain' ;;
        rows_masked) load_at "$port" rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_masked' ;;
        found_clean) load_at "$port" rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM found_clean' ;;
        found_dense) load_at "$port" rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM found_dense' ;;
        copy) load_at "$port" copy --seconds "$RUN_SECONDS" --relation huge_plain ;;
        copy_masked) load_at "$port" copy --seconds "$RUN_SECONDS" --relation huge_masked ;;
        copy_in)
            load_at "$port" copy-in --seconds "$RUN_SECONDS" --relation huge_plain --rows 1000000 \
                --row "$(printf '%s\t%s\t%s\t%080d' 1000000 61 79190 7)"
            ;;
        mysql16) sysbench_at "$port" 16 auto ;;
        mysql1) sysbench_at "$port" 1 auto ;;
        mysql_text16) sysbench_at "$port" 16 disable ;;
        mysql_open16)
            load_at "$port" --protocol mysql point --clients 16 --rate "$OPEN_RATE" --seconds "$RUN_SECONDS" --accounts 100000
            ;;
        mysql_rows) load_at "$port" --protocol mysql rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_plain' ;;
        mysql_rows_binary)
            load_at "$port" --protocol mysql rows --binary --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_plain'
            ;;
        mysql_rows_masked)
            load_at "$port" --protocol mysql rows --seconds "$RUN_SECONDS" --query 'SELECT * FROM wide_masked'
            ;;
    esac
}

# What 1,000 clients reach at most through HAProxy; the case runs at 70 % of it.
measure_highest() {
    local line
    any_case open1000 || return 0
    line=$(load_at "${PORTS[plain-haproxy]:-$UPSTREAM_PORT}" point --clients 1000 --seconds "$RUN_SECONDS" --accounts $((SCALE * 100000))) ||
        die "1,000 clients cannot be served: $(tail -n 1 "$WORK/load.err")"
    OPEN1000_RATE=$(awk -v done="$(value 'done' <<<"$line")" -v seconds="$(value seconds <<<"$line")" 'BEGIN { printf "%d", 0.7 * done / seconds }')
    note "1,000 clients: $OPEN1000_RATE queries a second, 70 % of what they reach through HAProxy"
}
