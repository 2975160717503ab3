//! Rows to JSON and back: nothing is lost and the bytes are JSON whatever the values are.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value as Json, json};
use std::sync::Arc;
use stead_schema::encode::{close, decode_row, open_record, value};
use stead_schema::{Schema, Slot, SlotSet, SourceFile, Value, load};

const ROWS: &str = "
collections:
  rows:
    fields:
      name: {type: text, optional: true}
      count: {type: int, optional: true}
      ratio: {type: float, optional: true}
      done: {type: bool, optional: true}
      at: {type: datetime, optional: true}
      names: {type: list, of: text, optional: true}
      times: {type: list, of: datetime, optional: true}
      prefs: {type: json, optional: true}
";

fn schema() -> Schema {
    load(vec![SourceFile { path: "schema/rows.yaml".into(), text: ROWS.into() }]).unwrap()
}

fn shown(v: &Value) -> String {
    let mut out = Vec::new();
    value(v, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn values_are_written_as_json() {
    for (value, text) in [
        (Value::Null, "null"),
        (Value::Bool(true), "true"),
        (Value::Int(0), "0"),
        (Value::Int(-12), "-12"),
        (Value::Int(i64::MAX), "9223372036854775807"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Float(1.0), "1.0"),
        (Value::Float(0.1), "0.1"),
        (Value::text("plain"), "\"plain\""),
        (
            Value::text("a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1f}ä😀\u{7f}"),
            "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001fä😀\u{7f}\"",
        ),
        (Value::text(""), "\"\""),
        (Value::Datetime(1_795_257_780_001_000), "\"2026-11-21T10:43:00.001Z\""),
        (Value::Duration(900_000_000), "\"900s\""),
        (Value::Duration(-1_500_000), "\"-1.5s\""),
        (Value::List(vec![Value::Int(1), Value::text("a")].into()), "[1,\"a\"]"),
        (Value::List(Vec::new().into()), "[]"),
        (Value::Json(Arc::new(json!({"b": [1, null], "a": "x"}))), "{\"b\":[1,null],\"a\":\"x\"}"),
    ] {
        assert_eq!(shown(&value), text);
    }
}

#[test]
fn only_visible_fields_are_written_in_the_order_of_the_schema() {
    let schema = schema();
    let rows = schema.collection("rows").unwrap();
    let mut row = vec![Value::Null; rows.fields.len()];
    row[0] = Value::text("r1");
    row[4] = Value::text("Ann");
    let written = |visible: SlotSet| {
        let mut out = b"x".to_vec();
        open_record(rows, &row, visible, &mut out);
        close(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written([Slot(4), Slot::ID].into_iter().collect()), "x{\"id\":\"r1\",\"name\":\"Ann\"}");
    assert_eq!(written([Slot(5)].into_iter().collect()), "x{\"count\":null}");
    assert_eq!(written(SlotSet::EMPTY), "x{}");
}

/// A small generator (SplitMix64), so that the same rows come every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn text(&mut self) -> Value {
        let length = self.roll(12);
        let text: String = (0..length)
            .map(|_| match self.roll(4) {
                0 => char::from(self.roll(0x20) as u8).max('\u{1}'),
                1 => ['"', '\\', '/', '\u{7f}', '\u{2028}', 'ä', '😀'][self.roll(7) as usize],
                _ => char::from(b'a' + self.roll(26) as u8),
            })
            .collect();
        Value::text(text)
    }

    fn time(&mut self) -> Value {
        Value::Datetime(self.roll(4_000_000_000_000) as i64 * 1000 - 1_000_000_000_000_000)
    }

    fn float(&mut self) -> f64 {
        loop {
            let number = f64::from_bits(self.roll(u64::MAX));
            if number.is_finite() {
                return number;
            }
        }
    }

    fn or_null(&mut self, value: Value) -> Value {
        if self.roll(5) == 0 { Value::Null } else { value }
    }

    fn row(&mut self) -> Vec<Value> {
        let list = |dice: &mut Self, one: fn(&mut Self) -> Value| {
            let items: Vec<Value> = (0..dice.roll(4)).map(|_| one(dice)).collect();
            Value::List(items.into())
        };
        let mut row = vec![Value::text("r1"), self.time(), self.time(), Value::Int(self.roll(9) as i64)];
        let name = self.text();
        let count = Value::Int(self.roll(1 << 54) as i64 - (1 << 53));
        let ratio = Value::Float(self.float());
        let done = Value::Bool(self.roll(2) == 0);
        let (at, names, times) = (self.time(), list(self, Self::text), list(self, Self::time));
        let key = self.text().as_text().unwrap().to_owned();
        let prefs = Value::Json(Arc::new(json!({key: [self.roll(100), "x", {"y": null}]})));
        for value in [name, count, ratio, done, at, names, times, prefs] {
            row.push(self.or_null(value));
        }
        row
    }
}

#[test]
fn a_row_survives_the_way_out_and_back() {
    let schema = schema();
    let rows = schema.collection("rows").unwrap();
    let mut dice = Dice(7);
    for _ in 0..2_000 {
        let row = dice.row();
        let mut out = Vec::new();
        open_record(rows, &row, SlotSet::ALL, &mut out);
        close(&mut out);
        let json: Json =
            serde_json::from_slice(&out).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)));
        assert_eq!(decode_row(rows, &json), row);
    }
}

#[test]
fn what_is_missing_or_of_another_type_becomes_null() {
    let schema = schema();
    let rows = schema.collection("rows").unwrap();
    let row = decode_row(
        rows,
        &json!({"id": "r1", "name": 5, "count": 1.5, "names": ["a", 1], "at": "soon", "ratio": 2}),
    );
    assert_eq!(row[0], Value::text("r1"));
    assert_eq!(row[6], Value::Float(2.0));
    assert!(row.iter().enumerate().all(|(at, cell)| matches!(at, 0 | 6) || cell.is_null()));
    assert!(decode_row(rows, &json!([])).iter().all(Value::is_null));
}
