//! Setting a property and clearing it.

use std::time::{Duration, Instant};
use std::{fs, thread};

use ps_apps::World;

use crate::support::{Ran, run};
use crate::{PROGRAM, boxed, quietly, set, set_inside_dokku, stored};

#[test]
fn a_property_is_stored_verbatim_told_where_talk_belongs_and_cleared_by_no_value_or_an_empty_one() {
    let place = boxed();
    let ran = set(&place, &["box", "restart-policy", "on-failure:20"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), "=====> Setting restart-policy to on-failure:20\n"));
    assert_eq!(stored(&place, "box", "restart-policy").as_deref(), Some("on-failure:20"));
    for clear in
        [&["box", "restart-policy"][..], &["box", "restart-policy", ""], &["box", "restart-policy", "--"]]
    {
        assert_eq!(
            set(&place, &["box", "restart-policy", "no", "--quiet"]).status,
            1,
            "a flag is part of the value"
        );
        assert_eq!(
            set(&place, &["--quiet", "box", "restart-policy", "no"]),
            Ran { status: 0, stdout: String::new(), stderr: String::new() }
        );
        let ran = set_inside_dokku(&place, clear);
        assert_eq!((quietly(&ran), &*ran.stderr), ((0, "=====> Unsetting restart-policy\n"), ""));
        assert_eq!(stored(&place, "box", "restart-policy"), None);
    }
}

#[test]
fn flags_end_at_the_property_and_its_words_are_joined_by_one_blank() {
    let place = boxed();
    let rows: &[(&[&str], &str)] = &[
        (&["node", "--harmony", "server.js"], "node --harmony server.js"),
        (&["--", "--harmony", "server.js"], "--harmony server.js"),
        (&["--harmony server.js"], "--harmony server.js"),
        (&["a", "b c", "-d"], "a b c -d"),
        (&["sh", "-c", "a  b"], "sh -c a  b"),
        (&["run", "--list", "--help", "--global"], "run --list --help --global"),
        (&["größe", "'x'", "$Y"], "größe 'x' $Y"),
    ];
    for (words, value) in rows {
        assert_eq!(set(&place, &[&["box", "start-cmd"], *words].concat()).status, 0, "{words:?}");
        assert_eq!(stored(&place, "box", "start-cmd").as_deref(), Some(*value), "{words:?}");
        assert_eq!(set(&place, &["--get", "box", "start-cmd"]).stdout, format!("{value}\n"));
    }
}

#[test]
fn a_global_value_is_for_every_app_without_one_of_its_own() {
    let place = boxed();
    place.app("other");
    assert_eq!(set(&place, &["--global", "stop-timeout-seconds", "60"]).status, 0);
    assert_eq!(set(&place, &["box", "stop-timeout-seconds", "5"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "stop-timeout-seconds"]).stdout, "5\n");
    assert_eq!(set(&place, &["--get", "other", "stop-timeout-seconds"]).stdout, "60\n");
    assert_eq!(set(&place, &["--get", "--global", "stop-timeout-seconds"]).stdout, "60\n");
    assert_eq!(set(&place, &["--global", "stop-timeout-seconds"]).status, 0);
    assert_eq!(set(&place, &["--get", "other", "stop-timeout-seconds"]).stdout, "30\n");
}

#[test]
fn a_type_that_the_app_does_not_have_is_taken_with_a_warning() {
    let place = boxed();
    assert_eq!(
        set(&place, &["--quiet", "box", "wbe.nice", "5"]).stderr,
        "",
        "no Procfile says which types there are"
    );
    place.write("lib/data/ps/box/Procfile", "web: true\nworker: true\n");
    let ran = set(&place, &["--quiet", "box", "wbe.nice", "6"]);
    assert_eq!(
        (ran.status, &*ran.stderr),
        (0, " !     box has no type wbe (web, worker): wbe.nice holds once it has one\n")
    );
    assert_eq!(stored(&place, "box", "wbe.nice").as_deref(), Some("6"));
    for words in [&["--quiet", "box", "web.nice", "5"][..], &["--quiet", "box", "wbe.nice"]] {
        assert_eq!(set(&place, words).stderr, "", "{words:?}");
    }
}

#[test]
fn what_this_machine_cannot_apply_is_taken_with_a_warning() {
    let place = boxed();
    let told = |words: &[&str]| {
        let ran = set(&place, &[&["--quiet", "box"], words].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stderr
    };
    let refused = "a deploy or restart is refused as long as that is so\n";
    assert_eq!(
        told(&["user", "no-such-user"]),
        format!(" !     user of box: /etc/passwd has no user no-such-user; {refused}")
    );
    assert_eq!(stored(&place, "box", "user").as_deref(), Some("no-such-user"));
    assert_eq!(told(&["user"]), "");
    assert_eq!(
        told(&["web.group", "no-such-group"]),
        format!(" !     web.group of box: /etc/group has no group no-such-group; {refused}")
    );
    assert_eq!(told(&["web.group"]), "");
    assert!(told(&["user", "123456789"]).contains("set its group too"), "its group is not known");
    assert_eq!(told(&["group", "0"]), "", "now it is");
    // In a container the image says which users there are.
    assert_eq!(told(&["user"]), "");
    place.write("lib/config/scheduler/box/selected", "docker-local\n");
    assert_eq!(told(&["user", "no-such-user"]), "");
}

#[test]
fn the_old_spelling_of_the_stop_timeout_is_taken_with_a_hint() {
    let place = boxed();
    let ran = set(&place, &["--quiet", "box", "stop-timeout", "45"]);
    assert_eq!(quietly(&ran), (0, ""));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("stop-timeout-seconds"), "{}", ran.stderr);
    assert_eq!(stored(&place, "box", "stop-timeout-seconds").as_deref(), Some("45"));
    assert_eq!(stored(&place, "box", "stop-timeout"), None);
    assert_eq!(set(&place, &["--get", "box", "stop-timeout"]).stdout, "45\n");
}

