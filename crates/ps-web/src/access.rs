//! The token, and the sessions of browsers that have sent it. A browser gets a cookie in exchange for the token,
//! because it cannot send a special header when it loads a page.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ps_cli::exit::Refusal;
use subtle::ConstantTimeEq;

/// The name of the cookie.
const NAME: &str = "formation";
/// The shortest and the longest token, in bytes.
const SHORTEST: usize = 32;
const LONGEST: usize = 4096;
/// The most sessions at the same time; a further one ends the oldest.
const SESSIONS: usize = 64;
/// How many random bytes identify a session.
const RANDOM: usize = 32;

/// The token, and the sessions.
#[derive(Debug)]
pub(crate) struct Access {
    token: String,
    sessions: Mutex<VecDeque<String>>,
}

impl Access {
    /// Reads the token.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let opened = File::open(path).with_context(|| format!("read the token in {}", path.display()))?;
        let about = opened.metadata().with_context(|| format!("look at {}", path.display()))?;
        if about.mode() & 0o077 != 0 {
            let (path, mode) = (path.display(), about.mode() & 0o777);
            return Err(Refusal::failed(format!(
                "others may use {path} (mode {mode:03o}): chmod 600 {path}"
            )));
        }
        let mut text = String::new();
        let limit = u64::try_from(LONGEST).expect("it is small") + 2;
        let read = opened.take(limit).read_to_string(&mut text);
        read.with_context(|| format!("read the token in {}", path.display()))?;
        let token = text.trim_end_matches(['\r', '\n']);
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if !(SHORTEST..=LONGEST).contains(&token.len()) || !is_plain {
            return Err(Refusal::failed(format!(
                "{} does not hold a token: {SHORTEST} letters, digits and signs or more in one line, as openssl rand -hex 32 makes them",
                path.display()
            )));
        }
        Ok(Self { token: token.to_owned(), sessions: Mutex::default() })
    }

    /// Whether a request with these headers has the token or a session.
    pub(crate) fn is_granted(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = authorization.and_then(|value| value.split_once(' '));
        let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, shown)| shown);
        if shown.is_some_and(|shown| self.is_token(shown)) {
            return true;
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let sessions = self.sessions();
        cookies.flat_map(|line| line.split("; ")).filter_map(session_of).any(|session| {
            // All sessions are compared, and each as a whole, so that the time that this takes reveals nothing.
            sessions.iter().fold(false, |found, known| found | is_same(known, session))
        })
    }

    pub(crate) fn is_token(&self, shown: &str) -> bool {
        is_same(&self.token, shown)
    }

    /// Begins a session. Returns the value of the header that gives the session to a browser.
    ///
    /// # Errors
    /// The kernel provides no random bytes.
    pub(crate) fn begin(&self, is_tls: bool) -> std::io::Result<String> {
        let mut random = [0; RANDOM];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let session = BASE64_URL_SAFE_NO_PAD.encode(random);
        let mut sessions = self.sessions();
        if sessions.len() == SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(session.clone());
        let secure = if is_tls { "; Secure" } else { "" };
        Ok(format!("{NAME}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"))
    }

    fn sessions(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn session_of(cookie: &str) -> Option<&str> {
    cookie.strip_prefix(NAME)?.strip_prefix('=')
}

/// Compares two texts. The time depends only on their lengths.
fn is_same(known: &str, shown: &str) -> bool {
    known.as_bytes().ct_eq(shown.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn access() -> Access {
        Access { token: TOKEN.to_owned(), sessions: Mutex::default() }
    }

    fn with(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).expect("a value"))].into_iter().collect()
    }

    #[test]
    fn only_the_whole_token_is_one() {
        let access = access();
        for scheme in ["Bearer", "bearer"] {
            assert!(access.is_granted(&with(AUTHORIZATION, &format!("{scheme} {TOKEN}"))), "{scheme}");
        }
        for shown in [
            "",
            "Bearer ",
            "Bearer 0",
            &TOKEN[..31],
            &format!("Bearer {TOKEN}0"),
            &format!("Basic {TOKEN}"),
            TOKEN,
        ] {
            assert!(!access.is_granted(&with(AUTHORIZATION, shown)), "{shown}");
        }
        assert!(!access.is_granted(&HeaderMap::new()));
    }

    #[test]
    fn a_session_is_granted_until_many_others_have_begun() {
        let access = access();
        let given = access.begin(false).expect("random bytes");
        let cookie = given.split(';').next().expect("its value").to_owned();
        assert!(given.contains("HttpOnly") && given.contains("SameSite=Strict") && !given.contains("Secure"));
        assert!(access.is_granted(&with(COOKIE, &format!("other=1; {cookie}"))));
        for shown in ["formation=", "formation", "formation=0", &cookie[..20], "formationx=1"] {
            assert!(!access.is_granted(&with(COOKIE, shown)), "{shown}");
        }
        for _ in 0..SESSIONS {
            access.begin(true).expect("random bytes");
        }
        assert!(!access.is_granted(&with(COOKIE, &cookie)));
    }
}
