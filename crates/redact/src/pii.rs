//! Values that are masked only with `--pii`: e-mail addresses, public IP addresses, card numbers.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use crate::placeholder::Kind;

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+").expect("the pattern is tested below")
});

/// The kind of personal data in the text, if it contains any.
pub(crate) fn found(text: &str) -> Option<Kind> {
    let personal = EMAIL.is_match(text) || addresses(text).any(|ip| is_public(&ip)) || has_card(text);
    personal.then_some(Kind::Pii)
}

fn addresses(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    words
        .filter(|word| word.len() >= 3)
        .filter_map(|word| word.parse().ok().or_else(|| word.split(':').next()?.parse().ok()))
}

fn is_public(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || shared)
        }
        IpAddr::V6(ip) => {
            let local = (ip.segments()[0] & 0xfe00) == 0xfc00 || (ip.segments()[0] & 0xffc0) == 0xfe80;
            !(local || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
        }
    }
}

/// Whether the text contains a card number: thirteen to nineteen digits, with blanks and dashes between them, and a
/// valid Luhn sum.
fn has_card(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || c == ' ' || c == '-')).any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        (13..=19).contains(&digits.len()) && luhn(&digits)
    })
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| match (at % 2, digit * 2) {
        (0, _) => *digit,
        (_, double) if double > 9 => double - 9,
        (_, double) => double,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn addresses_cards_and_mail_are_personal_and_private_networks_are_not() {
        let personal =
            ["ada@example.org", "8.8.8.8", "1.1.1.1:443", "4111 1111 1111 1111", "2606:4700::1111"];
        let others =
            ["172.17.0.2", "10.0.0.1/8", "127.0.0.1", "::1", "fe80::1", "1.2", "4111111111111112", "a@b"];
        assert!(personal.iter().all(|text| found(text).is_some()));
        assert_eq!(
            others.iter().filter(|text| found(text).is_some()).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
    }
}
