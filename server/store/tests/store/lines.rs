//! Lines to Postgres: who may read them, and whose they are.

use crate::app::*;
use std::net::TcpListener;
use std::time::Instant;
use stead_store::{Config, Error, Sql, Store};

/// Connections of this database, and how many of them are encrypted.
const LINES: Sql = Sql::new(
    "SELECT count(*),count(*) FILTER (WHERE s.ssl) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
     WHERE a.datname=current_database() AND a.backend_type='client backend'",
);
const ONE: Sql = Sql::new("SELECT count(*) FROM _log");
const LISTENERS: Sql = Sql::new(
    "SELECT count(*) FROM pg_stat_activity WHERE datname=current_database() AND query LIKE 'LISTEN%'",
);

/// What `tests/postgres.sh start-tls` printed, with another database of its own.
fn encrypted(database: &str) -> Option<String> {
    let url = named("STEAD_TEST_POSTGRES_TLS")?;
    make_database(&url, database);
    Some(url.replacen("/postgres?", &format!("/{database}?"), 1))
}

/// A URL that a variable names. Where nothing may be skipped, it must be there.
fn named(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    assert!(url.is_some() || std::env::var_os("STEAD_TEST_ALL").is_none(), "{variable} names no database");
    url
}

async fn open(url: &str) -> Result<Store, Error> {
    Store::open(Config { place: place_at(url), ..config(None) }).await
}

async fn refusal(url: &str) -> String {
    let text = match open(url).await {
        Ok(_) => panic!("{url} is taken"),
        Err(error) => error.to_string(),
    };
    assert!(!text.contains("horse"), "the password is told: {text}");
    text
}

async fn numbers(store: &Store, sql: &'static Sql, count: usize) -> Vec<i64> {
    let rows = store.read(async |reader| reader.fetch(sql, &[]).await).await;
    let rows = rows.unwrap_or_else(|error: Error| panic!("{error}"));
    (0..count).map(|at| rows[0].int(at).unwrap()).collect()
}

