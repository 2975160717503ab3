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
fn who_may_sign_up_is_said_in_a_word() {
    use stead_schema::SignUpMode::{Closed, Invite, Open};
    for (said, mode) in [
        ("{}", Open),
        ("{sign_up: true}", Open),
        ("{sign_up: open}", Open),
        ("{sign_up: invite}", Invite),
        ("{sign_up: closed}", Closed),
        ("{sign_up: false}", Closed),
    ] {
        assert_eq!(load(file(&format!("auth: {said}\n"))).ok().unwrap().app.sign_up, mode, "{said}");
    }
    let app = load(file("auth: {domains: [example.org, a-b.example.com]}\n")).ok().unwrap().app;
    assert_eq!(app.domains, ["example.org", "a-b.example.com"]);
    assert!(app.proof_first() && !app.verify_email && !app.open_to_all());
}

#[test]
fn a_mode_or_a_domain_that_there_is_none_of_is_refused_where_it_stands() {
    for (line, column) in [
        ("sign_up: maybe", 12),
        ("cookies: 1", 12),
        ("domains: [Example.org]", 13),
        ("domains: ['*.example.org']", 13),
        ("domains: [example.org, '@example.org']", 26),
        ("domains: [localhost]", 13),
        ("domains: []", 12),
    ] {
        let rejected = load(file(&format!("auth:\n  {line}\n"))).err().unwrap();
        let at = rejected.sources.position(rejected.diagnostics[0].span);
        assert_eq!((rejected.diagnostics.len(), at.line, at.column), (1, 2, column), "{line}");
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

#[test]
fn what_is_asked_of_robots_is_a_puzzle_or_a_service() {
    use stead_schema::{CaptchaKind, CaptchaOn};
    let of =
        |said: &str| load(file(&format!("auth: {{captcha: {said}}}\n"))).ok().unwrap().app.captcha.unwrap();
    let puzzle = of("{kind: puzzle}");
    assert_eq!((puzzle.kind, puzzle.on), (CaptchaKind::Puzzle, vec![CaptchaOn::SignUp, CaptchaOn::Mail]));
    let service =
        of("{kind: webhook, url: 'https://judge.example/v', secret: 'secret:JUDGE', on: [sign_in]}");
    assert_eq!(service.on, [CaptchaOn::SignIn]);
    assert!(
        matches!(service.kind, CaptchaKind::Webhook(service) if service.url == "https://judge.example/v")
    );
}

#[test]
fn a_captcha_that_says_too_little_or_too_much_is_refused_where_it_stands() {
    for (said, columns) in [
        ("{}", &[3][..]),
        ("{kind: riddle}", &[19]),
        ("{kind: puzzle, on: [login]}", &[32]),
        ("{kind: puzzle, url: 'https://judge.example'}", &[27]),
        ("{kind: webhook, secret: 'secret:JUDGE'}", &[3]),
        ("{kind: webhook, url: 'https://judge.example'}", &[3]),
        ("{kind: webhook, url: 'https://judge.example', secret: 'secret:judge'}", &[66]),
    ] {
        let rejected = load(file(&format!("auth:\n  captcha: {said}\n"))).err().unwrap();
        let at = |d: &stead_schema::Diagnostic| rejected.sources.position(d.span).column;
        assert_eq!(rejected.diagnostics.iter().map(at).collect::<Vec<_>>(), columns, "{said}");
    }
}
