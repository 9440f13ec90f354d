//! Dockerfiles that only BuildKit understands.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::builds::{dangling, images, path, printed};
use crate::engine::{IMAGE, containers, has_engine, name};
use crate::home::{Home, eventually};
use crate::registry::{Registry, docker};

/// Runs of this step count what the step before left in the cache of the engine, which is none of the image's files.
fn counting(app: &str) -> String {
    format!(
        "--mount=type=cache,id={app},target=/counted echo run >>/counted/runs; wc -l </counted/runs >/runs"
    )
}

#[test]
fn mounts_permissions_arguments_and_the_cache_are_those_of_buildkit() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("kit"));
    let source = path(&home, "src");
    // A version of the frontend that nobody has.
    home.write(
        "src/Dockerfile",
        &format!(
            "# syntax=docker/dockerfile:0.0.0-absent\nFROM {IMAGE}\nARG VERSION\nRUN {} \\\n  # of this version\n  && echo version \"$VERSION\"\nCOPY --chmod=0751 a.txt a.log* /files/\nCMD stat -c '%a %n' /files/*; echo \"runs $(cat /runs)\"; echo ready; exec sleep 1000\n",
            counting(&app)
        ),
    );
    home.write("src/.dockerignore", "*.log\n");
    for file in ["a.txt", "a.log"] {
        home.write(&format!("src/{file}"), "");
    }
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source, "--pull", "never"];
    let ran = home.run(&[&deploy[..], &["--build-arg", "VERSION=a b"]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for said in ["docker/dockerfile:0.0.0-absent cannot be had", " version a b", "DONE", "exporting to image"]
    {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    let logs = printed(&home, &app);
    assert!(logs.contains("751 /files/a.txt") && logs.contains("runs 1\n"), "{logs}");
    assert!(!logs.contains("a.log"), "{logs}");

    // Nothing has changed but the times of files, by which no cache goes.
    let [built] = &images(&app)[..] else { panic!("{:?}", images(&app)) };
    home.write("src/a.txt", "");
    let again = home.run(&["ps-lifecycle", "rebuild", &app]).stderr;
    // Its two steps; that of the image which it is built from may count as done.
    assert!(again.matches(" CACHED").count() >= 2 && !again.contains(" version a b"), "{again}");
    assert_eq!(&images(&app)[..], std::slice::from_ref(built));

    // Another value: what is not in the cache runs again, and finds what was mounted.
    let other = home.run(&[&deploy[..], &["--build-arg", "VERSION=c", "--format", "json"]].concat());
    assert_eq!(other.status, Some(0), "{other:?}");
    let written = |row: &Value| row["phase"] == "output" && row["reason"].to_string().contains("version c");
    assert_eq!(other.rows().iter().filter(|row| written(row)).count(), 1, "{other:?}");
    assert!(printed(&home, &app).contains("runs 2\n"));
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!((images(&app), dangling(&app)), (vec![], vec![]));
}

#[test]
fn a_build_that_fails_in_buildkit_names_its_step_and_leaves_what_runs_and_nothing_else() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("kitfail"));
    let source = path(&home, "src");
    let write = |tail: &str| {
        home.write(
            "src/Dockerfile",
            &format!("FROM {IMAGE}\nRUN {}\n{tail}CMD exec sleep 1000\n", counting(&app)),
        );
    };
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source];
    let failing = "RUN echo one; printf two; exit 3\n";
    write(failing);
    let ran = home.refuses(&deploy, 1, &["3/3] RUN echo one", "code: 3"]);
    assert!(ran.stderr.contains("\n    one\n    two\n"), "{ran:?}");
    assert_eq!((containers(&app, "{{.ID}}"), images(&app), dangling(&app)), (vec![], vec![], vec![]));
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());

    write("");
    home.does(&deploy);
    let (running, built) = (containers(&app, "{{.ID}}"), images(&app));
    for (tail, says) in [
        (failing, "code: 3"),
        ("COPY nothing /x\n", "nothing"),
        ("NONSENSE\n", "# syntax=docker/dockerfile:1"),
        (
            "RUN --mount=type=secret,id=token cat /run/secrets/token\n",
            "RUN --mount=type=secret needs a client",
        ),
        ("RUN --mount=type=ssh true\n", "RUN --mount=type=ssh needs a client"),
        ("FROM 127.0.0.1:1/nothing:1\n", "make sure that the registry 127.0.0.1:1"),
    ] {
        write(tail);
        home.refuses(&deploy, 1, &[says]);
    }
    // Only an argument names it, so BuildKit has to find it.
    home.write(
        "src/Dockerfile",
        "ARG WHICH=127.0.0.1:1/nothing\nFROM $WHICH:1\nRUN --mount=type=cache,target=/x true\n",
    );
    home.refuses(&deploy, 1, &["make sure that the registry 127.0.0.1:1", &source]);
    home.write("src/Dockerfile", &format!("#syntax=127.0.0.1:1/frontend:1\nFROM {IMAGE}\n"));
    home.refuses(&deploy, 1, &["127.0.0.1:1/frontend:1", "make sure that the registry"]);
    assert_eq!((containers(&app, "{{.ID}}"), images(&app), dangling(&app)), (running, built, vec![]));
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_build_of_buildkit_that_is_cancelled_ends_in_the_engine_and_leaves_nothing() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("kitend"));
    let source = path(&home, "src");
    home.write(
        "src/Dockerfile",
        &format!("FROM {IMAGE}\nRUN {}; echo begun {app}; sleep 1000; true\n", counting(&app)),
    );
    let mut running = home.start(&["ps-lifecycle", "deploy", &app, "--dir", &source]);
    eventually(
        "its step runs",
        || if steps_of(&app) > 0 { Ok(()) } else { Err("no process of it".to_owned()) },
    );
    running.signal(rustix::process::Signal::INT);
    let ran = running.ended();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("interrupted"), "{ran:?}");
    eventually("the step has ended", || match steps_of(&app) {
        0 => Ok(()),
        left => Err(format!("{left} processes")),
    });
    assert_eq!((images(&app), dangling(&app)), (vec![], vec![]));
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

/// How many processes of this machine are the last step of a build of this app.
fn steps_of(app: &str) -> usize {
    let words = |pid: &Path| fs::read_to_string(pid.join("cmdline")).unwrap_or_default();
    let processes =
        fs::read_dir("/proc").expect("it can be read").flatten().map(|entry| words(&entry.path()));
    processes.filter(|words| words.contains(&format!("echo begun {app}"))).count()
}

/// BuildKit asks its client for credentials, and here it has none.
#[test]
fn an_image_that_needs_credentials_is_pulled_for_buildkit() {
    if !has_engine() {
        return;
    }
    let Some(registry) = Registry::start(true) else { return };
    let (home, app) = (Home::new(), name("kitbase"));
    let source = path(&home, "src");
    let image = format!("{}/base:1", registry.host);
    registry.keep("base:1", &format!("FROM {IMAGE}\nENV BASE=private\nCMD echo ready; exec sleep 1000\n"));
    home.write("src/Dockerfile", &format!("FROM {image}\nRUN {}\n", counting(&app)));
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source];
    home.refuses(&deploy, 1, &[&image, &format!("docker login {}", registry.host)]);
    let login = format!(r#"{{"auths": {{"{}": {{"auth": "YW5uOnB+dz8+eA=="}}}}}}"#, registry.host);
    home.write(".docker/config.json", &login);
    let ran = home.run(&deploy);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(printed(&home, &app).contains("ready"));
    home.does(&["ps-lifecycle", "destroy", &app]);
    docker(&["image", "rm", &image]);
}
