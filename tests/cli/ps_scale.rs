//! `ps-scale` as a shell sees it, in a world of its own: what it prints, stores, refuses and has others do.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::World;
use support::recorded::{self, Difference};
use support::{DEADLINE, Place, Ran, run, schema};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-scale");
const PROCFILE: &str = "web: serve\nworker: work\nrelease: migrate\n";

fn scale(place: &Place, words: &[&str]) -> Ran {
    run(place.command(PROGRAM).args(words))
}

fn scale_inside_dokku(place: &Place, words: &[&str]) -> Ran {
    run(place.command_inside_dokku(PROGRAM).args(words))
}

fn hello(scale: &str) -> Place {
    Place::with_app("hello", scale)
}

/// An app that has a Procfile.
fn shop(scale: &str) -> Place {
    let place = Place::with_app("shop", scale);
    place.write("lib/data/ps/shop/Procfile", PROCFILE);
    place
}

fn stored(place: &Place, app: &str) -> (String, String) {
    let read = |name: &str| place.read(&format!("lib/config/ps/{app}/{name}"));
    (read("scale"), read("scale.old"))
}

fn quietly(ran: &Ran) -> (i32, &str) {
    (ran.status, &ran.stdout)
}

// ---- What a real Dokku said and did.

const DIFFERENCES: &[Difference] = &[
    Difference { name: "scale-print-bad-format", reason: "an unknown format is wrong usage, not text" },
    Difference { name: "scale-neg", reason: "a negative count is refused" },
    Difference { name: "scale-dup", reason: "two counts for one type are refused" },
    Difference { name: "scale-badtype", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-badtype2", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-space", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-long", reason: "a name over 63 characters is refused" },
    Difference {
        name: "scale-format-change",
        reason: "the format that was asked for is given after a change too",
    },
];

#[test]
fn inside_dokku_every_recorded_case_is_answered_as_dokku_answered_it() {
    recorded::replay(&["reads.jsonl", "changes.jsonl", "hooks.jsonl"], DIFFERENCES, |place, case| {
        let words: Vec<&str> = case.argv.iter().map(String::as_str).collect();
        let mut command = place.command_inside_dokku(PROGRAM);
        command.env("DOKKU_PID", "4242");
        match &words[..] {
            ["dokku", "--quiet", "ps:scale", rest @ ..] => {
                command.env("DOKKU_QUIET_OUTPUT", "1").args(rest);
            }
            ["dokku" | "subcommands/scale", "ps:scale", rest @ ..] => {
                command.args(rest);
            }
            ["dokku", "plugin:trigger", trigger, rest @ ..] | [trigger, rest @ ..]
                if [
                    "ps-current-scale",
                    "ps-set-scale",
                    "ps-can-scale",
                    "post-create",
                    "post-release-builder",
                ]
                .contains(trigger) =>
            {
                if case.name == "current-scale-after" {
                    // Its answer shows that this hook ran before it, in a case that was not recorded.
                    let builder = ["--from-trigger", "post-release-builder", "dockerfile", "demo", "image"];
                    assert_eq!(scale_inside_dokku(place, &builder).status, 0);
                    return None;
                }
                command.args(["--from-trigger", trigger]).args(rest);
            }
            _ => return None,
        }
        Some(command)
    });
}

#[test]
fn the_golden_cases_hold() {
    support::golden::holds("ps-scale", PROGRAM, 30);
}

#[test]
fn a_new_procfile_brings_its_types_and_ends_those_it_lost() {
    let place = Place::with_app("demo", "web=1\nworker=0\nrelease=0\n");
    place.write("lib/data/ps/demo/Procfile", "web: z\nclock: c\n");
    let hook = |words: &[&str]| scale_inside_dokku(&place, &[&["--from-trigger"], words].concat());
    assert_eq!(quietly(&hook(&["post-release-builder", "dockerfile", "demo", "image"])), (0, ""));
    assert_eq!(stored(&place, "demo"), ("web=1\nclock=0\n".into(), "worker=0\nrelease=0\n".into()));
    assert_eq!(quietly(&hook(&["ps-current-scale", "demo"])), (0, "clock=0\nrelease=0\nweb=1\nworker=0"));
}

// ---- Printing.

#[test]
fn a_formation_is_printed_on_our_own_as_inside_dokku() {
    let place = shop("web=2\nrelease=0\nworker=10\n");
    let text = "-----> Scaling for shop\nproctype: qty\n--------: ---\nrelease: 0\nweb:  2\nworker: 10\n";
    assert_eq!(quietly(&scale(&place, &["shop"])), (0, text));
    assert_eq!(quietly(&scale_inside_dokku(&place, &["shop"])), (0, text));
    let rows = "release: 0\nweb:  2\nworker: 10\n";
    assert_eq!(quietly(&scale(&place, &["shop", "--quiet"])), (0, rows));
    assert_eq!(quietly(&run(place.command(PROGRAM).arg("shop").env("DOKKU_QUIET_OUTPUT", "1"))), (0, rows));
    let json = "[{\"process_type\":\"release\",\"quantity\":0},{\"process_type\":\"web\",\"quantity\":2},\
                {\"process_type\":\"worker\",\"quantity\":10}]\n";
    for format in [&["--json"][..], &["--format", "json"], &["--format=json"]] {
        assert_eq!(quietly(&scale(&place, &[format, &["shop"]].concat())), (0, json));
    }
    let csv = "process_type,quantity\nrelease,0\nweb,2\nworker,10\n";
    assert_eq!(quietly(&scale(&place, &["shop", "--format", "csv"])), (0, csv));
    assert_eq!(quietly(&scale(&place, &["shop", "--format", "stdout"])), (0, text));
}

#[test]
fn the_file_of_older_dokkus_is_printed_and_is_read_back() {
    let place = shop("web=2\nrelease=0\na.b=1\nworker=10\n");
    place.write("lib/config/ps/shop/scale.old", "gone=0\n");
    let file = "gone=0\nrelease=0\nweb=2\nworker=10\n";
    for ran in [
        scale(&place, &["shop", "--format", "dokku-scale"]),
        scale_inside_dokku(&place, &["shop", "--format=dokku-scale"]),
    ] {
        assert_eq!(quietly(&ran), (0, file));
    }
    assert_eq!(ps_apps::parse_dokku_scale(file.as_bytes()).map(|asked| asked.len()), Ok(4));
    let changed = scale(&place, &["shop", "--format", "dokku-scale", "worker=1"]);
    assert_eq!(quietly(&changed), (0, "gone=0\nrelease=0\nweb=2\nworker=1\n"));
    assert_eq!(scale(&place, &["shop", "--dry-run", "--format", "dokku-scale"]).status, 2);
}

#[test]
fn an_app_without_a_formation_prints_an_empty_one() {
    let place = Place::new();
    place.app("bare");
    assert_eq!(quietly(&scale(&place, &["bare", "--json"])), (0, "[]\n"));
    assert_eq!(quietly(&scale(&place, &["bare", "--quiet"])), (0, ""));
}

#[test]
fn old_lines_that_nobody_would_accept_today_are_printed_with_one_warning() {
    let place = hello("a.b=1\nweb=-1\n x = 7 \nfoo=1\n");
    let ran = scale(&place, &["hello", "--quiet"]);
    assert_eq!(quietly(&ran), (0, "a.b:  1\nfoo:  1\nweb:  -1\nx:    7\n"));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("a.b=1, web=-1"), "{}", ran.stderr);
    assert_eq!(scale(&place, &["hello", "foo=2", "--skip-deploy"]).status, 0);
    assert_eq!(stored(&place, "hello").0, "foo=2\na.b=1\nweb=-1\nx=7\n");
    assert_eq!(scale(&place, &["hello", "a.b=0", "--skip-deploy"]).status, 0);
    assert_eq!(stored(&place, "hello"), ("foo=2\nweb=-1\nx=7\n".into(), "a.b=0\n".into()));
}