async fn until_somebody_listens(store: &Store) {
    let began = Instant::now();
    while numbers(store, &LISTENERS, 1).await == [0] {
        assert!(began.elapsed().as_secs() < 10, "nobody listens");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_asks_for_encryption_has_it_on_every_line() {
    let Some(url) = encrypted("stead_lines") else { return };
    for (mode, url) in [
        ("verify-full", url.clone()),
        ("verify-ca", url.replace("verify-full", "verify-ca")),
        ("only the authority", url.replace("sslmode=verify-full&", "")),
        ("require", url.split("verify-full").next().unwrap().to_owned() + "require"),
        ("nothing", url.split('?').next().unwrap().to_owned()),
    ] {
        let store = open(&url).await.unwrap_or_else(|error| panic!("{mode}: {error}"));
        until_somebody_listens(&store).await;
        let lines = numbers(&store, &LINES, 2).await;
        assert!(lines[0] >= 2 && lines[0] == lines[1], "{mode}: {lines:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_line_that_is_not_what_the_url_asks_for_is_refused_with_what_to_do() {
    let Some(url) = encrypted("stead_refused") else { return };
    let other_authority = url.replace("authority.pem", "another.pem");
    let told = refusal(&other_authority).await;
    assert!(told.contains("UnknownIssuer; `sslrootcert` names the file of the authority"), "{told}");
    let other_name = url.replace("@localhost:", "@127.0.0.1:");
    let told = refusal(&other_name).await;
    assert!(told.contains("the host in the URL must be one of the names in the certificate"), "{told}");
    let told = refusal(&other_name.replace("verify-full", "verify-ca")).await;
    assert!(told.contains("the host in the URL must be one of the names"), "{told}");
    let nobody_asked = url.split('?').next().unwrap().to_owned() + "?sslmode=verify-full";
    let told = refusal(&nobody_asked).await;
    assert!(told.contains("`sslrootcert` names the file of the authority"), "{told}");
    let plain = url.split('?').next().unwrap().to_owned() + "?sslmode=disable";
    let told = refusal(&plain).await;
    assert!(
        told.contains("no encryption; if it takes encrypted lines only, use `sslmode=verify-full`"),
        "{told}"
    );
    let told = refusal(&url.replace("correct%20horse", "battery-horse")).await;
    assert!(told.contains("password authentication failed for user \"stead\""), "{told}");
    // Control: the URL that all of these were made of.
    open(&url).await.unwrap().close().await;
}

#[tokio::test]
async fn a_certificate_takes_the_place_of_a_password() {
    let Some(url) = encrypted("badge") else { return };
    let folder = url.split("sslrootcert=").nth(1).unwrap().replace("/authority.pem", "");
    let badge = format!(
        "{}&sslcert={folder}/stead.pem&sslkey={folder}/stead.key",
        url.replace(":correct%20horse", "")
    );
    open(&badge).await.unwrap().close().await;
    let told = refusal(&url).await;
    assert!(told.contains("certificate"), "{told}");
    // The server has a certificate of the same authority, but not for this role.
    let told = refusal(&badge.replace("/stead.", "/server.")).await;
    assert!(told.contains("certificate authentication failed for user \"stead\""), "{told}");
}

/// A port on which somebody says one thing to whoever comes, then nothing; and their URL.
fn who_says(word: &'static [u8]) -> String {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://stead:horse@{}/stead", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 8];
            let _ = stream.read_exact(&mut asked);
            let _ = stream.write_all(word);
            std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    url
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_the_url_asks_for_it() {
    let url = who_says(b"N");
    for mode in ["require", "verify-full"] {
        let told = refusal(&format!("{url}?sslmode={mode}")).await;
        assert!(told.contains("does not support TLS; switch `ssl` on there"), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_waited_for_as_long_as_the_url_says() {
    let told = refusal(&format!("{}?connect_timeout=1", who_says(b""))).await;
    assert!(told.contains("Postgres did not answer within 1 s"), "{told}");
}

#[tokio::test]
async fn settings_that_a_pooler_would_drop_are_refused() {
    let (Some(pooler), Some(server)) = (named("STEAD_TEST_PGBOUNCER"), named("STEAD_TEST_POSTGRES")) else {
        return;
    };
    make_database(&server, "stead_settings");
    let own = |url: &str| url.replacen("/postgres?", "/stead_settings?", 1);
    let told = refusal(&format!("{}&options=-c%20search_path%3Dother", own(&pooler))).await;
    assert!(told.contains("would be lost in the pooler before Postgres: give them to the role"), "{told}");
    // Controls: without them, and where nobody is between.
    open(&own(&pooler)).await.unwrap().close().await;
    open(&format!("{}&options=-c%20work_mem%3D8MB", own(&server))).await.unwrap().close().await;
}

#[tokio::test]
async fn a_pooler_that_lends_by_the_statement_is_refused() {
    let Some(pooler) = named("STEAD_TEST_PGBOUNCER") else { return };
    let told = refusal(&pooler.replacen("/postgres?", "/by_statement?", 1)).await;
    assert!(told.contains("transaction blocks not allowed in statement pooling mode"), "{told}");
}

#[tokio::test]
async fn a_session_pooler_is_as_good_as_one_by_the_transaction() {
    let (Some(pooler), Some(server)) = (named("STEAD_TEST_PGBOUNCER"), named("STEAD_TEST_POSTGRES")) else {
        return;
    };
    make_database(&server, "by_session");
    let store = open(&pooler.replacen("/postgres?", "/by_session?", 1)).await.unwrap();
    assert_eq!(numbers(&store, &ONE, 1).await, [1]);
    store.close().await;
}

/// A transaction of somebody else, on a connection that the pooler lent them.
async fn held(url: &str) -> sqlx_postgres::PgConnection {
    use sqlx_core::connection::ConnectOptions;
    let options: sqlx_postgres::PgConnectOptions = url.parse().unwrap();
    let mut connection = options.extra_float_digits(None).connect().await.unwrap();
    sqlx_core::raw_sql::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn who_gets_no_connection_from_a_pooler_in_time_is_told_that_it_is_busy() {
    let (Some(pooler), Some(server)) = (named("STEAD_TEST_PGBOUNCER"), named("STEAD_TEST_POSTGRES")) else {
        return;
    };
    make_database(&server, "stead_all_lent");
    let url = pooler.replacen("/postgres?", "/stead_all_lent?", 1);
    let store = open(&url).await.unwrap();
    // `tests/pgbouncer.sh` lends four of each database.
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(held(&url).await);
    }
    let read = store.read(async |reader| reader.fetch(&ONE, &[]).await).await;
    assert!(matches!(read, Err(Error::Busy)), "{read:?}");
    drop(others);
    assert_eq!(numbers(&store, &ONE, 1).await, [1]);
    store.close().await;
}
