//! Databases that tests make for themselves.

#![allow(clippy::unwrap_used)]

use crate::postgres::pool::{Link, Pool};
use crate::postgres::statement;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Connections to an empty database of this name; `None` where tests are run without Postgres.
pub(crate) async fn links<const N: usize>(name: &str) -> Option<[Link; N]> {
    let server = match std::env::var("STEAD_TEST_POSTGRES") {
        Ok(server) if !server.is_empty() => server,
        _ => {
            assert!(std::env::var_os("STEAD_TEST_ALL").is_none(), "STEAD_TEST_POSTGRES names no database");
            return None;
        }
    };
    let pool = |url: &str| Arc::new(Pool::new(url.parse().unwrap(), N, Handle::current()));
    let mut link = pool(&server).take().await.unwrap();
    statement::command(&mut link, "SET default_transaction_read_only=off").await.unwrap();
    // Left over from an earlier run, perhaps.
    statement::command(&mut link, format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
    statement::command(&mut link, format!("CREATE DATABASE {name}")).await.unwrap();
    let pool = pool(&server.replacen("/postgres", &format!("/{name}"), 1));
    let mut links = Vec::new();
    for _ in 0..N {
        links.push(pool.take().await.unwrap());
    }
    links.try_into().ok()
}
