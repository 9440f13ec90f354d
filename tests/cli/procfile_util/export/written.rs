//! What `export` writes, and what the programs that read such files make of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::{World, eventually, files_below, has, tool};

/// Variables that would break out of any file that does not quote them.
const NASTY_ENV: &str = "A='q\"x %h $$ `id` $(id) \\ <&> # ; line1\nline2'\nEMPTY=\nname='of the script'\ncommand='touch hijacked'\n";

/// A world whose app prints its arguments and variables, then sleeps.
fn world_of_a_probe() -> World {
    let probe = "#!/bin/sh\n{ for word in \"$@\"; do printf '[%s]' \"$word\"; done; env | grep -v '^_='; } > \"$OUT.new\"\nmv \"$OUT.new\" \"$OUT\"\nexec sleep 60\n";
    let world =
        World::with("web: ./probe \"a  b\" 'c$d' $PORT \"${PS}\" \\\"\nlist: cd . && ./probe x; true\n");
    world.put("probe", probe);
    fs::set_permissions(world.path("probe"), fs::Permissions::from_mode(0o755)).expect("a mode");
    world.put("nasty.env", format!("{NASTY_ENV}OUT='{}'\n", world.path("out").display()));
    world
}

fn export(world: &World, format: &str, more: &[&str]) {
    let user = tool(world, "id", &["-un"]).text().trim().to_owned();
    let (root, run) = (world.0.path().display().to_string(), world.path("run").display().to_string());
    let common = [
        "export",
        "--location",
        "o",
        "--format",
        format,
        "-e",
        "nasty.env",
        "--user",
        &user,
        "--group",
        &user,
    ];
    let places = ["--log-path", &root, "--working-directory-path", &root, "--run", &run];
    let ran = world.run(&[&common[..], &places[..], more].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn a_sysv_script_gives_the_child_what_was_meant_and_stops_all_of_it() {
    for shell in ["dash", "bash"].into_iter().filter(|shell| has(shell)) {
        let world = world_of_a_probe();
        export(&world, "sysv", &["--prestart", "echo \"$A\" > prestarted"]);
        let script = world.path("o/etc/init.d/app-web-1").display().to_string();
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 3);
        assert_eq!(tool(&world, shell, &[&script, "start"]).status, 0);
        let seen = eventually("the probe's report", || fs::read_to_string(world.path("out")).ok());
        assert!(seen.starts_with("[a  b][c$d][5100][app-web.1][\"]"), "{seen}");
        for line in [
            "A=q\"x %h $$ `id` $(id) \\ <&> # ; line1\nline2\n",
            "EMPTY=\n",
            "name=of the script\n",
            "command=touch hijacked\n",
        ] {
            assert!(seen.contains(line), "{line:?} in {seen}");
        }
        assert!(world.get("prestarted").contains("line1\nline2"));
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 0);
        let leader: i32 = world.get("run/app-web-1.pid").trim().parse().expect("a pid");
        assert_eq!(tool(&world, shell, &[&script, "stop"]).status, 0);
        assert!(!Path::new(&format!("/proc/{leader}")).exists(), "the process is still there");
        assert_eq!(tool(&world, shell, &[&script, "status"]).status, 3);
        assert!(!world.path("hijacked").exists());
    }
}

#[test]
fn scripts_pass_shellcheck_and_units_pass_systemd_analyze() {
    let world = world_of_a_probe();
    let more =
        ["--prestart", "echo \"$A\"", "--nice", "3", "--limit-open-files", "99", "--limit-coredump", "0"];
    for format in ["sysv", "runit", "systemd"] {
        export(&world, format, &more);
    }
    if has("shellcheck") {
        let scripts = [
            "o/etc/init.d/app-web-1",
            "o/etc/init.d/app-list-1",
            "o/service/app-web-1/run",
            "o/service/app-list-1/run",
            "o/service/app-web-1/log/run",
        ];
        let ran = tool(&world, "shellcheck", &scripts);
        assert_eq!(ran.status, 0, "{}", ran.text());
    }
    if has("systemd-analyze") {
        let units = ["app-web.1.service", "app-list.1.service", "app.target"];
        let units = units.map(|unit| world.path("o/etc/systemd/system").join(unit).display().to_string());
        let ran = tool(&world, "systemd-analyze", &["verify", &units[0], &units[1], &units[2]]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    }
}

#[test]
fn the_private_environment_of_runit_is_private() {
    let world = world_of_a_probe();
    export(&world, "runit", &[]);
    let mode =
        |name: &str| fs::metadata(world.path(name)).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!(mode("o/service/app-web-1/env"), 0o700);
    assert_eq!(mode("o/service/app-web-1/env/A"), 0o600);
    assert_eq!(mode("o/service/app-web-1/run"), 0o755);
}

#[test]
fn an_export_that_cannot_be_written_writes_nothing() {
    let world = World::with("web: a\n");
    world.put("o/etc/systemd/system/app.target/x", "a directory where a file must go");
    let ran = world.run(&["export", "--location", "o"]);
    assert_eq!((ran.status, ran.text().as_str()), (1, ""));
    assert_eq!(
        ran.stderr,
        " !     error creating file: open o/etc/systemd/system/app.target: is a directory\n"
    );
    let left = files_below(&world.path("o"));
    assert_eq!(left.len(), 1, "{left:?}");
}
