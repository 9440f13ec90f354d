//! `deploy --dir` in containers: an image is built as a Dockerfile says, or the directory is laid over one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use serde_json::Value;

use crate::engine::{IMAGE, containers, has_engine, inspect, name};
use crate::home::{Home, table};
use crate::registry::docker;

/// What of the app's images the engine has, by name.
pub(crate) fn images(app: &str) -> Vec<String> {
    let listed =
        docker(&["images", "--filter", "label=com.formation.built", "--format", "{{.Repository}}:{{.Tag}}"]);
    let ours = format!("formation/{app}:");
    listed.lines().filter(|name| name.starts_with(&ours)).map(str::to_owned).collect()
}

/// Images without a name that a build of this app has left.
pub(crate) fn dangling(app: &str) -> Vec<String> {
    let listed = docker(&["images", "-q", "--filter", "dangling=true"]);
    let is_ours = |id: &&str| {
        let history = Command::new("docker").args(["history", "--no-trunc", *id]).output();
        String::from_utf8_lossy(&history.expect("docker runs").stdout).contains(app)
    };
    listed.lines().filter(is_ours).map(str::to_owned).collect()
}

pub(crate) fn path(home: &Home, name: &str) -> String {
    home.path(name).to_str().expect("text").to_owned()
}

pub(crate) fn printed(home: &Home, app: &str) -> String {
    crate::home::eventually("it writes", || {
        let logs = home.does(&["ps-lifecycle", "logs", app]);
        if logs.contains("ready") { Ok(logs) } else { Err(logs) }
    })
}

#[test]
fn an_image_is_built_of_what_dockerignore_leaves_and_with_the_arguments_that_are_given() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("built"));
    home.write("src/Dockerfile", &format!(
        "FROM {IMAGE}\nARG VERSION=none\nARG TOKEN\nENV VERSION=$VERSION\nCOPY . /app/\nRUN find /app | sort > /list && echo $TOKEN > /token\nCMD cat /list; echo $VERSION; cat /token; echo ready; exec sleep 1000\n"
    ));
    home.write(
        "src/.dockerignore",
        "# what no image needs\n**/*.log\n.git\ntarget/*\n!target/keep\nDockerfile\n.dockerignore\n",
    );
    for file in
        ["a.txt", "a.log", "deep/er/b.log", "deep/er/b.txt", ".git/config", "target/x.o", "target/keep"]
    {
        home.write(&format!("src/{file}"), "");
    }
    symlink("a.txt", home.path("src/link")).expect("a link");
    let source = path(&home, "src");
    let mut deploy = home.command(&[
        "ps-lifecycle",
        "deploy",
        &app,
        "--dir",
        &source,
        "--build-arg",
        "VERSION=a b",
        "--build-arg",
        "TOKEN",
    ]);
    let ran = crate::program::run({
        deploy.env("TOKEN", "from outside");
        deploy
    });
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("Step 1/8") && ran.stderr.contains(&format!("Building {app} from {source}")),
        "{ran:?}"
    );
    let logs = printed(&home, &app);
    for there in
        ["/app/a.txt", "/app/link", "/app/deep/er/b.txt", "/app/target/keep", "| a b", "| from outside"]
    {
        assert!(logs.contains(there), "{there}: {logs}");
    }
    for left_out in ["a.log", "b.log", ".git", "x.o", "Dockerfile", "dockerignore"] {
        assert!(!logs.contains(left_out), "{left_out}: {logs}");
    }
    let journal =
        fs::read_to_string(home.path(&format!("lib/data/formation/{app}/journal"))).expect("a journal");
    assert!(!journal.contains("a b"), "{journal}");

    // Nothing has changed: every step comes from the cache, and the image is the same.
    let [built] = &images(&app)[..] else { panic!("{:?}", images(&app)) };
    assert!(built.starts_with(&format!("formation/{app}:")), "{built}");
    let again = home.run(&["ps-lifecycle", "rebuild", &app]).stderr;
    assert_eq!(again.matches("Using cache").count(), 7, "{again}");
    assert_eq!(&images(&app)[..], std::slice::from_ref(built));
    home.write("src/a.txt", "other");
    home.does(&["ps-lifecycle", "rebuild", &app]);
    assert_eq!(images(&app).len(), 2, "that of the release before is kept");
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(images(&app), Vec::<String>::new());
}

