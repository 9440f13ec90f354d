//! The addresses at which an app is reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// The word for an app that is reached at the ports of its instances.
const NONE: &str = "none";
/// A list of more addresses than this is refused as a mistake.
const MOST: usize = 16;

/// The addresses at which an app is reached, whatever the ports of its instances are. If the list is empty, clients reach the app
/// at the ports of its instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Vec<SocketAddr>);

/// Text that is not a valid list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} {rule}")]
pub struct InvalidAddress {
    word: String,
    rule: &'static str,
}

impl Addresses {
    /// All of them, in the order in which they were written.
    pub fn as_slice(&self) -> &[SocketAddr] {
        &self.0
    }

    /// Whether the set has no address.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Collects addresses that were parsed before, and does not check them again.
impl FromIterator<SocketAddr> for Addresses {
    fn from_iter<T: IntoIterator<Item = SocketAddr>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}

impl FromStr for Addresses {
    type Err = InvalidAddress;

    /// `5000` is that port on 127.0.0.1, `0.0.0.0:80 [::]:80` is port 80 of the whole machine; `none` is no address.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let fault = |word: &str, rule| InvalidAddress { word: word.chars().take(80).collect(), rule };
        let mut all = Vec::new();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            if word == NONE && text.trim() == NONE {
                return Ok(Self::default());
            }
            let address = address(word).ok_or_else(|| {
                fault(word, "is no address: use PORT, ADDRESS:PORT or [ADDRESS]:PORT with a number from 1 to 65535, or none")
            })?;
            if all.contains(&address) {
                return Err(fault(word, "is named twice"));
            }
            all.push(address);
        }
        match all.len() {
            0 => Err(fault(text, "names no address: none is the word for that")),
            1..=MOST => Ok(Self(all)),
            _ => Err(fault(text, "names more than 16 addresses")),
        }
    }
}

fn address(word: &str) -> Option<SocketAddr> {
    let address = match word.rsplit_once(':') {
        None => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port(word)?),
        Some(("localhost", number)) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port(number)?),
        Some(_) => word.parse().ok()?,
    };
    Some(address).filter(|address| address.port() > 0)
}

fn port(word: &str) -> Option<u16> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        let words: Vec<String> = self.0.iter().map(SocketAddr::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_this_machines_own_and_what_is_no_address_is_refused() {
        let rows = [
            ("5000", "127.0.0.1:5000"),
            ("localhost:80", "127.0.0.1:80"),
            ("0.0.0.0:80, [::]:80", "0.0.0.0:80 [::]:80"),
            ("[::1]:8080 10.0.0.1:8080", "[::1]:8080 10.0.0.1:8080"),
            ("none", "none"),
            (" none ", "none"),
        ];
        for (text, displayed) in rows {
            let addresses: Addresses = text.parse().expect(text);
            assert_eq!(addresses.to_string(), displayed);
            assert_eq!(displayed.parse(), Ok(addresses), "it is read as it is written");
        }
        for text in [
            "",
            ",",
            "0",
            "65536",
            "+80",
            "http",
            ":80",
            "[::1]",
            "::1:80",
            "example.org:80",
            "5000 none",
            "80 80",
            "1.2.3.4",
        ] {
            assert!(text.parse::<Addresses>().is_err(), "{text}");
        }
        let many: Vec<String> = (5000..5017).map(|port| port.to_string()).collect();
        assert!(many.join(" ").parse::<Addresses>().is_err());
    }
}
