//! Our hooks that call `ps-lifecycle`, one by one, as plugn calls them: against what a real Dokku's hooks did, and what
//! is better on purpose.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, run};
use crate::world::{Container, Dokku, PROCFILE};

/// Recorded cases that ours answers otherwise, and why.
const DIFFERENCES: [(&str, &str); 3] = [
    ("extract-crlf", "a line has one line feed"),
    ("extract-bad", "what is refused leaves no file behind"),
    ("extract-path-escape", "no path leads out of the source tree"),
];

struct SourceTree {
    dokku: Dokku,
}

impl SourceTree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self { dokku: Dokku::new() };
        fs::create_dir_all(tree.dokku.place.path().join("tree")).expect("a directory");
        for (path, content) in files {
            tree.dokku.place.write_mode(&format!("tree/{path}"), content, 0o644);
        }
        tree
    }

    fn path_property(self, value: &str) -> Self {
        self.dokku.place.write("lib/config/ps/demo/procfile-path", value);
        self
    }

    fn extract(&self) -> Ran {
        let tree = self.dokku.place.path().join("tree");
        run(&mut self.dokku.trigger(&["core-post-extract", "demo", tree.to_str().expect("text"), "abc123"]))
    }

    fn staged(&self) -> Option<String> {
        fs::read_to_string(self.dokku.place.path().join("lib/data/ps/demo/Procfile.4242")).ok()
    }

    fn is_marked_missing(&self) -> bool {
        self.dokku.place.path().join("lib/data/ps/demo/Procfile.4242.missing").exists()
    }
}

