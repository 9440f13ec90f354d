//! `tag`, `tags`, `untag` and `deploy --tag`.

use std::process::Command;

use crate::engine::{IMAGE, has_engine, inspect, name};
use crate::home::Home;

fn docker(words: &[&str]) {
    let done = Command::new("docker").args(words).output().expect("docker runs");
    assert!(done.status.success(), "{words:?}: {done:?}");
}

#[test]
fn a_tag_is_given_listed_deployed_and_taken_away() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("tagged"));
    let repository = format!("formation-tags/{app}");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    assert_eq!(
        home.run(&["ps-lifecycle", "tags", &app]).stdout,
        "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n"
    );
    let ran = home.run(&["ps-lifecycle", "tag", &app, "v1"]);
    assert_eq!(ran.stderr, format!("=====> Added v1 tag to {repository}\n"), "{ran:?}");
    let ran = home.run(&["ps-lifecycle", "tags", &app]);
    assert_eq!(ran.stderr, format!("=====> Image tags for {repository}\n"));
    let row = ran.stdout.lines().nth(1).expect("a row").to_owned();
    assert!(row.starts_with(&format!("{repository}   v1    ")) && row.contains(" ago "), "{row}");
    let rows = home.run(&["ps-lifecycle", "tags", &app, "--json"]).rows();
    assert_eq!((rows.len(), &rows[0]["tag"]), (1, &"v1".into()));
    home.does(&["ps-lifecycle", "deploy", &app, "--tag", "v1"]);
    assert_eq!(inspect(&home, &app)[0]["Image"], rows[0]["image"]);
    home.refuses(
        &["ps-lifecycle", "untag", &app, "v1"],
        1,
        &[&format!("{repository}:v1 is not removed"), "runs it"],
    );
    // Not even where another tag would keep the image; and that tag is free.
    home.does(&["ps-lifecycle", "tag", &app, "v2"]);
    home.refuses(&["ps-lifecycle", "untag", &app, "v1"], 1, &["v1 is not removed", "runs it"]);
    home.does(&["ps-lifecycle", "untag", &app, "v2"]);
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    docker(&["tag", IMAGE, &format!("{repository}:latest")]);
    home.refuses(&["ps-lifecycle", "untag", &app, "latest"], 1, &["latest is not removed"]);
    assert_eq!(home.does(&["ps-lifecycle", "untag", &app, "v1"]), format!("Untagged: {repository}:v1\n"));
    home.refuses(&["ps-lifecycle", "untag", &app, "v1"], 1, &["has no tag v1: it has latest"]);
    home.refuses(&["ps-lifecycle", "deploy", &app, "--tag", "v9"], 1, &["has no tag v9: it has latest"]);
    home.refuses(&["ps-lifecycle", "tag", &app, "-v"], 2, &[]);
    home.refuses(&["ps-lifecycle", "tag", &app, "a/b"], 1, &["is no tag"]);
    for words in [
        &["tag", "nope", "v1"][..],
        &["tags", "nope"],
        &["untag", "nope", "v1"],
        &["deploy", "nope", "--tag", "v1"],
    ] {
        home.refuses(&[&["ps-lifecycle"], words].concat(), 20, &["nope"]);
    }
    docker(&["image", "rm", &format!("{repository}:latest")]);
}

#[test]
fn a_native_app_has_no_tags() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    home.refuses(
        &["ps-lifecycle", "tag", "shop", "v1"],
        1,
        &["shop runs natively", "ps-lifecycle releases shop"],
    );
}
