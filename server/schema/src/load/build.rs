//! Names and types: from trees that have the published shape to the model.
//!
//! It must tell about everything it leaves out: a part that an earlier pass reported may be skipped, anything else is a mistake here.

use super::field::{self, Ground};
use super::names::{self, Naming};
use super::node::{Entry, Node};
use super::{app, claims, columns, providers, rules, search};
use crate::{
    Collection, CollectionId, Default_, Diagnostic, Field, FieldType, Function, Kind, RuleText, Schema, Slot,
    SlotSet, Sources, Span, Value, diff,
};
use std::collections::HashMap;

/// Most collections of an app.
const COLLECTIONS_MAX: usize = 500;
/// Most declared fields of a collection.
const FIELDS_MAX: usize = 120;

/// A named part of the app and the text of the file it stands in.
#[derive(Clone, Copy)]
pub(super) struct Declared<'a> {
    pub(super) entry: &'a Entry,
    pub(super) source: &'a str,
}

/// The schema, as far as it can be read.
pub(super) fn schema(sources: &Sources, roots: &[Node], mistakes: &mut Vec<Diagnostic>) -> Schema {
    let app = app::settings(sources, roots, mistakes);
    let collections = declared("collections", Naming::Collection, sources, roots, mistakes);
    let functions = declared("functions", Naming::Function, sources, roots, mistakes);
    if let Some(first_too_many) = collections.get(COLLECTIONS_MAX) {
        let span = first_too_many.entry.key_span;
        mistakes.push(Diagnostic::new(
            "E0361",
            span,
            format!("an app has at most {COLLECTIONS_MAX} collections"),
        ));
        return Schema::default();
    }
    let by_name: HashMap<String, CollectionId> =
        (0u16..).zip(&collections).map(|(id, c)| (c.entry.key.clone(), CollectionId(id))).collect();
    let users = the_users(&collections, mistakes);
    let ground = Ground { collections: &by_name, users };
    let mut schema = Schema { app, by_name: by_name.clone(), ..Schema::default() };
    for (id, declared) in (0u16..).zip(&collections) {
        let built = collection(CollectionId(id), *declared, ground, mistakes);
        schema.allows.extend(claims::allowed_in(&built, &declared.entry.value));
        schema.collections.push(built);
    }
    for auth in roots.iter().filter_map(|root| root.get("auth")) {
        providers::fit(auth, schema.users(), mistakes);
    }
    schema.functions = functions.iter().filter_map(|f| function(*f, mistakes)).collect();
    for (root, file) in roots.iter().zip(&sources.files) {
        schema.allows.extend(claims::listed(root, crate::AllowedAt::App));
        let found = claims::invariants(root, &file.text, &schema, mistakes);
        schema.invariants.extend(found);
    }
    inverses(&schema, mistakes);
    index_names(&schema, mistakes);
    schema
}

/// Parts of one section over all files; the second of a name is a mistake that shows where the first is.
fn declared<'a>(
    section: &str,
    what: Naming,
    sources: &'a Sources,
    roots: &'a [Node],
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Declared<'a>> {
    let mut found: Vec<Declared<'a>> = Vec::new();
    for (root, file) in roots.iter().zip(&sources.files) {
        for entry in root.get(section).map(Node::entries).unwrap_or_default() {
            if let Err(mistake) = names::check(&entry.key, what, entry.key_span) {
                mistakes.push(mistake);
            }
            if let Some(first) = found.iter().find(|f| f.entry.key == entry.key) {
                mistakes.push(twice(sources, &entry.key, first.entry.key_span, entry.key_span));
                mistakes.push(twice(sources, &entry.key, entry.key_span, first.entry.key_span));
                continue;
            }
            found.push(Declared { entry, source: &file.text });
        }
    }
    found
}

/// A name declared in two places, told at one of them.
pub(super) fn twice(sources: &Sources, name: &str, other: Span, here: Span) -> Diagnostic {
    let at = sources.position(other);
    let file = sources.file(other).map_or("", |f| f.path.as_str());
    Diagnostic::new("E0352", here, format!("`{name}` is declared twice"))
        .help(format!("the other one is at {file}:{}:{}", at.line, at.column))
}

fn is_auth(declared: &Declared<'_>) -> bool {
    declared.entry.value.get("kind").and_then(Node::scalar) == Some("auth")
}

