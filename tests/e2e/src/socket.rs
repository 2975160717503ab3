//! A socket that speaks frames.

use crate::PATIENCE;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Value>,
    next: u64,
    /// The code the server closed with.
    pub closed: Option<u16>,
}

impl Socket {
    /// Connects and says hello.
    pub async fn open(base: &str, token: Option<&str>) -> Self {
        let mut socket = Self::silent(base).await;
        socket.say(json!({ "t": "hello", "token": token })).await;
        socket
    }

    /// As [`Socket::open`] at a server that may be gone.
    pub async fn try_open(base: &str, token: Option<&str>) -> Option<Self> {
        let mut socket = Self::connect(base).await?;
        socket.try_say(json!({ "t": "hello", "token": token })).await.then_some(socket)
    }

    /// Opens one as a page does that a browser holds a cookie for; `None` when the server refuses.
    pub async fn by_cookie(base: &str, cookie: &str, origin: Option<&str>) -> Option<Self> {
        let mut headers = vec![("Cookie", cookie)];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let mut socket = Self::connect_with(base, "?session=cookie", &headers).await?;
        socket.say(json!({ "t": "hello" })).await;
        Some(socket)
    }

    /// Connects and says nothing.
    pub async fn silent(base: &str) -> Self {
        Self::connect(base).await.expect("the socket opens")
    }

    async fn connect(base: &str) -> Option<Self> {
        Self::connect_with(base, "", &[]).await
    }

    async fn connect_with(base: &str, query: &str, headers: &[(&'static str, &str)]) -> Option<Self> {
        let base = base.replace("http", "ws");
        let mut request = format!("{base}/api/v1/realtime{query}").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "stead.v1.json".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, _) = connect_async(request).await.ok()?;
        Some(Self { stream, waiting: VecDeque::new(), next: 0, closed: None })
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: Value) {
        self.stream.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Sends a frame; whether the connection took it.
    pub async fn try_say(&mut self, frame: Value) -> bool {
        self.stream.send(Message::text(frame.to_string())).await.is_ok()
    }

    /// Sends a text that may not be a frame.
    pub async fn say_text(&mut self, text: &str) {
        let _ = self.stream.send(Message::text(text.to_owned())).await;
    }

    /// Subscribes as `name`; what else is asked goes into `with`. Gives `subscribed`, or `err`.
    pub async fn subscribe(&mut self, name: &str, collection: &str, with: Value) -> Value {
        self.next += 1;
        let mut frame = json!({ "t": "sub", "i": self.next, "s": name, "collection": collection });
        frame.as_object_mut().unwrap().extend(with.as_object().cloned().unwrap_or_default());
        self.say(frame).await;
        let request = self.next;
        self.until(|f| f["i"] == request).await
    }

    /// Rows of the snapshot of `name`, all parts.
    pub async fn snapshot(&mut self, name: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        loop {
            let part = self.until(|f| f["t"] == "snap" && f["s"] == name).await;
            rows.extend(part["rows"].as_array().unwrap().clone());
            if part["last"] == true {
                return rows;
            }
        }
    }

    /// The next frame that is not a ping, or `None` once the server closed.
    pub async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("the server says something")
    }

    /// As [`Socket::next`], however long it takes. What was not read when this is given up is read the next time.
    pub async fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                if frame["t"] == "ping" {
                    // Where the connection broke, reading tells.
                    let _ = self.stream.send(Message::text(r#"{"t":"pong"}"#)).await;
                    continue;
                }
                return Some(frame);
            }
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text).unwrap() {
                    Value::Array(frames) => self.waiting.extend(frames),
                    frame => self.waiting.push_back(frame),
                },
                Some(Ok(Message::Close(reason))) => self.closed = reason.map(|r| r.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Skips frames until one fits.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.expect("the socket stays open");
            if fits(&frame) {
                return frame;
            }
        }
    }

    /// Reads until the server closes; the close code.
    pub async fn until_closed(&mut self) -> Option<u16> {
        while self.next().await.is_some() {}
        self.closed
    }
}