#[test]
fn a_build_that_fails_names_its_step_and_leaves_what_runs_and_nothing_else() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("broken"));
    let source = path(&home, "src");
    let unique = format!("{app}-{}", std::process::id());
    let write = |tail: &str| {
        home.write("src/Dockerfile", &format!("FROM {IMAGE}\nRUN echo {unique}\n{tail}CMD exec sleep 1000\n"))
    };
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source];
    let failing = "RUN echo one; echo two; exit 3\n";
    write(failing);
    let ran = home.refuses(&deploy, 1, &["step 3/5 : RUN echo one", "code: 3"]);
    assert!(ran.stderr.contains("\n    one\n    two\n"), "{ran:?}");
    assert_eq!((containers(&app, "{{.ID}}"), images(&app), dangling(&app)), (vec![], vec![], vec![]));
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());

    write("");
    home.does(&deploy);
    let (running, built) = (containers(&app, "{{.ID}}"), images(&app));
    for (tail, says) in [
        (failing, "code: 3"),
        ("COPY nothing /x\n", "nothing"),
        ("NONSENSE\n", "NONSENSE"),
        ("FROM 127.0.0.1:1/nothing:1\n", "make sure that the registry 127.0.0.1:1"),
    ] {
        write(tail);
        home.refuses(&deploy, 1, &[says, &source]);
    }
    fs::remove_file(home.path("src/Dockerfile")).expect("it was there");
    home.refuses(&deploy, 1, &["Dockerfile", "--base"]);
    home.refuses(&["ps-lifecycle", "rebuild", &app], 1, &["Dockerfile"]);
    assert_eq!((containers(&app, "{{.ID}}"), images(&app), dangling(&app)), (running, built, vec![]));
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// ENTRYPOINT stays before whatever a Procfile or a property has run.
#[test]
fn a_command_follows_the_entrypoint_of_its_image_as_words() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("entry"));
    home.write(
        "src/Dockerfile",
        &format!("FROM {IMAGE}\nENV WHO=world\nENTRYPOINT [\"/bin/sleep\"]\nCMD [\"1003\"]\n"),
    );
    home.write("src/Procfile", "web: 1004\nworker: 100$NUMBER\n");
    let env = home.write("env", "NUMBER=5\n");
    let (source, env) = (path(&home, "src"), env.to_str().expect("text").to_owned());
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source, "--scheduler", "docker-local"];
    home.does(&[&deploy[..], &["--env-file", &env, "--scale", "web=1", "worker=1"]].concat());
    let commands = || {
        let all = inspect(&home, &app);
        let words = |one: &Value| (one["Path"].to_string(), one["Args"].to_string());
        all.as_array().expect("containers").iter().map(words).collect::<Vec<_>>()
    };
    let run = |argument: &str| ("\"/bin/sleep\"".to_owned(), format!("[\"{argument}\"]"));
    assert_eq!(commands(), [run("1004"), run("1005")]);
    home.does(&["ps-set", &app, "start-cmd", "1006"]);
    home.does(&["ps-lifecycle", "restart", &app]);
    assert_eq!(commands(), [run("1006"), run("1005")]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// The ENTRYPOINT of such an image starts one process type and takes a command for its arguments; the launcher runs one argument as a
/// script, and the words behind `--` as they are.
#[test]
fn commands_for_an_image_of_cloud_native_buildpacks_go_through_its_launcher() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("packed"));
    let dockerfile = format!(
        "FROM {IMAGE}\nLABEL io.buildpacks.stack.id=test\nENV PATH=/cnb/lifecycle:/bin\nCOPY launcher /cnb/lifecycle/\n\
         ENTRYPOINT [\"/cnb/process/web\"]\nCMD []\n"
    );
    home.write("src/Dockerfile", &dockerfile);
    let launcher = home.write(
        "src/launcher",
        "#!/bin/sh\nexport LAUNCHED=yes\n[ \"$1\" = -- ] && shift && exec \"$@\"\nexec /bin/sh -c \"$1\"\n",
    );
    fs::set_permissions(launcher, Permissions::from_mode(0o755)).expect("its own file");
    home.write("src/Procfile", "worker: echo launched: $LAUNCHED && exec sleep 1007\n");
    let source = path(&home, "src");
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source, "--scheduler", "docker-local"];
    home.does(&[&deploy[..], &["--scale", "web=0", "worker=1"]].concat());
    crate::home::eventually("it runs as its launcher starts it", || {
        let said = home.does(&["ps-lifecycle", "logs", &app]);
        if said.contains("launched: yes") { Ok(()) } else { Err(said) }
    });
    let typed = ["/bin/sh", "-c", "echo \"$LAUNCHED: $1\"", "sh", "a b"];
    let said = home.does(&[&["ps-lifecycle", "run", &app, "--"][..], &typed].concat());
    assert_eq!(said.trim(), "yes: a b");
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_build_that_is_cancelled_leaves_nothing() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("cancelled"));
    let source = path(&home, "src");
    home.write(
        "src/Dockerfile",
        &format!("FROM {IMAGE}\nRUN echo {app}\nRUN echo begun {app}; sleep 1000\n"),
    );
    let mut running = home.start(&["ps-lifecycle", "deploy", &app, "--dir", &source]);
    crate::home::eventually("its last step runs", || {
        let listed = docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]);
        if listed.contains(&format!("begun {app}")) { Ok(()) } else { Err(listed) }
    });
    running.signal(rustix::process::Signal::INT);
    let ran = running.ended();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("interrupted"), "{ran:?}");
    crate::home::eventually("nothing is left of the build", || {
        let left = dangling(&app);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_directory_is_laid_over_a_base_image_and_its_procfile_runs_there() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("based"));
    let source =
        home.source("src", "web: cat greeting; pwd; echo ready; exec sleep 1000\nworker: sleep 1000\n");
    home.write("src/greeting", "hello from the tree\n");
    home.write("src/secret.key", "no");
    home.write("src/.dockerignore", "*.key\n");
    home.write("src/app.json", r#"{"formation": {"worker": {"quantity": 1}, "web": {"quantity": 1}}}"#);
    home.does(&["ps-lifecycle", "deploy", &app, "--dir", &source, "--base", IMAGE]);
    assert_eq!(home.states(&app), table(&[("web.1", "running"), ("worker.1", "running")]));
    let logs = printed(&home, &app);
    assert!(logs.contains("hello from the tree") && logs.contains("| /app"), "{logs}");
    let web = inspect(&home, &app);
    let web = web
        .as_array()
        .expect("containers")
        .iter()
        .find(|one| one["Config"]["Labels"]["com.dokku.dyno"] == "web.1");
    let files = docker(&["exec", web.expect("it runs")["Id"].as_str().expect("text"), "ls", "-A", "/app"]);
    assert!(files.contains("greeting") && !files.contains("secret.key"), "{files}");
    home.write("src/Procfile", "web: echo changed; echo ready; exec sleep 1000\nworker: sleep 1000\n");
    home.does(&["ps-lifecycle", "rebuild", &app]);
    assert!(printed(&home, &app).contains("changed"), "the tree is laid over the same image anew");
    home.refuses(
        &[
            "ps-lifecycle",
            "deploy",
            &app,
            "--dir",
            &source,
            "--base",
            "formation-test/absent:1",
            "--pull",
            "never",
        ],
        1,
        &["formation-test/absent:1"],
    );
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(images(&app), Vec::<String>::new());
}

#[test]
fn what_a_directory_is_deployed_as_is_decided_by_its_files_or_refused() {
    let home = Home::new();
    let source = path(&home, "src");
    home.write("src/Dockerfile", "FROM scratch\n");
    home.refuses(
        &["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scheduler", "native"],
        1,
        &["no Procfile", "Dockerfile", "docker-local"],
    );
    home.write("src/Procfile", "web: faultapp --tick 60\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(home.pids("shop").len(), 1, "a Procfile runs natively, as ever");
    fs::remove_file(home.path("src/Dockerfile")).expect("it was there");
    home.refuses(
        &["ps-lifecycle", "deploy", "box", "--dir", &source, "--scheduler", "docker-local"],
        1,
        &["--base", "Dockerfile"],
    );
    home.refuses(
        &["ps-lifecycle", "deploy", "shop", "--dir", &source, "--base", "x"],
        1,
        &["natively", "--scheduler docker-local"],
    );
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--pull", "always"], 1, &["--pull"]);
    home.refuses(&["ps-lifecycle", "deploy", "box", "--dir", &source, "--dockerfile", "../x"], 1, &["../x"]);
    let _: Vec<Value> = home.status("shop");
}
