//! Inside Dokku: its order of judgement, its triggers, its lock of a deploy.

use std::fs;

use crate::support::{Place, run};
use crate::{PROGRAM, quietly, scale, scale_inside_dokku, shop, stored};

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let place = Place::with_app("yours", "web=1\n");
    place.hide_yours_from_ann();
    let before = place.contents();
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
    assert_eq!(place.contents(), before);
    assert_eq!(ask("bob", &["yours", "web=2"]).status, 0);
    assert_eq!(scale(&place, &["yours", "--quiet"]).stdout, "web:  2\n", "on our own nobody hides");
}

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
    // A child that another test is just starting may still have a copy of the descriptor.
    rustix::fs::flock(&held, rustix::fs::FlockOperation::Unlock).expect("it is ours");
    drop(held);
    let ran = scale_inside_dokku(&place, &["shop", "web=3"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("left by deploy build-17"), "{}", ran.stderr);
    assert!(!place.path().join(path).exists());
}
