//! How a slice declares its static statements.

/// Declares statements as constants of the slice, `NAME = "text";` for both databases, or `NAME = "SQLite's", "Postgres'";`.
/// Each must be clear by itself: Postgres finds out the types of its parameters.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $($text:literal),+;)+) => {
        $($(#[$doc])* pub(super) const $name: stead_store::Sql = $crate::statements::sql!($($text),+);)+

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, stead_store::Sql)] = &[$((stringify!($name), $name)),+];
    };
}

macro_rules! sql {
    ($both:literal) => {
        stead_store::Sql::new($both)
    };
    ($sqlite:literal, $postgres:literal) => {
        stead_store::Sql::both($sqlite, $postgres)
    };
}

pub(crate) use {sql, statements};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::{admin, auth, mail, records};
    use std::collections::BTreeSet;
    use std::process::Command;
    use stead_store::{Config, Error, Place, Postgres, Retention, Sql, Store, Synchronous};

    /// Of each slice.
    const SLICES: [(&str, &[(&str, Sql)]); 4] = [
        ("admin", admin::STATEMENTS),
        ("auth", auth::STATEMENTS),
        ("mail", mail::STATEMENTS),
        ("records", records::STATEMENTS),
    ];

    async fn open(place: Place) -> Store {
        let migrations =
            [auth::MIGRATIONS, admin::MIGRATIONS, mail::MIGRATIONS, records::MIGRATIONS].concat();
        let synchronous = Synchronous::Normal;
        Store::open(Config { place, readers: 1, synchronous, retention: Retention::default(), migrations })
            .await
            .unwrap()
    }

    /// An empty database; none where tests are run without Postgres.
    fn postgres() -> Option<Place> {
        let server = std::env::var("STEAD_TEST_POSTGRES").ok().filter(|server| !server.is_empty());
        let Some(server) = server else {
            assert!(std::env::var_os("STEAD_TEST_ALL").is_none(), "STEAD_TEST_POSTGRES names no database");
            return None;
        };
        for text in ["DROP DATABASE IF EXISTS stead_statements", "CREATE DATABASE stead_statements"] {
            assert!(Command::new("psql").args([&server, "-qc", text]).status().unwrap().success());
        }
        let url = server.replacen("/postgres", "/stead_statements", 1);
        Some(Place::Postgres(Postgres { url, connections: 2 }))
    }

    /// Lets the database parse and plan a statement, and does not run it.
    async fn prepare(store: &Store, name: String, sql: Sql) -> Result<(), Error> {
        let text = |before: &str, text: &str| -> &'static str { format!("{before} {text}").leak() };
        let sqlite = text("EXPLAIN", sql.sqlite);
        let postgres = text(&format!("PREPARE {name} AS"), sql.postgres.unwrap_or(sql.sqlite));
        let sql = Sql::both(sqlite, postgres);
        store.write(async move |tx| tx.fetch(&sql, &[]).await.map(|_| ())).await
    }

    #[tokio::test]
    async fn both_databases_take_every_statement_of_every_slice() {
        let places = [Some(Place::Memory), postgres()];
        for place in places.into_iter().flatten() {
            let store = open(place.clone()).await;
            for (slice, statements) in SLICES {
                for (name, sql) in statements {
                    let prepared = prepare(&store, format!("{slice}_{name}"), *sql).await;
                    assert!(prepared.is_ok(), "{place:?}: {slice}::{name}: {prepared:?}");
                }
            }
            // Control: what names something that is not there is noticed.
            let wrong = Sql::new("SELECT nothing FROM _sessions WHERE id = ?1");
            assert!(prepare(&store, "wrong".to_owned(), wrong).await.is_err(), "{place:?}");
        }
    }

    #[test]
    fn no_slice_is_left_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let rooms = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let with_sql: BTreeSet<String> = rooms
            .filter(|room| room.path().join("sql.rs").exists())
            .map(|room| room.file_name().into_string().unwrap())
            .collect();
        assert_eq!(with_sql, SLICES.iter().map(|(slice, _)| (*slice).to_owned()).collect());
    }
}
