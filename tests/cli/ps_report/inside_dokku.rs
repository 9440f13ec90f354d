//! Inside Dokku: its answers, its plugins, its odd lines.

use std::fs;

use crate::{Home, NOWHERE, said};

#[test]
fn inside_dokku_other_schedulers_are_asked_through_plugn() {
    let home = Home::new();
    home.app("blog").property("scheduler", "blog", "selected", "k3s");
    let plugn = "#!/bin/sh\n[ \"$1\" = trigger ] || exit 9\necho \"$*\" >>\"$DOKKU_LIB_ROOT/calls\"\n\
                 case $2 in scheduler-app-status) echo '2 true' ;; esac\n";
    home.script("bin/plugn", plugn);
    let path = format!("{}:{}", home.0.path().join("bin").display(), std::env::var("PATH").expect("a PATH"));
    let said = said(home.dokku(&["blog", "--running"]).env("PATH", path));
    assert_eq!((said.status, &*said.stdout, &*said.stderr), (0, "true\n", ""));
    let calls = fs::read_to_string(home.lib().join("calls")).expect("plugn was called");
    assert_eq!(calls, "trigger scheduler-app-status k3s blog\n");
}

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let home = Home::new();
    home.app("mine").app("yours");
    let hook = "#!/bin/sh\n[ $# -ge 3 ] || exit 1\nuser=$1; shift 2\n\
                for app; do [ $user-$app = ann-yours ] || echo $app; done\n";
    home.script("lib/plugins/enabled/acl/user-auth-app", hook);
    home.script("lib/plugins/enabled/20_events/user-auth-app", "#!/bin/sh\n");
    let ask = |arguments: &[&str], user: &str| {
        said(home.dokku(arguments).env("SSH_USER", user).env_remove("SSH_NAME"))
    };
    assert_eq!(ask(&["--deployed"], "ann").stdout, "false\n");
    assert_eq!(ask(&["--deployed"], "bob").stdout, "false\nfalse\n");
    let hidden = ask(&["yours"], "ann");
    assert_eq!((hidden.status, &*hidden.stderr), (20, " !     App yours does not exist\n"));
    assert_eq!(said(&mut home.report(&["yours", "--deployed"])).status, 0, "on our own nobody hides");
}

#[test]
fn inside_dokku_odd_lines_mean_what_they_mean_there() {
    let home = Home::new();
    let none = said(&mut home.dokku(&["--bogus"]));
    let warning = " !     You haven't deployed any applications yet\n";
    assert_eq!((none.status, &*none.stdout, &*none.stderr), (0, "", warning));
    home.app("a.b-c").app("z_9");
    let dokku = |arguments: &[&str]| said(&mut home.dokku(arguments));
    assert_eq!(dokku(&["nope", "--running", "--deployed"]).status, 2, "wrong usage, whatever else is wrong");
    assert_eq!(dokku(&["nope", "--format", "xml"]).status, 20, "the app is looked for first");
    assert_eq!(dokku(&["--global", "a.b-c"]).stdout, dokku(&["--global"]).stdout);
    assert_eq!(dokku(&[""]).stdout, dokku(&[]).stdout);
    assert!(dokku(&[]).stdout.starts_with("=====> a.b-c ps information\n"));
    for format in [&["--format", "stdout"][..], &["--format=stdout"], &["--format", ""]] {
        assert_eq!(dokku(&[&["z_9"], format].concat()).stdout, dokku(&["z_9"]).stdout, "{format:?}");
        assert_eq!(dokku(&[&["z_9", "--deployed"], format].concat()).stdout, "false\n", "{format:?}");
    }
    let bogus = dokku(&["--global", "--status-web.1"]);
    let valid = "--ps-computed-procfile-path, --ps-computed-restart-policy, --ps-computed-skip-deploy, \
                 --ps-computed-stop-timeout-seconds, --ps-global-procfile-path, --ps-global-restart-policy, \
                 --ps-global-skip-deploy, --ps-global-stop-timeout-seconds";
    assert_eq!(
        (bogus.status, bogus.stderr),
        (1, format!(" !     Invalid flag passed, valid flags: {valid}\n"))
    );
}

#[test]
fn what_makes_dokku_panic_is_answered() {
    let home = Home::new();
    home.app("blog").write("home/blog/CONTAINER.web.1", "").write("home/blog/CONTAINER.web.2", "ab\n");
    let ran = said(home.dokku(&["blog"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!(ran.status, 1);
    let rows = "       Status web 1:                     unknown (CID: )\n       Status web 2:                     unknown (CID: ab)\n";
    assert!(ran.stdout.ends_with(rows), "{}", ran.stdout);
    let last = said(&mut home.dokku(&["blog", "--format"]));
    assert_eq!((last.status, &*last.stdout), (2, ""));
    fs::remove_file(home.root().join("blog/CONTAINER.web.1")).expect("it was there");
    fs::remove_file(home.root().join("blog/CONTAINER.web.2")).expect("it was there");
    let [equals, apart] = [&["blog", "--format=json"][..], &["blog", "--format", "json"]]
        .map(|words| said(&mut home.dokku(words)));
    assert_eq!((equals.status, &equals.stdout), (0, &apart.stdout));
    home.property("scheduler", "blog", "selected", "nobody");
    let unanswered = said(&mut home.dokku(&["blog", "--running"]));
    assert_eq!((unanswered.status, &*unanswered.stdout), (1, "unknown\n"));
}
