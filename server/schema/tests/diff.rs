//! Old and new schemas: which changes are safe, which steps they take, and what is said about the others.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use stead_schema::diff::{Step, canonical, index_name, steps};
use stead_schema::{Schema, SourceFile, load};

const BASE: &str = "
collections:
  users: {kind: auth}
  posts:
    fields:
      title: {type: text, min: 2, max: 80, pattern: '^a'}
      state: {type: enum, values: [open, closed]}
      score: {type: int, min: 0, max: 10}
      author: {type: ref, to: users, on_delete: cascade}
      note: {type: text, optional: true}
      tags: {type: list, of: {type: text, max: 5}, max: 3}
      meta: {type: json, schema: {type: object}, max_bytes: 100}
      price: {type: decimal, precision: 18, scale: 2, min: '0', max: '900719925474099.25'}
    unique: [[author, title]]
    indexes: [[author, -created_at]]
    rules: {read: public}
";

fn read(text: &str) -> Schema {
    let file = SourceFile { path: "schema/a.yaml".into(), text: text.into() };
    load(vec![file]).unwrap_or_else(|r| panic!("{}\n{text}", r.diagnostics[0].render(&r.sources)))
}

/// The base with one text replaced.
fn changed(from: &str, to: &str) -> Schema {
    assert!(BASE.contains(from), "{from}");
    read(&BASE.replace(from, to))
}

fn outcome(after: &Schema) -> Result<Vec<Step>, Vec<String>> {
    // A database remembers text.
    let remembered = serde_json::from_str(&canonical(&read(BASE)).to_string()).unwrap();
    steps(Some(&remembered), after).map_err(|refused| refused.into_iter().map(|r| r.what).collect())
}

#[test]
fn an_empty_database_gets_every_collection() {
    let schema = read(BASE);
    let all = steps(None, &schema).unwrap();
    assert_eq!(all, schema.collections.iter().map(|c| Step::AddCollection(c.id)).collect::<Vec<_>>());
}

#[test]
fn changes_that_need_no_step_need_none() {
    for (from, to) in [
        ("posts:", "posts:"),
        ("{read: public}", "{read: nobody, create: authenticated}"),
        ("max: 80", "max: 100"),
        ("min: '0', max: '900719925474099.25'", "min: -0.01, max: '900719925474099.26'"),
        (", min: '0', max: '900719925474099.25'", ""),
        (", max: 80", ""),
        ("min: 2, ", ""),
        ("min: 2", "min: 1"),
        (", pattern: '^a'", ""),
        ("[open, closed]", "[closed, open, late]"),
        ("min: 0, max: 10", "min: -1, max: 11"),
        ("{type: text, max: 5}, max: 3", "{type: text, max: 6}, max: 4"),
        ("schema: {type: object}, ", ""),
        ("max_bytes: 100", "max_bytes: 200"),
        (
            "on_delete: cascade",
            "on_delete: cascade, inverse: posts, write_once: true, read: nobody, default: auth.id",
        ),
        ("note: {type: text, optional: true}", "note: {type: text, optional: true, default: x}"),
    ] {
        assert_eq!(outcome(&changed(from, to)), Ok(Vec::new()), "{from} -> {to}");
    }
}

#[test]
fn the_order_of_fields_and_collections_does_not_matter() {
    let posts = BASE.find("  posts:").unwrap();
    let (head, tail) = BASE.split_at(posts);
    let swapped = read(&format!("collections:\n{tail}{}", head.replace("collections:\n", "")));
    assert_eq!(canonical(&swapped), canonical(&read(BASE)));
    assert_eq!(canonical(&swapped).to_string(), canonical(&read(BASE)).to_string());
}

