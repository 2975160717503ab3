//! What the fuzz targets share: one app with every type of field.

use std::sync::{Arc, OnceLock};
use stead_engine::Catalogue;
use stead_rules::AuthFacts;
use stead_schema::{Collection, SourceFile};

/// The app, compiled once.
pub fn app() -> &'static Catalogue {
    static APP: OnceLock<Catalogue> = OnceLock::new();
    APP.get_or_init(|| {
        let source = SourceFile { path: "app.yaml".to_owned(), text: include_str!("app.yaml").to_owned() };
        let schema = stead_schema::load(vec![source]).unwrap();
        let rules = stead_rules::compile(&schema).unwrap();
        Catalogue::new(schema, rules)
    })
}

/// A collection of the app.
pub fn collection(name: &str) -> &'static Collection {
    app().schema.collection(name).unwrap()
}

/// A caller.
pub fn ann(roles: &[&str]) -> AuthFacts {
    AuthFacts {
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        verified: true,
        ..AuthFacts::of("ann", 0)
    }
}

/// The parts of an input, one a line: what a target needs more than one text for.
pub fn lines<const N: usize>(input: &str) -> [&str; N] {
    let mut lines = input.splitn(N, '\n');
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}
