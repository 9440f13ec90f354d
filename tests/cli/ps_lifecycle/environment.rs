//! What an app is given: every variable of its files, whatever its name and its bytes, in every home; and inputs that are no
//! files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::home::{ALIVE, Home, eventually};
use crate::program::run;

const FILE: &[u8] =
    b"MY-KEY=1\na.b=c\nBYTES=\xff\xfe\nPASS=   # required\nH=$2y$10$N9qo\nA=value # fix for #123\n";
const ARRIVES: [&[u8]; 6] =
    [b"MY-KEY=1", b"a.b=c", b"BYTES=\xff\xfe", b"PASS=", b"H=$2y$10$N9qo", b"A=value"];

/// The variables of the process in a slot that are not among these.
fn missing(home: &Home, app: &str, slot: &str, wanted: &[&[u8]]) -> Vec<String> {
    let pid = home.pids(app)[slot];
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let entries: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    let is_missing = |wanted: &&&[u8]| !entries.contains(*wanted);
    wanted.iter().filter(is_missing).map(|entry| entry.escape_ascii().to_string()).collect()
}

fn arrives(home: &Home, app: &str, slot: &str, wanted: &[&[u8]]) {
    eventually(&format!("{slot} has everything"), || {
        let missing = missing(home, app, slot, wanted);
        if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
    });
}

