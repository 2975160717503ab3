//! `app.yaml`: what its settings mean, and where a bad one is.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use stead_schema::{SignInMethod, SourceFile, load};

fn file(text: &str) -> Vec<SourceFile> {
    vec![SourceFile { path: "schema/app.yaml".into(), text: text.into() }]
}

#[test]
fn a_password_policy_says_how_many_characters_unless_a_number_does() {
    for (auth, chars) in [
        ("{}", 10),
        ("{password_policy: standard}", 10),
        ("{password_policy: asvs}", 8),
        ("{password_policy: nist}", 15),
        ("{password_policy: nist, password_chars_min: 12}", 12),
        ("{password_chars_min: 9, password_policy: nist}", 9),
    ] {
        let schema = load(file(&format!("auth: {auth}\n"))).ok().unwrap();
        assert_eq!(schema.app.password_chars_min, chars, "{auth}");
    }
}

#[test]
fn a_policy_that_there_is_none_of_is_refused_where_it_stands() {
    let rejected = load(file("auth:\n  password_policy: lax\n")).err().unwrap();
    let at = rejected.sources.position(rejected.diagnostics[0].span);
    assert_eq!((rejected.diagnostics.len(), at.line, at.column), (1, 2, 20));
    assert_eq!(rejected.diagnostics[0].message, "`lax` is not a value of `password_policy`");
}

#[test]
fn accounts_are_deleted_by_their_users_only_where_it_says_after_how_many_days() {
    for (auth, days) in
        [("{}", None), ("{delete_after_days: 0}", Some(0)), ("{delete_after_days: 90}", Some(90))]
    {
        let schema = load(file(&format!("auth: {auth}\n"))).ok().unwrap();
        assert_eq!(schema.app.delete_after_days, days, "{auth}");
    }
    for wrong in ["91", "-1", "0.5", "soon", "null"] {
        let rejected = load(file(&format!("auth:\n  delete_after_days: {wrong}\n"))).err().unwrap();
        let at = rejected.sources.position(rejected.diagnostics[0].span);
        assert_eq!((rejected.diagnostics.len(), at.line, at.column), (1, 2, 22), "{wrong}");
    }
}

#[test]
fn nobody_comes_without_an_account_unless_the_methods_say_so() {
    for (methods, anonymous, password) in
        [("", false, true), ("  methods: [anonymous]\n", true, false), ("  methods: [otp]\n", false, false)]
    {
        let app = load(file(&format!("auth:\n  sign_up: true\n{methods}"))).ok().unwrap().app;
        assert_eq!(
            (app.offers(SignInMethod::Anonymous), app.offers(SignInMethod::Password)),
            (anonymous, password)
        );
    }
}
