//! Where a sign-in at a provider may lead back to: addresses that were declared, letter for letter.
//!
//! An address is read strictly and has one canonical form; what could be read in two ways is refused, not repaired. Its query
//! is kept and not compared.

/// Longest address in bytes.
const BYTES_MAX: usize = 1024;
/// Parameters that the answer adds, so that an address may not bring its own.
const TAKEN: [&str; 4] = ["code", "error", "state", "iss"];

/// An address that a browser is sent back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `https://host:port` in small letters without the usual port, or `com.example.app:`.
    origin: String,
    /// Whether the host is this machine, where clients take any free port (RFC 8252 §7.3).
    loopback: Option<Loopback>,
    /// From the first `/` on, without the query.
    path: String,
    query: Option<String>,
}

/// A host that is this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loopback {
    /// Scheme and host without the port.
    bare: String,
    has_port: bool,
}

impl Redirect {
    /// Reads an address.
    ///
    /// # Errors
    /// Why it may never be one, in words for the author of an app.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > BYTES_MAX {
            return Err("it is longer than 1024 bytes");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&b)) {
            return Err("it holds a fragment, a backslash, a space or another character that no address has");
        }
        if has_bad_escape(text) {
            return Err("it holds an escape of `%`, of a slash, of a dot or of a control character");
        }
        let (scheme, rest) = text.split_once(':').ok_or("it has no scheme")?;
        let scheme = scheme.to_ascii_lowercase();
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(checked_query(query)?)),
            None => (rest, None),
        };
        let (origin, loopback, path) = match scheme.as_str() {
            "http" | "https" => web(&scheme, rest)?,
            _ => (own_scheme(&scheme)?, None, own_path(rest)?),
        };
        Ok(Self { origin, loopback, path, query })
    }

    /// Whether this is the declared address. A loopback address that was declared without a port stands for every port.
    pub fn is(&self, declared: &Self) -> bool {
        let same_origin = self.origin == declared.origin
            || match (&self.loopback, &declared.loopback) {
                (Some(own), Some(other)) => !other.has_port && own.bare == other.bare,
                _ => false,
            };
        same_origin && self.path == declared.path
    }

    /// Whether this is a page of the site at `site`.
    pub fn is_below(&self, site: &Self) -> bool {
        let folder = site.path.trim_end_matches('/');
        let below = self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.origin == site.origin && below
    }

    /// The address with these parameters added to its query.
    pub fn with(&self, params: &[(&str, &str)]) -> String {
        let mut text = format!("{}{}", self.origin, self.path);
        let mut separator = '?';
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            text.push('?');
            text.push_str(query);
            separator = '&';
        }
        for (name, value) in params {
            text.push(separator);
            text.push_str(name);
            text.push('=');
            value.bytes().for_each(|byte| push_escaped(&mut text, byte));
            separator = '&';
        }
        text
    }
}

/// RFC 3986 §2.1, everything but unreserved characters.
fn push_escaped(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("%{byte:02X}"));
    }
}

/// Escapes that make one address look like another, or hide one inside: `%25`, `%2f`, `%5c`, `%2e` and control characters.
fn has_bad_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            None | Some(0..=0x1f | 0x7f | b'%' | b'/' | b'\\' | b'.') => true,
            Some(_) => false,
        }
    })
}

/// `//host:port/path` of a web address.
fn web(scheme: &str, rest: &str) -> Result<(String, Option<Loopback>, String), &'static str> {
    let rest = rest.strip_prefix("//").ok_or("it has no host")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.to_ascii_lowercase();
    if authority.contains('@') {
        return Err("it holds a name or a password");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(checked_port(port)?)),
        _ => (authority.as_str(), None),
    };
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if !is_loopback && !is_name(host) {
        return Err("its host is not a plain name");
    }
    if scheme == "http" && !is_loopback {
        return Err("it is plain http and not on this machine");
    }
    if path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("its path has an empty or a dotted part");
    }
    let usual = if scheme == "https" { 443 } else { 80 };
    let bare = format!("{scheme}://{host}");
    let origin = match port.filter(|port| *port != usual) {
        Some(port) => format!("{bare}:{port}"),
        None => bare.clone(),
    };
    let loopback = is_loopback.then_some(Loopback { bare, has_port: port.is_some() });
    Ok((origin, loopback, if path.is_empty() { "/" } else { path }.to_owned()))
}

fn checked_port(text: &str) -> Result<u16, &'static str> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u16>().ok().filter(|_| plain).ok_or("its port is not a number from 1 to 65535")
}

/// Labels of a name; the last is not a number, so that no notation of an address passes. An address with four numbers is one
/// that an author may mean, and is compared like a name.
fn is_name(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let numeric = labels
        .last()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()) || last.strip_prefix("0x").is_some());
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
    host.len() <= 253 && labels.iter().all(plain) && (!numeric || is_address)
}

/// The scheme of an app in reverse-domain form (RFC 8252 §7.1), which `javascript:`, `data:` and the like are not.
fn own_scheme(scheme: &str) -> Result<String, &'static str> {
    let labels: Vec<&str> = scheme.split('.').collect();
    let plain = |label: &&str| {
        label.starts_with(|c: char| c.is_ascii_lowercase())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match labels.len() >= 2 && labels.iter().all(plain) {
        true => Ok(format!("{scheme}:")),
        false => Err("its scheme is neither http, https nor one such as com.example.app"),
    }
}

