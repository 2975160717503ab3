//! What one subscription was told, judged as it comes.

use super::{Records, Violation, version};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a client holds that applies every frame of one subscription, over all its connections.
#[derive(Debug, Default)]
pub struct View {
    held: Records,
    cursor: Option<String>,
    position: u64,
    /// A snapshot was announced and has not ended.
    snapshot: bool,
    /// Everybody sees these records from their first version on.
    from_birth: bool,
    /// The newest version of each record since everything last came anew, also of those that left.
    newest: BTreeMap<String, i64>,
    deleted: BTreeSet<String>,
    /// The newest version that was ever shown of each record, and all ids that were ever named, with version 0.
    shown: BTreeMap<String, i64>,
    /// How often everything came anew, and how often it went on where it was.
    pub began: usize,
    pub resumed: usize,
    /// Events that were applied.
    pub events: usize,
    violations: Vec<Violation>,
    /// What was said, in few words, with the record it was about: for whoever looks into a violation.
    story: Vec<(Option<String>, String)>,
}

impl View {
    /// Of a collection whose records everybody sees from their first version to their end, or of any other.
    pub fn new(from_birth: bool) -> Self {
        Self { from_birth, ..Self::default() }
    }

    /// What is held now.
    pub fn held(&self) -> &Records {
        &self.held
    }

    /// What has been wrong so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Where a new subscription goes on; from the beginning without.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Records that were shown or named although they must not have been: `hidden` is from which version on.
    pub fn leaks(&self, hidden: &BTreeMap<String, i64>) -> Vec<Violation> {
        let leaked = |(id, first): (&String, &i64)| {
            self.shown.get(id).filter(|shown| *shown >= first).map(|_| Violation::Leak { id: id.clone() })
        };
        hidden.iter().filter_map(leaked).collect()
    }

    /// What was said of a record and of all of them, the newest last.
    pub fn story(&self, id: &str) -> Vec<&str> {
        let about = self.story.iter().filter(|(of, _)| of.as_deref().is_none_or(|of| of == id));
        about.map(|(_, said)| said.as_str()).collect()
    }

    fn tell(&mut self, frame: &Value) {
        let id = frame["id"].as_str().map(str::to_owned);
        let short = |name: &str| frame.get(name).map(|value| format!(" {name}={value}")).unwrap_or_default();
        let words = ["t", "o", "v", "c", "cursor", "recovered", "reason", "field", "key", "last"].map(short);
        let rows = frame["rows"].as_array().into_iter().flatten();
        let rows =
            rows.map(|row| (row["id"].as_str().map(str::to_owned), format!("snap v={}", row["version"])));
        self.story.extend(rows);
        self.story.push((id, words.concat()));
    }

    /// Applies a frame of this subscription.
    pub fn apply(&mut self, frame: &Value) {
        self.tell(frame);
        match frame["t"].as_str() {
            Some("subscribed") => self.subscribed(frame),
            Some("snap") => self.snap(frame),
            Some("ev") => self.event(frame),
            Some("forget_scope") => self.forget_scope(frame),
            Some("resync") => {
                self.empty();
                self.cursor = None;
            }
            // What was missed follows.
            Some("lag") => {}
            _ => self.wrong(Violation::Unagreed { frame: frame.to_string() }),
        }
    }

    fn subscribed(&mut self, frame: &Value) {
        if frame["recovered"] == true {
            self.resumed += 1;
            if self.cursor.is_none() {
                self.wrong(Violation::Unagreed { frame: frame.to_string() });
            }
        } else {
            self.began += 1;
            self.empty();
            self.snapshot = true;
            // Until the snapshot is whole there is nothing to go on from.
            self.cursor = None;
            self.position = 0;
        }
    }

    /// Empties what is held. What was shown once was shown.
    fn empty(&mut self) {
        self.held.clear();
        self.newest.clear();
        self.snapshot = false;
    }

