//! The tower: dependencies between the rooms point strictly down, and each outside driver has one home.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Who may lean on whom. Below a room, everything it names is allowed; nothing else is.
const TOWER: [(&str, &[&str]); 7] = [
    ("stead-wire", &[]),
    ("stead-schema", &["stead-wire"]),
    ("stead-rules", &["stead-wire", "stead-schema"]),
    ("stead-store", &["stead-wire", "stead-schema", "stead-rules"]),
    ("stead-engine", &["stead-wire", "stead-schema", "stead-rules", "stead-store"]),
    ("stead-http", &["stead-wire", "stead-schema", "stead-rules", "stead-engine"]),
    ("stead", &["stead-wire", "stead-schema", "stead-rules", "stead-store", "stead-engine", "stead-http"]),
];

/// Outside crates that only these rooms may name.
const HOMES: [(&str, &[&str]); 11] = [
    ("sqlx", &["stead-store"]),
    ("rusqlite", &["stead-store"]),
    ("actix-web", &["stead-http", "stead"]),
    ("actix-http", &["stead-http"]),
    ("ring", &["stead-engine"]),
    ("jsonwebtoken", &["stead-engine"]),
    ("argon2", &["stead-engine"]),
    ("lettre", &["stead-engine"]),
    ("minijinja", &["stead-engine"]),
    ("reqwest", &["stead-engine"]),
    ("saphyr-parser", &["stead-schema"]),
];

/// Crates of the tower that need none of these: they are pure.
const PURE: [&str; 3] = ["stead-wire", "stead-schema", "stead-rules"];
const IMPURE: [&str; 4] = ["tokio", "futures-util", "tracing", "mimalloc"];

/// Normal and build dependencies of every package of the workspace; tests may lean on what they like.
fn edges() -> Vec<(String, BTreeSet<String>)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), dependencies(package))).collect()
}

fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|one| one["kind"] != "dev").map(|one| text(&one["name"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn rooms_lean_only_on_rooms_below_them() {
    let edges = edges();
    for (room, below) in TOWER {
        let (_, found) =
            edges.iter().find(|(name, _)| name == room).unwrap_or_else(|| panic!("{room} is gone"));
        let names: Vec<&str> = TOWER.iter().map(|(name, _)| *name).collect();
        for used in found.iter().filter(|used| names.contains(&used.as_str())) {
            assert!(below.contains(&used.as_str()), "{room} must not lean on {used}");
        }
    }
}

/// The bench times single rooms, so it may know them; a black-box test that does is none.
const BENCH: &str = "stead-bench";

#[test]
fn nothing_outside_the_tower_but_the_bench_leans_on_more_than_the_wire() {
    let names: Vec<&str> = TOWER.iter().map(|(name, _)| *name).collect();
    let outside = |name: &str| !names.contains(&name) && name != BENCH;
    for (package, found) in edges().iter().filter(|(name, _)| outside(name)) {
        for used in found.iter().filter(|used| names.contains(&used.as_str())) {
            assert_eq!(used, "stead-wire", "{package} must not lean on {used}");
        }
    }
}

#[test]
fn each_driver_stays_in_its_home() {
    let tower: Vec<&str> = TOWER.iter().map(|(name, _)| *name).collect();
    for (package, found) in edges().iter().filter(|(name, _)| tower.contains(&name.as_str())) {
        for (driver, homes) in HOMES {
            assert!(
                !found.contains(driver) || homes.contains(&package.as_str()),
                "{package} must not name {driver}"
            );
        }
    }
}

#[test]
fn the_pure_rooms_cannot_wait_or_log() {
    for (package, found) in edges().iter().filter(|(name, _)| PURE.contains(&name.as_str())) {
        for impure in IMPURE {
            assert!(!found.contains(impure), "{package} is pure and must not name {impure}");
        }
    }
}