#[test]
fn what_only_a_dokku_does_is_refused_on_our_own_by_name_and_can_be_cleared() {
    let place = boxed();
    for scope in ["box", "--global"] {
        let ran = set(&place, &[scope, "skip-deploy", "true"]);
        assert_eq!(quietly(&ran), (1, ""));
        assert!(ran.stderr.starts_with("ps-set: skip-deploy cannot be true here: "), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(stored(&place, scope, "skip-deploy"), None);
        assert_eq!(set_inside_dokku(&place, &[scope, "skip-deploy", "true"]).status, 0);
        assert_eq!(set(&place, &[scope, "skip-deploy", "false"]).status, 0);
        assert_eq!(stored(&place, scope, "skip-deploy").as_deref(), Some("false"));
        assert_eq!(set(&place, &[scope, "skip-deploy"]).status, 0);
    }
}

#[test]
fn a_port_is_a_whole_number_of_one_app_and_no_property_of_dokkus() {
    let place = boxed();
    assert_eq!(set(&place, &["box", "port", "3000"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "port"]).stdout, "3000\n");
    for value in ["0", "65536", "-1", "http", "80 81", "0x50", "3000.5"] {
        let ran = set(&place, &["box", "port", value]);
        assert_eq!(ran.status, 1, "{value}: {ran:?}");
        assert!(ran.stderr.contains("1 to 65535"), "{ran:?}");
        assert_eq!(stored(&place, "box", "port").as_deref(), Some("3000"));
    }
    assert_eq!(set(&place, &["--global", "port", "3000"]).status, 1);
    let ran = set_inside_dokku(&place, &["box", "port", "3000"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("Invalid property specified") && !ran.stderr.contains("port,"), "{ran:?}");
    assert_eq!(set(&place, &["box", "port"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "port"]).stdout, "\n");
}

#[test]
fn an_app_that_is_being_changed_is_busy_and_its_holder_is_named() {
    let place = boxed();
    let world = World::new(place.root(), place.lib());
    let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
    let before = place.contents();
    let ran = set(&place, &["--wait", "0", "box", "restore", "false"]);
    assert_eq!(quietly(&ran), (75, ""));
    assert!(ran.stderr.contains(&format!("pid {}", std::process::id())), "{}", ran.stderr);
    assert_eq!(place.contents(), before);
    assert_eq!(set(&place, &["--list", "box"]).status, 0);
    let (name, token) = held.token();
    let ran = run(place.command(PROGRAM).args(["--wait", "0", "box", "restore", "false"]).env(name, token));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    drop(held);
    assert_eq!(set(&place, &["--wait", "20", "box", "restore"]).status, 0);
}

#[test]
fn what_no_change_writes_is_set_at_once_while_one_is_under_way() {
    for run_set in [set, set_inside_dokku] {
        let place = boxed();
        let world = World::new(place.root(), place.lib());
        let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
        for (property, value) in [
            ("dockerfile-start-cmd", "node app.js"),
            ("procfile-path", "deep/Procfile"),
            ("restart-policy", "always"),
            ("skip-deploy", "false"),
            ("start-cmd", "node app.js"),
            ("stop-timeout-seconds", "5"),
        ] {
            let began = Instant::now();
            assert_eq!(run_set(&place, &["box", property, value]).status, 0, "{property}");
            assert_eq!(stored(&place, "box", property).as_deref(), Some(value));
            assert_eq!(run_set(&place, &["box", property]).status, 0, "{property}");
            assert!(began.elapsed() < Duration::from_secs(20), "{property} waited for the lock");
        }
        drop(held);
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_value() {
    let place = boxed();
    place.write("lib/config/ps/box/restore", "true");
    place.write("lib/config/ps/box/.stage", "a file where a directory belongs");
    let before = place.state();
    let ran = set(&place, &["box", "restore", "false"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("config/ps/box/.stage"), "{}", ran.stderr);
    assert_eq!(place.state(), before);
}

#[test]
fn writers_of_different_properties_disturb_nobody() {
    let place = boxed();
    let values =
        [("start-cmd", "a b"), ("restore", "false"), ("procfile-path", "P"), ("stop-timeout-seconds", "7")];
    let writers: Vec<_> = values
        .iter()
        .cycle()
        .take(40)
        .map(|(property, value)| {
            let mut command = place.command(PROGRAM);
            command.args(["--quiet", "box", property, value]);
            thread::spawn(move || run(&mut command))
        })
        .collect();
    for writer in writers {
        let ran = writer.join().expect("a writer");
        assert_eq!((ran.status, &*ran.stderr), (0, ""));
    }
    for (property, value) in values {
        assert_eq!(stored(&place, "box", property).as_deref(), Some(value));
    }
    assert_eq!(stored(&place, "box", "scale").as_deref(), Some("web=1\n"));
}

#[test]
fn the_first_thing_that_is_set_on_a_machine_makes_the_root_it_is_stored_in() {
    let place = boxed();
    fs::remove_dir_all(place.lib()).expect("a root that may be missing");
    let ran = set(&place, &["--global", "stop-timeout-seconds", "60"]);
    assert_eq!((ran.status, &*ran.stderr), (0, "=====> Setting stop-timeout-seconds to 60\n"));
    assert_eq!(set(&place, &["--get", "box", "stop-timeout-seconds"]).stdout, "60\n");
}
