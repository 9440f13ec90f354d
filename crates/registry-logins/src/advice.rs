//! Advice if a registry does not deliver an image.

use crate::Logins;

/// The words of registries and engines if a login is missing or wrong, or gives no access to the image.
const REFUSED: [&str; 4] = ["denied", "unauthorized", "authentication required", "no basic auth"];
/// The words of registries and engines if an image does not exist.
const MISSING: [&str; 4] = ["manifest unknown", "not found", "name unknown", "invalid reference"];

impl Logins {
    /// Whether a message says that a registry refused a login, and not that something is missing or broken.
    pub fn is_refusal(message: &str) -> bool {
        REFUSED.iter().any(|word| message.contains(word))
    }

    /// What a person can do, as a phrase. `message` is the engine's, and `registry` is the host of the registry (`docker.io` for Docker Hub) that
    /// did not deliver an image. If a registry refuses an access without credentials, the advice names the registry and the command that stores
    /// some.
    pub fn advice(&self, message: &str, registry: &str) -> String {
        if Self::is_refusal(message) {
            return self.of_refusal(registry);
        }
        if MISSING.iter().any(|word| message.contains(word)) {
            return "check the name and the tag".to_owned();
        }
        format!(
            "make sure that the registry {registry} answers this machine's engine, or load the image here"
        )
    }

    fn of_refusal(&self, registry: &str) -> String {
        let command = self.login_command(registry);
        if let Some(trouble) = self.trouble(registry) {
            return format!("{trouble}; correct that, or log in: {command}");
        }
        let known = if self.header(registry).is_some() {
            format!("{registry} refuses the login in {}", self.file().display())
        } else {
            match self.file().to_str() {
                None | Some("") => format!("{registry} was asked without a login"),
                Some(file) => format!("{registry} was asked without a login, because {file} has none for it"),
            }
        };
        format!("{known}: check the name of the image, or log in as the user who deploys: {command}")
    }

    /// The command that stores the credentials of a registry in the file from which these were read.
    fn login_command(&self, registry: &str) -> String {
        match self.file().parent().filter(|_| self.is_elsewhere()) {
            Some(directory) => format!("docker --config {} login {registry}", directory.display()),
            None => format!("docker login {registry}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_followed_by_what_to_do() {
        let none = Logins::default();
        let denied = none.advice("pull access denied for shop", "docker.io");
        assert!(denied.ends_with("docker login docker.io"), "{denied}");
        let unknown = none.advice("manifest for shop:2 not found: manifest unknown", "docker.io");
        assert_eq!(unknown, "check the name and the tag");
        let silent = none.advice("dial tcp 10.0.0.1:443: connect: connection refused", "r.example");
        assert!(silent.contains("the registry r.example answers"), "{silent}");
    }

    #[test]
    fn a_login_that_is_refused_is_told_from_one_that_is_not_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config.json");
        std::fs::write(&file, r#"{"auths": {"r.example": {"username": "ann", "password": "hush"}}}"#)
            .expect("written");
        let logins = Logins::read(&file).expect("a file");
        let of = |registry| logins.advice("unauthorized: authentication required", registry);
        let refused = format!("r.example refuses the login in {}", file.display());
        assert!(of("r.example").starts_with(&refused), "{}", of("r.example"));
        let without = format!("s.example was asked without a login, because {} has none", file.display());
        assert!(of("s.example").starts_with(&without), "{}", of("s.example"));
        assert!(of("s.example").ends_with(": docker login s.example"), "{}", of("s.example"));
        assert!(!of("r.example").contains("hush"));
        let command = format!("docker --config {} login r.example", dir.path().display());
        let elsewhere = logins.elsewhere().advice("denied", "r.example");
        assert!(elsewhere.ends_with(&command), "{elsewhere}");
    }
}