fn the_users(collections: &[Declared<'_>], mistakes: &mut Vec<Diagnostic>) -> Option<CollectionId> {
    let mut auth = (0u16..).zip(collections).filter(|(_, c)| is_auth(c));
    let first = auth.next()?;
    mistakes.extend(auth.map(|(_, other)| {
        Diagnostic::new("E0359", other.entry.key_span, "only one collection may hold the users")
            .help(format!("`{}` is of `kind: auth` already", first.1.entry.key))
    }));
    Some(CollectionId(first.0))
}

fn collection(
    id: CollectionId,
    declared: Declared<'_>,
    ground: Ground<'_>,
    mistakes: &mut Vec<Diagnostic>,
) -> Collection {
    let Declared { entry, source } = declared;
    let kind = if is_auth(&declared) { Kind::Auth } else { Kind::Data };
    let mut fields = system_fields(kind);
    let entries = entry.value.get("fields").map(Node::entries).unwrap_or_default();
    if let Some(first_too_many) = entries.get(FIELDS_MAX) {
        let text = format!("a collection has at most {FIELDS_MAX} fields");
        mistakes.push(Diagnostic::new("E0361", first_too_many.key_span, text));
    }
    for declared_field in entries.iter().take(FIELDS_MAX) {
        let naming = Naming::Field { of_users: kind == Kind::Auth };
        if let Err(mistake) = names::check(&declared_field.key, naming, declared_field.key_span) {
            mistakes.push(mistake);
            continue;
        }
        let known = mistakes.len();
        match field::field(declared_field, source, ground, mistakes) {
            Some(field) => fields.push(field),
            None if mistakes.is_empty() && known == 0 => {
                mistakes.push(Diagnostic::new("E0110", declared_field.key_span, "this field cannot be read"));
            }
            None => {}
        }
    }
    let by_name = (0u16..).zip(&fields).map(|(slot, f)| (f.name.clone(), Slot(slot))).collect();
    let mut built = Collection {
        id,
        name: entry.key.clone(),
        kind,
        fields,
        unique: Vec::new(),
        indexes: Vec::new(),
        search: None,
        scan: entry.value.get("scan").and_then(Node::scalar) == Some("true"),
        rules: rules::of_collection(entry.value.get("rules"), source, mistakes),
        span: entry.key_span,
        by_name,
    };
    built.unique = columns::unique(&built, &entry.value, mistakes);
    built.indexes = columns::indexes(&built, &entry.value, mistakes);
    built.search = search::declared(&built, &entry.value, mistakes);
    built
}

/// What every record has, then what every user has.
fn system_fields(kind: Kind) -> Vec<Field> {
    let field = |name: &str, kind| Field {
        name: name.to_owned(),
        kind,
        optional: false,
        default: None,
        write_once: false,
        system: true,
        read: None,
        write: None,
        span: Span::default(),
    };
    let mut fields = vec![
        field("id", FieldType::Id),
        field("created_at", FieldType::Datetime),
        field("updated_at", FieldType::Datetime),
        field("version", FieldType::Int { min: Some(1), max: None }),
    ];
    if kind == Kind::Auth {
        let own = RuleText {
            text: "resource.id == auth.id".to_owned(),
            message: None,
            span: Span::default(),
            offsets: Vec::new(),
            rebind_to_next: false,
        };
        // Whoever came without one, and programs, have none.
        fields.push(Field { read: Some(own), optional: true, ..field("email", FieldType::Email) });
        fields.push(Field {
            default: Some(Default_::Value(Value::Bool(false))),
            ..field("verified", FieldType::Bool)
        });
    }
    fields
}

fn function(declared: Declared<'_>, mistakes: &mut Vec<Diagnostic>) -> Option<Function> {
    let Declared { entry, source } = declared;
    let mut params = Vec::new();
    for param in entry.value.get("params").map(Node::entries).unwrap_or_default() {
        if let Err(mistake) = names::check(&param.key, Naming::Parameter, param.key_span) {
            mistakes.push(mistake);
        }
        if let Some(kind) = param.value.text() {
            params.push((param.key.clone(), kind.to_owned(), param.value.span));
        }
    }
    let is = rules::expression(entry.value.get("is")?, source, mistakes)?;
    Some(Function { name: entry.key.clone(), params, is, span: entry.key_span })
}

/// Inverse names of one target are different from each other and from its fields.
fn inverses(schema: &Schema, mistakes: &mut Vec<Diagnostic>) {
    let mut taken: HashMap<(CollectionId, &str), String> = HashMap::new();
    let fields = schema.collections.iter().flat_map(|c| c.fields.iter().map(move |field| (c, field)));
    for (collection, field) in fields {
        let FieldType::Ref { to, inverse, inverse_one, .. } = &field.kind else { continue };
        let Some(target) = schema.get(*to) else { continue };
        for inverse in inverse.iter().chain(inverse_one) {
            let place = format!("{}.{}", collection.name, field.name);
            let clash = match taken.get(&(*to, inverse.as_str())) {
                Some(other) => Some(format!("`{other}` uses it")),
                None => target.field(inverse).map(|_| format!("`{}` has a field of this name", target.name)),
            };
            if let Some(clash) = clash {
                let text = format!("the inverse `{inverse}` of `{place}` is taken on `{}`", target.name);
                mistakes.push(Diagnostic::new("E0358", field.span, text).help(clash));
            }
            taken.insert((*to, inverse), place);
        }
    }
}

/// Indexes of the whole app share one space of names in the database.
fn index_names(schema: &Schema, mistakes: &mut Vec<Diagnostic>) {
    let mut taken: HashMap<String, Span> = HashMap::new();
    for collection in &schema.collections {
        for index in &collection.indexes {
            let name = diff::index_name(schema, collection.id, index);
            if taken.insert(name.clone(), collection.span).is_some() {
                let text = format!("two indexes would both be called `{name}` in the database");
                mistakes.push(
                    Diagnostic::new("E0362", collection.span, text).help("rename a field or take one out"),
                );
            }
        }
    }
}

/// Whether a list names no field twice.
pub(super) fn all_different(slots: &[Slot]) -> bool {
    let set: SlotSet = slots.iter().copied().collect();
    set.iter().count() == slots.len()
}
