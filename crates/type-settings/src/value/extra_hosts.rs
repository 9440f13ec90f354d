//! Host names that a container knows in addition to those of name servers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::elements;

/// The engine replaces this word by the address of the host, as containers reach it.
const GATEWAY: &str = "host-gateway";

/// Names with their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHosts(Vec<ExtraHost>);

/// A name and its address: `db:10.0.0.7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// The address, or `host-gateway`.
    pub address: String,
}

impl ExtraHosts {
    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = &ExtraHost> {
        self.0.iter()
    }

    /// These entries, with those of a more general value that have other names.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        Self(elements::laid_over(&self.0, &under.0, |host| &host.name))
    }
}

impl FromStr for ExtraHosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        elements::split(text)?.iter().map(|one| host(one)).collect::<Result<_, _>>().map(Self)
    }
}

fn host(element: &str) -> Result<ExtraHost, String> {
    let (name, address) = element.split_once(['=', ':']).unwrap_or((element, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(format!("{name:?} is no name of a host: letters, digits, _, . and -"));
    }
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if address != GATEWAY && address.parse::<IpAddr>().is_err() {
        return Err(format!(
            "{element:?} has no address: use a name and an address, such as db:10.0.0.7, or {GATEWAY} for this machine"
        ));
    }
    Ok(ExtraHost { name: name.to_owned(), address: address.to_owned() })
}

impl fmt::Display for ExtraHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.address)
    }
}

impl fmt::Display for ExtraHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
