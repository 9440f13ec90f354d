//! What runs is made to match: `ps-lifecycle` is called on our own.

use std::fs;

use crate::support::run;
use crate::{beside_a_recorder, hello, quietly, stored};

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
    assert!(calls.starts_with("converge hello --refusal-status 78 lock=hello "), "{calls}");
    assert_eq!(calls.lines().count(), 1, "{calls}");
}

#[test]
fn a_count_that_the_scheduler_refuses_is_not_kept_and_a_dry_run_says_that_it_is_refused() {
    let place = hello("web=1\n");
    place.write("lib/config/common/hello/deployed", "true");
    place.write("lib/config/ps/hello/scale-source", "app-json");
    let program = beside_a_recorder(&place, "echo no node has room >&2; exit 78");
    let before = (stored(&place, "hello"), place.read("lib/config/ps/hello/scale-source"));
    let ran = run(place.command(&program).args(["hello", "web=99", "worker=2"]));
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("no node has room\n"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the counts of hello stay as they were") && !ran.stderr.contains("is stored"),
        "{}",
        ran.stderr
    );
    assert_eq!((stored(&place, "hello"), place.read("lib/config/ps/hello/scale-source")), before);
    let ran = run(place.command(&program).args(["hello", "web=99", "--dry-run"]));
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("the scheduler of hello refuses it"), "{}", ran.stderr);
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
