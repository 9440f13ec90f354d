//! `--dry-run`.

use std::fs;

use crate::support::run;
use crate::{beside_a_recorder, quietly, scale, shop};

#[test]
fn a_dry_run_of_an_app_that_is_not_deployed_says_so_and_changes_nothing() {
    let place = shop("web=2\nworker=1\nrelease=0\n");
    let before = place.contents();
    let ran = scale(&place, &["shop", "--dry-run", "web=1", "worker=0"]);
    let plan = "web.1            start    the app is not deployed: starts with its first deploy\n";
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, plan), ""));
    let json = scale(&place, &["shop", "--dry-run", "--json", "web=1"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&plan["app"], &plan["source"]), (&"shop".into(), &"argument".into()));
    assert_eq!(plan["instances"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.contents(), before);
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
