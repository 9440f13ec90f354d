//! Names of secrets: `DB_PASSWORD`, `--api-key`, `clientSecret`. A name is first split into words, and whole words are compared, so that
//! `monkey`, `author` and `keyboard`, which contain `key` and `auth`, do not count as secrets' names.

/// Words that make a name a secret's name. For `key`, the neighbouring words decide.
const SECRET: &[&str] = &[
    "pass",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pw",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "cred",
    "creds",
    "private",
    "salt",
    "sig",
    "signature",
    "session",
    "cookie",
    "cookies",
    "dsn",
    "jdbc",
    "webhook",
    "hmac",
    "bearer",
    "otp",
    "totp",
    "pin",
    "license",
    "seed",
    "mnemonic",
    "wallet",
    "saml",
    "oauth",
    "sas",
    "kms",
    "vault",
    "basicauth",
    "users",
    "htpasswd",
    "encryption",
    "master",
    "cert",
    "pem",
    "nonce",
    "jwt",
    "requirepass",
    "masterauth",
    "userpass",
    "keyfile",
    "storepass",
    "keypass",
    "sid",
    "sessionid",
    "phpsessid",
    "jsessionid",
    "kubeconfig",
    "rootpw",
    "passkey",
    "pat",
    "hash",
    // The same words in other languages.
    "contraseña",
    "contrasena",
    "clave",
    "secreto",
    "passwort",
    "kennwort",
    "geheim",
    "schlüssel",
    "schluessel",
    "motdepasse",
    "passe",
    "contrasenya",
    "adgangskode",
    "lösenord",
    "losenord",
    "salasana",
    "jelszó",
    "şifre",
    "sifre",
    "mdp",
    "jeton",
    "cle",
    "clé",
    "senha",
    "segredo",
    "chave",
    "wachtwoord",
    "parola",
    "haslo",
    "hasło",
    "пароль",
    "密码",
    "口令",
    "密钥",
    "令牌",
    "秘密",
    "パスワード",
    "トークン",
    "暗証番号",
    "비밀번호",
    "암호",
    "รหัสผ่าน",
    "סיסמה",
];

/// Ends of compound words: `pgpassword`, `dbsecret`.
const ENDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "secretkey",
    "accesskey",
    "accountkey",
    "apikey",
    "authkey",
    "privatekey",
    "sharedkey",
    "masterkey",
    "licensekey",
    "encryptionkey",
    "token",
    "passwort",
];
/// Words that end in the same way and mean something else.
const NOT_PASS: &[&str] = &[
    "bypass",
    "compass",
    "encompass",
    "overpass",
    "surpass",
    "trespass",
    "underpass",
    "multipass",
    "highpass",
    "lowpass",
    "bandpass",
    "singlepass",
];

const NOT_BEFORE_KEY: &[&str] = &["public", "primary", "foreign", "partition", "sort", "idx"];
const NOT_AFTER_KEY: &[&str] = &["id", "name", "file", "path", "type", "size"];

/// Whether something with this name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let words = words(name);
    let joined = |pair: &[String]| pair[0] == "connection" && pair[1].starts_with("string");
    words.iter().enumerate().any(|(at, word)| match word.as_str() {
        "key" | "keys" => is_secret_key(&words, at),
        word => {
            SECRET.contains(&word)
                || (ENDS.iter().any(|end| word.ends_with(end)) && !NOT_PASS.contains(&word))
        }
    }) || words.windows(2).any(joined)
}

/// Ends of names of variables that hold a name or a place.
const PLACES: &[&str] = &[
    "app",
    "branch",
    "bucket",
    "cluster",
    "commit",
    "component",
    "container",
    "database",
    "db",
    "dir",
    "directory",
    "domain",
    "env",
    "environment",
    "file",
    "folder",
    "home",
    "host",
    "hostname",
    "image",
    "instance",
    "job",
    "label",
    "labels",
    "machine",
    "module",
    "name",
    "namespace",
    "net",
    "network",
    "node",
    "package",
    "path",
    "pipeline",
    "prefix",
    "project",
    "queue",
    "ref",
    "region",
    "registry",
    "release",
    "repo",
    "repository",
    "rev",
    "revision",
    "root",
    "server",
    "service",
    "sha",
    "sha1",
    "slug",
    "stage",
    "subdomain",
    "tag",
    "target",
    "title",
    "topic",
    "version",
    "volume",
    "workdir",
    "workflow",
    "workspace",
    "zone",
];

/// Whether a variable's name says that its value is a name or a place: `DB_HOST`, `PYTHONPATH`, `SERVICE_NAME`, `CI_COMMIT_SHA`. A user's
/// name is half of a login, and does not count.
pub(crate) fn names_a_place(name: &str) -> bool {
    let words = words(name);
    let together = ["path", "dir", "home", "root", "host", "name", "branch", "repo"];
    let last = words.last().map_or("", String::as_str);
    let is_owner = last == "owner" && words.iter().any(|word| word.starts_with("repo") || word == "project");
    let is_place = PLACES.contains(&last) || together.iter().any(|end| last.ends_with(end)) || is_owner;
    is_place && !is_secret(name) && !words.iter().any(|word| word.contains("user") || word.contains("login"))
}