#[test]
fn old_names_are_padded_by_bytes_and_escaped_in_json_as_dokku_does() {
    let place = hello("\u{e9}=1\n<&>=2\n=3\n");
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, ":     3\n<&>:  2\n\u{e9}:   1\n");
    let json = "[{\"process_type\":\"\",\"quantity\":3},{\"process_type\":\"\\u003c\\u0026\\u003e\",\"quantity\":2},\
                {\"process_type\":\"\u{e9}\",\"quantity\":1}]\n";
    assert_eq!(scale(&place, &["hello", "--json"]).stdout, json);
}

#[test]
fn a_formation_of_too_many_types_is_refused() {
    let place = hello("web=1\n");
    let lines: Vec<String> = (0..10_001).map(|n| format!("t{n}: x\n")).collect();
    place.write("lib/data/ps/hello/Procfile", &lines.concat());
    let ran = scale(&place, &["hello", "t1=1"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("10000 are allowed"), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = hello("web=1\n");
    let line = format!("set -o pipefail; '{PROGRAM}' hello | true");
    for _ in 0..20 {
        let ended = Program::new("bash")
            .args(["-c", &line])
            .env("DOKKU_ROOT", place.root())
            .env("DOKKU_LIB_ROOT", place.lib())
            .status()
            .expect("bash");
        assert!(ended.success(), "{ended}");
    }
}

#[test]
fn a_type_that_an_earlier_change_ended_waits_for_the_deploy_whatever_is_changed_before_it() {
    let place = hello("web=1\nworker=2\n");
    for words in [&["worker=0"][..], &["web=2"], &["clock=1"], &["--replace", "web=3"]] {
        let words = [&["hello", "--skip-deploy", "--quiet"], words].concat();
        assert_eq!(scale_inside_dokku(&place, &words).status, 0);
    }
    let hook = |words: &[&str]| scale_inside_dokku(&place, &[&["--from-trigger"], words].concat());
    assert_eq!(hook(&["post-release-builder", "dockerfile", "hello", "image"]).status, 0);
    assert_eq!(stored(&place, "hello"), ("web=3\n".into(), "clock=0\nworker=0\n".into()));
    assert_eq!(hook(&["ps-current-scale", "hello"]).stdout, "clock=0\nweb=3\nworker=0");
}

#[test]
fn what_could_end_a_line_of_a_script_is_escaped_in_json_too() {
    let place = hello("a\u{2028}b\u{2029}c=1\n");
    let json = "[{\"process_type\":\"a\\u2028b\\u2029c\",\"quantity\":1}]\n";
    assert_eq!(scale(&place, &["hello", "--json"]).stdout, json);
}

#[test]
fn types_that_are_wanted_no_more_are_printed_until_a_deploy_and_what_is_wanted_wins() {
    let place = hello("web=1\nweb=7\n");
    place.write("lib/config/ps/hello/scale.old", "gone=0\nweb=5\nx.y=2\n");
    let rows = "gone: 0\nweb:  1\nx.y:  2\n";
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, rows);
    let inside = run(place.command_inside_dokku(PROGRAM).arg("hello").env("DOKKU_QUIET_OUTPUT", "yes"));
    assert_eq!(quietly(&inside), (0, rows));
    let current = scale_inside_dokku(&place, &["--from-trigger", "ps-current-scale", "hello"]);
    assert_eq!(quietly(&current), (0, "gone=0\nweb=1\nx.y=2"));
}

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let place = Place::with_app("yours", "web=1\n");
    place.hide_yours_from_ann();
    let before = place.tree();
    let ask = |user: &str, words: &[&str]| {
        run(place.command_inside_dokku(PROGRAM).args(words).env("SSH_USER", user).env_remove("SSH_NAME"))
    };
    for words in [&["yours"][..], &["yours", "--json"], &["yours", "web=2"], &["yours", "--clear"]] {
        let ran = ask("ann", words);
        assert_eq!(
            (quietly(&ran), &*ran.stderr),
            ((20, ""), " !     App yours does not exist\n"),
            "{words:?}"
        );
    }
    assert_eq!(ask("ann", &["--from-trigger", "ps-current-scale", "yours"]).stdout, "web=1");
    assert_eq!(place.tree(), before);
    assert_eq!(ask("bob", &["yours", "web=2"]).status, 0);
    assert_eq!(scale(&place, &["yours", "--quiet"]).stdout, "web:  2\n", "on our own nobody hides");
}

