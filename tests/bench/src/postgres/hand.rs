//! The same tables and the same work as SQL by hand, run by `pgbench`.

use super::psql;
use crate::report::Measured;
use crate::target::{Scenario, Target};
use anyhow::Context;
use tempfile::TempDir;
use tokio::process::Command;

const TABLES: &str = r#"
CREATE TABLE users(id text COLLATE "C" PRIMARY KEY);
CREATE TABLE rooms(id text COLLATE "C" PRIMARY KEY);
CREATE TABLE members(id text COLLATE "C" PRIMARY KEY, room text COLLATE "C" NOT NULL, "user" text COLLATE "C" NOT NULL, UNIQUE(room,"user"));
CREATE INDEX ON members("user",room);
CREATE TABLE messages(id text COLLATE "C" PRIMARY KEY, created_at bigint NOT NULL, updated_at bigint NOT NULL,
  version bigint NOT NULL, author text COLLATE "C" NOT NULL REFERENCES users, room text COLLATE "C" NOT NULL REFERENCES rooms,
  body text COLLATE "C" NOT NULL);
CREATE INDEX ON messages(room,created_at DESC);
CREATE INDEX ON messages(author);
CREATE TABLE changes(seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection text, record_id text, kind bigint,
  version bigint, after text, actor text, at bigint);"#;

const BODY: &str =
    "lorem ipsum dolor sit amet lorem ipsum dolor sit amet lorem ipsum dolor sit amet lorem ipsum dolor s";

/// A database with as many messages, of as many people in as many rooms.
pub struct Hand {
    database: String,
    rows: u64,
    people: usize,
    rooms: usize,
    scripts: TempDir,
}

impl Hand {
    /// Makes and fills it.
    pub async fn make(database: &str, like: &Target, rows: u64) -> anyhow::Result<Self> {
        let (people, rooms) = (like.users.len(), like.rooms.len());
        let fill = format!(
            "INSERT INTO users SELECT 'user'||u FROM generate_series(0,{}) u;
             INSERT INTO rooms SELECT 'room'||r FROM generate_series(0,{}) r;
             INSERT INTO members SELECT 'm'||r||'-'||u,'room'||r,'user'||u FROM generate_series(0,{}) r, generate_series(0,{}) u;
             INSERT INTO messages SELECT 'm'||n,n,n,1,'user'||n%{people},'room'||n/7%{rooms},'{BODY}' FROM generate_series(1,{rows}) n;
             ANALYZE",
            people - 1,
            rooms - 1,
            rooms - 1,
            people - 1,
        );
        for text in [TABLES, &fill] {
            psql(database, text).await?;
        }
        Ok(Self { database: database.to_owned(), rows, people, rooms, scripts: TempDir::new()? })
    }

    /// Runs a scenario for some seconds.
    pub async fn run(
        &self,
        scenario: Scenario,
        connections: usize,
        seconds: u64,
    ) -> anyhow::Result<Measured> {
        let who = format!(
            "\\set u random(0,{})\n\\set r random(0,{})\n\\set m random(1,{})\n",
            self.people - 1,
            self.rooms - 1,
            self.rows
        );
        let member =
            |room: &str| format!("EXISTS(SELECT 1 FROM members WHERE room={room} AND \"user\"='user'||:u)");
        let columns = "id,created_at,updated_at,version,author,room,body";
        let asked = match scenario {
            Scenario::Get => {
                format!("SELECT {columns} FROM messages m WHERE id='m'||:m AND {};", member("m.room"))
            }
            Scenario::List => format!(
                "SELECT {columns} FROM messages m WHERE room='room'||:r AND {} ORDER BY created_at DESC LIMIT 31;",
                member("m.room")
            ),
            _ => format!("BEGIN;\n{}COMMIT;", write("")),
        };
        self.pgbench(&format!("{who}{asked}\n"), connections, seconds).await
    }

    /// Creates, with a lock that every transaction takes before it commits: how a log gets its order most simply.
    pub async fn run_locked(&self, connections: usize, seconds: u64) -> anyhow::Result<Measured> {
        let script = format!(
            "\\set u random(0,{})\n\\set r random(0,{})\nBEGIN;\n{}COMMIT;\n",
            self.people - 1,
            self.rooms - 1,
            write("SELECT pg_advisory_xact_lock(1);\n")
        );
        self.pgbench(&script, connections, seconds).await
    }

    async fn pgbench(&self, script: &str, connections: usize, seconds: u64) -> anyhow::Result<Measured> {
        let file = self.scripts.path().join("script.sql");
        std::fs::write(&file, script)?;
        let done = Command::new("pgbench")
            .args([
                "-n",
                "-M",
                "prepared",
                "-j",
                "2",
                "-c",
                &connections.to_string(),
                "-T",
                &seconds.to_string(),
            ])
            .arg("-f")
            .args([file.as_os_str(), self.database.as_ref()])
            .output()
            .await
            .context("pgbench is not installed")?;
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        anyhow::ensure!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
        let figure = |name: &str| -> anyhow::Result<f64> {
            let line = told.lines().find_map(|line| line.strip_prefix(name)).context(told.clone())?;
            Ok(line.split_whitespace().next().context(told.clone())?.parse()?)
        };
        let failed = figure("number of failed transactions: ")?;
        Ok(Measured {
            per_second: figure("tps = ")?,
            p50_ms: figure("latency average = ")?,
            bad: failed as u64,
            ..Measured::default()
        })
    }
}

/// The statements of a create, with something before the line of the log.
fn write(before: &str) -> String {
    format!(
        "SELECT 1 FROM members WHERE room='room'||:r AND \"user\"='user'||:u;
INSERT INTO messages VALUES(gen_random_uuid()::text,extract(epoch FROM clock_timestamp())*1000000,extract(epoch FROM clock_timestamp())*1000000,1,'user'||:u,'room'||:r,'{BODY}');
{before}INSERT INTO changes(collection,record_id,kind,version,after,actor,at) VALUES('messages','id',1,1,'{{\"id\":\"id\",\"body\":\"{BODY}\"}}','user'||:u,1);
"
    )
}
