//! Inside Dokku: its order of checks, and its words.

use std::time::{Duration, Instant};

use ps_apps::World;

use crate::support::{DEADLINE, Place, run};
use crate::{PROGRAM, boxed, quietly, set, set_inside_dokku, stored};

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let place = Place::with_app("yours", "web=1\n");
    place.app("mine");
    place.hide_yours_from_ann();
    let before = place.contents();
    let ask = |user: &str, words: &[&str]| {
        run(place.command_inside_dokku(PROGRAM).args(words).env("SSH_USER", user).env_remove("SSH_NAME"))
    };
    for words in [
        &["yours", "restart-policy", "no"][..],
        &["yours", "restart-policy"],
        &["yours"],
        &["--get", "yours", "restart-policy"],
        &["--list", "yours"],
    ] {
        let ran = ask("ann", words);
        assert_eq!(
            (quietly(&ran), &*ran.stderr),
            ((20, ""), " !     App yours does not exist\n"),
            "{words:?}"
        );
    }
    let ran = ask("ann", &["yours", "restart-policy", "maybe"]);
    assert_eq!((ran.status, &*ran.stderr), (1, " !     Invalid restart-policy specified\n"), "Dokku's order");
    assert!(!ask("ann", &["--list"]).stdout.contains("yours"));
    assert_eq!(place.contents(), before);
    assert_eq!(ask("bob", &["--list", "--json"]).stdout.lines().count(), 14);
    assert_eq!(set(&place, &["yours", "restart-policy", "no"]).status, 0, "on our own nobody hides");
}

#[test]
fn inside_dokku_the_order_of_checks_and_the_words_are_dokkus() {
    let place = boxed();
    let before = place.contents();
    let names = "dockerfile-start-cmd, procfile-path, restart-policy, restore, skip-deploy, start-cmd, \
                 stop-timeout-seconds";
    let invalid = format!("Invalid property specified, valid properties include: {names}");
    for (words, status, said) in [
        (&["nope", "restart-policy", "maybe"][..], 1, "Invalid restart-policy specified"),
        (&["--global", "restart-policy", "maybe"], 1, "Invalid restart-policy specified"),
        (&["box", "restart-policy", " no"], 1, "Invalid restart-policy specified"),
        (&["nope", "bogus", "x"], 20, "App nope does not exist"),
        (&["", "bogus", "x"], 1, "Please specify an app to run the command on"),
        (&["--global"], 1, "Property cannot be specified globally"),
        (&["--global", "bogus", "x"], 1, "Property cannot be specified globally"),
        (&["--global", "restore", "true"], 1, "Property cannot be specified globally"),
        (&["box", "--global", "restart-policy", "no"], 1, "Property cannot be specified globally"),
        (&["box", ""], 1, "No property specified"),
        (&["box", "restart-policy ", "maybe"], 1, &invalid),
        (&["box", "Restore", "true"], 1, &invalid),
        (&["box", "scale", "web=9"], 1, &invalid),
        (&["box", "../box/scale", "web=9"], 1, &invalid),
    ] {
        let ran = set_inside_dokku(&place, words);
        let said = format!(" !     {said}\n");
        assert_eq!((quietly(&ran), &*ran.stderr), ((status, ""), &*said), "{words:?}");
    }
    assert_eq!(place.contents(), before);
    for (words, value) in [
        (&["box", "start-cmd", "  "][..], Some("  ")),
        (&["box", "start-cmd", "a ", " b"], Some("a   b")),
        (&["box", "start-cmd", ""], None),
    ] {
        let mut command = place.command_inside_dokku(PROGRAM);
        let ran = run(command.args(words).env("DOKKU_QUIET_OUTPUT", "x"));
        assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), ""), "{words:?}");
        assert_eq!(stored(&place, "box", "start-cmd").as_deref(), value, "{words:?}");
    }
    let ran = set_inside_dokku(&place, &["box", "start-cmd", "two\nlines"]);
    assert_eq!((ran.status, stored(&place, "box", "start-cmd")), (1, None));
}

#[test]
fn inside_dokku_restore_is_set_at_once_and_what_a_deploy_will_do_to_it_is_said() {
    let place = boxed();
    let world = World::new(place.root(), place.lib());
    let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
    let ran = set_inside_dokku(&place, &["box", "restore", "false"]);
    assert_eq!((ran.status, stored(&place, "box", "restore").as_deref()), (0, Some("false")));
    let told = format!(" !     box is locked by pid {} ", std::process::id());
    assert!(ran.stderr.starts_with(&told) && ran.stderr.contains("set it again then"), "{}", ran.stderr);
    assert_eq!(set_inside_dokku(&place, &["box", "restore", "true"]).stderr, "", "it will be true anyway");
    drop(held);
    // A child that another test is just starting has a copy of the lock's descriptor until it executes its program.
    let began = Instant::now();
    loop {
        let ran = set_inside_dokku(&place, &["box", "restore", "false"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        if ran.stderr.is_empty() {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "nobody changes it: {}", ran.stderr);
    }
}