#[test]
fn recorded_hooks_answer_as_dokkus_did() {
    let Some(path) = skipped::corpus("contracts/dokku-recorded/hooks.jsonl") else { return };
    let text = fs::read_to_string(path).expect("a recording can be read");
    let mut compared = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let name = case["name"].as_str().expect("a name");
        if name.starts_with("docker-args") || name.starts_with("extract-") || name == "core-post-deploy" {
            let complaint = replay(&case);
            let is_expected = DIFFERENCES.iter().any(|(known, _)| *known == name);
            assert_eq!(complaint.is_some(), is_expected, "{name}: {complaint:?}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared} cases");
}

/// The recording says what came out of the tree, so it says what was in it.
fn replay(case: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&case["name"]);
    let changed = case["files_changed"].as_object().expect("files");
    let staged = changed.get("$DOKKU_LIB_ROOT/data/ps/demo/Procfile.4242").map(|change| text(&change[1]));
    let files = match name.as_str() {
        "extract-crlf" => vec![("Procfile", "web: a\r\nworker: b\r\n".to_owned())],
        "extract-path" => {
            vec![("Procfile", "web: other\n".to_owned()), ("deep/Procfile", staged.unwrap_or_default())]
        }
        "core-post-deploy" => vec![],
        _ => vec![("Procfile", staged.unwrap_or_default())],
    };
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (*path, content.as_str())).collect();
    let mut tree = SourceTree::new(&files);
    match name.as_str() {
        "extract-path" => tree = tree.path_property("deep/Procfile"),
        "extract-path-escape" => tree = tree.path_property("../../../../../../../../../../etc/hostname"),
        "core-post-deploy" => {
            let place = &tree.dokku.place;
            place.write("lib/config/ps/demo/restore", "false");
            place.write_mode("lib/data/ps/demo/Procfile.4242", "web: z\nclock: c\n", 0o644);
        }
        _ => (),
    }
    let tree_path = tree.dokku.place.path().join("tree");
    let words = case["argv"].as_array().expect("words").iter().map(text);
    let words: Vec<String> =
        words.map(|word| word.replace("<WORK>", tree_path.to_str().expect("text"))).collect();
    let before = tree.dokku.place.state();
    let ran = run(&mut tree.dokku.trigger(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    let after = tree.dokku.place.state();
    let seen: Vec<_> = after
        .iter()
        .filter(|(path, file)| path.starts_with("lib") && before.get(*path) != Some(*file))
        .collect();
    let gone: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    let mut complaints = Vec::new();
    if (ran.status, &ran.stdout)
        != (i32::try_from(case["exit"].as_i64()?).expect("small"), &text(&case["stdout"]))
    {
        complaints.push(format!("{ran:?}"));
    }
    for (path, change) in changed {
        let path = path.replace("$DOKKU_LIB_ROOT", "lib");
        let now = after.get(Path::new(&path));
        let is_as_recorded = match change {
            Value::Null => now.is_none(),
            change => now.is_some_and(|(mode, content)| {
                format!("{mode:o}") == text(&change[0])
                    && content.as_deref() == Some(text(&change[1]).as_bytes())
            }),
        };
        if !is_as_recorded {
            complaints.push(format!("{path}: {now:?}, recorded {change}"));
        }
    }
    let recorded = changed.len();
    if complaints.is_empty() && seen.len() + gone.len() > recorded {
        complaints.push(format!("more files changed: {seen:?} {gone:?}"));
    }
    (!complaints.is_empty()).then(|| complaints.join("; "))
}

#[test]
fn a_crlf_procfile_is_stored_with_unix_lines() {
    for mark in ["", "\u{feff}"] {
        let tree = SourceTree::new(&[("Procfile", &format!("{mark}web: a\r\nworker: b\r\n"))]);
        assert_eq!(tree.extract().status, 0);
        assert_eq!(tree.staged().as_deref(), Some("web: a\nworker: b\n"), "{mark:?}");
    }
}

#[test]
fn no_procfile_is_marked_and_a_deploy_without_one_takes_the_old_one_away() {
    let tree = SourceTree::new(&[]);
    assert_eq!(tree.extract().status, 0);
    assert!(tree.is_marked_missing() && tree.staged().is_none());
    let mark = tree.dokku.place.path().join("lib/data/ps/demo/Procfile.4242.missing");
    assert_eq!(fs::metadata(mark).expect("the mark").permissions().mode() & 0o7777, 0o600);
    assert_eq!(run(&mut tree.dokku.trigger(&["procfile-exists", "demo"])).status, 1);
    assert_eq!(run(&mut tree.dokku.trigger(&["core-post-deploy", "demo", "", "", "latest"])).status, 0);
    assert!(!tree.is_marked_missing());
    assert_eq!(tree.dokku.place.read("lib/data/ps/demo/Procfile"), "");
}

#[test]
fn a_procfile_that_is_refused_leaves_nothing_behind() {
    let tree = SourceTree::new(&[("Procfile", "web a\n")]);
    let ran = tree.extract();
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(
        ran.stderr.starts_with(" !     Invalid Procfile: invalid line in procfile, line 1"),
        "{}",
        ran.stderr
    );
    assert!(tree.staged().is_none() && !tree.is_marked_missing());
    assert_eq!(tree.dokku.place.read("lib/data/ps/demo/Procfile"), PROCFILE);
}

#[test]
fn the_chosen_procfile_takes_the_place_of_the_default_one_in_the_source() {
    let files = [("Procfile", "web: default\n"), ("deep/Procfile", "web: deep\r\n")];
    for path in ["deep/Procfile", "/deep/Procfile/"] {
        let tree = SourceTree::new(&files).path_property(path);
        assert_eq!(tree.extract().status, 0);
        assert_eq!(tree.staged().as_deref(), Some("web: deep\n"), "{path}");
        assert_eq!(tree.dokku.place.read("tree/Procfile"), "web: deep\r\n", "{path}");
    }
    let tree = SourceTree::new(&files).path_property("none/Procfile");
    assert_eq!(tree.extract().status, 0);
    assert!(tree.is_marked_missing());
    assert!(!tree.dokku.place.path().join("tree/Procfile").exists(), "it was chosen not to be used");
}

#[test]
fn nothing_is_read_from_outside_the_source() {
    for path in ["../secret", "../../../../../../../../etc/hostname", "deep/../../secret", "link", "absolute"]
    {
        let tree = SourceTree::new(&[("Procfile", "web: default\n"), ("deep/Procfile", "web: deep\n")])
            .path_property(path);
        tree.dokku.place.write("secret", "web: stolen\n");
        let root = tree.dokku.place.path().join("tree");
        symlink("../secret", root.join("link")).expect("a link");
        symlink("/etc/hostname", root.join("absolute")).expect("a link");
        let ran = tree.extract();
        assert_eq!(ran.status, 1, "{path}: {ran:?}");
        assert!(ran.stderr.contains("leads outside the app's source"), "{path}: {}", ran.stderr);
        assert!(tree.staged().is_none() && !tree.is_marked_missing(), "{path}");
        assert_eq!(tree.dokku.place.read("tree/Procfile"), "web: default\n", "{path}");
    }
}

#[test]
fn an_earlier_deploy_that_died_leaves_no_procfile_for_a_later_process_of_the_same_id() {
    let tree = SourceTree::new(&[("Procfile", "web: a\n")]);
    tree.dokku.place.write("lib/data/ps/demo/Procfile.17", "web: dead\n");
    tree.dokku.place.write("lib/data/ps/demo/Procfile.4242.missing", "");
    assert_eq!(tree.extract().status, 0);
    assert_eq!(tree.staged().as_deref(), Some("web: a\n"));
    assert!(!tree.dokku.place.path().join("lib/data/ps/demo/Procfile.17").exists());
    assert!(!tree.is_marked_missing());
}

#[test]
fn an_image_gives_its_procfile_from_where_it_starts_even_one_that_runs_nothing() {
    // Only to know whether there is an engine with the test's image.
    if Container::start().is_none() {
        return;
    }
    let build = |name: &str, lines: &str| {
        let mut docker = std::process::Command::new("docker");
        docker.args(["build", "--quiet", "--tag", name, "-"]).stdin(std::process::Stdio::piped());
        let mut child = docker.stdout(std::process::Stdio::null()).spawn().expect("docker runs");
        let text = format!("FROM formation-test/busybox:latest\n{lines}\n");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), text.as_bytes())
            .expect("it reads");
        assert!(child.wait().expect("it ends").success());
    };
    let name = format!("formation-test/procfile-{}", std::process::id());
    build(&name, "WORKDIR /srv/app\nRUN printf 'web: from-image\\n' >Procfile\nCMD []\nENTRYPOINT []");
    let tree = SourceTree::new(&[]);
    tree.dokku.place.write("lib/config/git/demo/source-image", &name);
    let ran = tree.extract();
    let path = SourceTree::new(&[]).path_property("none");
    path.dokku.place.write("lib/config/git/demo/source-image", &name);
    let none = path.extract();
    let _ = std::process::Command::new("docker").args(["image", "rm", "--force", &name]).output();
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(tree.staged().as_deref(), Some("web: from-image\n"));
    assert_eq!(none.status, 0, "{none:?}");
    assert!(path.is_marked_missing());
}

