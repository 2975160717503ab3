#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! The words of mails, and what an app may do wrong with its own.

use super::*;
use serde_json::json;

fn values(of: Json) -> Map<String, Json> {
    of.as_object().cloned().unwrap()
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// Mistakes as `code line:column`.
fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(path, text)| file(path, text)).collect();
    let Err(Rejected { sources, diagnostics }) = Templates::read(files) else { return Vec::new() };
    let told = |one: &stead_schema::Diagnostic| {
        let at = sources.position(one.span);
        format!("{} {} {}:{}", one.code, sources.file(one.span).unwrap().path, at.line, at.column)
    };
    diagnostics.iter().map(told).collect()
}

/// What a reader sees of HTML.
fn seen(html: &str) -> String {
    let body = html.split("<main>").nth(1).unwrap();
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let text = text.replace("&#x2f;", "/").replace("&#x27;", "'").replace("&quot;", "\"");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_built_in_mail_is_sound_in_every_language_and_both_parts_say_the_same() {
    let none = Templates::default();
    for (language, texts) in built_in::LANGUAGES {
        for (kind, text) in Kind::ALL.into_iter().zip(texts) {
            let path = format!("templates/mail/{language}/{}.txt", kind.name());
            assert_eq!(mistakes(&[(&path, text)]), Vec::<String>::new());
            let words = none.render(kind, &[Some(language)], &sample(kind, "Chess", "ana@example.org"));
            assert!(words.subject.contains("Chess") && !words.subject.contains("Subject"), "{words:?}");
            assert!(
                !words.text.contains("\n\n\n") && !words.text.contains("{"),
                "{language} {kind:?}\n{}",
                words.text
            );
            for name in kind.values() {
                let value = sample(kind, "", "")[*name].as_str().unwrap().to_owned();
                assert!(words.text.contains(&value), "{language} {kind:?} lacks {name}");
            }
            let text: Vec<&str> = words.text.split_whitespace().collect();
            assert_eq!(seen(&words.html), text.join(" "), "{language} {kind:?}");
            assert!(words.html.contains(&format!("<html lang=\"{language}\"")), "{}", words.html);
            assert!(
                !words.html.contains("<img") && !words.html.contains("src="),
                "nothing is loaded from elsewhere"
            );
        }
    }
}

#[test]
fn each_language_has_its_own_words() {
    for kind in Kind::ALL {
        let texts: std::collections::BTreeSet<&str> = built_in::LANGUAGES
            .iter()
            .map(|(language, _)| built_in::words(language, kind).unwrap())
            .collect();
        assert_eq!(texts.len(), built_in::LANGUAGES.len(), "{kind:?}");
    }
}

#[test]
fn the_language_is_the_one_that_was_asked_for_or_the_apps_or_english() {
    let own = Templates::read(vec![
        file("templates/mail/pt-BR/sign_in_code.txt", "Subject: Br\n\n{{ code }}"),
        file("templates/mail/pt/sign_in_code.txt", "Subject: Pt\n\n{{ code }}"),
        file("templates/mail/de/sign_in_code.txt", "Subject: Unser Code\n\n{{ code }}"),
    ])
    .unwrap();
    let subject = |asked: Option<&str>, app: Option<&str>| {
        own.render(Kind::SignInCode, &[asked, app], &sample(Kind::SignInCode, "A", "a@b.c")).subject
    };
    assert_eq!(subject(Some("pt-br"), None), "Br");
    assert_eq!(subject(Some("pt_BR"), None), "Br");
    assert_eq!(subject(Some("pt-AO"), None), "Pt");
    assert_eq!(subject(Some("de-AT"), None), "Unser Code");
    assert_eq!(subject(Some("xx"), Some("pt")), "Pt");
    let english = "Your code for A";
    for (asked, app) in
        [(None, None), (Some("xx"), None), (Some("../../etc"), Some("xx")), (Some(&*"d".repeat(99)), None)]
    {
        assert_eq!(subject(asked, app), english, "{asked:?}");
    }
}

#[test]
fn at_10_a_value_is_one_line_of_plain_text_wherever_it_stands() {
    let evil = "<b>Eve</b>\r\nBcc: victim@example.org\u{202e}gpj";
    let own = Templates::read(vec![
        file("templates/mail/en/sign_up.txt", "Subject: {{ app }} {{ email }}\n\nHi {{ app }}\n{{ link }}"),
        file("templates/mail/en/sign_up.html", "<p title=\"{{ app }}\">{{ app }}</p> {{ link }}"),
        file("templates/mail/de/sign_up.txt", "Subject: {{ app }}\n\nHallo {{ app }}\n\n{{ link }}"),
    ])
    .unwrap();
    let values = values(
        json!({"app": evil, "email": "a@b.c", "link": "https://x.example/?a=1&b=\"2", "list": [1], "more": {"a": 1}}),
    );
    for locale in ["en", "de"] {
        let words = own.render(Kind::SignUp, &[Some(locale)], &values);
        assert!(words.subject.starts_with("<b>Eve</b>  Bcc: victim@example.orggpj"), "{:?}", words.subject);
        assert!(
            !words.subject.contains(['\r', '\n', '\u{202e}']) && !words.text.contains(['\r', '\u{202e}'])
        );
        assert!(!words.html.contains("<b>") && words.html.contains("&lt;b&gt;Eve&lt;"), "{}", words.html);
        assert!(!words.html.contains("b=\"2") && words.html.contains("b=&quot;2"), "{}", words.html);
        let head = super::super::smtp::Head {
            id: "id",
            from: &super::super::Sender::parse("Club <club@example.org>").unwrap(),
            reply_to: None,
            to: "ana@example.org",
            now: stead_wire::Instant::parse("2026-01-01T12:00:00Z").unwrap(),
        };
        let message = String::from_utf8(super::super::smtp::compose(&head, &words).unwrap()).unwrap();
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
    }
    // Control: the same text in a template's own words is left as it is.
    let plain = Templates::read(vec![
        file("templates/mail/en/sign_up.txt", "Subject: S\n\n{{ link }}"),
        file("templates/mail/en/sign_up.html", "<b>Eve</b> {{ link }}"),
    ]);
    assert!(plain.unwrap().render(Kind::SignUp, &[], &values).html.contains("<b>Eve</b>"));
}

#[test]
fn at_10_a_long_name_is_shortened_and_a_link_is_not() {
    let link = format!("https://example.org/?t={}", "x".repeat(1_000));
    let values = values(json!({"app": "n".repeat(5_000), "email": "a@b.c", "link": link, "minutes": 5}));
    let words = Templates::default().render(Kind::SignInLink, &[], &values);
    assert!(words.subject.chars().count() < 200, "{}", words.subject);
    assert!(words.subject.ends_with('…'));
    assert!(words.text.contains(&link) && words.html.matches("x".repeat(1_000).as_str()).count() == 2);
}

#[test]
fn every_mistake_in_a_template_is_found_with_its_place() {
    let sound = (
        "templates/mail/en/sign_in_code.txt",
        "Subject: Hi\n\n{{ code }} for {{ app }}, {{ email }}, {{ minutes }}\n",
    );
    assert_eq!(mistakes(&[sound]), Vec::<String>::new());
    for (path, text, expected) in [
        ("sign_in_code.txt", "{{ code }}\n", "E0702 1:1"),
        ("sign_in_code.txt", "Subject: a\n{{ code }}\n", "E0702 1:1"),
        ("sign_in_code.txt", "Subject: a\n\n{{ code }}\n{% if code %}", "E0702 4:1"),
        ("sign_in_code.txt", "Subject: a\n\n{{ code }}\n{{ app | shout }}", "E0702 4:1"),
        ("sign_in_code.txt", "Subject: a\n\n{{ code }}\nlink {{ link }}", "E0703 4:9"),
        ("sign_in_code.txt", "Subject: a\n\nno code", "E0704 1:1"),
        (
            "sign_in_code.txt",
            "Subject: a\n\n{% for i in range(9999) %}{% for j in range(9999) %}{{ code }}{% endfor %}{% endfor %}",
            "E0702 3:1",
        ),
        ("sign_in_cod.txt", "Subject: a\n\n{{ code }}", "E0701 1:1"),
        ("sign_in_code.html", "<p>{{ code }}</p>", "E0701 1:1"),
    ] {
        let path = format!("templates/mail/en/{path}");
        let (code, at) = expected.split_once(' ').unwrap();
        assert_eq!(mistakes(&[(&path, text)]), [format!("{code} {path} {at}")], "{text}");
    }
    for path in ["templates/mail/sign_in_code.txt", "templates/mail/e n/sign_in_code.txt"] {
        assert_eq!(mistakes(&[(path, sound.1)]), [format!("E0701 {path} 1:1")]);
    }
    let html = ("templates/mail/en/sign_in_code.html", "<p>{{ kode }}</p>");
    assert_eq!(mistakes(&[sound, html]), [format!("E0703 {} 1:7", html.0), format!("E0704 {} 1:1", html.0)]);
}

#[test]
fn words_of_an_app_that_cannot_be_followed_give_way_to_the_built_in_ones() {
    // Sound for the sample, but not for a number.
    let text = "Subject: S\n\n{{ code }}{% if email == 'x@y.z' %}{{ code.a.b.c }}{% endif %}";
    let own = Templates::read(vec![file("templates/mail/en/sign_in_code.txt", text)]).unwrap();
    let of = |email: &str| own.render(Kind::SignInCode, &[], &sample(Kind::SignInCode, "A", email));
    assert_eq!(of("a@b.c").subject, "S");
    let words = of("x@y.z");
    assert_eq!(words.subject, "Your code for A");
    assert!(words.text.contains("123456"));
}

#[test]
fn every_code_has_its_page() {
    const PAGE: &str = include_str!("../../../../../docs/src/reference/diagnostics.md");
    for (code, meaning) in CODES {
        let row = format!("| [{code}](diagnostics/{code}.md) | {meaning} |");
        assert!(PAGE.contains(&row), "{row}");
        let path = format!("{}/../../docs/src/reference/diagnostics/{code}.md", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::read_to_string(path).unwrap().starts_with(&format!("# {code}: {meaning}\n")));
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/diagnostics");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: Vec<String> = names.filter(|name| name.starts_with("E07")).collect();
    for page in &pages {
        assert!(CODES.iter().any(|(code, _)| *page == format!("{code}.md")), "{page} is about no code");
    }
    assert_eq!(pages.len(), CODES.len());
}
