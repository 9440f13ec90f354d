//! The credentials for registries that `docker login` has written, or that a program keeps. They are never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};

use crate::helper;

/// The name of Docker Hub in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The largest file of credentials that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The credentials in one of Docker's config.json files, by registry. If a program keeps the credentials of a registry, it is asked once, when they
/// are needed.
#[derive(Clone, Default)]
pub struct Logins {
    file: PathBuf,
    is_elsewhere: bool,
    of_registries: BTreeMap<String, Value>,
    /// The program that keeps the credentials, by registry; the key `""` is for every registry.
    helpers: BTreeMap<String, String>,
    /// Every registry that the file names under `auths`. For some of them a program has the credentials.
    named: Vec<String>,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
}

/// The answer of a program about the credentials of a registry.
type Answer = Result<Option<Value>, String>;

/// Why a file was not read, as a phrase that names the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread(String);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unread {}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("registries", &self.of_registries.keys()).finish_non_exhaustive()
    }
}

impl Logins {
    /// Reads a config.json; a missing file has no credentials. Invalid entries are left out.
    ///
    /// # Errors
    /// The file cannot be read, or is not JSON.
    pub fn read(file: &Path) -> Result<Self, Unread> {
        let unread = |reason: &dyn fmt::Display| Unread(format!("{} is not read: {reason}", file.display()));
        let logins = match durable::input(file, MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes).map_err(|reason| unread(&reason))?,
            Err(durable::ReadError::Missing) => Self::default(),
            Err(error) => return Err(unread(&error)),
        };
        Ok(Self { file: file.to_owned(), ..logins })
    }

    /// Marks these as read from another file than the one that Docker's own client reads for this user: commands in messages then name the
    /// directory.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        Self { is_elsewhere: true, ..self }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        // The parser's own message would quote the content of the file.
        let file: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not JSON, line {} column {}", error.line(), error.column()))?;
        let entries = |key: &str| file[key].as_object().cloned().unwrap_or_default();
        let login = |(registry, entry): (String, Value)| {
            let credentials = credentials(&registry, &entry)?;
            Some((host(&registry).to_owned(), credentials))
        };
        let helper =
            |(registry, name): (String, Value)| Some((host(&registry).to_owned(), name.as_str()?.to_owned()));
        let mut helpers: BTreeMap<String, String> =
            entries("credHelpers").into_iter().filter_map(helper).collect();
        let named = entries("auths").keys().chain(helpers.keys()).map(|name| host(name).to_owned()).collect();
        let store = file["credsStore"].as_str().filter(|name| !name.is_empty());
        helpers.extend(store.map(|name| (String::new(), name.to_owned())));
        let of_registries = entries("auths").into_iter().filter_map(login).collect();
        Ok(Self { of_registries, helpers, named, ..Self::default() })
    }

    /// The header `X-Registry-Auth` for one registry (its host, `docker.io` for Docker Hub); `None` if there are no credentials for it. If a program
    /// has to be asked, this takes up to 15 seconds, once for each registry.
    pub fn header(&self, registry: &str) -> Option<String> {
        self.credentials(registry).map(|credentials| encoded(&credentials))
    }

    /// The header `X-Registry-Auth` without credentials, which replaces one that has some.
    pub fn nothing() -> String {
        encoded(&json!({}))
    }

    /// The header `X-Registry-Config`, with which a build may use the credentials of every registry that the file names.
    pub fn headers(&self) -> Option<String> {
        let all = self.named.iter().filter_map(|registry| {
            let name = if registry == "docker.io" { DOCKER_HUB } else { registry };
            Some((name.to_owned(), self.credentials(registry)?))
        });
        let all: serde_json::Map<String, Value> = all.collect();
        (!all.is_empty()).then(|| encoded(&Value::Object(all)))
    }

    /// What is wrong with the program that keeps the credentials of a registry, as a phrase; `None` if nothing is wrong, or if no program is needed.
    pub fn trouble(&self, registry: &str) -> Option<String> {
        if self.of_registries.contains_key(host(registry)) {
            return None;
        }
        let trouble = self.answer(registry)?.err()?;
        Some(format!(
            "the login for {registry} could not be read, because {trouble} ({})",
            self.file.display()
        ))
    }

    /// As in Docker's own client, a program takes precedence over the file itself.
    fn credentials(&self, registry: &str) -> Option<Value> {
        let kept = self.answer(registry).and_then(|answer| answer.ok().flatten());
        kept.or_else(|| self.of_registries.get(host(registry)).cloned())
    }

    /// The answer of the program that keeps the credentials of a registry; `None` if there is no such program.
    fn answer(&self, registry: &str) -> Option<Answer> {
        let registry = host(registry);
        let program = self.helpers.get(registry).or_else(|| self.helpers.get(""))?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let server = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let ask = || helper::ask(program, server, helper::DEADLINE);
        Some(answers.entry(registry.to_owned()).or_insert_with(ask).clone())
    }
}