// ---- Changing.

#[test]
fn inside_dokku_words_are_judged_in_dokkus_order_and_refused_in_its_words() {
    let place = shop("web=1\nrelease=0\nworker=0\n");
    let before = place.state();
    for (words, said) in [
        (&["nope=1", "web"][..], "Missing count for process type web"),
        (&["nope=1", "web=x"], "Invalid count for process type web"),
        (&["web", "worker=x"], "Missing count for process type web"),
        (&["web="], "Invalid count for process type web"),
        (&["web=1.5"], "Invalid count for process type web"),
        (&["web=1=2"], "Invalid count for process type web"),
        (&["web=99999999999999999999"], "Invalid count for process type web"),
        (&["web=-99999999999999999999"], "Invalid count for process type web"),
        (&["worker=1", "nope=1", "neither=1"], "nope is not a valid process name to scale up"),
        (&["Web=1"], "Web is not a valid process name to scale up"),
    ] {
        let ran = scale_inside_dokku(&place, &[&["--skip-deploy", "shop"], words].concat());
        let talk = format!("-----> Scaling shop processes: {}\n", words.join(" "));
        let said = format!(" !     {said}\n");
        assert_eq!((quietly(&ran), &ran.stderr), ((1, &*talk), &said), "{words:?}");
    }
    assert_eq!(place.state(), before);
    for (words, scale) in [
        (&[" web = 2 "][..], "web=2\nrelease=0\nworker=0\n"),
        (&["worker=+3", "web=00"], "worker=3\nweb=0\nrelease=0\n"),
    ] {
        let mut command = place.command_inside_dokku(PROGRAM);
        let ran = run(command.env("DOKKU_QUIET_OUTPUT", "1").arg("shop").args(words));
        let talk = format!("-----> Scaling shop processes: {}\n", words.join(" "));
        assert_eq!((quietly(&ran), &*ran.stderr), ((0, &*talk), ""), "quiet or not");
        assert_eq!(stored(&place, "shop"), (scale.to_owned(), String::new()));
    }
    let empty = scale_inside_dokku(&place, &[""]);
    let said = " !     Please specify an app to run the command on\n";
    assert_eq!((quietly(&empty), &*empty.stderr), ((1, ""), said));
}

#[test]
fn a_change_is_stored_and_told_on_stderr_on_our_own_and_on_stdout_inside_dokku() {
    let place = shop("web=1\n");
    let ran = scale(&place, &["shop", "web=2", "worker=1"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), "-----> Scaling shop processes: web=2 worker=1\n"));
    assert_eq!(stored(&place, "shop"), ("web=2\nworker=1\nrelease=0\n".into(), String::new()));
    let ran = scale_inside_dokku(&place, &["shop", "web=3"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, "-----> Scaling shop processes: web=3\n"), ""));
    let ran = scale(&place, &["shop", "web=4", "--quiet"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), ""));
}

#[test]
fn a_change_with_a_format_prints_the_new_formation_and_nothing_else_on_stdout() {
    let place = hello("web=1\n");
    let expected = "[{\"process_type\":\"web\",\"quantity\":3}]\n";
    assert_eq!(quietly(&scale(&place, &["hello", "web+=2", "--json"])), (0, expected));
    let ran = scale_inside_dokku(&place, &["hello", "web=3", "--json"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, expected), "-----> Scaling hello processes: web=3\n"));
}

