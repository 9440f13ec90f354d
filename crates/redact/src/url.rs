//! URLs keep their shape. The scheme, plain host names, the port, common words of the path and the number of its segments are
//! shown. User, password, query, fragment, and every other segment are masked.

use crate::placeholder::{Kind, leading};
use crate::verdict::Parts;
use crate::{shape, words};

/// Schemes whose URLs are split into parts. A URL with any other scheme is masked as a whole.
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "ws",
    "wss",
    "ftp",
    "ftps",
    "sftp",
    "ssh",
    "git",
    "postgres",
    "postgresql",
    "mysql",
    "mysql2",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "kafka",
    "nats",
    "mqtt",
    "mqtts",
    "smtp",
    "smtps",
    "ldap",
    "ldaps",
    "tcp",
    "udp",
    "memcached",
    "elasticsearch",
    "clickhouse",
    "cockroachdb",
    "sqlserver",
    "mssql",
    "postgis",
    "couchdb",
    "influxdb",
    "socks5",
    "stun",
    "turn",
    "unix",
];

/// Appends the value to `parts` as a URL. If it cannot be parsed as one, returns false and appends nothing.
pub(crate) fn append<'a>(parts: &mut Parts<'a>, value: &'a str) -> bool {
    let Some((scheme, rest)) = value.split_once("://").filter(|(scheme, rest)| is_plain_url(scheme, rest))
    else {
        return false;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // A further @ means that the password contains a / ? or #, so the parts of the URL cannot be separated safely.
    if tail.contains('@') {
        return false;
    }
    parts.show(&value[..scheme.len() + 3]);
    append_authority(parts, authority);
    append_tail(parts, tail);
    true
}

fn is_plain_url(scheme: &str, rest: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"'`<>\\{}|^".contains(&b);
    SCHEMES.contains(&scheme) && rest.len() <= 4096 && rest.bytes().all(plain) && !rest.contains("://")
}

fn append_authority<'a>(parts: &mut Parts<'a>, authority: &'a str) {
    let hosts = match authority.rsplit_once('@') {
        Some((login, hosts)) => {
            append_login(parts, login);
            parts.show("@");
            hosts
        }
        None => authority,
    };
    for (at, host) in hosts.split(',').enumerate() {
        parts.show(if at > 0 { "," } else { "" });
        append_host(parts, host);
    }
}

fn append_login<'a>(parts: &mut Parts<'a>, login: &'a str) {
    let first = leading(login).map_or(0, str::len);
    match login[first..].find(':') {
        Some(colon) => {
            parts.mask(Kind::User, &login[..first + colon]);
            parts.show(":");
            parts.mask(Kind::UrlPassword, &login[first + colon + 1..]);
        }
        None => parts.mask(Kind::User, login),
    }
}

fn append_host<'a>(parts: &mut Parts<'a>, host: &'a str) {
    if leading(host).is_none_or(|found| found.len() < host.len())
        && let Some((name, port)) = host.rsplit_once(':').filter(|(_, port)| shape::is_port(port))
    {
        parts.show_if(is_plain_host(name), Kind::Host, name);
        parts.show(":");
        parts.show(port);
        return;
    }
    parts.show_if(is_plain_host(host), Kind::Host, host);
}

/// Whether a host is a plain name: an address, or labels of lower-case letters with at most two digits at the end.
fn is_plain_host(host: &str) -> bool {
    let label = |label: &str| {
        let name = label.trim_end_matches(|c: char| c.is_ascii_digit());
        label.len() <= 24
            && label.len() - name.len() <= 2
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
    };
    host.is_empty()
        || shape::is_ip(host.trim_matches(['[', ']']))
        || (host.split('.').count() <= 6 && host.split('.').all(label))
}

fn append_tail<'a>(parts: &mut Parts<'a>, tail: &'a str) {
    let (rest, fragment) = tail.split_once('#').map_or((tail, None), |(rest, after)| (rest, Some(after)));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, after)| (path, Some(after)));
    for (at, segment) in path.split('/').enumerate() {
        parts.show(if at > 0 { "/" } else { "" });
        let database = segment.len() <= 2 && segment.bytes().all(|b| b.is_ascii_digit());
        parts.show_if(segment.is_empty() || database || words::is_common(segment), Kind::Path, segment);
    }
    for (at, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        parts.show(if at > 0 { "&" } else { "?" });
        append_pair(parts, pair);
    }
    if let Some(fragment) = fragment {
        parts.show("#");
        parts.mask(Kind::Query, fragment);
    }
}

fn append_pair<'a>(parts: &mut Parts<'a>, pair: &'a str) {
    let Some((name, value)) = pair.split_once('=') else { return parts.mask(Kind::Query, pair) };
    let letters = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b'-';
    parts.show_if(name.len() <= 24 && name.bytes().all(letters), Kind::Query, name);
    parts.show("=");
    parts.mask(Kind::Query, value);
}
