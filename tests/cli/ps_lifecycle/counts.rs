//! Where a deploy takes its counts from: `--scale`, app.json, DOKKU_SCALE, what is stored.

use crate::home::Home;

const PROCFILE: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

#[test]
fn a_formation_of_app_json_is_the_whole_formation_and_forbids_scaling_by_hand() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.write("shop/app.json", "{ \"formation\": { \"worker\": { \"quantity\": 2 } } // two\n}");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let told = " !     web goes from 1 to 0: app.json asks for none\n";
    assert!(ran.stderr.starts_with(told), "what ends is told before it ends: {ran:?}");
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["worker.1", "worker.2"]);
    let refused = home.run(&["ps-scale", "shop", "web=1"]);
    assert!(refused.status == Some(1) && refused.stderr.contains("app.json"), "{refused:?}");
    // Without it, the counts stay and hands may change them again.
    home.write("shop/app.json", "{}");
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["worker.1", "worker.2"]);
    home.does(&["ps-scale", "shop", "worker=1"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["worker.1"]);
}

#[test]
fn a_dokku_scale_file_is_imported_with_a_hint_and_arguments_win_over_it() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.write("shop/DOKKU_SCALE", "# ours\nweb=0\n\nworker=1\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "worker=2"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("DOKKU_SCALE"), "{ran:?}");
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["worker.1", "worker.2"]);
}

#[test]
fn a_count_of_a_file_that_makes_no_sense_is_refused_with_its_place() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.write("shop/DOKKU_SCALE", "web=1\nworker=lots\n");
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &["DOKKU_SCALE, line 2", "lots"]);
    home.write("shop/DOKKU_SCALE", "");
    home.write("shop/app.json", "{ \"formation\": { \"clock\": { \"quantity\": 1 } } }");
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &["app.json", "clock"]);
}

#[test]
fn the_web_that_every_new_app_has_is_no_news_where_the_procfile_has_none_but_any_other_count_is() {
    let home = Home::new();
    let source = home.source("jobs", "worker: exec sleep 1000\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "jobs", "--dir", &source, "--scale", "worker=1"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("web"), "{ran:?}");
    assert_eq!(home.pids("jobs").into_keys().collect::<Vec<_>>(), ["worker.1"]);
    home.write("lib/config/ps/jobs/scale", "web=1\nworker=1\nclock=2\n");
    let ran = home.run(&["ps-lifecycle", "converge", "jobs"]);
    assert!(!ran.stderr.contains("web") && ran.stderr.contains("Skipping clock"), "{ran:?}");
}
