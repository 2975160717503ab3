//! The questions of the large chat, each as SQL by hand, as what the engine asks, and as a path.

use super::fill::World;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use std::sync::Arc;
use stead_rules::{AuthFacts, CmpOp, Expr, Facts, Lowered, RequestFacts, RuleBook, SortKey, compile, lower};
use stead_schema::{Schema, Slot, SourceFile, Value};
use stead_store::{Dialect, Select, explain_list};

const COLUMNS: &str = "m.id, m.created_at, m.updated_at, m.version, m.author, m.room, m.body";

/// One kind of question.
pub struct Question {
    /// For people.
    pub name: &'static str,
    by_hand: String,
    path: fn(&str) -> String,
    /// What a turn asks for: a room or a message; empty for a question without.
    keys: Vec<String>,
    /// The field that the key fixes.
    fixed: Option<Slot>,
    sort: Vec<SortKey>,
    limit: u32,
    app: Arc<App>,
}

struct App {
    schema: Schema,
    rules: RuleBook,
    user: AuthFacts,
}

/// All of them.
pub fn all(app: &Path, world: &World) -> anyhow::Result<Vec<Question>> {
    let text = std::fs::read_to_string(app.join("schema/app.yaml"))?;
    let schema = stead_schema::load(vec![SourceFile { path: "app.yaml".into(), text }])
        .map_err(|rejected| anyhow::anyhow!("{rejected:?}"))?;
    let rules = compile(&schema).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let user = AuthFacts { verified: true, ..AuthFacts::of(world.user.as_str(), 0) };
    let room = schema.collection("messages").and_then(|c| c.field("room")).map(|(slot, _)| slot);
    let app = Arc::new(App { schema, rules, user });
    let newest = |limit| (vec![key(Slot::CREATED_AT, true), key(Slot::ID, false)], limit);
    let question = |name, by_hand: String, path, keys: &[String], fixed, (sort, limit)| Question {
        name,
        by_hand,
        path,
        keys: keys.to_vec(),
        fixed,
        sort,
        limit,
        app: Arc::clone(&app),
    };
    Ok(vec![
        question(
            "the newest 50 of all my rooms",
            format!(
                "SELECT {COLUMNS} FROM messages m WHERE m.room IN (SELECT room FROM members WHERE user = ?1) ORDER BY m.created_at DESC, m.id LIMIT 50"
            ),
            |_| "/api/v1/collections/messages/records?sort=-created_at&limit=50".to_owned(),
            &[],
            None,
            newest(50),
        ),
        question(
            "the newest 30 of one room",
            format!(
                "SELECT {COLUMNS} FROM messages m WHERE m.room = ?2 AND EXISTS (SELECT 1 FROM members WHERE user = ?1 AND room = ?2) ORDER BY m.created_at DESC, m.id LIMIT 30"
            ),
            |room| {
                format!(
                    "/api/v1/collections/messages/records?filter=room%20%3D%3D%20p.r&p=%7B%22r%22%3A%22{room}%22%7D&sort=-created_at&limit=30"
                )
            },
            &world.rooms,
            room,
            newest(30),
        ),
        question(
            "one message by id",
            format!(
                "SELECT {COLUMNS} FROM messages m WHERE m.id = ?2 AND EXISTS (SELECT 1 FROM members WHERE user = ?1 AND room = m.room)"
            ),
            |id| format!("/api/v1/collections/messages/records/{id}"),
            &world.messages,
            Some(Slot::ID),
            (vec![key(Slot::ID, false)], 0),
        ),
    ])
}

fn key(slot: Slot, descending: bool) -> SortKey {
    SortKey { slot, descending }
}