#[test]
fn replace_takes_the_named_types_as_the_whole_formation_and_clear_goes_back_to_the_first() {
    let place = shop("web=1\nworker=3\n");
    assert_eq!(scale(&place, &["shop", "--replace", "web=2"]).status, 0);
    assert_eq!(stored(&place, "shop").0, "web=2\nrelease=0\nworker=0\n");
    assert_eq!(scale(&place, &["shop", "worker=3"]).status, 0);
    let ran = scale_inside_dokku(&place, &["--clear", "shop"]);
    assert_eq!(quietly(&ran), (0, "-----> Resetting shop processes to the default scale\n"));
    assert_eq!(stored(&place, "shop").0, "web=1\nrelease=0\nworker=0\n");
    for (words, part) in [
        (&["shop", "--replace"][..], "at least one"),
        (&["shop", "--clear", "web=1"], "takes no types"),
        (&["shop", "--clear", "--replace"], "exclude each other"),
    ] {
        let ran = scale(&place, words);
        assert_eq!(ran.status, 2, "{words:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(scale_inside_dokku(&place, words).status, 1, "{words:?}");
    }
}

#[test]
fn max_is_one_instance_per_cpu_that_we_may_use() {
    let place = hello("web=1\n");
    assert_eq!(scale(&place, &["hello", "web=max"]).status, 0);
    let cpus = thread::available_parallelism().expect("a machine has CPUs");
    assert_eq!(stored(&place, "hello").0, format!("web={cpus}\n"));
}

#[test]
fn an_app_whose_app_json_has_a_formation_is_not_scaled_by_hand() {
    let place = hello("web=1\n");
    place.write("lib/config/ps/hello/can-scale", "false");
    let before = place.tree();
    let ran = scale(&place, &["hello", "web=2"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("app.json"), "{}", ran.stderr);
    let ran = scale_inside_dokku(&place, &["hello", "web=2"]);
    let words =
        " !     App hello contains an app.json file with a formations key and cannot be manually scaled\n";
    assert_eq!((quietly(&ran), &*ran.stderr), ((1, ""), words));
    assert_eq!(place.tree(), before);
    assert_eq!(scale(&place, &["hello"]).status, 0);
    assert_eq!(
        scale(&place, &["--from-trigger", "ps-set-scale", "hello", "true", "false", "web=2"]).status,
        0
    );
    assert_eq!(stored(&place, "hello").0, "web=2\n");
}

#[test]
fn fifty_writers_of_different_types_lose_nothing() {
    let place = hello("web=1\n");
    for round in 1..=count(2, 200) {
        let writers = (0..50).map(|n| {
            let mut command = place.command(PROGRAM);
            command.args(["hello", "--skip-deploy", "--quiet", &format!("type{n}={}", (round + n) % 9 + 1)]);
            thread::spawn(move || run(&mut command))
        });
        for writer in writers.collect::<Vec<_>>() {
            let ran = writer.join().expect("a writer");
            assert_eq!((ran.status, &*ran.stderr), (0, ""));
        }
        let rows = scale(&place, &["hello", "--format", "csv"]).stdout;
        for n in 0..50 {
            assert!(
                rows.contains(&format!("\ntype{n},{}\n", (round + n) % 9 + 1)),
                "type{n} is lost:\n{rows}"
            );
        }
    }
}

#[test]
fn a_reader_never_sees_a_torn_or_empty_formation() {
    let place = hello("web=1\n");
    let formations = [
        "[{\"process_type\":\"web\",\"quantity\":1},{\"process_type\":\"worker\",\"quantity\":0}]\n",
        "[{\"process_type\":\"web\",\"quantity\":2},{\"process_type\":\"worker\",\"quantity\":9}]\n",
    ];
    let change = |words: &[&str]| {
        let mut command = place.command(PROGRAM);
        command.args(["hello", "--skip-deploy", "--quiet"]).args(words);
        command
    };
    let mut changes = [change(&["web=1", "worker=0"]), change(&["web=2", "worker=9"])];
    assert_eq!(run(&mut changes[0]).status, 0);
    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (stop, counter) = (Arc::clone(&is_over), Arc::clone(&written));
    let writer = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let writes = counter.fetch_add(1, Ordering::Relaxed);
            assert_eq!(run(&mut changes[writes % 2]).status, 0);
        }
    });
    let (reads, deadline) = (count(100, 1000), Instant::now() + DEADLINE);
    for read in 0.. {
        let ran = scale(&place, &["hello", "--json"]);
        assert!(ran.status == 0 && formations.contains(&&*ran.stdout), "{ran:?}");
        if read >= reads && written.load(Ordering::Relaxed) >= 10 {
            break;
        }
        assert!(Instant::now() < deadline, "{read} reads, {written:?} writes");
    }
    is_over.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
}

/// How often: the first count, or the second one in a long run.
fn count(plain: usize, long: usize) -> usize {
    if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { long } else { plain }
}

// ---- What it has others do.

/// The program where another `ps-lifecycle` lies beside it: one that writes down how it was called.
fn beside_a_recorder(place: &Place, body: &str) -> std::path::PathBuf {
    let script = format!(
        "#!/bin/sh\necho \"$* lock=$FORMATION_LOCK\" >> '{}/calls'\n{body}\n",
        place.path().display()
    );
    place.script("bin/ps-lifecycle", &script);
    place.install(Path::new(PROGRAM), "bin/ps-scale");
    place.path().join("bin/ps-scale")
}

#[test]
fn a_deployed_app_is_converged_under_our_lock_and_an_undeployed_one_is_not() {
    let place = hello("web=1\n");
    let program = beside_a_recorder(&place, "echo talk");
    let change = |words: &[&str]| run(place.command(&program).arg("hello").args(words));
    assert_eq!(change(&["web=2"]).status, 0);
    assert_eq!(place.read("calls"), "");
    place.write("lib/config/common/hello/deployed", "true");
    assert_eq!(change(&["web=3", "--skip-deploy"]).status, 0);
    assert_eq!(place.read("calls"), "");
    let ran = change(&["web=4"]);
    assert_eq!(quietly(&ran), (0, ""));
    assert!(ran.stderr.contains("talk"), "{}", ran.stderr);
    let calls = place.read("calls");
    assert!(calls.starts_with("converge hello lock=hello "), "{calls}");
    assert_eq!(calls.lines().count(), 1, "{calls}");
}

