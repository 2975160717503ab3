//! Rules with one deliberate mistake: the bounded search must find what each lets through or takes away.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::schema;
use stead_rules::analysis::{Effort, Verdict, diff};
use stead_rules::compile;

const CHAT: &str = app::CHAT;
const SHOP: &str = include_str!("apps/shop.yaml");
const TRACKER: &str = include_str!("apps/tracker.yaml");

/// What differs, as `messages.create wider, …`, when `from` is `to` in the newer version.
fn told(app: &str, from: &str, to: &str) -> String {
    assert!(app.contains(from), "{from}");
    let (old, new) = (schema(app), schema(&app.replacen(from, to, 1)));
    let rules = compile(&new).unwrap_or_else(|found| panic!("{to}: {}", app::told(&new, &found)));
    let compared = diff(&old, &new, &rules, Effort { in_order: 6_000, at_random: 4_000 });
    let word = |change: &stead_rules::analysis::RuleChange| match &change.verdict {
        Verdict::Same => None,
        verdict => Some(format!("{} {}", change.name, verdict.word())),
    };
    compared.rules.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_seeded_mistake_is_found() {
    let mut wrong = Vec::new();
    for (app, from, to, expected) in [
        // A conjunct is gone.
        (
            CHAT,
            "next.author == auth.id && is_member(next.room) &&",
            "auth != null && is_member(next.room) &&",
            "messages.create wider",
        ),
        (
            CHAT,
            "next.author == auth.id && is_member(next.room) &&",
            "next.author == auth.id &&",
            "messages.create wider",
        ),
        (
            CHAT,
            r#"next.user == auth.id && next.role == "member" &&"#,
            r#"next.user == auth.id &&"#,
            "members.create wider",
        ),
        (
            TRACKER,
            r#"(resource.assignee == auth.id && changedOnly("state"))"#,
            "resource.assignee == auth.id",
            "tasks.update wider",
        ),
        (SHOP, "next.customer == auth.id && ", "", "orders.create wider"),
        // The other operator.
        (
            CHAT,
            r#"resource.kind == "public" ||"#,
            r#"resource.kind != "public" ||"#,
            "rooms.list both, rooms.read both",
        ),
        (CHAT, "m.muted_until > now)", "m.muted_until < now)", "messages.create both"),
        (CHAT, "m.muted_until > now)", "m.muted_until >= now)", "messages.create narrower"),
        (
            SHOP,
            "resource.published_at <= now",
            "resource.published_at < now",
            "products.list narrower, products.read narrower",
        ),
        (TRACKER, r#"(next.role != "owner" ||"#, r#"(next.role == "owner" ||"#, "org_members.create both"),
        // `||` for `&&` and the other way round.
        (
            CHAT,
            "next.author == auth.id && is_member(next.room) &&",
            "(next.author == auth.id || is_member(next.room)) && auth != null &&",
            "messages.create wider",
        ),
        (
            CHAT,
            "delete: resource.author == auth.id || is_admin(resource.room)",
            "delete: resource.author == auth.id && is_admin(resource.room)",
            "messages.delete narrower",
        ),
        (
            CHAT,
            r#"m.user == auth.id && m.role == "admin""#,
            r#"m.user == auth.id || m.role == "admin""#,
            "rooms.update wider, members.create wider, members.update wider, members.delete wider, messages.delete wider",
        ),
        // The wrong field or record.
        (
            CHAT,
            "next.room.owner == auth.id || is_admin(next.room)",
            "next.room.owner == next.user || is_admin(next.room)",
            "members.create both",
        ),
        (
            CHAT,
            "is_admin(resource.room)\n  messages",
            "is_member(resource.room)\n  messages",
            "members.delete wider",
        ),
        (
            TRACKER,
            "update: 'org_role(resource.org, [\"owner\",\"admin\"])'\n  project_guests",
            "update: 'org_role(resource.org, [\"owner\",\"member\"])'\n  project_guests",
            "projects.update both",
        ),
        (
            TRACKER,
            "org_role(p.org, [\"owner\",\"admin\",\"member\"])",
            "org_role(p.org, [\"owner\",\"admin\",\"member\",\"guest\"])",
            "projects.list wider, projects.read wider, tasks.list wider, tasks.read wider, tasks.update wider",
        ),
        (
            TRACKER,
            "g.user == auth.id)'}",
            "g.user != null)'}",
            "projects.list wider, projects.read wider, tasks.list wider, tasks.read wider, tasks.update wider",
        ),
        (
            SHOP,
            "resource.customer == auth.id && resource.status == \"pending\"",
            "resource.customer == auth.id && resource.status == \"paid\"",
            "orders.update both",
        ),
        // Null where there was none, or no check for it.
        (
            CHAT,
            "phone: {type: text, pattern: '^\\+[0-9]{6,15}$', optional: true, read: resource.id == auth.id}",
            "phone: {type: text, pattern: '^\\+[0-9]{6,15}$', optional: true, read: 'same(resource.id, auth.id) || resource.phone == null'}",
            "users.phone.read wider",
        ),
        (
            TRACKER,
            "resource.assignee == auth.id && changedOnly",
            "same(resource.assignee, auth.id) && changedOnly",
            "tasks.update no_difference_found",
        ),
        (
            SHOP,
            "resource.published_at <= now",
            "(resource.published_at == null || resource.published_at <= now)",
            "products.list wider, products.read wider",
        ),
        // Only one half of an update, and a lost field rule.
        (
            CHAT,
            "update: {before: is_admin(resource), after: is_admin(resource)}",
            "update: {before: is_admin(resource), after: public}",
            "",
        ),
        (
            TRACKER,
            ", read: 'org_role(resource.org, [\"owner\",\"admin\"])'}",
            "}",
            "projects.budget.read wider",
        ),
        (
            CHAT,
            "update: resource.author == auth.id",
            "update: {before: resource.author == auth.id, after: public}",
            "messages.update no_difference_found",
        ),
        (
            CHAT,
            "author: {type: ref, to: users, on_delete: cascade, write_once: true}",
            "author: {type: ref, to: users, on_delete: cascade}",
            "messages.author.write_once wider",
        ),
        (SHOP, "read: is_staff()", "read: authenticated", "products.cost.read wider"),
        // The whole rule.
        (CHAT, "read: is_member(resource.room)", "read: public", "members.list wider, members.read wider"),
        (CHAT, "create: next.owner == auth.id", "create: nobody", "rooms.create narrower"),
    ] {
        let found = told(app, from, to);
        if found != expected {
            wrong.push(format!("{from}\n→ {to}\n  expected: {expected}\n  found:    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What lies beyond small worlds: more records than a rule looks at, patterns, arithmetic. It must be said that nothing
/// was found, and that there is more; never that there is no difference.
#[test]
fn what_the_bounds_hide_is_not_called_equal() {
    let yaml = |create: &str| {
        format!(
            "version: 1\ncollections:\n  users: {{kind: auth, fields: {{}}, rules: {{}}}}\n  rooms: {{fields: {{n: {{type: int}}}}, rules: {{}}}}\n  \
             seats:\n    fields:\n      room: {{type: ref, to: rooms, inverse: seats}}\n      user: {{type: ref, to: users}}\n      name: {{type: text}}\n    \
             rules:\n      create: |\n        {create}\n"
        )
    };
    for (before, after) in [
        (
            "auth != null && next.room.seats.count(s, s.user == auth.id) < 8",
            "auth != null && next.room.seats.count(s, s.user == auth.id) < 9",
        ),
        (r#"next.name.matches("^[a-w]+$")"#, r#"next.name.matches("^[a-x]+$") && next.name != "x""#),
        ("next.room.n * 7 == 91", "next.room.n * 7 == 98"),
    ] {
        let (before, after) = (yaml(before), yaml(after));
        let (old, new) = (schema(&before), schema(&after));
        let rules = compile(&new).unwrap_or_else(|found| panic!("{}", app::told(&new, &found)));
        let compared = diff(&old, &new, &rules, Effort { in_order: 3_000, at_random: 1_000 });
        let create = compared.rules.iter().find(|change| change.name == "seats.create").unwrap();
        assert!(matches!(create.verdict, Verdict::NoneFound(false)), "{after}: {:?}", create.verdict);
    }
}

#[test]
fn a_rule_that_does_not_fit_any_more_and_what_came_or_went_are_told() {
    let wider = |from: &str, to: &str| told(CHAT, from, to);
    assert_eq!(
        wider("  messages:\n    fields:\n", "  messages2:\n    fields:\n"),
        "messages2 added, messages removed"
    );
    assert_eq!(
        wider(
            "kind:  {type: enum, values: [public, private], default: private}",
            "kind:  {type: enum, values: [open, public], default: open}"
        ),
        ""
    );
    let renamed = CHAT.replace("muted_until", "quiet_until");
    let (old, new) = (schema(CHAT), schema(&renamed));
    let rules = compile(&new).unwrap();
    let compared = diff(&old, &new, &rules, Effort::BRIEF);
    let create = compared.rules.iter().find(|change| change.name == "messages.create").unwrap();
    assert!(
        matches!(&create.verdict, Verdict::NotComparable(why) if why.contains("muted_until")),
        "{:?}",
        create.verdict
    );
}