#[test]
fn safe_changes_become_steps_in_a_working_order() {
    let after = read(&BASE.replace("[[author, -created_at]]", "[[state], [score, -id]]").replace(
        "      note:",
        "      pinned: {type: bool, default: false}\n      parent: {type: ref, to: rooms, optional: true}\n      note:",
    ).replace("  posts:", "  rooms: {}\n  posts:"));
    let posts = after.collection("posts").unwrap();
    let slot = |name: &str| posts.field(name).unwrap().0;
    assert_eq!(
        outcome(&after),
        Ok(vec![
            Step::DropIndex(posts.id, "posts__author__created_at_desc".into()),
            Step::AddCollection(after.collection("rooms").unwrap().id),
            Step::AddField(posts.id, slot("pinned")),
            Step::AddField(posts.id, slot("parent")),
            Step::AddIndex(posts.id, posts.indexes[0].clone()),
            Step::AddIndex(posts.id, posts.indexes[1].clone()),
        ])
    );
    assert_eq!(index_name(&after, posts.id, &posts.indexes[1]), "posts__score__id_desc");
}

#[test]
fn a_field_may_become_optional_and_takes_the_search_over_it_along() {
    let optional = |text: &str| text.replace("max: 10}", "max: 10, optional: true}");
    let after = read(&optional(BASE));
    let posts = after.collection("posts").unwrap();
    let score = posts.field("score").unwrap().0;
    assert_eq!(outcome(&after), Ok(vec![Step::AllowNull(posts.id, score)]));

    let searched = BASE.replace("max: 80", "max: 80, search: A");
    let now = read(&searched.replace("search: A", "search: A, optional: true"));
    let title = now.collection("posts").unwrap().field("title").unwrap().0;
    let anew = steps(Some(&canonical(&read(&searched))), &now);
    let around =
        vec![Step::DropSearch(posts.id), Step::AllowNull(posts.id, title), Step::AddSearch(posts.id)];
    assert_eq!(anew, Ok(around));
}

#[test]
fn anything_else_is_refused_by_name() {
    for (from, to, what) in [
        ("  users: {kind: auth}\n", "  users: {}\n", "collection `users` changed its kind"),
        ("      note: {type: text, optional: true}\n", "", "field `posts.note` is gone"),
        ("note:", "nota:", "field `posts.note` is gone"),
        (
            "      note:",
            "      must: {type: text}\n      note:",
            "new field `posts.must` is required, and older records have no value",
        ),
        (
            "      note:",
            "      when: {type: datetime, default: now}\n      note:",
            "new field `posts.when` is required, and older records have no value",
        ),
        (
            "score: {type: int, min: 0, max: 10}",
            "score: {type: text}",
            "field `posts.score` changed its type from int to text",
        ),
        (
            "{type: text, optional: true}",
            "{type: text}",
            "field `posts.note` became required, and older records may have no value",
        ),
        (
            "max: '900719925474099.25'",
            "max: '900719925474099.24'",
            "field `posts.price` lowered its `max`, and older values may be beyond it",
        ),
        (
            "min: '0', max: '900719925474099.25'",
            "min: 0.01, max: '900719925474099.25'",
            "field `posts.price` raised its `min`, and older values may be lower",
        ),
        ("max: 80", "max: 79", "field `posts.title` lowered its `max`, and older values may be beyond it"),
        (
            "note: {type: text,",
            "note: {type: text, max: 9,",
            "field `posts.note` lowered its `max`, and older values may be beyond it",
        ),
        (
            "note: {type: text,",
            "note: {type: text, min: 1,",
            "field `posts.note` raised its `min`, and older values may be lower",
        ),
        ("min: 0", "min: 1", "field `posts.score` raised its `min`, and older values may be lower"),
        ("'^a'", "'^b'", "field `posts.title` changed its `pattern`, and older values may not match"),
        (
            "[open, closed]",
            "[open]",
            "field `posts.state` no longer has the value \"closed\", which older records may hold",
        ),
        ("on_delete: cascade", "on_delete: restrict", "field `posts.author` changed `on_delete`"),
        ("to: users", "to: posts", "field `posts.author` refers to another collection"),
        (
            "max: 5}",
            "max: 4}",
            "field `posts.tags` (its elements) lowered its `max`, and older values may be beyond it",
        ),
        (
            "{type: text, max: 5}",
            "int",
            "field `posts.tags` (its elements) changed its type from text to int",
        ),
        (
            "{type: object}",
            "{type: array}",
            "field `posts.meta` changed its JSON Schema, and older documents may not fit",
        ),
        (
            "max_bytes: 100",
            "max_bytes: 99",
            "field `posts.meta` lowered its `max_bytes`, and older values may be beyond it",
        ),
        (
            "[[author, title]]",
            "[[author, title], [note]]",
            "`posts` became unique by [\"note\"], and older records may repeat",
        ),
        ("[[author, title]]", "[]", "`posts` is no longer unique by [\"author\",\"title\"]"),
    ] {
        let refused = outcome(&changed(from, to)).unwrap_err();
        assert_eq!(refused, [what], "{from} -> {to}");
    }
    let gone = read("collections:\n  users: {kind: auth}\n");
    assert_eq!(outcome(&gone), Err(vec!["collection `posts` is gone".to_owned()]));
}

