//! Reads of a large chat with rules, beside SQL written by hand on the same file: 500,000 messages, 5,000 rooms, 200,000
//! memberships, and a user in 20 rooms.
//!
//! Three ways answer the same question in turn: SQL by hand, the SQL that the engine makes of the rule (with the making),
//! and the server over HTTP. The first two run in this process on one connection; the last also parses, encodes and sends.

mod fill;
mod question;

use crate::http::Connection;
use crate::process::Process;
use crate::targets;
use fill::World;
use question::Question;
use rusqlite::OpenFlags;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;

/// Questions of each kind in one round.
const TURNS: usize = 100;

/// Milliseconds of one question: by hand, by the engine's SQL, over HTTP.
type Figures = [Vec<f64>; 3];

/// Runs it and prints medians and ratios.
pub async fn run(binary: &Path, rounds: usize) -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("large");
    let data = folder.path().join("data");
    let (process, address) = targets::serve(binary, &app, &data, "full").await?;
    let user = targets::sign_up(&address, "reader@example.test").await?;
    drop(process);
    let file = data.join("stead.db");
    let began = Instant::now();
    let world = fill::fill(&file, &user.id)?;
    println!("filled in {:.0} s, {} MiB", began.elapsed().as_secs_f64(), file.metadata()?.len() >> 20);
    let (process, address) = targets::serve(binary, &app, &data, "full").await?;
    measure(&file, &address, &user.token, &app, &world, rounds).await?;
    searches(&address, &user.token, rounds).await?;
    drop::<Process>(process);
    Ok(())
}

async fn measure(
    file: &Path,
    address: &str,
    token: &str,
    app: &Path,
    world: &World,
    rounds: usize,
) -> anyhow::Result<()> {
    let connection = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY")?;
    connection.set_prepared_statement_cache_capacity(100);
    let mut http = Connection::open(address).await?;
    let questions = question::all(app, world)?;
    for question in &questions {
        question.explain(&connection)?;
    }
    println!(
        "\n| question | by hand, ms | engine's SQL, ms | ÷ by hand | HTTP, ms | ÷ by hand |\n|---|---|---|---|---|---|"
    );
    let nothing = get(address, token, "/healthz");
    let floor = median(TURNS * rounds, async || http.ask(&nothing).await.map(drop)).await?;
    for question in &questions {
        let mut figures = Figures::default();
        for _ in 0..rounds {
            round(question, &connection, &mut http, (address, token), &mut figures).await?;
        }
        let [hand, engine, http] = figures.map(middle);
        println!(
            "| {} | {hand:.3} | {engine:.3} | **{:.2}** | {http:.3} | {:.2} |",
            question.name,
            engine / hand,
            http / hand
        );
    }
    println!("\nan empty answer over HTTP: {floor:.3} ms");
    Ok(())
}

async fn round(
    question: &Question,
    connection: &rusqlite::Connection,
    http: &mut Connection,
    (address, token): (&str, &str),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let [hand, engine, server] = figures;
    let mut seen = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let began = Instant::now();
        seen.0 = question.by_hand(connection, turn)?;
        hand.push(began.elapsed().as_secs_f64() * 1000.0);
        let began = Instant::now();
        seen.1 = question.by_engine(connection, turn)?;
        engine.push(began.elapsed().as_secs_f64() * 1000.0);
        let request = get(address, token, &question.path(turn));
        let began = Instant::now();
        let answer = http.ask(&request).await?;
        server.push(began.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
        let told: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let told = question::ids(&told);
        anyhow::ensure!(seen.0 == seen.1 && seen.0 == told, "{}: the three disagree", question.name);
    }
    Ok(())
}

/// What a search of a rare, a common and a very common word takes over HTTP.
async fn searches(address: &str, token: &str, rounds: usize) -> anyhow::Result<()> {
    let mut http = Connection::open(address).await?;
    println!("\n| search | HTTP, ms |\n|---|---|");
    for words in ["w1900", "w200", "w3", "w3%20w200", "%22w3%20w200%22", "w19*"] {
        let path = format!("/api/v1/collections/messages/records?limit=50&q={words}");
        let request = get(address, token, &path);
        let took = median(10 * rounds, async || {
            let answer = http.ask(&request).await?;
            anyhow::ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
            Ok(())
        });
        match took.await {
            Ok(ms) => println!("| `{words}` | {ms:.2} |"),
            Err(error) => println!("| `{words}` | {error} |"),
        }
    }
    Ok(())
}

fn get(address: &str, token: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// Median milliseconds of `count` runs.
async fn median(count: usize, mut run: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut figures = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        run().await?;
        figures.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(middle(figures))
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
