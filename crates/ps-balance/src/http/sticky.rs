//! The cookie that sends a client to the same backend again.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};

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
