//! Names of real objects stay readable whatever their labels say, and what a byte order mark stands before is read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{refuses, run, stdout};

const TOKEN: &str = "glpat-aBcDeF0123456789xyzQ";

/// What docker prints; `None` if it says no.
fn docker(args: &[&str], input: &[u8]) -> Option<String> {
    let mut command = Command::new("timeout");
    command.args(["30", "docker"]).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(input).ok();
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A container, an image, a network and a volume of one app, removed when it is dropped.
struct Objects(String);

impl Objects {
    fn make() -> Option<Self> {
        // Three digits: with five, some names look random enough to be secrets (shopfront-32180 does), and these are masked.
        let objects = Self(format!("shopfront-{}", std::process::id() % 1000));
        let Self(name) = &objects;
        let image = format!("acme/{name}:main-48213");
        let branch = format!("ci.branch=feature/PAY-1432-{name}_retry");
        let message = format!("ci.message=Fix the login of {name}_default and /{name}-web, see PAY-1432");
        let source = format!(
            "org.opencontainers.image.source=https://oauth2:{TOKEN}@gitlab.example.com/acme/{name}.git"
        );
        let project = format!("ci.project={name}");
        let label = |text: &str| {
            format!(
                "LABEL {}=\"{}\"",
                text.split_once('=').unwrap_or_default().0,
                text.split_once('=').unwrap_or_default().1
            )
        };
        let labels = [&branch, &message, &source, &project].map(|text| label(text));
        let changes: Vec<&str> = labels.iter().flat_map(|label| ["--change", label.as_str()]).collect();
        docker(&[&["import"][..], &changes, &["-", &image]].concat(), &[0; 1024])?;
        let network = format!("{name}_default");
        docker(&["network", "create", "--label", &branch, &network], b"")?;
        docker(&["volume", "create", "--label", &message, &format!("{name}_data")], b"")?;
        let (container, volume) = (format!("{name}-web"), format!("{name}_data:/srv/{name}/data"));
        let directory = format!("/srv/{name}");
        let variables = [
            format!("HOME={directory}"),
            format!("APP_ROOT={directory}"),
            format!("DB_HOST={name}-db"),
            format!("PATH={directory}/bin:/usr/bin:/bin"),
            // As GitLab, GitHub, Drone and Jenkins set them.
            format!("CI_COMMIT_REF_SLUG={name}"),
            format!("GITHUB_REPOSITORY=acme/{name}"),
            format!("GITHUB_HEAD_REF={container}"),
            format!("DRONE_REPO_NAMESPACE={network}"),
            format!("BUILD_SOURCEBRANCHNAME={container}"),
            format!("WORKSPACE={directory}"),
            format!("GITHUB_REPOSITORY_OWNER={name}"),
            format!("CI_COMMIT_MESSAGE=Fix {container} behind {network} (PAY-1432)"),
            format!("CHANGE_TARGET={container}"),
            format!("CI_REPOSITORY_URL=https://gitlab-ci-token:{TOKEN}@gitlab.example.com/acme/{name}.git"),
        ];
        let mut args =
            vec!["create", "--name", &container, "--network", &network, "--network-alias", &container];
        args.extend(["--workdir", &directory, "--volume", &volume, "--hostname", &container]);
        args.extend(variables.iter().flat_map(|variable| ["--env", variable.as_str()]));
        args.extend([image.as_str(), "sleep", "1"]);
        docker(&args, b"")?;
        Some(objects)
    }

    /// What `docker inspect` prints of one of them, and what the program makes of it.
    fn inspected(&self, kind: &str, suffix: &str) -> (Value, Value) {
        let name = if kind == "image" {
            format!("acme/{}:main-48213", self.0)
        } else {
            format!("{}{suffix}", self.0)
        };
        let text = docker(&[kind, "inspect", &name], b"").expect("docker inspects it");
        let sanitized = stdout(&[], &text);
        assert!(!sanitized.contains(&TOKEN[6..]), "the token of {name} is shown");
        (serde_json::from_str(&text).expect("JSON"), serde_json::from_str(&sanitized).expect("JSON"))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        let Self(name) = self;
        docker(&["rm", "-f", &format!("{name}-web")], b"");
        docker(&["network", "rm", &format!("{name}_default")], b"");
        docker(&["volume", "rm", &format!("{name}_data")], b"");
        docker(&["rmi", &format!("acme/{name}:main-48213")], b"");
    }
}

#[test]
fn the_names_of_real_objects_are_shown_however_they_are_labelled() {
    let Some(objects) = Objects::make() else {
        skipped::skip("no engine answers");
        return;
    };
    let alias = format!("/0/NetworkSettings/Networks/{}_default/Aliases", objects.0);
    for (kind, suffix, pointers) in [
        (
            "container",
            "-web",
            &[
                "/0/Name",
                "/0/Config/Image",
                "/0/Config/WorkingDir",
                "/0/Config/Hostname",
                "/0/HostConfig/NetworkMode",
                "/0/Mounts/0/Name",
                "/0/Mounts/0/Destination",
                &alias,
            ][..],
        ),
        ("image", "", &["/0/RepoTags"]),
        ("network", "_default", &["/0/Name", "/0/Driver"]),
        ("volume", "_data", &["/0/Name", "/0/Driver"]),
    ] {
        let (before, after) = objects.inspected(kind, suffix);
        for pointer in pointers {
            assert!(before.pointer(pointer).is_some(), "{pointer} of the {kind}: {before}");
            assert_eq!(after.pointer(pointer), before.pointer(pointer), "{pointer} of the {kind}");
        }
    }
    let (_, after) = objects.inspected("container", "-web");
    let env = after.pointer("/0/Config/Env").and_then(Value::as_array).expect("variables");
    let path = env.iter().filter_map(Value::as_str).find(|text| text.starts_with("PATH=")).expect("a path");
    assert!(path.ends_with(":/usr/bin:/bin") && !path.contains("srv"), "{path}");
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_said() {
    let document = "[{\"Name\": \"/web\"}]";
    assert_eq!(stdout(&[], format!("\u{feff}{document}")), stdout(&[], document));
    assert_eq!(stdout(&["--compat", "dokku"], "\u{feff}"), "[]\n");
    assert_eq!(run(&["--check"], format!("\u{feff}{document}")).status.code(), Some(0));
    let wide: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refuses(&[], [&[0xff, 0xfe][..], &wide].concat(), "UTF-16: save the document as UTF-8");
    refuses(&[], wide, "UTF-16");
}
