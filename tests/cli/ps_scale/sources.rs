//! Where counts come from: app.json, a file of counts, a change by hand.

use crate::support::Place;
use crate::{hello, quietly, scale, scale_inside_dokku, stored};

#[test]
fn an_app_whose_app_json_has_a_formation_is_not_scaled_by_hand() {
    let place = hello("web=1\n");
    place.write("lib/config/ps/hello/can-scale", "false");
    let before = place.contents();
    let ran = scale(&place, &["hello", "web=2"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("app.json"), "{}", ran.stderr);
    let ran = scale_inside_dokku(&place, &["hello", "web=2"]);
    let words =
        " !     App hello contains an app.json file with a formations key and cannot be manually scaled\n";
    assert_eq!((quietly(&ran), &*ran.stderr), ((1, ""), words));
    assert_eq!(place.contents(), before);
    assert_eq!(scale(&place, &["hello"]).status, 0);
    assert_eq!(
        scale(&place, &["--from-trigger", "ps-set-scale", "hello", "true", "false", "web=2"]).status,
        0
    );
    assert_eq!(stored(&place, "hello").0, "web=2\n");
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