#[test]
fn if_the_instances_cannot_be_made_to_match_that_status_is_ours_and_the_formation_says_what_was_asked() {
    let place = hello("web=1\n");
    place.write("lib/config/common/hello/deployed", "true");
    for (body, status) in [("exit 1", 1), ("exit 75", 75), ("kill -9 $$", 137)] {
        let program = beside_a_recorder(&place, body);
        let ran = run(place.command(&program).args(["hello", &format!("web={}", status + 1), "--json"]));
        assert_eq!(quietly(&ran), (status, ""));
        assert!(ran.stderr.contains("stored"), "{}", ran.stderr);
        assert_eq!(stored(&place, "hello").0, format!("web={}\n", status + 1));
    }
    fs::remove_file(place.path().join("bin/ps-lifecycle")).expect("it was there");
    let alone = place.path().join("bin/ps-scale");
    let ran = run(place.command(alone).env("PATH", "/nonexistent").args(["hello", "web=7"]));
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("ps-lifecycle"), "{}", ran.stderr);
    assert_eq!(stored(&place, "hello").0, "web=7\n");
}

/// Hooks that write down how they were called; `deploy` fails for the type `bad`.
fn with_recording_hooks(place: &Place) {
    let log = format!("{}/calls", place.path().display());
    let hook = |name: &str, body: &str| {
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> '{log}'\n{body}\n");
        place.script(&format!("lib/plugins/enabled/test/{name}"), &script);
    };
    hook("deployed-app-image-tag", "");
    hook(
        "deploy",
        &format!(
            "echo \"deploying $3\"; test -n \"$FORMATION_LOCK\" -o -e '{log}.by-a-hook' || exit 9; '{PROGRAM}' --from-trigger ps-current-scale $1 > /dev/null; test $3 != bad || {{ echo bad is bad >&2; exit 4; }}"
        ),
    );
}

#[test]
fn inside_dokku_one_deploy_is_triggered_for_each_changed_type_in_order() {
    let place = shop("web=1\nworker=0\nrelease=0\n");
    place.write("lib/config/common/shop/deployed", "true");
    with_recording_hooks(&place);
    let ran = scale_inside_dokku(&place, &["shop", "worker=2", "web=1", "release=1"]);
    let said =
        "-----> Scaling shop processes: worker=2 web=1 release=1\ndeploying worker\ndeploying release\n";
    assert_eq!(quietly(&ran), (0, said), "{}", ran.stderr);
    let calls = "deployed-app-image-tag shop\ndeploy shop latest worker\ndeploy shop latest release\n";
    assert_eq!(place.read("calls"), calls);
    fs::remove_file(place.path().join("calls")).expect("it was there");
    assert_eq!(scale_inside_dokku(&place, &["shop", "web=1"]).status, 0);
    assert_eq!(place.read("calls"), "deployed-app-image-tag shop\n");
    let ran = scale_inside_dokku(&place, &["shop", "web=2", "--format", "csv"]);
    assert_eq!(quietly(&ran), (0, "process_type,quantity\nrelease,1\nweb,2\nworker,2\n"));
    assert!(ran.stderr.contains("deploying web"), "{}", ran.stderr);
}

#[test]
fn a_flag_that_says_yes_or_no_in_words_is_understood_as_dokku_understands_it() {
    let place = shop("web=1\nworker=0\nrelease=0\n");
    place.write("lib/config/common/shop/deployed", "true");
    with_recording_hooks(&place);
    for (flag, count, deploys) in [("--skip-deploy=true", "web=2", 0), ("--skip-deploy=false", "web=3", 1)] {
        let ran = scale_inside_dokku(&place, &["shop", flag, count]);
        assert_eq!(ran.status, 0, "{flag}: {}", ran.stderr);
        assert!(stored(&place, "shop").0.starts_with(count), "{flag}");
        assert_eq!(place.read("calls").matches("deploy shop").count(), deploys, "{flag}");
    }
    assert_eq!(scale_inside_dokku(&place, &["shop", "--skip-deploy", "web=4"]).status, 0);
    assert_eq!(place.read("calls").matches("deploy shop").count(), 1);
    assert_eq!(scale_inside_dokku(&place, &["shop", "--skip-deploy=perhaps", "web=5"]).status, 2);
}

#[test]
fn inside_dokku_a_type_that_was_not_there_is_deployed_even_at_zero_and_another_time_not() {
    let place = shop("web=1\n");
    place.write("lib/config/common/shop/deployed", "true");
    with_recording_hooks(&place);
    assert_eq!(scale_inside_dokku(&place, &["shop", "clock=0", "web=1", "worker=0"]).status, 0);
    let calls = "deployed-app-image-tag shop\ndeploy shop latest clock\ndeploy shop latest worker\n";
    assert_eq!(place.read("calls"), calls);
    fs::remove_file(place.path().join("calls")).expect("it was there");
    assert_eq!(scale_inside_dokku(&place, &["shop", "clock=0", "worker=0"]).status, 0);
    assert_eq!(place.read("calls"), "deployed-app-image-tag shop\n");
}

#[test]
fn inside_dokku_the_first_deploy_that_fails_ends_the_command_and_the_formation_is_stored() {
    let place = Place::with_app("shop", "web=1\n");
    place.write("lib/config/common/shop/deployed", "true");
    with_recording_hooks(&place);
    let ran = scale_inside_dokku(&place, &["shop", "bad=1", "web=2"]);
    // What the hook said is the last word, as in Dokku, and its exit status is ours.
    assert_eq!(ran.status, 4);
    let named = " !     trigger deploy failed with exit status 4: the hook of plugin ";
    assert!(
        ran.stderr.starts_with("bad is bad\n !     bad is bad\n") && ran.stderr.contains(named),
        "{}",
        ran.stderr
    );
    assert_eq!(place.read("calls"), "deployed-app-image-tag shop\ndeploy shop latest bad\n");
    assert_eq!(stored(&place, "shop").0, "bad=1\nweb=2\n");
}