/// Whether a variable's name says that its value is a sentence: `CI_COMMIT_MESSAGE`. Such a value consists of words, some of which may be
/// names.
pub(crate) fn names_a_text(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    ["description", "message", "subject", "title"].contains(&last) && !is_secret(name)
}

/// Whether the text assigns a value to a secret's name: `db_password = x`, `run --token=x`, `"pw": "x"`, `password => x`. A colon counts
/// only next to a blank or a quote, because images and users contain colons too. The run time is linear: only the last characters of a name
/// are examined.
pub(crate) fn gives_a_secret(text: &str) -> bool {
    text.match_indices(['=', ':']).any(|(at, sign)| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let quoted = before.ends_with(['"', '\'']);
        let apart = before.ends_with([' ', ':']);
        let names = match sign {
            "=" => !after.starts_with('=') && (apart || !after.starts_with(char::is_whitespace)),
            _ => quoted || after.starts_with([' ', '\t', '\n']),
        };
        let value = after.trim_start_matches(['>', '"', '\'', ' ', '\t', '\n', '[', '{']);
        names && !value.is_empty() && is_secret(last_name(before))
    })
}

/// The name at the end of a text; of a longer one the last 64 bytes.
fn last_name(text: &str) -> &str {
    let text = text.trim_end_matches([':', '"', '\'', ']', ' ', '\t']);
    let parts = text.char_indices().rev().take_while(|(at, char)| {
        text.len() - at <= 64 && (char.is_alphanumeric() || matches!(char, '_' | '-' | '.'))
    });
    parts.last().map_or("", |(at, _)| &text[at..])
}

fn is_secret_key(words: &[String], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    let after = words.get(at + 1);
    !before.is_some_and(|word| NOT_BEFORE_KEY.contains(&word.as_str()))
        && !after.is_some_and(|word| NOT_AFTER_KEY.contains(&word.as_str()))
}

/// The words of a name, in lower case: split at `_ . - / : space` and where camel case begins a new one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = name.chars().peekable();
    let mut before = ' ';
    while let Some(char) = chars.next() {
        let separator = matches!(char, '_' | '.' | '-' | '/' | ' ' | ':' | '[' | ']');
        let begins = char.is_uppercase()
            && (before.is_lowercase()
                || (before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase())));
        if separator || begins {
            words.push(String::new());
        }
        if !separator && let Some(word) = words.last_mut() {
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{gives_a_secret, is_secret};

    #[test]
    fn a_value_under_a_secrets_name_is_seen_in_any_notation() {
        let given = [
            "SECRET_KEY_BASE=x",
            "run --token=x now",
            "sleep@SMTP_PASS=x",
            "db_password = x",
            "password => x",
            "pw := x",
            "{\"db\": {\"pw\": \"x\"}}",
            "{'passwords': ['x']}",
            "Authorization: ApiKey x",
            "api_key = \"x\"",
            "/bin/sh:密码=x",
            "mot_de_passe=x",
            "users:\n- token:\n  x",
        ];
        assert_eq!(
            given.iter().filter(|text| !gives_a_secret(text)).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
        let plain = [
            "hashicorp/vault:1.13",
            "token-service:8080",
            "dGhlIHRva2VuPQ==",
            "key==",
            "KEY_ID=1",
            "monkey=1",
            "PORT=5000",
            "DB_PASSWORD= next",
            "password",
            "master:1000",
        ];
        assert_eq!(plain.iter().filter(|text| gives_a_secret(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn names_of_secrets_are_known_as_such() {
        let secret = [
            "DB_PASSWORD",
            "db-pass",
            "dbPassword",
            "PGPASSWORD",
            "MYSQL_PWD",
            "api_key",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "X-Auth-Token",
            "connectionString",
            "CONNECTION_STRING",
            "client.secret",
            "SENTRY_DSN",
            "TOTP_SEED",
            "pin",
            "SECRET_KEY_BASE",
            "contraseña",
            "Passwort",
            "senha",
            "密码",
            "traefik.http.middlewares.a.basicauth.users",
            "STRIPE_WEBHOOK",
            "APIKey",
            "SSHPASS",
            "storePass",
            "AccountKey",
            "rediss-requirepass",
            "ACCESSTOKEN",
            "key",
            "ENCRYPTION_KEYS",
        ];
        assert_eq!(secret.iter().filter(|name| !is_secret(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn names_that_only_look_like_it_are_not() {
        let plain = [
            "monkey",
            "author",
            "keyboard",
            "PUBLIC_KEY",
            "primary_key",
            "foreignKey",
            "sort-key",
            "key_name",
            "KEY_ID",
            "keyFile",
            "partition_key",
            "PATH",
            "PORT",
            "passenger",
            "bypass_cache",
            "compass-url",
            "tokenizer",
            "compass",
            "signal",
            "HOSTNAME",
            "NODE_ENV",
            "pinned",
            "salted_caramel",
            "spinning",
        ];
        assert_eq!(plain.iter().filter(|name| is_secret(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
