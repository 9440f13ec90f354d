//! `procfile-util import` as a shell sees it: what it writes and never replaces, hostile input, real files, and the way
//! back from `export`. The golden cases of each format stand beside those of the other subcommands.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Instant;

use procfile::Procfile;

use crate::{DEADLINE, Ran, World};

#[path = "import/dump.rs"]
mod dump;
#[path = "import/instances.rs"]
mod instances;

const COMPOSE: &str = "services: {web: {command: bin/web, environment: {A: secret}, scale: 2}}\n";

fn world_with_compose() -> World {
    let world = World::new();
    world.put("compose.yaml", COMPOSE);
    world
}

/// What is imported from a text, printed.
fn printed(from: &str, text: impl AsRef<[u8]>) -> Ran {
    World::new().feed(&["import", "--from", from, "-", "--stdout"], text.as_ref())
}

#[test]
fn three_files_are_written_and_the_variables_are_private() {
    let world = world_with_compose();
    let ran = world.run(&["import", "--from", "compose"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(ran.text(), "wrote: Procfile\nwrote: DOKKU_SCALE\nwrote: .env\n");
    assert_eq!(world.text("Procfile").as_deref(), Some("web: bin/web\n"));
    assert_eq!(world.text("DOKKU_SCALE").as_deref(), Some("web=2\n"));
    assert_eq!(world.text(".env").as_deref(), Some("A=secret\n"));
    let mode = fs::metadata(world.path(".env")).expect("an env file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
}

#[test]
fn what_exists_is_replaced_by_force_only() {
    for there in ["Procfile", "DOKKU_SCALE", ".env"] {
        let world = world_with_compose();
        world.put(there, "mine");
        let ran = world.run(&["import", "--from", "compose", "compose.yaml"]);
        assert_eq!((ran.status, world.text(there).as_deref()), (1, Some("mine")), "{ran:?}");
        assert!(ran.stderr.contains(there) && ran.stderr.contains("--force"), "{ran:?}");
        assert_eq!(world.names().len(), 2, "{:?}", world.names());
        let ran = world.run(&["import", "--force", "--from", "compose", "compose.yaml"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_ne!(world.text(there).as_deref(), Some("mine"));
    }
    let world = world_with_compose();
    symlink("nowhere", world.path("Procfile")).expect("a symlink");
    assert_eq!(world.run(&["import", "--from", "compose"]).status, 1, "a dangling symlink exists");
}

#[test]
fn a_failure_leaves_no_file() {
    let world = world_with_compose();
    let ran = world.run(&["import", "--from", "compose", "--env-file", "no/such/.env"]);
    assert_eq!((ran.status, world.names()), (1, vec!["compose.yaml".to_owned()]), "{ran:?}");
    let ran = world.run(&["import", "--from", "compose", "--formation", "Procfile"]);
    assert_eq!((ran.status, world.names().len()), (1, 1), "{ran:?}");
}

#[test]
fn looking_writes_nothing() {
    let world = world_with_compose();
    let ran = world.run(&["import", "--from", "compose", "--dry-run"]);
    assert_eq!(ran.text(), "would write: Procfile\nwould write: DOKKU_SCALE\nwould write: .env\n");
    let ran = world.run(&["import", "--from", "compose", "-s"]);
    assert_eq!((ran.text().as_str(), ran.status), ("web: bin/web\n", 0));
    assert!(ran.stderr.contains("formation: web=2\n"), "{ran:?}");
    assert_eq!(world.names(), ["compose.yaml"]);
}

#[test]
fn what_is_missing_is_named() {
    let world = World::new();
    for (args, word) in [
        (&["import"][..], "--from is required"),
        (&["import", "--from", "x"], "compose, pm2, process-compose, supervisord or systemd"),
        (&["import", "--from", "compose"], "docker-compose.yml"),
        (&["import", "--from", "systemd"], "name a unit"),
        (&["import", "--from", "pm2", "no.json"], "open no.json: no such file"),
        (&["import", "--from", "pm2", "a", "b"], "1 argument given"),
    ] {
        let ran = world.run(args);
        assert!(ran.status == 1 && ran.stderr.contains(word), "{args:?}: {ran:?}");
    }
    let ran = printed("pm2", "module.exports = { apps: [] }");
    assert!(ran.status == 1 && ran.stderr.contains("JavaScript"), "{ran:?}");
}

#[test]
fn nothing_in_the_input_adds_a_line() {
    let cases = [
        (
            "compose",
            "services: {\"web: x\\nevil\": {command: [a, \"b\\nevil: c\"]}, \"a\\nevil: b\": {command: [ok]}}",
        ),
        (
            "compose",
            "services: {w: {command: \"sh -c 'a\\nevil: b'\"}, v: {command: [sh, -c, \"a\\revil: b\"]}, ok: {command: ok}}",
        ),
        (
            "pm2",
            r#"[{"name": "x\nevil: y", "script": "ok"}, {"script": "a\nevil: b"}, {"script": "a", "args": ["\nevil: b"]}]"#,
        ),
        ("supervisord", "[program:ok]\ncommand=ok\n evil: b\n[program:x\u{2028}evil: y]\ncommand=ok\n"),
        (
            "systemd",
            "[Service]\nExecStart=ok \\x0aevil: b\n==> evil: x.service <==\n[Service]\nExecStart=ok\n",
        ),
    ];
    for (from, text) in cases {
        let ran = printed(from, text);
        assert_eq!(ran.status, 0, "{from}: {ran:?}");
        let read = Procfile::parse(&ran.stdout).expect("legal");
        assert!(read.get("evil").is_none(), "{from}: {ran:?}");
        assert!(read.entries().all(|entry| entry.command.starts_with(b"ok")), "{from}: {ran:?}");
        let talk = ran
            .stderr
            .lines()
            .all(|line| ["not carried over: ", "formation: "].iter().any(|p| line.starts_with(p)));
        assert!(talk, "{from}: {ran:?}");
    }
}

#[test]
fn a_variable_cannot_bring_another() {
    let world = World::new();
    let text = "services: {w: {command: a, environment: {A: \"x\\nEVIL=1\", B: \"'\\\"\\nEVIL=2\", \"C=1\\nEVIL\": x}}}";
    let ran = world.feed(&["import", "--from", "compose", "-"], text.as_bytes());
    assert_eq!(ran.status, 0, "{ran:?}");
    let env = procfile::EnvFile::parse(&fs::read(world.path(".env")).expect("an env file")).expect("legal");
    assert_eq!((env.get("A"), env.get("B")), (Some("x\nEVIL=1"), Some("'\"\nEVIL=2")));
    assert_eq!(env.len(), 2, "{env:?}");
}

#[test]
fn hostile_documents_are_refused_soon() {
    let laughs: String = (1..30).fold("a0: &a0 x\n".to_owned(), |text, n| {
        let refs = format!("*a{}, ", n - 1).repeat(9);
        text + &format!("a{n}: &a{n} [{refs}]\n")
    });
    let many: String = (0..100_000).map(|_| "{script: \"a b\"},").collect();
    let variables: Vec<String> = (0..100_000).map(|n| format!("A{n}: 1,")).collect();
    let variables = variables.concat();
    let cases = [
        ("compose", laughs + "services: {web: {command: *a29}}\n", 1),
        ("compose", "[".repeat(1 << 20), 1),
        ("compose", "services: ".repeat(100_000), 1),
        ("pm2", "[".repeat(1 << 20), 1),
        ("pm2", "{\"apps\":".repeat(100_000), 1),
        ("pm2", format!("[{many}]"), 0),
        ("pm2", format!("[{{script: \"a b\", env: {{{variables}}}}}]"), 0),
        ("supervisord", format!("[program:a]\ncommand={}", "%(ENV_X)s".repeat(50_000)), 0),
        ("supervisord", "[program:a]\ncommand=\"".repeat(50_000), 1),
        ("supervisord", "=\n".repeat(1_000_000), 1),
        ("systemd", format!("[Service]\nExecStart={}", "\\\n".repeat(500_000)), 1),
        ("systemd", "==> a.service <==\n[Service]\nExecStart=a\n".repeat(50_000), 0),
        ("systemd", "x".repeat(5 << 20), 1),
    ];
    for (from, text, status) in cases {
        let began = Instant::now();
        let ran = printed(from, &text);
        let start: String = text.chars().take(40).collect();
        assert_eq!(
            ran.status,
            status,
            "{from} {start:?}: {}",
            ran.stderr.chars().take(300).collect::<String>()
        );
        assert!(began.elapsed() < DEADLINE, "{from} {start:?} took {:?}", began.elapsed());
    }
    for bytes in [&b"\xff"[..], b"a\0b", b"", b"\xef\xbb\xbf", b"- a", b"42", b"&"] {
        for from in ["compose", "pm2", "supervisord", "systemd"] {
            let ran = printed(from, bytes);
            assert_eq!(ran.status, 1, "{from} {bytes:?}: {ran:?}");
        }
    }
}

#[test]
fn real_process_files_are_imported_or_refused_with_a_reason() {
    let Some(corpus) = skipped::corpus("corpus/pm2-json") else { return };
    let mut imported = 0;
    for file in fs::read_dir(corpus).expect("the corpus can be read") {
        let path = file.expect("an entry").path();
        let ran = printed("pm2", fs::read(&path).expect("a file of the corpus"));
        match ran.status {
            0 => {
                Procfile::parse(&ran.stdout).expect("a legal Procfile");
                imported += 1;
            }
            1 => assert!(ran.stderr.contains(" !     - "), "{}: {ran:?}", path.display()),
            _ => panic!("{}: {ran:?}", path.display()),
        }
    }
    assert!(imported > 0, "no file was imported");
}

const ROUND: &str = "web: bin/serve -p $PORT --name \"a b\" 'c$d' x=%h\n\
    web-1: true\n\
    worker: cd x && run 'it is 50% \"$HOME\"' \\\\; exit\n\
    clock: A=1 tick ${X:-y} ; tock\n";

/// Types and commands, and counts.
type Read = (BTreeMap<String, String>, String);

fn read(procfile: &str, stderr: &str) -> Read {
    let file = Procfile::parse(procfile.as_bytes()).expect("legal");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let commands = file.entries().map(|entry| (entry.name.to_owned(), text(entry.command))).collect();
    let counts = stderr.lines().find_map(|line| line.strip_prefix("formation: ")).unwrap_or_default();
    let mut counts: Vec<&str> = counts.split(' ').collect();
    counts.sort_unstable();
    (commands, counts.join(" "))
}

#[test]
fn what_was_exported_is_imported_as_it_was() {
    let counts = "clock=1 web-1=1 web=3 worker=2";
    for format in ["compose", "supervisord", "systemd", "systemd-user"] {
        let world = World::new();
        world.put("Procfile", ROUND);
        world.put("vars", "GREETING=\"it's \\$5 100% \\\"x\\\"\"\nPLAIN=a\nPATH=/app/bin:/bin\n");
        let formation = counts.replace(' ', ",");
        let mut export =
            vec!["export", "--app", "blog", "--formation", &formation, "--format", format, "--stdout"];
        if format != "supervisord" {
            export.extend(["-e", "vars"]);
        }
        let exported = world.run(&export);
        assert_eq!(exported.status, 0, "{exported:?}");
        let from = format.trim_end_matches("-user");
        let args = ["import", "--from", from, "--app", "blog", "-", "-P", "Again", "-e", "again"];
        let ran = world.feed(&args, &exported.stdout);
        assert_eq!(ran.status, 0, "{format}: {ran:?}");
        let again = world.text("Again").expect("a Procfile");
        let (wanted, _) = read(ROUND, "");
        assert_eq!(read(&again, &ran.stderr), (wanted, counts.to_owned()), "{format}: {ran:?}");
        if format != "supervisord" {
            let parse = |name: &str| {
                let bytes = fs::read(world.path(name)).expect("an env file");
                let file = procfile::EnvFile::parse(&bytes).expect("legal");
                file.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<BTreeMap<_, _>>()
            };
            assert_eq!(parse("again"), parse("vars"), "{format}");
        }
    }
}

#[test]
fn the_shell_gives_programs_the_arguments_that_the_other_manager_did() {
    let words = ["", "a b", "it's", "$HOME", "x # y", "//host", "*", "a\\", "\"", "%", "é", "~", "A=b"];
    let list = serde_json::to_string(&words).expect("words are JSON").replace('$', "$$");
    let pm2 = serde_json::to_string(&words).expect("words are JSON");
    let unit: Vec<String> = words
        .iter()
        .map(|word| {
            format!(
                "\"{}\"",
                word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$").replace('%', "%%")
            )
        })
        .collect();
    for (from, text) in [
        ("compose", format!("services: {{web: {{entrypoint: [printf, '<%s>'], command: {list}}}}}")),
        (
            "pm2",
            format!("[{{name: 'web', script: 'printf', interpreter: 'none', args: ['<%s>', {}}}]", &pm2[1..]),
        ),
        ("systemd", format!("==> web.service <==\n[Service]\nExecStart=printf <%%s> {}\n", unit.join(" "))),
    ] {
        let ran = printed(from, &text);
        assert_eq!(ran.status, 0, "{from}: {ran:?}");
        let file = Procfile::parse(&ran.stdout).expect("legal");
        let line = file.get("web").expect("web").command.to_vec();
        let mut shell = Command::new("sh");
        shell.args(["-c", std::str::from_utf8(&line).expect("text")]);
        let said = Ran::of(shell, b"").text();
        let wanted = format!("<{}>", words.join("><"));
        assert_eq!(said, wanted, "{from}: {ran:?}");
    }
}