/// The ids of an answer: of a page, or of one record.
pub fn ids(answer: &serde_json::Value) -> Vec<String> {
    let items = answer["items"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

impl Question {
    fn key(&self, turn: usize) -> &str {
        self.keys.get(turn.wrapping_mul(7919) % self.keys.len().max(1)).map_or("", String::as_str)
    }

    /// What the server is asked.
    pub fn path(&self, turn: usize) -> String {
        (self.path)(self.key(turn))
    }

    /// Ids that SQL by hand finds; every column is read.
    pub fn by_hand(&self, connection: &Connection, turn: usize) -> anyhow::Result<Vec<String>> {
        let mut params = vec![Cell::Text(self.app.user.id.to_string())];
        params.extend(self.fixed.map(|_| Cell::Text(self.key(turn).to_owned())));
        read(connection, &self.by_hand, params)
    }

    /// Ids that the engine's SQL finds, the making of it included.
    pub fn by_engine(&self, connection: &Connection, turn: usize) -> anyhow::Result<Vec<String>> {
        let (text, params) = self.statement(turn)?;
        let mut found = read(connection, &text, params.iter().map(cell).collect())?;
        found.truncate(self.limit.max(1) as usize);
        Ok(found)
    }

    fn statement(&self, turn: usize) -> anyhow::Result<(String, Vec<Value>)> {
        let App { schema, rules, user } = &*self.app;
        let collection = schema.collection("messages").ok_or_else(|| anyhow::anyhow!("no messages"))?;
        let book = rules.of(collection.id).ok_or_else(|| anyhow::anyhow!("no rules"))?;
        let value = Value::text(self.key(turn));
        let pinned: Vec<(Slot, Value)> = self.fixed.iter().map(|slot| (*slot, value.clone())).collect();
        let request = RequestFacts { op: "list", ..RequestFacts::default() };
        let facts =
            Facts { auth: Some(user), request: &request, now: 0, next: None, row: None, pinned: &pinned };
        let Lowered::Ask(rule) = lower(&book.list, &facts) else { anyhow::bail!("the caller alone decides") };
        let wanted = pinned.iter().map(|(slot, value)| {
            let (field, value) = (Expr::Row(*slot), Expr::Literal(value.clone()));
            Expr::Compare(CmpOp::Eq, Box::new(field), Box::new(value))
        });
        let wanted: Vec<Expr> = wanted.collect();
        let predicates: Vec<&Expr> = std::iter::once(&rule.expr).chain(&wanted).collect();
        let select = Select {
            collection,
            predicates: &predicates,
            masks: &[],
            sort: &self.sort,
            after: None,
            // As the engine does: one more tells whether there is a next page.
            limit: self.limit + 1,
            words: None,
        };
        Ok(explain_list(schema, &select, Dialect::Sqlite))
    }

    /// Prints how the database goes about both.
    pub fn explain(&self, connection: &Connection) -> anyhow::Result<()> {
        let (text, params) = self.statement(0)?;
        let mut by_hand = vec![Cell::Text(self.app.user.id.to_string())];
        by_hand.extend(self.fixed.map(|_| Cell::Text(self.key(0).to_owned())));
        println!("\n{}", self.name);
        for (whose, text, params) in
            [("by hand", &self.by_hand, by_hand), ("engine", &text, params.iter().map(cell).collect())]
        {
            println!("  {whose}: {text}");
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}"))?;
            let lines = plan.query_map(params_from_iter(params), |row| row.get::<_, String>(3))?;
            for line in lines {
                println!("    {}", line?);
            }
        }
        Ok(())
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Text(text) => Cell::Text(text.to_string()),
        Value::Int(n) | Value::Datetime(n) => Cell::Integer(*n),
        _ => Cell::Null,
    }
}

fn read(connection: &Connection, text: &str, params: Vec<Cell>) -> anyhow::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(text)?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(params))?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(columns);
        for at in 0..columns {
            cells.push(row.get::<_, Cell>(at)?);
        }
        if let Some(Cell::Text(id)) = cells.into_iter().next() {
            ids.push(id);
        }
    }
    Ok(ids)
}
