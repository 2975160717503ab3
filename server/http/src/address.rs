//! Whose request it is: the peer's address, or what a trusted proxy says it is.
//!
//! A header is believed only as far as trusted proxies wrote it; anything left of the first stranger is the
//! stranger's own invention.

use std::net::{IpAddr, Ipv6Addr};
pub use stead_engine::Network;

/// The client's address. `forwarded` are the values of `X-Forwarded-For` in order; they are read from the right, and
/// the first address that is no trusted proxy is the client's.
pub fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[Network],
) -> IpAddr {
    let believed = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    for hop in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !believed(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

/// What limits are counted by: an IPv4 address, or the /64 of an IPv6 address, because a household or a server gets
/// a whole /64 and could otherwise count as 2^64 clients.
pub fn limit_key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6) & (u128::MAX << 64),
    }
}

/// Stands for a peer without an address, as in tests.
pub const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn client_of(peer: &str, header: &[&str], trusted: &[&str]) -> String {
        client(peer.parse().unwrap(), header.iter().copied(), &networks(trusted)).to_string()
    }

    #[test]
    fn nobody_is_believed_unless_listed() {
        assert_eq!(client_of("9.9.9.9", &["1.2.3.4"], &[]), "9.9.9.9");
        assert_eq!(client_of("9.9.9.9", &["1.2.3.4"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client_of("10.1.2.3", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4", "control");
    }

    #[test]
    fn what_a_client_invents_left_of_the_proxy_is_not_believed() {
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client_of("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"], &["10.0.0.0/8"]), "1.2.3.4");
    }

    #[test]
    fn rubbish_ends_the_walk_at_the_last_address_known() {
        assert_eq!(client_of("10.0.0.1", &["1.2.3.4, nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn one_ipv6_household_is_one_client() {
        let key = |text: &str| limit_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
    }
}
