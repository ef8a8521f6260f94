# shellcheck shell=bash
#
# MariaDB and MySQL for scripts/servers, which sources this file: how an instance is made, filled, started,
# asked and stopped. What both families share (folders, ports, certificates, the sid tree) is in scripts/servers.

mysqld_of() {
    case $(kind "$1") in
        mariadb) echo /usr/sbin/mariadbd ;;
        mariadb118) echo "$MARIADB_HOME/usr/sbin/mariadbd" ;;
        mysql97) echo /usr/sbin/mysqld ;;
    esac
}

mysql_client_of() {
    case $(kind "$1") in
        mariadb | mariadb118) echo mariadb ;;
        mysql97) echo mysql ;;
    esac
}

mysql_admin() { # NAME [ARGS…]: the command line as root over the private socket
    local name=$1
    shift
    run_for "$name" "$(bin_of "$name")/$(mysql_client_of "$name")" --no-defaults --batch --default-character-set=utf8mb4 \
        --user=root --socket="$(inner_home_of "$name")/run/sock" "$@"
}

mysql_pid_of() { # NAME: the server's process id; fails when it does not run
    local pid
    pid=$(as_root cat "$(home_of "$1")/run/pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && grep -qaE 'mysqld|mariadbd' "/proc/$pid/cmdline" 2>/dev/null && printf '%s' "$pid"
}

write_mysql_conf() { # NAME
    local connections=300 inner
    inner=$(inner_home_of "$1")
    if has_suffix "$1" many; then connections=2000; fi
    cat <<TEXT
[mysqld]
datadir = $inner/data
socket = $inner/run/sock
pid_file = $inner/run/pid
log_error = $inner/log
tmpdir = $inner/run
secure_file_priv = $inner/run
bind_address = 127.0.0.1
max_connections = $connections
max_allowed_packet = 1G
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 0    # a test's data need not outlive the machine's next crash
innodb_doublewrite = OFF
innodb_use_native_aio = OFF
innodb_flush_method = nosync
skip_log_bin
character_set_server = utf8mb4
collation_server = utf8mb4_unicode_ci
default_time_zone = '+00:00'
local_infile = ON
TEXT
    case $(kind "$1") in
        mariadb) printf 'plugin_load_add = auth_ed25519\nsync_frm = OFF\n' ;;
        mariadb118)
            printf 'basedir = %s/usr\nplugin_dir = %s/usr/lib/mysql/plugin\n' "$MARIADB_HOME" "$MARIADB_HOME"
            printf 'plugin_load_add = auth_ed25519\nplugin_load_add = auth_parsec\n'
            ;;
        mysql97) printf 'mysqlx = OFF\nauto_generate_certs = OFF\n' ;;
    esac
    if ! has_suffix "$1" plain; then
        printf 'ssl_ca = %s/ca.crt\nssl_cert = %s/server.crt\nssl_key = %s/server.key\n' "$inner" "$inner" "$inner"
    fi
}

make_mysql_instance() { # NAME
    local name=$1 home inner
    home=$(home_of "$name") inner=$(inner_home_of "$name")
    write_mysql_conf "$name" | as_root tee "$home/my.cnf" >/dev/null
    case $(kind "$name") in
        mariadb)
            run_for "$name" mariadb-install-db --no-defaults --datadir="$inner/data" --skip-test-db --skip-name-resolve \
                --auth-root-authentication-method=normal >/dev/null
            ;;
        mariadb118)
            run_for "$name" "$MARIADB_HOME/usr/bin/mariadb-install-db" --no-defaults --basedir="$MARIADB_HOME/usr" \
                --datadir="$inner/data" --skip-test-db --skip-name-resolve --auth-root-authentication-method=normal >/dev/null
            ;;
        mysql97) run_for "$name" "$(mysqld_of "$name")" --defaults-file="$inner/my.cnf" --initialize-insecure >/dev/null 2>&1 ;;
    esac
}

launch_mysql() { # NAME
    local name=$1
    # In a session of its own, without the lock's descriptor: it outlives this script.
    run_for "$name" setsid "$(mysqld_of "$name")" --defaults-file="$(inner_home_of "$name")/my.cnf" --port="$(port_of "$name")" \
        </dev/null >/dev/null 2>&1 9>&- &
    local launched=$!
    for _ in $(seq 300); do
        if mysql_pid_of "$name" >/dev/null && mysql_admin "$name" -e 'SELECT 1' >/dev/null 2>&1; then return 0; fi
        [ -d "/proc/$launched" ] || break
        sleep 0.2
    done
    return 1
}

fill_mysql() { # NAME
    local name=$1
    mysql_admin "$name" <"$ROOT/scripts/roles-$(kind "$name" | tr -d 0-9).sql"
    mysql_admin "$name" -e 'CREATE DATABASE shop'
    mysql_admin "$name" shop <"$ROOT/scripts/shop-mysql.sql"
    if [ "$(kind "$name")" = mariadb118 ]; then
        mysql_admin "$name" -e "CREATE USER parsec_user@'%' IDENTIFIED VIA parsec USING PASSWORD('parsec_user-secret');
            GRANT ALL ON shop.* TO parsec_user@'%'"
    fi
}

mysql_recipe() {
    declare -f make_instance make_mysql_instance write_mysql_conf fill_mysql
    cat "$ROOT"/scripts/roles-m*.sql "$ROOT/scripts/shop-mysql.sql"
}