#[test]
fn every_variable_of_its_files_reaches_an_app() {
    let home = Home::new();
    let source = home.source("shop", "web: sleep 1000\nworker: true && exec sleep 1000\n");
    fs::write(home.path("shop/.env"), FILE).expect("written");
    let env_file = home.write("given", "OPTION-B='d e'\nOVER=$A-2\n");
    let env_file = env_file.to_str().expect("text");
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--scale",
        "worker=1",
        "--env-file",
        env_file,
    ]);
    for slot in ["web.1", "worker.1"] {
        arrives(&home, "shop", slot, &ARRIVES);
        arrives(&home, "shop", slot, &[b"OPTION-B=d e", b"OVER=value-2"]);
    }
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn roots_and_the_callers_variables_may_have_any_bytes() {
    let home = Home::new();
    let (elsewhere, odd) = (TempDir::new().expect("a directory"), OsStr::from_bytes(b"caf\xe9"));
    let root = |name: &str| elsewhere.path().join(odd).join(name);
    home.source("shop", "web: sleep 1000\n");
    home.write("shop/app.json", ALIVE);
    let with = |words: &[&str]| {
        let mut command = home.command(words);
        let mut path = home.path("bin").join(odd).into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("DOKKU_ROOT", root("home")).env("DOKKU_LIB_ROOT", root("lib"));
        command.env("PATH", &path).env("USER", odd).env("X-\u{e9}", odd).env("LANG", odd);
        command.current_dir(home.path("shop"));
        let ran = run(command);
        assert_eq!(ran.status, Some(0), "{words:?}: {ran:?}");
        ran.stdout
    };
    with(&["ps-lifecycle", "deploy", "shop", "--dir", "."]);
    let row: serde_json::Value =
        serde_json::from_str(&with(&["ps-lifecycle", "status", "shop", "--json"])).expect("one row");
    let environment = fs::read(format!("/proc/{}/environ", row["pid"])).expect("it runs");
    let has = |entry: &[u8]| environment.split(|byte| *byte == 0).any(|other| other == entry);
    assert!(has(b"USER=caf\xe9") && has(b"LANG=caf\xe9"), "{}", environment.escape_ascii());
    for words in [
        &["ps-lifecycle", "inspect", "shop"][..],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "logs", "shop"],
        &["ps-scale", "shop", "web=2"],
        &["ps-set", "shop", "restart-policy", "always"],
        &["ps-report", "--json"],
        &["ps-lifecycle", "destroy", "shop"],
    ] {
        with(words);
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let home = Home::running("shop", "web: sleep 1000\n", &[]);
    for empty in ["PLUGIN_PATH", "DOKKU_SYSTEM_USER"] {
        let mut command = home.command(&["ps-lifecycle", "restart", "shop"]);
        command.env("PLUGIN_PATH", home.path("lib/plugins")).env("DOKKU_SYSTEM_USER", "dokku").env(empty, "");
        let ran = run(command);
        // On our own all talk goes to stderr.
        assert!(ran.status == Some(0) && ran.stdout.is_empty() && ran.stderr.contains("-----> "), "{ran:?}");
    }
    for (roots, state) in [(["", ""], "state"), (["", ""], "")] {
        let mut command = home.command(&["ps-report"]);
        command.env("DOKKU_ROOT", roots[0]).env("DOKKU_LIB_ROOT", roots[1]).env("XDG_STATE_HOME", state);
        let ran = run(command);
        assert!(!ran.stderr.contains("panicked") && !ran.stdout.contains("shop"), "{ran:?}");
    }
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn an_input_that_is_no_file_is_refused_at_once_and_the_healthy_process_runs_on() {
    let home = Home::running("shop", "web: sleep 1000\n", &[]);
    let source = home.path("shop");
    let before = home.pids("shop");
    for name in ["Procfile", "app.json", "DOKKU_SCALE", ".env"] {
        let path = source.join(name);
        let kept = fs::read(&path).ok();
        for kind in ["mkfifo", "mkdir", "ln -s /dev/zero"] {
            let _ = fs::remove_file(&path);
            let made = Command::new("sh").arg("-c").arg(format!("{kind} '{}'", path.display())).status();
            assert!(made.expect("sh runs").success());
            let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", source.to_str().expect("text")]);
            assert!(ran.status == Some(1) && ran.stderr.contains(name), "{kind} {name}: {ran:?}");
            assert!(ran.took.as_secs() < 60, "{kind} {name}: {ran:?}");
            assert_eq!(home.pids("shop"), before, "{kind} {name}");
            let _ = fs::remove_dir(&path);
        }
        let _ = fs::remove_file(&path);
        if let Some(bytes) = kept {
            fs::write(&path, bytes).expect("put back");
        }
    }
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn an_env_file_that_is_named_may_be_a_pipe() {
    let home = Home::new();
    let source = home.source("shop", "web: sleep 1000\n");
    let program = crate::home::programs().join("ps-lifecycle");
    for script in [
        "\"$0\" deploy shop --dir \"$1\" --env-file <(printf 'PIPED=1\\nMY-KEY=2\\n')",
        "printf 'PIPED=1\\nMY-KEY=2\\n' | \"$0\" deploy shop --dir \"$1\" --env-file -",
    ] {
        let mut command = home.command(&["ps-lifecycle"]);
        let environment: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned))).collect();
        command = Command::new("bash");
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("-c").arg(script).arg(&program).arg(&source);
        let ran = run(command);
        assert_eq!(ran.status, Some(0), "{script}: {ran:?}");
        arrives(&home, "shop", "web.1", &[b"PIPED=1", b"MY-KEY=2"]);
        home.does(&["ps-lifecycle", "destroy", "shop"]);
    }
}

#[test]
fn a_dry_run_refuses_an_env_file_that_the_deploy_would_refuse_and_keeps_the_variables_that_are_there() {
    let home = Home::new();
    let source = home.source("shop", "web: sleep 1000\n");
    let (good, bad) = (home.write("good", "A=1\n"), home.write("bad", "A=1\n=2\n"));
    let deploy = |file: &Path, words: &[&str]| {
        let file = file.to_str().expect("text");
        home.run(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--env-file", file], words].concat())
    };
    let planned = deploy(&bad, &["--dry-run"]);
    let refused = deploy(&bad, &[]);
    assert_eq!((planned.status, refused.status), (Some(1), Some(1)), "{planned:?}, {refused:?}");
    assert!(planned.stderr.contains("line 2"), "{planned:?}");
    assert_eq!(deploy(&good, &[]).status, Some(0));
    let other = home.write("other", "A=2\n");
    assert_eq!(deploy(&other, &["--dry-run"]).status, Some(0));
    arrives(&home, "shop", "web.1", &[b"A=1"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    arrives(&home, "shop", "web.1", &[b"A=1"]);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}
