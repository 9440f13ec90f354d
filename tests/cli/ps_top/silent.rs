//! A scheduler that hangs: only its own rows wait, and it is named.

use crate::home::Home;
use crate::pane::Pane;

#[test]
fn a_scheduler_that_hangs_is_named_and_holds_up_nobody_else() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    std::fs::create_dir_all(home.path("home/far")).expect("an app");
    home.write("lib/config/scheduler/far/selected", "k3s");
    home.write("lib/config/common/far/deployed", "true");
    home.write("lib/config/ps/far/scale", "web=1\n");
    home.hook("k3s/scheduler-app-status", "echo $$ >>\"$DOKKU_LIB_ROOT/data/hung\"; exec sleep 600");
    {
        let Some(pane) = Pane::run(&home, "ps-top") else { return forget(&home) };
        pane.has_line(&["web.1", "running"]);
        pane.shows(&["k3s has not answered for"]);
        home.does(&["ps-scale", "shop", "web=2"]);
        let text = pane.has_line(&["web.2", "running"]);
        assert!(text.contains("far"), "{text}");
        pane.has_line(&["far", "no answer"]);
    }
    forget(&home);
}

/// Ends the hook that hangs, and removes the app that only Dokku could destroy.
fn forget(home: &Home) {
    let hung = home.path("lib/data/hung");
    for pid in std::fs::read_to_string(&hung).unwrap_or_default().lines() {
        // Those that were ended for their deadline are gone.
        let _ = std::process::Command::new("kill").args(["-9", pid]).status();
    }
    let _ = std::fs::remove_file(hung);
    for place in ["home/far", "lib/config/scheduler/far", "lib/config/common", "lib/config/ps/far"] {
        let _ = std::fs::remove_dir_all(home.path(place));
    }
}
