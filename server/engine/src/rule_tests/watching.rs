//! Subscriptions in rule tests: through the realtime slice of a project with the given records, as over a socket.
//!
//! What a subscriber is told is taken from the frames that a client would get, and from nothing else.

use super::case::{Case, Verdict, Write};
use super::database::{ask, surroundings};
use crate::explain::identity;
use crate::realtime::{Outgoing, Socket};
use crate::{Error, Project};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long an answer of the hub may take. It needs a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is asked whether the hub has come to the end of the log.
const LOOKS_MAX: u64 = 50;

/// Watches, writes, and tells what the subscriber was told of it.
///
/// # Errors
/// When the database fails.
pub(super) async fn watch(
    project: &Project,
    case: &Case,
    asked: &Map<String, Value>,
    then: &[Write],
) -> Result<Verdict, Error> {
    let cx = surroundings(project, Some(&case.who))?;
    let (mut socket, outgoing) = project.hub().connect(project, cx.meta).await?;
    if !socket.admit(cx.caller).await {
        return Ok(Verdict::Broken("the hub is gone".to_owned()));
    }
    let mut watcher = Watcher { socket, outgoing, frames: Vec::new(), asked: asked.clone(), requests: 0 };
    watcher.asked.insert("collection".to_owned(), case.collection.clone().into());
    let params = identity::said(&case.who.request.params);
    watcher.asked.insert("params".to_owned(), params.into());
    let told = watcher.told(project, then).await;
    Ok(told.unwrap_or_else(Verdict::Broken))
}

struct Watcher {
    socket: Socket,
    outgoing: Outgoing,
    frames: Vec<Value>,
    asked: Map<String, Value>,
    requests: u64,
}

impl Watcher {
    async fn told(&mut self, project: &Project, then: &[Write]) -> Result<Verdict, String> {
        let begun = self.subscribe("full").await?;
        self.until(|frame| frame.get("t") == Some(&json!("snap")) && frame.get("last") == Some(&json!(true)))
            .await?;
        self.frames.clear();
        for (at, write) in (1..).zip(then) {
            let cx = surroundings(project, write.who.as_ref()).map_err(|error| error.to_string())?;
            let verdict = ask(&cx, &write.collection, &write.ask).await;
            if !matches!(verdict, Verdict::Allow { .. }) {
                let (verb, on) = (write.ask.verb(), &write.collection);
                return Err(format!("write {at} ({verb} {on}) did not happen: {verdict}"));
            }
        }
        self.settle(*project.store().log().head().borrow()).await?;
        let events = self.frames.iter().filter(|frame| frame.get("g") == Some(&begun)).filter_map(event);
        Ok(Verdict::Events(events.collect()))
    }

    /// Subscribes and gives the group of the subscription.
    async fn subscribe(&mut self, snapshot: &str) -> Result<Value, String> {
        let frame = self.ask(snapshot).await?;
        frame.get("g").cloned().ok_or_else(|| format!("the subscription was refused: {}", detail(&frame)))
    }

    async fn ask(&mut self, snapshot: &str) -> Result<Value, String> {
        self.requests += 1;
        let request = self.requests;
        let mut frame = self.asked.clone();
        frame.insert("t".to_owned(), "sub".into());
        frame.insert("i".to_owned(), request.into());
        frame.insert("s".to_owned(), format!("watch-{request}").into());
        frame.insert("snapshot".to_owned(), snapshot.into());
        self.socket.receive(Value::Object(frame).to_string().as_bytes()).await;
        self.until(|frame| frame.get("i") == Some(&json!(request))).await
    }

    /// Waits until the hub has told everything up to this position of the log: a subscription that begins now says where
    /// the hub is, and comes after what was told before.
    async fn settle(&mut self, head: u64) -> Result<(), String> {
        for _ in 0..LOOKS_MAX {
            let frame = self.ask("none").await?;
            let cursor = frame.get("cursor").and_then(Value::as_str).unwrap_or_default();
            let position = cursor.split('.').next().and_then(|position| position.parse::<u64>().ok());
            match position {
                None => return Err(format!("the subscription ended: {}", detail(&frame))),
                Some(position) if position >= head => {
                    while let Some(Some(bytes)) = self.outgoing.next().now_or_never() {
                        self.take(&bytes);
                    }
                    return Ok(());
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        Err("the hub did not come to the end of the log".to_owned())
    }

    /// The first frame that is as wanted, once it is there.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value, String> {
        loop {
            if let Some(frame) = self.frames.iter().find(|frame| wanted(frame)) {
                return Ok(frame.clone());
            }
            match tokio::time::timeout(PATIENCE, self.outgoing.next()).await {
                Ok(Some(bytes)) => self.take(&bytes),
                Ok(None) => return Err("the hub ended the connection".to_owned()),
                Err(_) => return Err("the hub did not answer".to_owned()),
            }
        }
    }

    /// Unpacks WebSocket frames (RFC 6455 §5.2) as the hub makes them: whole, unmasked, text.
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((text, rest)) = unpacked(bytes) {
            self.frames.extend(serde_json::from_slice::<Value>(text));
            bytes = rest;
        }
    }
}

/// The payload of the first frame and what follows it.
fn unpacked(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = bytes.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        126 => {
            rest.split_first_chunk::<2>().map(|(long, rest)| (u64::from(u16::from_be_bytes(*long)), rest))?
        }
        127 => rest.split_first_chunk::<8>().map(|(long, rest)| (u64::from_be_bytes(*long), rest))?,
        short => (u64::from(*short), rest),
    };
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// A frame as a test file says it; none for what is no event.
fn event(frame: &Value) -> Option<Value> {
    let part = |name: &str| frame.get(name).cloned().unwrap_or_default();
    Some(match frame.get("t")?.as_str()? {
        "ev" if part("o") == "put" => json!({ "put": part("d") }),
        "ev" => json!({ part("o").as_str()?: part("id") }),
        "forget_scope" => json!({ "forget_scope": { "field": part("field"), "key": part("key") } }),
        "resync" => json!({ "resync": true }),
        _ => return None,
    })
}

fn detail(frame: &Value) -> String {
    frame.get("detail").and_then(Value::as_str).unwrap_or("for no reason that was told").to_owned()
}
