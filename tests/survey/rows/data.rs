//! Databases, caches and queues.

use crate::row::Row;

const FAMILY: &str = "data";

/// Made once, copied by each.
const POSTGRES: &str = r#"PG=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | head -n1)")
flock $T/postgres.lock sh -c '[ -d $T/postgres ] || { install -d -o postgres -m 700 $T/postgres.new &&
setpriv --reuid postgres --regid postgres --clear-groups '$PG'/initdb -A trust --no-sync -D $T/postgres.new >/dev/null &&
mv $T/postgres.new $T/postgres; }' 9>$T/lock
cp -a $T/postgres $D/data"#;

const MARIADB: &str = r#"flock $T/mariadb.lock sh -c '[ -d $T/mariadb ] || { install -d -o mysql -m 700 $T/mariadb.new &&
mariadb-install-db --no-defaults --user=mysql --auth-root-authentication-method=normal --skip-test-db \
--datadir=$T/mariadb.new >/dev/null && mv $T/mariadb.new $T/mariadb; }'
cp -a $T/mariadb $D/data; install -d -o mysql $D/run"#;

const MARIADB_OPTIONS: &str = "--no-defaults --user=mysql --datadir=$D/data --socket=$D/run/socket --pid-file=$D/run/pid --bind-address=127.0.0.1";

pub(crate) fn rows() -> Vec<Row> {
    let postgres = |name: &str, options: &str| {
        let command = format!("$PG/postgres -D $D/data -k $D -h 127.0.0.1 -c fsync=off {options}");
        let ready = "$(ls /usr/lib/postgresql/*/bin/pg_isready | head -n1) -q -h $D";
        let needs = ["/usr/lib/postgresql/*/bin/initdb"];
        Row::new(FAMILY, name, command).needs(&needs).setup(POSTGRES).ready(ready).user("postgres")
    };
    let mariadb = |name: &str, command: &str| {
        let row = Row::new(FAMILY, name, command).needs(&["mariadbd", "mariadb-install-db", "mysqld_safe"]);
        row.heavy().setup(MARIADB).ready("mariadb --no-defaults -u root -S $D/run/socket -e 'select 1'")
    };
    let redis = "redis-server --port 6379 --bind 127.0.0.1 --dir $D";
    let psql = "{ echo 'select 42;'; sleep 1000; } | psql -h 127.0.0.1 -U postgres -At";
    let blocked = "{ echo 'select 42; select pg_sleep(1000);'; sleep 1000; } | psql -h 127.0.0.1 -U postgres -At";
    let rabbitmq = |name: &str, program: &str| {
        let files = "RABBITMQ_MNESIA_BASE=$D/rabbit RABBITMQ_LOG_BASE=$D/rabbit RABBITMQ_PID_FILE=$D/rabbit/pid \
                     RABBITMQ_ENABLED_PLUGINS_FILE=$D/rabbit/plugins";
        let names = "HOME=$D/rabbit HOSTNAME=localhost RABBITMQ_NODENAME=rabbit@localhost";
        let setup = "install -d -m 777 $D/rabbit; install -d -o rabbitmq /var/log/rabbitmq";
        let row = Row::new(FAMILY, name, format!("env {names} {files} {program}")).needs(&["rabbitmq-server"]);
        row.setup(setup).user("rabbitmq").port(5672).heavy()
    };
    vec![
        postgres("postgres", "").gate(),
        postgres("postgres, logger", "-c logging_collector=on").gate(),
        postgres("postgres, an idle client", "").client(psql).culprit("postgres"),
        postgres("postgres, a client in a query", "").client(blocked).culprit("postgres"),
        mariadb("mariadb", &format!("mariadbd {MARIADB_OPTIONS}")),
        mariadb("mariadb, mysqld_safe", &format!("mysqld_safe {MARIADB_OPTIONS}")).culprit("mysqld_safe"),
        mariadb("mariadb, a client in a query", &format!("mariadbd {MARIADB_OPTIONS}"))
            .client("{ echo 'select 42; select sleep(1000);'; } | mariadb --no-defaults -u root -h 127.0.0.1 -n -N"),
        Row::new(FAMILY, "redis", format!("{redis} --save ''"))
            .needs(&["redis-server"])
            .port(6379)
            .user("redis")
            .gate(),
        Row::new(FAMILY, "redis, saves at the stop", format!("{redis} --save '60 1'"))
            .needs(&["redis-server"])
            .port(6379),
        Row::new(
            FAMILY,
            "redis below a shell with a trap",
            format!("bash -c 'trap \"kill \\$!; exit 0\" TERM; {redis} & wait'"),
        )
        .needs(&["redis-server", "bash"])
        .port(6379)
        .gate(),
        Row::new(FAMILY, "memcached", "memcached -u nobody -l 127.0.0.1 -p 11211")
            .needs(&["memcached"])
            .port(11211)
            .gate(),
        rabbitmq("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server"),
        rabbitmq("rabbitmq, Debian's wrapper", "rabbitmq-server"),
    ]
}
