//! One keep-alive connection that sends prepared bytes; as little work per request as a load generator can do.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body, unless it was chunked.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        loop {
            if let Some((answer, used)) = parse(&self.buffer)? {
                self.buffer.drain(..used);
                return Ok(answer);
            }
            anyhow::ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
        }
    }

    /// The same, insisting on success and JSON.
    pub async fn json(&mut self, request: &[u8]) -> anyhow::Result<serde_json::Value> {
        let answer = self.ask(request).await?;
        let text = String::from_utf8_lossy(&answer.body);
        anyhow::ensure!((200..300).contains(&answer.status), "{} {text}", answer.status);
        if text.is_empty() { Ok(serde_json::Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}

/// A whole answer at the start of `bytes` and its length, if it is all there.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
    let Some(head_end) = find(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let head = &bytes[..head_end];
    let status = std::str::from_utf8(head.get(9..12).context("short head")?)?.parse()?;
    if let Some(length) = header(head, b"content-length: ") {
        let length: usize = std::str::from_utf8(length)?.trim().parse()?;
        let whole = head_end + length;
        return Ok(
            (bytes.len() >= whole).then(|| (Answer { status, body: bytes[head_end..whole].to_vec() }, whole))
        );
    }
    if header(head, b"transfer-encoding: ").is_none() {
        return Ok(Some((Answer { status, body: Vec::new() }, head_end)));
    }
    let mut body = Vec::new();
    let mut at = head_end;
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line])?, 16)?;
        let next = at + line + 2 + size + 2;
        if bytes.len() < next {
            return Ok(None);
        }
        body.extend_from_slice(&bytes[at + line + 2..next - 2]);
        at = next;
        if size == 0 {
            return Ok(Some((Answer { status, body }, at)));
        }
    }
}

/// A header's value; `name` in lower case.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|b| *b == b'\n').find_map(|line| {
        let matches = line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name);
        matches.then(|| &line[name.len()..])
    })
}

/// Where `needle` begins.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|w| w == needle)
}