fn own_path(rest: &str) -> Result<String, &'static str> {
    match rest.starts_with('/') && !rest.contains('@') {
        true => Ok(rest.to_owned()),
        false => Err("a slash must follow its scheme"),
    }
}

/// The query, if no parameter comes twice and none is one that the answer adds.
fn checked_query(query: &str) -> Result<String, &'static str> {
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if seen.contains(&name) {
            return Err("a parameter of its query comes twice");
        }
        if TAKEN.contains(&name) || name.contains('%') {
            return Err("its query has a parameter that the answer adds");
        }
        seen.push(name);
    }
    Ok(query.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fits(asked: &str, declared: &str) -> bool {
        Redirect::parse(asked).is_ok_and(|asked| asked.is(&Redirect::parse(declared).unwrap()))
    }

    const HTTPS: &str = "https://app.example.com/callback";

    #[test]
    fn at_23_an_address_is_the_declared_one_after_one_canonicalisation() {
        for asked in [
            HTTPS,
            "HTTPS://APP.example.com/callback",
            "https://app.example.com:443/callback",
            "https://app.example.com/callback?page=2&a=b",
        ] {
            assert!(fits(asked, HTTPS), "{asked}");
        }
        assert!(fits("https://app.example.com", "https://app.example.com/"));
        assert!(fits("com.example.app:/callback", "com.example.app:/callback"));
        assert!(fits("COM.example.app://callback", "com.example.app://callback"));
        assert!(fits("https://192.0.2.7/a", "https://192.0.2.7/a"), "an address that is listed");
    }

    #[test]
    fn at_23_what_looks_like_the_declared_address_is_not() {
        for asked in [
            "http://app.example.com/callback",
            "https://app.example.com/callback/",
            "https://app.example.com/Callback",
            "https://app.example.com/callback/../callback",
            "https://app.example.com/./callback",
            "https://app.example.com//callback",
            "https://app.example.com/callback#x",
            "https://app.example.com/callback%2f..",
            "https://app.example.com/%63allback",
            "https://app.example.com/callback%2563",
            "https://app.example.com/callback%00",
            "https://app.example.com/callback%0a",
            "https://app.example.com/callback?code=1",
            "https://app.example.com/callback?a=1&a=2",
            "https://app.example.com/callback?st%61te=1",
            "https://app.example.com:8443/callback",
            "https://app.example.com:/callback",
            "https://app.example.com:0443/callback",
            "https://app.example.com.evil.example/callback",
            "https://evil.example/https://app.example.com/callback",
            "https://app.example.com@evil.example/callback",
            "https://evil.example\\@app.example.com/callback",
            "https://user@app.example.com/callback",
            "https://app.example.com./callback",
            "https://xn--pp-7ia.example.com/callback",
            "https://äpp.example.com/callback",
            "https:/app.example.com/callback",
            "https:app.example.com/callback",
            "//app.example.com/callback",
            "/callback",
            "https://app.example.com/callback\t",
            " https://app.example.com/callback",
            "https://app.example\n.com/callback",
            "https://3221226246/callback",
            "https://0xc0000207/callback",
            "https://[::ffff:1.2.3.4]/callback",
            "javascript:alert(1)",
            "javascript://app.example.com/callback",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://app.example.com/callback",
            "myapp:/callback",
            "",
        ] {
            assert!(!fits(asked, HTTPS), "{asked}");
        }
        assert!(!fits("com.example.other:/callback", "com.example.app:/callback"));
        assert!(!fits("com.example.app:/callback/x", "com.example.app:/callback"));
    }

    #[test]
    fn at_23_only_loopback_stands_for_every_port() {
        assert!(fits("http://127.0.0.1:51004/cb", "http://127.0.0.1/cb"));
        assert!(fits("http://[::1]:51004/cb", "http://[::1]/cb"));
        assert!(!fits("http://127.0.0.1:51004/cb", "http://127.0.0.1:51005/cb"));
        assert!(!fits("http://127.0.0.2:51004/cb", "http://127.0.0.1/cb"));
        assert!(!fits("https://app.example.com:51004/cb", "https://app.example.com/cb"));
        assert!(Redirect::parse("https://app.example.com:*/cb").is_err());
    }

    #[test]
    fn pages_of_the_site_are_below_it() {
        let site = Redirect::parse("https://app.example.com").unwrap();
        let below = |text: &str| Redirect::parse(text).is_ok_and(|asked| asked.is_below(&site));
        assert!(below("https://app.example.com/") && below("https://app.example.com/a/b?c=d"));
        assert!(!below("https://app.example.com.evil.example/") && !below("http://app.example.com/"));
        let folder = Redirect::parse("https://example.com/app").unwrap();
        assert!(Redirect::parse("https://example.com/app/x").unwrap().is_below(&folder));
        assert!(!Redirect::parse("https://example.com/apple").unwrap().is_below(&folder));
    }

    #[test]
    fn parameters_are_added_to_what_is_there() {
        let with = |text: &str| Redirect::parse(text).unwrap().with(&[("code", "a b&c=ü"), ("x", "1")]);
        assert_eq!(with("https://a.example/p"), "https://a.example/p?code=a%20b%26c%3D%C3%BC&x=1");
        assert_eq!(with("https://a.example/p?q=1"), "https://a.example/p?q=1&code=a%20b%26c%3D%C3%BC&x=1");
        assert_eq!(with("com.a.b:/p?"), "com.a.b:/p?code=a%20b%26c%3D%C3%BC&x=1");
    }
}
