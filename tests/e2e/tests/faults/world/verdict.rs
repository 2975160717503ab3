//! The end of a test: what was promised and told beside what is there.

use super::World;
use crate::load::Hand;
use crate::oracle::{Ledger, Records, Violation, differences};
use crate::subscriber::Subscriber;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use stead_e2e::Client;

/// What happened, for a test to see that enough did.
pub struct Summary {
    pub writes: usize,
    /// Requests that had to be sent again.
    pub retries: usize,
    pub events: usize,
    /// Subscriptions that began with a snapshot, and that went on from their cursor.
    pub began: usize,
    pub resumed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, retries, events, began, resumed } = self;
        write!(f, "{writes} writes, {retries} requests sent again, {events} events, ")?;
        write!(f, "{began} subscriptions begun and {resumed} resumed")
    }
}

/// What lists show, by user and collection.
type Listed = HashMap<(String, &'static str), Records>;

/// What was found.
pub struct Verdict {
    /// Wrong answers, and promises to writers that were not kept.
    pub of_all: Vec<Violation>,
    /// What each subscriber was told or holds wrongly, in the order they began.
    pub of_each: Vec<Vec<Violation>>,
    pub summary: Summary,
    /// What the servers said.
    pub log: String,
}

impl World {
    /// With everything healed: lets the clients end and asserts that all promises were kept.
    pub async fn judge(self) -> Summary {
        let verdict = self.verdict().await;
        let wrong: Vec<_> = verdict.of_all.into_iter().chain(verdict.of_each.into_iter().flatten()).collect();
        assert!(wrong.is_empty(), "{}{}", tail(&verdict.log), report(&wrong));
        assert!(!verdict.log.contains("panicked"), "{}", tail(&verdict.log));
        verdict.summary
    }

    /// With everything healed: lets the clients end and compares what they were promised and told with what is there.
    pub async fn verdict(mut self) -> Verdict {
        self.end_the_load().await;
        let mut subscribers = Vec::new();
        for subscriber in self.subscribers.drain(..) {
            subscribers.push(subscriber.await.unwrap());
        }
        let listed = self.lists().await;
        let stored = listed.values().flatten().map(|(id, record)| (id.clone(), record.clone())).collect();
        let ledger = self.load.ledger.lock().unwrap();
        let mut of_all = self.load.complaints.lock().unwrap().clone();
        of_all.extend(ledger.judge(&stored));
        let of_each = subscribers.iter().map(|subscriber| self.found(subscriber, &ledger, &listed)).collect();
        let views = || subscribers.iter().flat_map(|subscriber| subscriber.views.values());
        let summary = Summary {
            writes: ledger.writes(),
            retries: self.load.retries.load(Ordering::Relaxed),
            events: views().map(|view| view.events).sum(),
            began: views().map(|view| view.began).sum(),
            resumed: views().map(|view| view.resumed).sum(),
        };
        Verdict { of_all, of_each, summary, log: self.servers[0].log() }
    }

    /// What one subscriber was told wrongly or holds wrongly; the story of the first of it is printed.
    fn found(&self, subscriber: &Subscriber, ledger: &Ledger, listed: &Listed) -> Vec<Violation> {
        let user = &subscriber.judged_as;
        let hidden = ledger.hidden_from(user, *user == self.people.eve.user);
        let mut all = Vec::new();
        for (collection, view) in &subscriber.views {
            let mut found = view.violations().to_vec();
            found.extend(differences(view.held(), &listed[&(user.clone(), *collection)]));
            found.extend(view.leaks(&hidden));
            if let Some(id) = found.iter().find_map(Violation::id) {
                println!("{} was told of {collection}/{id}: {:#?}", self.people.name(user), view.story(id));
                println!("its lines of the log are:\n{}", self.lines_of(id));
            }
            all.extend(found);
        }
        all
    }

    /// Position, number, version and kind of each change of a record, as the database has them.
    fn lines_of(&self, id: &str) -> String {
        self.postgres.ask(&format!(
            "SELECT o.position, c.seq, c.version, c.kind, c.xmin FROM _changes c LEFT JOIN _order o ON o.seq=c.seq
             WHERE c.record_id='{id}' ORDER BY c.seq; SELECT * FROM _log"
        ))
    }

    async fn end_the_load(&mut self) {
        self.load.stop.store(true, Ordering::SeqCst);
        for writer in self.writers.drain(..) {
            writer.await.unwrap();
        }
        if let Some(access) = self.access.take() {
            access.await.unwrap();
            assert!(self.load.access_lost.load(Ordering::SeqCst), "the loss of access was acknowledged");
        }
        self.write_the_ends().await;
    }

    /// Records after which there are no more: a note that all see, and a letter to each person's self.
    async fn write_the_ends(&mut self) {
        let mut last = Hand::new(self.people.ana.clone(), &self.load, 0, "last");
        let note = last.create("notes", None).await.expect("the last note is acknowledged");
        for (number, person) in self.people.all().into_iter().enumerate() {
            let mut hand = Hand::new(person.clone(), &self.load, 0, &format!("end{number}"));
            let letter = hand.create("letters", None).await.expect("the last letter is acknowledged");
            let ends = HashMap::from([("notes", note.clone()), ("letters", letter)]);
            for (_, sender) in self.ends.iter().filter(|(user, _)| *user == person.user) {
                sender.send_replace(Some(ends.clone()));
            }
        }
    }

    /// What each person's lists show, asked for at both servers in turn.
    async fn lists(&self) -> Listed {
        let mut listed = Listed::new();
        for (server, person) in self.people.all().into_iter().enumerate() {
            for collection in ["notes", "letters"] {
                let records = list(&person.at(&self.load.address(server)), collection).await;
                listed.insert((person.user.clone(), collection), records);
            }
        }
        listed
    }
}

/// The first of what is wrong; one cause may break a thousand promises.
fn report(wrong: &[Violation]) -> String {
    let first: Vec<String> = wrong.iter().take(30).map(|violation| format!("  {violation:?}")).collect();
    format!("{} violations:\n{}", wrong.len(), first.join("\n"))
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    format!("the servers said:\n{}\n", lines[lines.len().saturating_sub(60)..].join("\n"))
}

/// Everything that a person may see of a collection.
async fn list(client: &Client, collection: &str) -> Records {
    let mut records = Records::new();
    let mut cursor = String::new();
    loop {
        let mut params = vec![("limit", "500"), ("sort", "id")];
        if !cursor.is_empty() {
            params.push(("cursor", &cursor));
        }
        let page = client.list(collection, &params).await.ok();
        for item in page["items"].as_array().unwrap() {
            records.insert(item["id"].as_str().unwrap().to_owned(), item.clone());
        }
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return records,
        }
    }
}
