//! Which addresses may be asked: those of the public internet, and what the operator allows besides.
//!
//! An address that carries another inside it (mapped, 6to4, NAT64, Teredo) is refused as a whole, because who relays it
//! decides where it ends.

use super::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What may be reached.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Blocks that may be reached although they are not public.
    pub allowed: Vec<Network>,
}

impl Reach {
    /// Whether this address may be connected to.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }
}

/// Whether an address is one of the public internet (the special-purpose registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, link-local, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, ..) => true,
        (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Shared by carriers, protocol assignments, benchmarks, the 6to4 relay, documentation.
        (100, 64..=127, _) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) => true,
        (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only what is given out as global unicast, 2000::/3; that leaves out loopback, mapped, compatible, NAT64, unique
    // local, link-local and multicast at once.
    let global = first & 0xe000 == 0x2000;
    let special = match (first, second) {
        // 6to4, which carries an IPv4 address.
        (0x2002, _) => true,
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments 2001::/23; documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => true,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const REFUSED: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.0.1",
        "192.169.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2001:200::1",
        "2003::1",
        "2606:4700::1111",
        "2a00:1450::1",
    ];

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn at_70_only_the_public_internet_is_reached() {
        let reach = Reach::default();
        for text in REFUSED {
            assert!(!reach.allows(address(text)), "{text}");
        }
        for text in PUBLIC {
            assert!(reach.allows(address(text)), "{text}");
        }
    }

    #[test]
    fn at_70_an_operator_opens_exactly_the_block_that_was_named() {
        let reach = Reach { allowed: vec!["127.0.0.1/32".parse().unwrap(), "10.1.0.0/16".parse().unwrap()] };
        for text in ["127.0.0.1", "10.1.255.255"] {
            assert!(reach.allows(address(text)), "{text}");
        }
        for text in ["127.0.0.2", "10.2.0.0", "::1", "169.254.169.254"] {
            assert!(!reach.allows(address(text)), "{text}");
        }
    }
}
