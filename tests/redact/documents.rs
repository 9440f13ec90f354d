//! The documents that secrets are planted in: files of this directory, real ones that other people published (where
//! the shared corpus is beside the checkout), and one of a container made for the test (where an engine answers).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A document and where it came from.
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// A place in a document where a string stands.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// As `serde_json::Value::pointer_mut` takes it.
    pub(crate) pointer: String,
    /// The same for people: `Config.Env[]`, with `*` for keys that somebody chose.
    pub(crate) path: String,
}

/// All of them; made once, because a container has one name.
pub(crate) fn all() -> &'static [Document] {
    static ALL: OnceLock<Vec<Document>> = OnceLock::new();
    ALL.get_or_init(gather)
}

fn gather() -> Vec<Document> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/redact/documents");
    let mut documents = files(&here);
    assert!(documents.len() >= 6, "the documents of this test are missing");
    let corpus = ["corpus/docker-inspect", "contracts/dokku-recorded"];
    documents.extend(corpus.into_iter().filter_map(skipped::corpus).flat_map(|dir| files(&dir)));
    documents.extend(real_container());
    documents
}

fn files(dir: &Path) -> Vec<Document> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|end| end == "json") && !path.ends_with("inspect-dokku.json")
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Document {
    let text = std::fs::read_to_string(path).expect("a document can be read");
    Document {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        value: serde_json::from_str(&text).expect("a document is JSON"),
    }
}

/// A container with every option that carries text, created and never started, from an image of one empty archive.
fn real_container() -> Option<Document> {
    let name = format!("formation-redact-{}", std::process::id());
    let image = format!("{name}:test");
    let volume = format!("type=volume,source={name},target=/var/lib/data,readonly");
    let made = docker(&["import", "-", &image], &[0; 1024]).is_some()
        && docker(&create(&name, &image, &volume), &[]).is_some();
    let text = if made { docker(&["inspect", &name], &[]) } else { None };
    docker(&["rm", "-f", &name], &[]);
    docker(&["volume", "rm", &name], &[]);
    docker(&["rmi", &image], &[]);
    if text.is_none() {
        skipped::skip("no engine: the document of a real container is left out");
    }
    let value = serde_json::from_str(&text?).expect("docker inspect prints JSON");
    Some(Document { name: "a real container".to_owned(), value })
}

fn create<'a>(name: &'a str, image: &'a str, volume: &'a str) -> Vec<&'a str> {
    let mut args = vec!["create", "--name", name];
    args.extend(
        "--env A=b --env PORT=5000 --label com.dokku.app-name=demo --label other.key=value --hostname web1"
            .split(' '),
    );
    args.extend("--domainname example.test --user daemon --workdir /app --restart on-failure:5 --log-driver json-file".split(' '));
    args.extend("--log-opt max-size=10m --dns 10.0.0.53 --dns-search example.test --dns-opt ndots:2 --add-host db:10.0.0.7".split(' '));
    args.extend("--publish 127.0.0.1:18080:8080 --expose 9000 --tmpfs /run:size=1m".split(' '));
    args.extend(
        "--volume /srv/formation-redact:/srv/app --sysctl net.core.somaxconn=1024 --ulimit nofile=1024:2048"
            .split(' '),
    );
    args.extend(
        "--cap-add NET_ADMIN --cap-drop MKNOD --security-opt no-new-privileges --group-add 1000 --memory 64m"
            .split(' '),
    );
    args.extend(
        "--cpu-shares 512 --health-interval 5s --stop-signal SIGTERM --network bridge --pids-limit 100"
            .split(' '),
    );
    args.extend([
        "--mount",
        volume,
        "--health-cmd",
        "curl -f http://localhost:8080/health",
        "--entrypoint",
        "/bin/sh",
        image,
        "-c",
        "exec server --port 8080",
    ]);
    args
}

fn docker(args: &[&str], input: &[u8]) -> Option<String> {
    let mut command = Command::new("timeout");
    command
        .args(["20", "docker"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    std::io::Write::write_all(&mut child.stdin.take()?, input).ok();
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// All places of a document where a string stands.
pub(crate) fn sites(value: &Value) -> Vec<Site> {
    let mut sites = Vec::new();
    collect(value, &Site { pointer: String::new(), path: String::new() }, &mut sites);
    sites
}

fn collect(value: &Value, here: &Site, sites: &mut Vec<Site>) {
    let below = |step: &str, name: &str| Site {
        pointer: format!("{}/{step}", here.pointer),
        path: format!("{}{name}", here.path),
    };
    match value {
        Value::String(_) => sites.push(here.clone()),
        Value::Array(items) => {
            let name = if here.pointer.is_empty() { "" } else { "[]" };
            for (at, item) in items.iter().enumerate() {
                collect(item, &below(&at.to_string(), name), sites);
            }
        }
        Value::Object(map) => {
            let maps = ["Networks", "Ports", "PortBindings", "Containers", "AuxiliaryAddresses"];
            let chosen = maps.iter().any(|end| here.path.ends_with(end));
            let dot = if here.path.is_empty() { "" } else { "." };
            for (key, value) in map {
                let step = key.replace('~', "~0").replace('/', "~1");
                let name = if chosen { "*" } else { key };
                collect(value, &below(&step, &format!("{dot}{name}")), sites);
            }
        }
        _ => {}
    }
}