#[test]
fn docker_args_keep_what_others_said_and_add_the_policy_for_any_name() {
    let dokku = Dokku::new();
    dokku.place.write("lib/config/ps/demo/restart-policy", "on-failure:20");
    let said = "--env=A=$(touch canary) 'quo\"ted'\n --label=x";
    for (app, policy) in
        [("demo", "on-failure:20"), ("nope", "on-failure:10"), ("-x; touch canary", "on-failure:10")]
    {
        let mut command =
            dokku.trigger(&["docker-args-process-deploy", app, "dockerfile", "latest", "web", "1"]);
        let ran = run(command.write_stdin(said));
        assert_eq!((ran.status, ran.stdout), (0, format!("{said} --restart={policy}")), "{app}");
    }
    let large = "x".repeat(1 << 20);
    let ran = run(dokku
        .trigger(&["docker-args-process-deploy", "idle", "dockerfile", "latest"])
        .write_stdin(large.clone()));
    assert_eq!(ran.stdout, format!("{large} --restart=on-failure:10"));
}

#[test]
fn a_clone_has_what_the_other_app_has_and_is_built_unless_told_not_to() {
    let dokku = Dokku::new();
    dokku.place.app("twin");
    dokku.place.write("lib/config/ps/demo/start-cmd", "run \"$(touch canary)\" \n");
    dokku.place.write("lib/data/ps/demo/Procfile.99", "web: under way\n");
    dokku.place.write("lib/config/ps/twin/skip-deploy", "true");
    assert_eq!(run(&mut dokku.trigger(&["post-app-clone-setup", "demo", "twin"])).status, 0);
    for key in ["scale", "scale.old", "can-scale", "restore", "start-cmd"] {
        let of = |app: &str| dokku.place.read(&format!("lib/config/ps/{app}/{key}"));
        assert_eq!(of("twin"), of("demo"), "{key}");
    }
    assert_eq!(dokku.place.read("lib/config/ps/twin/skip-deploy"), "true");
    assert_eq!(dokku.place.read("lib/data/ps/twin/Procfile"), PROCFILE);
    assert!(!dokku.place.path().join("lib/data/ps/twin/Procfile.99").exists());
    assert_eq!(run(dokku.trigger(&["post-app-clone", "demo", "twin"]).env("SKIP_REBUILD", "true")).status, 0);
    assert_eq!(dokku.calls(), Vec::<String>::new());
    dokku.hook("receive-app", "exit 7");
    assert_eq!(run(&mut dokku.trigger(&["post-app-clone", "demo", "twin"])).status, 7);
    assert_eq!(dokku.calls(), ["trigger receive-app twin"]);
}

