//! The tasks of a deploy in docker-local: each runs once, in a container of the new image of which nothing is left.

use std::fs;
use std::os::unix::process::CommandExt;

use rustix::process::Signal;

use crate::engine::{containers, dockerfile, has_engine, name};
use crate::home::{Home, eventually, table};
use crate::program::Running;
use crate::registry::docker;

const WEB: &str = "web: exec sleep 1000\n";

/// A directory with a Dockerfile, and how it is deployed.
fn source(home: &Home, app: &str, procfile: &str, scripts: &serde_json::Value) -> Vec<String> {
    home.write("src/Dockerfile", &dockerfile(app));
    home.write("src/Procfile", procfile);
    home.write("src/app.json", &serde_json::json!({"scripts": scripts}).to_string());
    home.write("src/word", "of the image\n");
    home.write(&format!("lib/config/checks/{app}/default-wait"), "0");
    home.write(&format!("lib/config/ps/{app}/stop-timeout-seconds"), "1");
    let source = home.path("src").to_str().expect("text").to_owned();
    let words = ["ps-lifecycle", "deploy", app, "--dir", &source, "--scheduler", "docker-local"];
    words.map(str::to_owned).into()
}

fn words(deploy: &[String]) -> Vec<&str> {
    deploy.iter().map(String::as_str).collect()
}

fn names(app: &str) -> Vec<String> {
    let mut names = containers(app, "{{.Names}}");
    names.sort();
    names
}

#[test]
fn each_task_runs_once_in_the_image_with_the_variables_of_the_app_and_nothing_of_it_is_left() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("tasks"));
    let env = home.write("env", "GREETING=hello\n");
    let tell = |name: &str| format!("echo {name} $GREETING $DYNO; cat word");
    let scripts = serde_json::json!({
        "dokku": {"predeploy": tell("predeploy"), "postdeploy": tell("postdeploy")},
        "postdeploy": tell("first"),
    });
    let mut deploy = source(&home, &app, &format!("{WEB}release: {}\n", tell("release")), &scripts);
    deploy.extend(["--env-file".to_owned(), env.to_str().expect("text").to_owned()]);
    let said = |again: bool| {
        let ran = home.run(&words(&deploy));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(!ran.stderr.contains("is not heeded"), "{again}: {ran:?}");
        assert_eq!(names(&app), [format!("{app}.web.1")]);
        let lines: Vec<String> = ran.stderr.lines().chain(ran.stdout.lines()).map(str::to_owned).collect();
        let told = lines.iter().filter(|line| line.contains(" hello ") || line.ends_with("of the image"));
        told.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let of = |tasks: &[(&str, &str)]| {
        let told =
            |(name, slot): &(&str, &str)| [format!("{name} hello {slot}.1"), "of the image".to_owned()];
        tasks.iter().flat_map(told).collect::<Vec<_>>()
    };
    let (pre, release, post) =
        (("predeploy", "predeploy"), ("release", "release"), ("postdeploy", "postdeploy"));
    assert_eq!(said(false), of(&[pre, release, ("first", "first-postdeploy"), post]));
    assert_eq!(said(true), of(&[pre, release, post]));
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn where_a_task_fails_the_very_containers_of_the_old_release_run_on() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("failing"));
    let good = source(&home, &app, WEB, &serde_json::json!({}));
    home.does(&words(&good));
    let (before, settings) = (containers(&app, "{{.ID}}"), home.settings());
    let command = "echo half-done >&2; exit 3";
    for (procfile, scripts, what) in [
        (WEB.to_owned(), serde_json::json!({"dokku": {"predeploy": command}}), "predeploy"),
        (format!("{WEB}release: {command}\n"), serde_json::json!({}), "release"),
    ] {
        let deploy = source(&home, &app, &procfile, &scripts);
        let says = format!(
            "{what}.1 of {app} failed (exit status 3): it ran `{command}`; nothing was changed; the last it wrote:"
        );
        let ran = home.refuses(&words(&deploy), 1, &[&says]);
        assert!(ran.stderr.ends_with("wrote:\n    half-done\n"), "{ran:?}");
        assert_eq!(containers(&app, "{{.ID}}"), before);
        crate::home::assert_same(&settings, &home.settings());
    }
    home.does(&["ps-set", &app, "run-timeout", "1s"]);
    let deploy = source(&home, &app, WEB, &serde_json::json!({"dokku": {"predeploy": "sleep 1000"}}));
    home.refuses(&words(&deploy), 1, &[&format!("predeploy.1 of {app} took longer than 1s")]);
    assert_eq!(containers(&app, "{{.ID}}"), before);
    let deploy = source(&home, &app, WEB, &serde_json::json!({"dokku": {"postdeploy": command}}));
    home.run(&words(&deploy))
        .is_refused(1, &[&format!("postdeploy.1 of {app} failed (exit status 3)"), "the new release runs"]);
    assert_eq!(names(&app), [format!("{app}.web.1")]);
    assert_ne!(containers(&app, "{{.ID}}"), before);
    assert_eq!(home.states(&app), table(&[("web.1", "running")]));
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_task_ends_with_its_deploy_and_one_whose_deploy_was_killed_with_the_next() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("cut"));
    let deploy =
        source(&home, &app, WEB, &serde_json::json!({"dokku": {"predeploy": "echo begun; sleep 1000"}}));
    let begun = || {
        eventually("the task runs", || {
            let running = containers(&app, "{{.Names}} {{.State}}");
            let is_there = running.iter().any(|line| line.contains("predeploy") && line.ends_with("running"));
            if is_there { Ok(()) } else { Err(format!("{running:?}")) }
        });
    };
    let mut running = home.start(&words(&deploy));
    begun();
    running.signal(Signal::TERM);
    let ran = running.ended();
    assert!(ran.status == Some(1) && ran.stderr.contains("interrupted"), "{ran:?}");
    assert_eq!(names(&app), Vec::<String>::new());
    let mut running = home.start(&words(&deploy));
    begun();
    running.signal(Signal::KILL);
    running.ended();
    let deploy = source(&home, &app, WEB, &serde_json::json!({"dokku": {"predeploy": "true"}}));
    let ran = home.run(&words(&deploy));
    let said = "Ending the predeploy of an earlier deploy, which still runs";
    assert!(ran.status == Some(0) && format!("{}{}", ran.stdout, ran.stderr).contains(said), "{ran:?}");
    assert_eq!(names(&app), [format!("{app}.web.1")]);
    assert!(
        fs::metadata(home.path(&format!("lib/config/app-json/{app}"))).is_err(),
        "nothing is written down"
    );
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_task_that_is_cut_off_is_asked_to_end_by_the_stop_signal_and_goes_after_its_grace_period() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("asked"));
    let polite = "trap 'echo good-bye; exit 0' USR1; echo begun; while :; do sleep 0.1; done";
    let deaf = "trap '' USR1; echo begun; while :; do sleep 0.1; done";
    for (command, grace) in [(polite, "60"), (deaf, "1")] {
        let deploy = source(&home, &app, WEB, &serde_json::json!({"dokku": {"predeploy": command}}));
        home.write("src/Dockerfile", &format!("{}STOPSIGNAL SIGUSR1\n", dockerfile(&app)));
        home.write(&format!("lib/config/ps/{app}/stop-timeout-seconds"), grace);
        let (log, mut told) = (home.path("told"), home.command(&words(&deploy)));
        let file = fs::File::create(&log).expect("a file");
        told.stdout(file.try_clone().expect("the same")).stderr(file).process_group(0);
        let said = || fs::read_to_string(&log).expect("text");
        let says = |word: &str| said().lines().any(|line| line.trim() == word);
        let mut running = Running::begin(told);
        eventually("the task has begun", || if says("begun") { Ok(()) } else { Err(said()) });
        running.signal(Signal::TERM);
        assert_eq!(running.ended().status, Some(1), "{}", said());
        assert!(said().contains("interrupted"), "{}", said());
        assert_eq!(says("good-bye"), command == polite, "{}", said());
        assert_eq!(names(&app), Vec::<String>::new());
    }
}

