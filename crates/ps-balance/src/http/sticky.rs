//! The cookie that sends a client to the same backend again.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};

/// What the names of cookies begin with that browsers take from TLS alone, in upper or lower case (RFC 6265bis, 4.1.3).
const OF_TLS: [&str; 2] = ["__Host-", "__Secure-"];

/// The name under which a client has the cookie. A browser ignores a cookie that it was told without TLS if the name promises TLS, so
/// there the name has no such beginning: `__Host-instance` is `instance`.
pub(crate) fn name_for(name: &str, is_secure: bool) -> &str {
    if is_secure {
        return name;
    }
    let without = |begin: &&str| {
        let is_so = name.get(..begin.len()).is_some_and(|it| it.eq_ignore_ascii_case(begin));
        is_so.then(|| &name[begin.len()..]).filter(|rest| !rest.is_empty())
    };
    OF_TLS.iter().find_map(without).unwrap_or(name)
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value.to_owned())
}

/// Tells the client which backend it is at. A cookie that was told by TLS comes back by TLS alone.
pub(crate) fn stick(headers: &mut HeaderMap, name: &str, id: &str, is_secure: bool) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    let secure = if is_secure { "; Secure" } else { "" };
    if id.bytes().all(is_plain)
        && let Ok(value) =
            HeaderValue::from_str(&format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax{secure}"))
    {
        headers.append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_promises_tls_is_shown_by_tls_alone() {
        for (name, plain) in [
            ("__Host-instance", "instance"),
            ("__host-instance", "instance"),
            ("__Secure-instance", "instance"),
            ("instance", "instance"),
            ("__Host-", "__Host-"),
            ("__Hos", "__Hos"),
        ] {
            assert_eq!((name_for(name, false), name_for(name, true)), (plain, name));
        }
    }
}