#[test]
fn the_set_scale_trigger_deploys_every_type_it_names_unless_told_to_skip() {
    let place = shop("web=1\nworker=0\nrelease=0\n");
    place.write("lib/config/common/shop/deployed", "true");
    // A hook takes no lock of ours: who calls it may hold one.
    place.write("calls.by-a-hook", "");
    with_recording_hooks(&place);
    let set = |words: &[&str]| {
        scale_inside_dokku(&place, &[&["--from-trigger", "ps-set-scale", "shop"], words].concat())
    };
    assert_eq!(set(&["true", "false", "web=2"]).status, 0);
    assert_eq!(place.read("calls"), "");
    assert_eq!(set(&["false", "false", "web=2"]).status, 0);
    assert_eq!(place.read("calls"), "deployed-app-image-tag shop\ndeploy shop latest web\n");
}

#[test]
fn what_a_file_asks_for_with_each_deploy_does_not_grow_with_each_deploy() {
    let place = Place::with_app("demo", "web=1\n");
    let hook = ["--from-trigger", "ps-set-scale", "demo", "true", "false", "web+=2"];
    let ran = scale_inside_dokku(&place, &hook);
    let told = " !     web+ is not a valid process name to scale up\n";
    assert_eq!((ran.status, &*ran.stdout, &*ran.stderr), (1, "", told));
    assert_eq!(stored(&place, "demo").0, "web=1\n");
}

// ---- Planning.

#[test]
fn a_dry_run_of_an_app_that_is_not_deployed_says_so_and_changes_nothing() {
    let place = shop("web=2\nworker=1\nrelease=0\n");
    let before = place.tree();
    let ran = scale(&place, &["shop", "--dry-run", "web=1", "worker=0"]);
    let plan = "web.1            start    the app is not deployed: starts with its first deploy\n";
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, plan), ""));
    let json = scale(&place, &["shop", "--dry-run", "--json", "web=1"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&plan["app"], &plan["source"]), (&"shop".into(), &"argument".into()));
    assert_eq!(plan["instances"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.tree(), before);
}

/// What is asked of `ps-lifecycle` where it runs is held by its own tests: `ps_lifecycle/plans.rs`.
#[test]
fn a_dry_run_that_cannot_ask_what_runs_guesses_nothing() {
    let place = shop("web=1\n");
    place.write("lib/config/common/shop/deployed", "true");
    for (body, status) in [("exit 1", 1), ("exit 75", 75), ("kill -9 $$", 137)] {
        let program = beside_a_recorder(&place, body);
        let ran = run(place.command(&program).args(["shop", "--dry-run", "web=2"]));
        assert_eq!(quietly(&ran), (status, ""));
        assert!(ran.stderr.contains("what runs of shop is not known"), "{}", ran.stderr);
    }
    fs::remove_file(place.path().join("bin/ps-lifecycle")).expect("it was there");
    let alone = place.path().join("bin/ps-scale");
    let ran = run(place.command(alone).env("PATH", "/nonexistent").args(["shop", "--dry-run", "web=2"]));
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("ps-lifecycle cannot be run"), "{}", ran.stderr);
}

// ---- Bad input: one clear line, the right status, and everything as before.

#[test]
fn bad_input_is_refused_in_one_line_and_nothing_changes() {
    let place = shop("web=1\nrelease=0\nworker=0\n");
    let long = "a".repeat(4096);
    let long_type = format!("{}=1", "t".repeat(70));
    let rows: &[(&[&str], i32, &str)] = &[
        (&["nope", "web=1"], 20, "app nope does not exist"),
        (&["nope"], 20, "app nope does not exist"),
        (&["../x"], 1, "\"../x\" is no app name"),
        (&["A", "web=1"], 1, "\"A\" is no app name"),
        (&[""], 1, "app name is missing"),
        (&[&long, "web=1"], 1, "128 are allowed"),
        (&["shop", "a.b=1"], 1, "\"a.b\" may contain only"),
        (&["shop", "$(x)=1"], 1, "may contain only"),
        (&["shop", &long_type], 1, "over 63"),
        (&["shop", "web"], 1, "web=2"),
        (&["shop", "web=-1"], 1, "negative"),
        (&["shop", "web=abc"], 1, "\"abc\" is not a whole number"),
        (&["shop", "web="], 1, "not a whole number"),
        (&["shop", "web=1.5"], 1, "not a whole number"),
        (&["shop", "web=10001"], 1, "over 10,000"),
        (&["shop", "web=99999999"], 1, "over 10,000"),
        (&["shop", "web=99999999999999999999999"], 1, "over 10,000"),
        (&["shop", "=1"], 1, "needs a name"),
        (&["shop", "web=1", "web=2"], 1, "web is named twice"),
        (&["shop", "web=2", "wroker=1"], 1, "did you mean worker?"),
        (&["shop", "clock=1"], 1, "not in the Procfile, which has release, web, worker"),
        (&["shop", "release=1"], 1, "release runs once"),
        (&["shop", "web-=2"], 1, "web has 1"),
        (&["shop", "web+=10000"], 1, "over 10,000"),
        (
            &["--from-trigger", "ps-set-scale", "shop", "true", "false", "nope=1"],
            1,
            "nope is not in the Procfile",
        ),
    ];
    let before = place.tree();
    for (words, status, part) in rows {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (*status, ""), "{words:?} {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{words:?} {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{words:?} {}", ran.stderr);
        assert!(ran.stderr.len() < 400, "{words:?} {}", ran.stderr);
        if !words.contains(&"release=1") {
            let inside = scale_inside_dokku(&place, words);
            assert_eq!(inside.status, *status, "{words:?} {}", inside.stderr);
            assert!(inside.stderr.starts_with(" !     "), "{words:?} {}", inside.stderr);
            assert!(place.tree() == before, "{words:?} left something behind");
        }
    }
}