#[test]
fn what_predeploy_changes_is_kept_in_an_image_without_the_variables_of_the_app() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("kept"));
    let env = home.write("env", "GREETING=hello\n");
    let predeploy = "test ! -e made && echo $GREETING >made";
    let web = "web: cat made && echo $PWD $0 && exec sleep 1000\n";
    let mut deploy = source(&home, &app, web, &serde_json::json!({"dokku": {"predeploy": predeploy}}));
    deploy.extend(["--env-file".to_owned(), env.to_str().expect("text").to_owned()]);
    let runs = |what: &str| {
        eventually(what, || {
            let logs = home.does(&["ps-lifecycle", "logs", &app]);
            if logs.contains("| hello") && logs.contains("| /app /bin/sh") { Ok(()) } else { Err(logs) }
        });
    };
    home.does(&words(&deploy));
    runs("it has what predeploy made");
    let image = || {
        let [image] = &containers(&app, "{{.Image}}")[..] else { panic!("one container") };
        let config = docker(&["inspect", "--format", "{{json .Config}}", image]);
        (image.clone(), config)
    };
    let (first, config) = image();
    assert!(!config.contains("GREETING") && config.contains(r#""Cmd":["web"]"#), "{config}");
    home.does(&["ps-lifecycle", "restart", &app]);
    assert_eq!(image().0, first);
    runs("it is there after a restart");
    // Each deploy begins with the image as it was built.
    home.does(&["ps-lifecycle", "rebuild", &app]);
    assert_ne!(image().0, first);
    home.does(&["ps-lifecycle", "rollback", &app]);
    assert_eq!(image().0, first, "what was prepared then");
    home.does(&["ps-lifecycle", "destroy", &app]);
    let images = docker(&["images", "--format", "{{.Repository}}"]);
    assert!(!images.lines().any(|name| name == format!("formation/{app}")), "{images}");
}