#[test]
fn a_renamed_app_takes_everything_along() {
    let dokku = Dokku::new();
    dokku.place.app("third");
    let kept = ["journal", "last-words.json", "alerts.json"];
    for file in kept {
        dokku.place.write(&format!("lib/data/formation/demo/{file}"), &format!("{file} of demo\n"));
    }
    dokku.place.write("lib/data/formation/demo/one-offs/run.1.lock", "");
    assert_eq!(run(&mut dokku.trigger(&["post-app-rename-setup", "demo", "third"])).status, 0);
    assert!(!dokku.place.path().join("lib/config/ps/demo").exists());
    assert_eq!(dokku.place.read("lib/config/ps/third/scale"), "web=1\nrelease=0\nworker=0\n");
    assert_eq!(
        run(dokku.trigger(&["post-app-rename", "demo", "third"]).env("SKIP_REBUILD", "true")).status,
        0
    );
    for gone in ["lib/data/ps/demo", "lib/data/formation/demo", "lib/data/formation/third/one-offs"] {
        assert!(!dokku.place.path().join(gone).exists(), "{gone}");
    }
    for file in kept {
        let of_third = dokku.place.read(&format!("lib/data/formation/third/{file}"));
        assert!(of_third.starts_with(&format!("{file} of demo\n")), "{file}: {of_third}");
    }
    assert_eq!(dokku.place.read("lib/data/ps/third/Procfile"), PROCFILE);
    assert_eq!(run(&mut dokku.trigger(&["post-app-rename", "demo", "third"])).status, 0, "again, and built");
    assert_eq!(dokku.calls(), ["trigger receive-app third"]);
}

#[test]
fn a_stop_is_remembered() {
    let dokku = Dokku::new();
    assert_eq!(run(&mut dokku.trigger(&["post-stop", "demo"])).status, 0);
    assert_eq!(dokku.place.read("lib/config/ps/demo/restore"), "false");
}

#[test]
fn a_plugin_can_have_an_app_restarted() {
    let dokku = Dokku::new();
    assert_eq!(run(&mut dokku.trigger(&["app-restart", "demo"])).status, 0);
    assert_eq!(dokku.calls(), ["trigger deployed-app-image-tag demo", "trigger deploy demo latest"]);
    let ran = run(&mut dokku.trigger(&["app-restart", "idle"]));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, " !     App idle has not been deployed\n"));
    let ran = run(&mut dokku.trigger(&["app-restart", "nope"]));
    assert_eq!((ran.status, &*ran.stderr), (0, " !     App nope has not been deployed\n"));
}

#[test]
fn install_makes_places_and_moves_what_older_dokkus_kept_elsewhere() {
    let dokku = Dokku::new();
    let place = &dokku.place;
    place.write("lib/config/docker-options/demo/_default_.deploy", "--label=a\n--restart=always\n");
    place.write("lib/config/docker-options/idle/_default_.deploy", "--restart=on-failure:10\n");
    let none = place.path().join("lib/config/ps/idle/restart-policy");
    place.write("home/demo/DOKKU_SCALE", "web=3\n");
    place.write(
        "lib/config/demo/ENV",
        "DOKKU_APP_RESTORE=\"0\"\nDOKKU_START_CMD=\"run $(touch canary)\"\nA=\"1\"\n",
    );
    place.write("lib/config/--global/ENV", "DOKKU_SKIP_DEPLOY=\"true\"\nDOKKU_START_CMD=\"no global one\"\n");
    fs::remove_file(place.path().join("lib/config/ps/demo/restore")).expect("it was there");
    dokku.hook("config-unset", "");
    dokku.hook("config-migrate-env", "");
    for round in 0..2 {
        let ran = run(&mut dokku.trigger(&["install"]));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{round}");
        assert_eq!(place.read("lib/config/ps/demo/restart-policy"), "always");
        assert_eq!(place.read("lib/config/ps/demo/restore"), "false");
        assert_eq!(place.read("lib/config/ps/demo/start-cmd"), "run $(touch canary)");
        assert_eq!(place.read("lib/config/ps/--global/skip-deploy"), "true");
        assert_eq!(place.read("lib/config/ps/--global/start-cmd"), "");
        assert_eq!(place.read("lib/config/docker-options/demo/_default_.deploy"), "--label=a\n");
        assert_eq!(place.read("lib/config/docker-options/idle/_default_.deploy"), "");
        assert!(!none.exists(), "the default needs no property");
        assert!(!place.path().join("home/demo/DOKKU_SCALE").exists());
        assert!(place.path().join("lib/data/ps/idle").is_dir());
    }
    assert!(!place.path().join("canary").exists());
    let calls = dokku.calls();
    let unset: Vec<_> = calls.iter().filter(|call| call.contains("config-unset")).collect();
    assert_eq!(unset.len(), 3, "{calls:?}");
}