#[test]
fn wrong_usage_is_status_2_on_our_own() {
    let place = hello("web=1\n");
    let before = place.tree();
    for words in [
        &[][..],
        &["--nope", "hello"],
        &["hello", "--format", "xml"],
        &["hello", "--wait", "18446744073709551615"],
    ] {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (2, ""), "{words:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{words:?}");
    }
    assert_eq!(place.tree(), before);
    assert!(scale(&place, &["--help"]).stdout.contains("Exit status"));
    assert!(scale(&place, &["--version"]).stdout.starts_with("ps-scale "));
}

#[test]
fn a_corrupt_formation_or_procfile_is_named_and_never_guessed() {
    let rows: &[(&str, &[u8], &str)] = &[
        ("lib/config/ps/shop/scale", b"web=1\nworker\n", "scale, line 2: \"worker\" has no ="),
        ("lib/config/ps/shop/scale", b"web=1\n\nworker=2\n", "scale, line 2: \"\" has no ="),
        ("lib/config/ps/shop/scale", b"web=x\n", "scale, line 1"),
        ("lib/config/ps/shop/scale", b"web=1\n\xff\xfe=2\n", "scale, line 2: not UTF-8"),
        ("lib/config/ps/shop/scale", b"we\0b=1\n", "NUL"),
        ("lib/config/ps/shop/scale.old", b"gone\n", "scale.old, line 1"),
    ];
    for (path, bytes, part) in rows {
        let place = shop("web=1\n");
        fs::write(place.path().join(path), bytes).expect("a file");
        let before = place.tree();
        for words in [&["shop"][..], &["shop", "web=2"], &["shop", "--dry-run", "web=2"]] {
            let ran = scale(&place, words);
            assert_eq!(quietly(&ran), (1, ""), "{part} {words:?}");
            assert!(ran.stderr.contains(part), "{part} {}", ran.stderr);
            assert!(ran.stderr.contains("shop"), "{}", ran.stderr);
        }
        assert!(place.tree() == before, "{part}");
    }
    for (procfile, part) in [("", "no entries"), ("web serve\n", "line 1")] {
        let place = shop("web=1\n");
        place.write("lib/data/ps/shop/Procfile", procfile);
        let before = place.tree();
        let ran = scale(&place, &["shop", "web=2"]);
        assert_eq!(quietly(&ran), (1, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("data/ps/shop/Procfile") && ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(place.tree(), before);
        assert_eq!(scale(&place, &["shop"]).status, 0);
    }
}

#[test]
fn what_is_no_plain_file_or_too_large_is_refused() {
    type Spoil = fn(&Path);
    let path = "lib/config/ps/shop/scale";
    let spoil: [(&str, Spoil); 3] = [
        ("is not a file", |path| fs::create_dir(path).expect("a directory")),
        ("symbolic link", |path| symlink("/etc/passwd", path).expect("a link")),
        ("larger than 1 MiB", |path| fs::write(path, vec![b'x'; 100 << 20]).expect("a file")),
    ];
    for (part, spoil) in spoil {
        let place = shop("web=1\n");
        let path = place.path().join(path);
        fs::remove_file(&path).expect("it was there");
        spoil(&path);
        for words in [&["shop"][..], &["shop", "web=2"]] {
            let ran = scale(&place, words);
            assert_eq!(quietly(&ran), (1, ""), "{part}");
            assert!(
                ran.stderr.contains(part) && ran.stderr.contains("config/ps/shop/scale"),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_formation() {
    let place = shop("web=1\n");
    place.write("lib/config/ps/shop/.stage", "a file where a directory belongs");
    let before = place.state();
    let ran = scale(&place, &["shop", "web=2", "--quiet"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains(".stage"), "{}", ran.stderr);
    assert_eq!(place.state(), before);
}

#[test]
fn an_app_that_is_being_changed_is_busy_and_its_holder_is_named() {
    let place = hello("web=1\n");
    let world = World::new(place.root(), place.lib());
    let app = "hello".parse().expect("a name");
    let held = world.lock_app(&app, Duration::ZERO).expect("nobody holds it");
    let before = place.tree();
    let ran = scale(&place, &["hello", "web=2", "--wait", "0", "--quiet"]);
    assert_eq!(quietly(&ran), (75, ""));
    assert!(ran.stderr.contains(&format!("pid {}", std::process::id())), "{}", ran.stderr);
    assert_eq!(place.tree(), before);
    assert_eq!(scale(&place, &["hello"]).status, 0);
    let (name, token) = held.token();
    let ran = run(place.command(PROGRAM).args(["hello", "web=2", "--wait", "0"]).env(name, token));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    drop(held);
    assert_eq!(scale(&place, &["hello", "web=3", "--wait", "20"]).status, 0);
}

// ---- The triggers' other faces.

#[test]
fn the_triggers_of_creation_and_deletion_make_and_remove_what_ps_keeps() {
    let place = Place::new();
    let hook = |words: &[&str]| scale_inside_dokku(&place, &[&["--from-trigger"], words].concat());
    assert_eq!(quietly(&hook(&["post-create", "fresh"])), (0, ""));
    assert_eq!(stored(&place, "fresh").0, "web=1\n");
    assert!(place.path().join("lib/data/ps/fresh").is_dir());
    place.app("fresh");
    assert_eq!(quietly(&hook(&["ps-can-scale", "fresh", "nonsense"])), (0, ""));
    assert_eq!(place.read("lib/config/ps/fresh/can-scale"), "false");
    assert_eq!(quietly(&hook(&["post-delete", "fresh", "latest"])), (0, ""));
    assert_eq!(place.state().len(), 0);
    assert!(!place.path().join("lib/data/ps/fresh").exists());
    assert_eq!(quietly(&hook(&["ps-current-scale", "fresh"])), (0, ""));
    assert_eq!(hook(&["post-delete", "../../etc"]).status, 1);
    assert_eq!(hook(&["no-such-trigger", "fresh"]).status, 2);
    assert_eq!(hook(&["ps-can-scale", "fresh"]).status, 2);
}

// ---- Where counts come from.

#[test]
fn which_source_won_is_told_on_our_own_and_a_change_by_hand_takes_over() {
    let place = hello("web=1\n");
    let print = || scale(&place, &["hello"]);
    assert_eq!(print().stderr, "");
    assert_eq!(
        scale(&place, &["--from-trigger", "ps-set-scale", "hello", "true", "false", "web=2"]).status,
        0
    );
    assert!(print().stderr.contains("from the trigger ps-set-scale"), "{}", print().stderr);
    assert_eq!(print().stdout, "-----> Scaling for hello\nproctype: qty\n--------: ---\nweb:  2\n");
    place.write("lib/config/ps/hello/scale-source", "app.json");
    assert!(print().stderr.contains("app.json"), "{}", print().stderr);
    let plan = scale(&place, &["hello", "--dry-run", "--json"]).stdout;
    assert!(
        plan.starts_with(
            "{\"app\":\"hello\",\"source\":\"app.json\",\"instances\":[{\"process_type\":\"web\","
        ),
        "{plan}"
    );
    let plan = scale(&place, &["hello", "--dry-run", "--json", "web=3"]).stdout;
    assert!(plan.contains("\"source\":\"argument\""), "{plan}");
    assert_eq!(scale(&place, &["hello", "web=3"]).status, 0);
    assert_eq!(print().stderr, "");
}

#[test]
fn json_is_what_its_schemas_say() {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let formation = parse(include_str!("../../docs/schemas/ps-scale.json"));
    let plan = parse(include_str!("../../docs/schemas/ps-scale-plan.json"));
    let place = shop("web=2\na.b=-7\n");
    for words in [&["shop"][..], &["shop", "web=3"], &["shop", "--clear"]] {
        let printed = parse(&scale(&place, &[words, &["--json"]].concat()).stdout);
        assert_eq!(schema::complaints(&formation, &printed), [""; 0], "{words:?}");
        assert!(
            !schema::complaints(&plan, &printed).is_empty(),
            "a schema that takes anything proves nothing"
        );
    }
    for words in [&["shop"][..], &["shop", "web=3", "worker=1"], &["shop", "web=0"], &["shop", "--clear"]] {
        let words = [words, &["--dry-run", "--json"]].concat();
        for ran in [scale(&place, &words), scale_inside_dokku(&place, &words)] {
            assert_eq!(schema::complaints(&plan, &parse(&ran.stdout)), [""; 0], "{words:?} {}", ran.stderr);
        }
    }
}

#[test]
fn line_ends_of_other_systems_and_a_pipe_in_place_of_a_file_do_no_harm() {
    let place = hello("web=1\r\nworker=2\r\n");
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, "web:  1\nworker: 2\n");
    assert_eq!(scale(&place, &["hello", "web=2"]).status, 0);
    assert_eq!(stored(&place, "hello").0, "web=2\nworker=2\n");
    let path = place.path().join("lib/config/ps/hello/scale");
    fs::remove_file(&path).expect("it was there");
    assert!(Program::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    for words in [&["hello"][..], &["hello", "web=3"]] {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (1, ""));
        assert!(ran.stderr.contains("scale: is not a file"), "{}", ran.stderr);
    }
}

// ---- Dokku's own lock of a deploy.

#[test]
fn inside_dokku_nothing_is_stored_while_another_deploy_or_the_operator_has_the_app() {
    let place = Place::with_app("shop", "web=1\n");
    place.write("lib/config/common/shop/deployed", "true");
    with_recording_hooks(&place);
    let path = "lib/data/apps/shop/.deploy.lock";
    place.write(path, "");
    let ran = scale_inside_dokku(&place, &["shop", "web=2"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("Run 'apps:unlock' to release"), "{}", ran.stderr);
    place.write(path, "build-17\n");
    let held = fs::File::open(place.path().join(path)).expect("the lock");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("it is free");
    let ran = scale_inside_dokku(&place, &["shop", "web=2"]);
    assert_eq!(ran.status, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("shop is locked by deploy build-17"), "{}", ran.stderr);
    assert_eq!((stored(&place, "shop").0, place.read("calls")), ("web=1\n".into(), String::new()));
    assert_eq!(
        scale_inside_dokku(&place, &["--skip-deploy", "shop", "web=2"]).status,
        0,
        "it deploys nothing"
    );
    drop(held);
    let ran = scale_inside_dokku(&place, &["shop", "web=3"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("left by deploy build-17"), "{}", ran.stderr);
    assert!(!place.path().join(path).exists());
}
