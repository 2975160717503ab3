//! The only room that knows a database: typed records, the ordered change log, and the statements of the slices.
//!
//! Nothing above this room may tell which database runs. One writer commits in groups; an acknowledged write is on
//! disk. Operations are given as async closures over [`Tx`] or [`Reader`]; on SQLite they run to their end on the
//! thread that owns the connection, so they must never wait for anything but the database.

mod applied;
mod consumers;
mod db;
mod eras;
mod error;
mod line;
mod log;
mod node;
mod places;
mod postgres;
mod query;
mod reader;
mod ring;
mod sql;
mod sqlite;
mod stamp;
mod texts;
mod tx;

pub use consumers::Consumer;
pub use db::{Config, Place, Postgres, Store, Synchronous};
pub use eras::Eras;
pub use error::Error;
pub use line::{Held, Retention};
pub use log::{Change, ChangeKind, Log, Stretch};
pub use node::Node;
pub use query::{
    Aggregate, Dialect, GroupKey, Measure, Page, Planned, Reach, Related, Select, Shown, Wanted, Words,
    explain_list, explain_sql, explain_tables, reach,
};
pub use reader::Reader;
pub use sql::{Row, Sql};
pub use stamp::Stamp;
pub use tx::Tx;