/// Encodes in base64 with the URL-safe alphabet: the engine takes any other for no credentials at all.
fn encoded(value: &Value) -> String {
    URL_SAFE.encode(value.to_string())
}

fn credentials(registry: &str, entry: &Value) -> Option<Value> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(token) = text("identitytoken") {
        return Some(json!({ "identitytoken": token, "serveraddress": registry }));
    }
    let of_auth = || {
        let auth = text("auth")?;
        let auth = auth.trim();
        let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).ok()?;
        let auth = String::from_utf8(bytes).ok()?;
        let (user, password) = auth.split_once(':')?;
        Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
    };
    let (user, password) = of_auth().or_else(|| text("username").zip(text("password")))?;
    Some(json!({ "username": user, "password": password, "serveraddress": registry }))
}

/// The host of a registry that may be written as a URL.
fn host(registry: &str) -> &str {
    let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Value {
        serde_json::from_slice(&URL_SAFE.decode(header).expect("base64")).expect("JSON")
    }

    #[test]
    fn a_registry_gets_its_own_credentials_and_no_other() {
        let auth = STANDARD.encode("ann:p:w~?>");
        let file = json!({
            "auths": {
                "127.0.0.1:5000": { "auth": auth },
                "https://index.docker.io/v1/": { "username": "bob", "password": "x" },
                "empty.example": {},
                "broken.example": { "auth": "%%%" },
                "token.example": { "auth": auth, "identitytoken": "t" },
            },
        });
        let logins = Logins::parse(file.to_string().as_bytes()).expect("a file");
        let of = |registry| logins.header(registry).map(|header| read(&header));
        let ann = of("127.0.0.1:5000").expect("credentials");
        assert_eq!((&ann["username"], &ann["password"]), (&json!("ann"), &json!("p:w~?>")));
        assert_eq!(of("docker.io").expect("credentials")["username"], "bob");
        assert_eq!(of("token.example").expect("credentials")["identitytoken"], "t");
        assert_eq!((of("empty.example"), of("broken.example"), of("other.example")), (None, None, None));
        let all = read(&logins.headers().expect("credentials"));
        assert_eq!(all[DOCKER_HUB]["username"], "bob");
        let shown = format!("{logins:?}");
        assert!(
            shown.contains("127.0.0.1:5000") && !shown.contains("ann") && !shown.contains("p:w"),
            "{shown}"
        );
    }

    #[test]
    fn a_file_that_is_none_is_named_and_one_without_logins_has_none() {
        let error = Logins::parse(br#"{"auths": "hush""#).expect_err("it has no end");
        assert!(error.contains("line 1") && !error.contains("hush"), "{error}");
        let none = Logins::parse(b"{}").expect("a file");
        assert_eq!((none.headers(), none.header("docker.io")), (None, None));
        let gone = Logins::read(Path::new("/nowhere/config.json")).expect("nothing is there");
        assert_eq!(gone.header("docker.io"), None);
    }

    #[test]
    fn a_program_that_fails_is_told_unless_the_file_itself_has_the_login() {
        let file = json!({
            "auths": { "own.example": { "username": "ann", "password": "hush" }, "kept.example": {} },
            "credsStore": "formation-test-that-is-nowhere",
        });
        let logins = Logins::parse(file.to_string().as_bytes()).expect("a file");
        assert!(logins.header("own.example").is_some());
        assert_eq!(logins.trouble("own.example"), None);
        assert_eq!(logins.header("kept.example"), None);
        let trouble = logins.trouble("kept.example").expect("there is no such program");
        assert!(
            trouble.contains("docker-credential-formation-test-that-is-nowhere is not in PATH"),
            "{trouble}"
        );
        let all = read(&logins.headers().expect("credentials"));
        assert_eq!(all.as_object().expect("an object").len(), 1);
    }
}
