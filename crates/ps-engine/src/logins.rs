//! The credentials for registries that `docker login` has written. They are never shown.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};

/// What the file calls Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The credentials of a config.json of Docker's, by registry.
#[derive(Clone, Default)]
pub struct Logins {
    of_registries: BTreeMap<String, Value>,
    /// The program that keeps the credentials of a registry; of `""` those of every registry.
    helpers: BTreeMap<String, String>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("registries", &self.of_registries.keys()).finish_non_exhaustive()
    }
}

impl Logins {
    /// Parses the file. An invalid entry is left out; `Err` says why the whole file is invalid.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let entries = |key: &str| file[key].as_object().cloned().unwrap_or_default();
        let login = |(registry, entry): (String, Value)| {
            let credentials = credentials(&registry, &entry)?;
            Some((host(&registry).to_owned(), credentials))
        };
        let helper =
            |(registry, name): (String, Value)| Some((host(&registry).to_owned(), name.as_str()?.to_owned()));
        let mut helpers: BTreeMap<String, String> =
            entries("credHelpers").into_iter().filter_map(helper).collect();
        helpers.extend(file["credsStore"].as_str().map(|name| (String::new(), name.to_owned())));
        let of_registries = entries("auths").into_iter().filter_map(login).collect();
        Ok(Self { of_registries, helpers })
    }

    /// The program that has the credentials of a registry, where the file itself has none.
    pub fn helper(&self, registry: &str) -> Option<&str> {
        let has_own = self.of_registries.contains_key(host(registry));
        let helper = self.helpers.get(host(registry)).or_else(|| self.helpers.get(""));
        helper.filter(|_| !has_own).map(String::as_str)
    }

    /// The header with which one registry is asked.
    pub(crate) fn header(&self, registry: &str) -> Option<String> {
        self.of_registries.get(host(registry)).map(encoded)
    }

    /// The header with which a build may ask any of them.
    pub(crate) fn headers(&self) -> Option<String> {
        let all = self.of_registries.iter().map(|(registry, credentials)| {
            let name = if registry == "docker.io" { DOCKER_HUB } else { registry };
            (name.to_owned(), credentials.clone())
        });
        let all: serde_json::Map<String, Value> = all.collect();
        (!all.is_empty()).then(|| encoded(&Value::Object(all)))
    }
}

/// The engine reads the alphabet that is safe in addresses, and takes any other for no credentials at all.
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

/// The host of a registry that may be written as an address.
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
            "credHelpers": { "gcr.io": "gcloud" },
            "credsStore": "desktop",
        });
        let logins = Logins::parse(file.to_string().as_bytes()).expect("a file");
        let of = |registry| logins.header(registry).map(|header| read(&header));
        let ann = of("127.0.0.1:5000").expect("credentials");
        assert_eq!((&ann["username"], &ann["password"]), (&json!("ann"), &json!("p:w~?>")));
        assert_eq!(of("docker.io").expect("credentials")["username"], "bob");
        assert_eq!(of("token.example").expect("credentials")["identitytoken"], "t");
        assert_eq!((of("empty.example"), of("broken.example"), of("other.example")), (None, None, None));
        assert_eq!(logins.helper("gcr.io"), Some("gcloud"));
        assert_eq!(logins.helper("other.example"), Some("desktop"));
        assert_eq!(logins.helper("127.0.0.1:5000"), None);
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
        assert!(Logins::parse(b"{").is_err());
        let none = Logins::parse(b"{}").expect("a file");
        assert_eq!((none.headers(), none.helper("docker.io")), (None, None));
    }
}