#[test]
fn every_refusal_says_what_to_do() {
    let refused = steps(Some(&canonical(&read(BASE))), &changed("max: 80", "max: 2"));
    let refused = refused.unwrap_err();
    assert!(refused.iter().all(|r| r.help.ends_with("or begin with an empty data folder")), "{refused:?}");
}

#[test]
fn a_full_text_index_is_added_rebuilt_and_dropped_and_its_weights_need_no_step() {
    let with = |search: &str| {
        let line = format!("search: {search}\n    indexes: [[author, -created_at]]");
        changed("indexes: [[author, -created_at]]", &line)
    };
    let between = |before: &Schema, after: &Schema| steps(Some(&canonical(before)), after).unwrap();
    let (plain, one) = (read(BASE), with("{fields: [title]}"));
    let posts = one.collection("posts").unwrap().id;
    assert_eq!(outcome(&one).unwrap(), [Step::AddSearch(posts)]);
    assert_eq!(between(&one, &plain), [Step::DropSearch(posts)]);
    for other in ["{fields: [title, note]}", "{fields: [title], language: english}"] {
        assert_eq!(between(&one, &with(other)), [Step::DropSearch(posts), Step::AddSearch(posts)], "{other}");
    }
    for same in ["{fields: [title], language: simple}", "{fields: [title], weights: {title: A}}"] {
        assert_eq!(between(&one, &with(same)), [], "{same}");
    }
    // A new field that is searched is there before the index is filled.
    let grown =
        BASE.replace("      note:", "      more: {type: text, optional: true, search: C}\n      note:");
    let grown = read(&grown);
    let (slot, _) = grown.collection("posts").unwrap().field("more").unwrap();
    assert_eq!(outcome(&grown).unwrap(), [Step::AddField(posts, slot), Step::AddSearch(posts)]);
}

#[test]
fn the_short_form_of_a_search_says_the_same_as_the_long_one() {
    let app = |title: &str, body: &str, search: &str| {
        let fields = format!("title: {{type: text{title}}}\n      body: {{type: text{body}}}");
        read(&format!("collections:\n  posts:\n    fields:\n      {fields}\n{search}")).collections[0]
            .search
            .clone()
    };
    let long = app("", "", "    search: {fields: [title, body], weights: {title: A, body: 4}}");
    assert_eq!(app(", search: A", ", search: B", ""), long);
    assert_eq!(long.unwrap().fields.iter().map(|field| field.weight).collect::<Vec<_>>(), [10, 4]);
    let one = app(", search: true", ", search: false", "").unwrap();
    assert_eq!((one.fields.len(), one.fields[0].weight), (1, 1));
    assert_eq!(app("", "", ""), None);
}
