//! Two `DOKKU_LIB_ROOT`s with one `DOKKU_ROOT`: an app that both have is destroyed in one and goes on in the other.

use std::fs;

use crate::home::Home;
use crate::program::{Ran, run};

/// A program, with this directory of the home as `DOKKU_LIB_ROOT`.
fn with_lib(home: &Home, lib: &str, words: &[&str]) -> Ran {
    let mut command = home.command(words);
    command.env("DOKKU_LIB_ROOT", home.path(lib));
    run(command)
}

fn does(home: &Home, lib: &str, words: &[&str]) -> String {
    let ran = with_lib(home, lib, words);
    assert_eq!(ran.status, Some(0), "{lib}: {words:?}: {ran:?}");
    ran.stderr
}

#[test]
fn whoever_destroys_an_app_first_leaves_the_other_what_it_has() {
    let home = Home::new();
    fs::create_dir(home.path("lib2")).expect("made");
    for (first, second) in [("lib", "lib2"), ("lib2", "lib")] {
        let source = home.source("shop", "web: exec sleep 600\n");
        for lib in ["lib", "lib2"] {
            does(&home, lib, &["ps-set", "--global", "ready", "alive"]);
            does(&home, lib, &["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1"]);
        }
        let said = does(&home, first, &["ps-lifecycle", "destroy", "shop"]);
        assert!(said.contains("home/shop stays"), "{first}: {said}");
        let rows = with_lib(&home, second, &["ps-lifecycle", "status", "shop", "--json"]).rows();
        assert!(rows[0]["state"] == "running" && rows[0]["pid"].is_u64(), "{second}: {rows:?}");
        assert!(!home.path(first).join("data/scheduler-native/shop").exists());
        does(&home, second, &["ps-lifecycle", "restart", "shop"]);
        does(&home, second, &["ps-lifecycle", "destroy", "shop"]);
        assert!(!home.path("home/shop").exists(), "{second}: nobody else has it");
    }
    home.is_silent();
}