    fn snap(&mut self, frame: &Value) {
        if !self.snapshot {
            return self
                .wrong(Violation::Unagreed { frame: format!("an unasked snapshot of {}", frame["s"]) });
        }
        for row in frame["rows"].as_array().into_iter().flatten() {
            let (id, told) = (row["id"].as_str().unwrap_or_default(), version(row));
            if let Some(held) = self.held.insert(id.to_owned(), row.clone()) {
                self.wrong(Violation::Repeated { id: id.to_owned(), held: version(&held), told });
            }
            if self.deleted.contains(id) {
                self.wrong(Violation::Resurrected { id: id.to_owned() });
            }
            self.show(id, told);
            self.newest.insert(id.to_owned(), told);
        }
        if frame["last"] == true {
            self.snapshot = false;
            self.advance(&frame["cursor"]);
        }
    }

    fn event(&mut self, frame: &Value) {
        if self.snapshot {
            self.wrong(Violation::Unagreed { frame: format!("an event amid a snapshot: {frame}") });
        }
        self.events += 1;
        self.advance(&frame["c"]);
        let (id, told) = (frame["id"].as_str().unwrap_or_default(), frame["v"].as_i64().unwrap_or(0));
        match frame["o"].as_str() {
            Some("put") => self.put(id, told, &frame["d"]),
            Some("del") => self.left(id, told, true),
            Some("forget") => self.left(id, told, false),
            _ => self.wrong(Violation::Unagreed { frame: frame.to_string() }),
        }
    }

    fn put(&mut self, id: &str, told: i64, record: &Value) {
        if record["id"] != id || version(record) != told {
            self.wrong(Violation::Unagreed { frame: record.to_string() });
        }
        if self.deleted.contains(id) {
            self.wrong(Violation::Resurrected { id: id.to_owned() });
        }
        match (self.held.get(id).map(version), self.newest.get(id).copied()) {
            (Some(held), _) => self.follows(id, held, told),
            (None, Some(newest)) if told < newest => {
                self.wrong(Violation::Repeated { id: id.to_owned(), held: newest, told });
            }
            (None, None) if self.from_birth && told != 1 => {
                self.wrong(Violation::Skipped { id: id.to_owned(), held: 0, told });
            }
            (None, _) => {}
        }
        self.show(id, told);
        self.newest.insert(id.to_owned(), told);
        self.held.insert(id.to_owned(), record.clone());
    }

    fn left(&mut self, id: &str, told: i64, deleted: bool) {
        self.show(id, 0);
        match self.held.remove(id) {
            Some(held) => self.follows(id, version(&held), told),
            None => self.wrong(Violation::LeftUnheld { id: id.to_owned() }),
        }
        self.newest.insert(id.to_owned(), told);
        if deleted {
            self.deleted.insert(id.to_owned());
        }
    }

    /// Every change of a record that is held is told, each once.
    fn follows(&mut self, id: &str, held: i64, told: i64) {
        let id = id.to_owned();
        if told > held + 1 {
            self.wrong(Violation::Skipped { id, held, told });
        } else if told <= held {
            self.wrong(Violation::Repeated { id, held, told });
        }
    }

    fn forget_scope(&mut self, frame: &Value) {
        self.advance(&frame["c"]);
        let field = frame["field"].as_str().unwrap_or_default();
        self.held.retain(|_, record| record[field] != frame["key"]);
    }

    fn show(&mut self, id: &str, told: i64) {
        let shown = self.shown.entry(id.to_owned()).or_default();
        *shown = told.max(*shown);
    }

    /// Remembers where the subscription is. The number before the first dot is the place in the log.
    fn advance(&mut self, cursor: &Value) {
        let cursor = cursor.as_str().unwrap_or_default();
        let place = cursor.split('.').next().and_then(|number| number.parse().ok());
        match place {
            Some(position) if position < self.position => {
                self.wrong(Violation::OutOfOrder { position, after: self.position });
            }
            Some(position) => self.position = position,
            None => self.wrong(Violation::Unagreed { frame: format!("cursor {cursor}") }),
        }
        self.cursor = Some(cursor.to_owned());
    }

    fn wrong(&mut self, violation: Violation) {
        self.violations.push(violation);
    }
}
