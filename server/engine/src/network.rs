//! Which part of the network an address belongs to, for counting.

use std::net::IpAddr;

/// The address itself for IPv4, its /64 for IPv6: what one customer of a network usually has.
pub(crate) fn part(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => ip.to_owned(),
    }
}
