//! One writer, many listeners: how fast and how surely each message reaches everybody.
//!
//! Messages carry the writer's clock (`T:<µs>;`); listeners scan the raw bytes for it, so that the generator's own cost
//! per delivery is the same for every protocol.

use crate::http::{Connection, find};
use crate::report::Measured;
use crate::target::{Dialect, Scenario, Target};
use anyhow::Context;
use futures_util::future::try_join_all;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What the listeners have seen together.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    latencies_us: Mutex<Vec<u32>>,
}

/// Runs `rate` messages a second for some seconds before `subscribers` listeners.
pub async fn run(target: &Target, subscribers: usize, rate: u64, seconds: u64) -> anyhow::Result<Measured> {
    across(target, target, subscribers, rate, seconds).await
}

/// The same with the messages written at another server on the same database.
pub async fn across(
    writer: &Target,
    target: &Target,
    subscribers: usize,
    rate: u64,
    seconds: u64,
) -> anyhow::Result<Measured> {
    let seen = Arc::new(Seen::default());
    let listeners = gather(target, subscribers, &seen).await?;
    target.process.reset_peak();
    let cpu_before = target.process.cpu_us()?;
    let began = Instant::now();
    let (sent, bad) = write(writer, rate, seconds).await?;
    let expected = sent * subscribers as u64;
    let deadline = Instant::now() + Duration::from_secs(10);
    while seen.count.load(Ordering::Relaxed) < expected && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = target.process.cpu_us()? - cpu_before;
    let peak = target.process.peak_mib()?;
    anyhow::ensure!(target.process.alive(), "{} died", target.name);
    listeners.iter().for_each(JoinHandle::abort);
    let lost = expected.saturating_sub(seen.count.load(Ordering::Relaxed));
    let latencies =
        std::mem::take(&mut *seen.latencies_us.lock().map_err(|_| anyhow::anyhow!("a listener panicked"))?);
    Ok(Measured::of(latencies, elapsed, cpu, peak, lost + bad))
}

/// Opens all sockets, some at a time, so that the accept queue is not what is measured.
async fn gather(
    target: &Target,
    subscribers: usize,
    seen: &Arc<Seen>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut listeners = Vec::with_capacity(subscribers);
    for first in (0..subscribers).step_by(50) {
        let some = (first..subscribers.min(first + 50)).map(|n| subscribe(target, n));
        for stream in try_join_all(some).await? {
            listeners.push(tokio::spawn(listen(stream, Arc::clone(seen))));
        }
    }
    Ok(listeners)
}

/// Writes at a steady rate; how many were sent, and how many of them refused.
async fn write(target: &Target, rate: u64, seconds: u64) -> anyhow::Result<(u64, u64)> {
    let mut writer = Connection::open(&target.address).await?;
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let (mut sent, mut bad) = (0, 0);
    while sent < rate * seconds {
        ticks.tick().await;
        let body = format!("T:{};{}", now_us(), &crate::load::BODY[..80]);
        let answer = writer.ask(&target.request(Scenario::Create, sent as usize, &body)).await?;
        bad += u64::from(!(200..300).contains(&answer.status));
        sent += 1;
    }
    Ok((sent, bad))
}

/// A stream on which the events of all messages arrive from here on.
async fn subscribe(target: &Target, n: usize) -> anyhow::Result<TcpStream> {
    let user = &target.users[n % target.users.len()];
    let mut stream = TcpStream::connect(&target.address).await?;
    stream.set_nodelay(true)?;
    match target.dialect {
        Dialect::Stead => {
            let head = format!(
                "GET /api/v1/realtime HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Protocol: stead.v1.json\r\n\r\n",
                target.address
            );
            stream.write_all(head.as_bytes()).await?;
            let hello = format!(r#"{{"t":"hello","token":"{}"}}"#, user.token);
            stream.write_all(&masked(&hello)).await?;
            stream
                .write_all(&masked(r#"{"t":"sub","i":1,"s":"m","collection":"messages","snapshot":"none"}"#))
                .await?;
            read_until(&mut stream, b"\"subscribed\"").await?;
        }
        Dialect::PocketBase => {
            stream.write_all(&target.get("/api/realtime", &user.token)).await?;
            let greeting = read_until(&mut stream, b"\"clientId\":\"").await?;
            let after = greeting.split("\"clientId\":\"").nth(1).context("no client id")?;
            let client = after.split('"').next().context("no client id")?.to_owned();
            let body = format!(r#"{{"clientId":"{client}","subscriptions":["messages/*"]}}"#);
            let mut side = Connection::open(&target.address).await?;
            let answer = side.ask(&target.post("/api/realtime", Some(&user.token), &body)).await?;
            anyhow::ensure!(answer.status == 204, "subscribing: {}", answer.status);
        }
        Dialect::Yardstick => {
            stream.write_all(&target.get("/sse", &user.token)).await?;
            read_until(&mut stream, b": ok").await?;
        }
    }
    Ok(stream)
}

/// A client's text frame (RFC 6455 §5.2). The mask is zero, which is as good as any on loopback.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length @ 0..126) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

async fn read_until(stream: &mut TcpStream, mark: &[u8]) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = async {
        // A little more than the mark, so that what follows it is there as well.
        while find(&bytes, mark).is_none_or(|at| bytes.len() < at + mark.len() + 40 && mark.ends_with(b"\""))
        {
            if find(&bytes, mark).is_some() && mark == b"\"subscribed\"" {
                break;
            }
            anyhow::ensure!(
                stream.read_buf(&mut bytes).await? > 0,
                "hung up: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.context("no answer to a subscription")??;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn listen(mut stream: TcpStream, seen: Arc<Seen>) {
    let mut bytes = Vec::with_capacity(16 * 1024);
    while stream.read_buf(&mut bytes).await.is_ok_and(|n| n > 0) {
        let now = now_us();
        let mut at = 0;
        let mut found = Vec::new();
        while let Some(mark) = find(&bytes[at..], b"T:1").map(|offset| at + offset) {
            let Some(end) = bytes[mark..].iter().take(24).position(|b| *b == b';') else { break };
            let stamp =
                std::str::from_utf8(&bytes[mark + 2..mark + end]).ok().and_then(|t| t.parse::<u64>().ok());
            found.extend(stamp.map(|stamp| u32::try_from(now.saturating_sub(stamp)).unwrap_or(u32::MAX)));
            at = mark + end;
        }
        // A mark cut in two stays for the next read.
        bytes.drain(..at.max(bytes.len().saturating_sub(24)));
        seen.count.fetch_add(found.len() as u64, Ordering::Relaxed);
        if let Ok(mut all) = seen.latencies_us.lock() {
            all.append(&mut found);
        }
    }
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}
