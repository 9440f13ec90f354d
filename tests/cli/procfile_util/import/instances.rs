//! Managers that have a unit for each instance: `web=2` of foreman and honcho comes back as `web=2`.

use std::os::unix::fs::symlink;

use super::printed;
use crate::{Ran, World};

/// A program of supervisord's configuration as foreman writes it.
fn program(name: &str, port: u16, command: &str, more: &str) -> String {
    format!(
        "[program:{name}]\ncommand={command}\nautostart=true\nautorestart=true\nuser=app\ndirectory=/srv/app\nenvironment=A=\"x\",PORT=\"{port}\"{more}\n\n"
    )
}

fn formation(ran: &Ran) -> &str {
    ran.stderr.lines().find_map(|line| line.strip_prefix("formation: ")).unwrap_or_default()
}

#[test]
fn what_foreman_gave_supervisord_is_one_type_with_its_quantity() {
    let programs: String =
        [("app-web-1", 5000, "bin/web"), ("app-web-2", 5001, "bin/web"), ("app-mail-1", 5100, "bin/mail")]
            .iter()
            .map(|(name, port, command)| program(name, *port, command, ""))
            .collect();
    let ran =
        printed("supervisord", format!("{programs}[group:app]\nprograms=app-web-1,app-web-2,app-mail-1\n"));
    assert_eq!(
        (ran.text().as_str(), formation(&ran)),
        ("web: bin/web\nmail: bin/mail\n", "web=2 mail=1"),
        "{ran:?}"
    );
    // foreman hands a Procfile's command on as it is, for a shell that supervisord does not have.
    let shell = program("app-web-1", 5000, "bin/web -p $PORT && echo \"it's over\"", "");
    let ran = printed("supervisord", format!("{shell}[group:app]\nprograms=app-web-1\n"));
    assert_eq!(ran.text(), "web: bin/web -p $PORT && echo \"it's over\"\n", "{ran:?}");
}

#[test]
fn a_value_with_quotes_that_foreman_gave_supervisord_hides_no_port_behind_it() {
    let program = |n: u16| {
        program(&format!("app-web-{n}"), 4999 + n, "bin/web -p $PORT", "")
            .replace("A=\"x\"", r#"A="say\ \"x\",\ \$Y",B="a\ b""#)
    };
    let world = World::new();
    let text = format!("{}{}[group:app]\nprograms=app-web-1,app-web-2\n", program(1), program(2));
    world.put("app.conf", text);
    let ran = world.feed(&["import", "--from", "supervisord", "app.conf"], b"");
    assert_eq!(formation(&ran), "web=2", "{ran:?}");
    assert_eq!(world.text("Procfile").as_deref(), Some("web: bin/web -p $PORT\n"));
    assert_eq!(world.text(".env").as_deref(), Some("A='say \"x\", $Y'\nB='a\\ b'\n"));
}

#[test]
fn what_honcho_gave_supervisord_is_one_type_with_its_quantity() {
    let program = |n: u16| {
        format!(
            "[program:web-{n}]\ncommand=/bin/sh -c 'bin/web -p $PORT'\ndirectory=/srv/app\nenvironment=HONCHO_PROCESS_NAME=web.{n},PORT=500{n},A='a b'\n\n"
        )
    };
    let text = format!("{}{}{}[group:app]\nprograms=web-1,web-2,web-3\n", program(1), program(2), program(3));
    let ran = printed("supervisord", text);
    assert_eq!((ran.text().as_str(), formation(&ran)), ("web: bin/web -p $PORT\n", "web=3"), "{ran:?}");
}

#[test]
fn programs_that_differ_stay_apart_with_a_note() {
    for (two, why) in [
        (program("app-web-2", 5001, "bin/other", ""), "they are not the same"),
        (program("app-web-2", 5001, "bin/web", ",B=\"y\""), "they are not the same"),
        (program("app-web-2", 5001, "bin/web", "").replace("/srv/app", "/srv/two"), "they are not the same"),
    ] {
        let text = format!(
            "{}{two}[group:app]\nprograms=app-web-1,app-web-2\n",
            program("app-web-1", 5000, "bin/web", "")
        );
        let ran = printed("supervisord", text);
        assert_eq!(formation(&ran), "web-1=1 web-2=1", "{ran:?}");
        assert!(ran.stderr.contains(&format!("web-1, web-2 are not counted as web: {why}")), "{ran:?}");
    }
}

#[test]
fn numbers_that_mean_something_else_stay_in_the_name() {
    for (names, wanted) in [
        (&["shard-3", "shard-7"][..], "shard-3=1 shard-7=1"),
        (&["web-1"], "web-1=1"),
        (&["web", "web-1", "web-2"], "web=1 web-1=1 web-2=1"),
        (&["api-1", "api-2"], "api=2"),
    ] {
        let programs = names.iter().map(|name| format!("[program:{name}]\ncommand=run\n"));
        let ran = printed("supervisord", programs.collect::<Vec<_>>().concat());
        assert_eq!(formation(&ran), wanted, "{ran:?}");
    }
}

#[test]
fn a_port_in_the_command_is_a_number_like_the_name() {
    let text = program("app-web-1", 5000, "bin/web --bind 0.0.0.0:5000 -w 50001", "")
        + &program("app-web-2", 5001, "bin/web --bind 0.0.0.0:5001 -w 50001", "");
    let ran = printed("supervisord", format!("{text}[group:app]\nprograms=app-web-1,app-web-2\n"));
    assert_eq!(ran.text(), "web: bin/web --bind 0.0.0.0:\"${PORT}\" -w 50001\n", "{ran:?}");
    assert_eq!(formation(&ran), "web=2", "{ran:?}");
}

/// A unit as foreman writes it, behind a line that names it.
fn unit(name: &str, part_of: &str, environment: &str, command: &str) -> String {
    format!(
        "==> {name} <==\n[Unit]\nPartOf={part_of}.target\nStopWhenUnneeded=yes\n\n[Service]\nUser=app\nWorkingDirectory=/srv/app\n{environment}ExecStart=/bin/bash -lc '{command}'\nRestart=always\n"
    )
}

#[test]
fn what_foreman_and_honcho_gave_systemd_is_one_type_with_its_quantity() {
    let numbered = |n: u16| {
        let environment = format!("Environment=PORT=500{n}\nEnvironment=PS=web.{n}\nEnvironment=\"A=a b\"\n");
        unit(
            &format!("app-web.{n}.service"),
            "app",
            &environment,
            &format!("exec -a \"app-web.{n}\" bin/web -p $PORT"),
        )
    };
    let ran = printed("systemd", numbered(1) + &numbered(2));
    assert_eq!((ran.text().as_str(), formation(&ran)), ("web: bin/web -p $PORT\n", "web=2"), "{ran:?}");
    let of_target = |n: u16| {
        unit(
            &format!("app-web-{n}.service"),
            "app-web",
            &format!("Environment=PORT=500{n}\n"),
            "bin/web && echo over",
        )
    };
    let target = "==> app-web.target <==\n[Unit]\nPartOf=app.target\n";
    let ran = printed("systemd", of_target(1) + target + &of_target(2));
    assert_eq!((ran.text().as_str(), formation(&ran)), ("web: bin/web && echo over\n", "web=2"), "{ran:?}");
    let ran = printed("systemd", numbered(1) + &numbered(2).replace("bin/web", "bin/other"));
    assert_eq!(formation(&ran), "web-1=1 web-2=1", "{ran:?}");
    assert!(ran.stderr.contains("web-1, web-2 are not counted as web"), "{ran:?}");
}

#[test]
fn instances_of_a_template_are_the_links_that_its_target_wants() {
    let world = World::new();
    std::fs::create_dir_all(world.path("units/app-web.target.wants")).expect("a directory");
    let unit = unit("x", "app-web", "Environment=PORT=%i\n", "exec bin/web");
    world.put("units/app-web@.service", unit.split_once('\n').expect("a first line").1);
    world.put("units/app-web.target", "[Unit]\nPartOf=app.target\n");
    let ran = world.run(&["import", "--from", "systemd", "units", "--stdout"]);
    assert_eq!((ran.text().as_str(), formation(&ran)), ("web: bin/web\n", "web=1"), "{ran:?}");
    for port in ["5000", "5001", "5002"] {
        let link = world.path(&format!("units/app-web.target.wants/app-web@{port}.service"));
        symlink("../app-web@.service", link).expect("a link");
    }
    let ran = world.run(&["import", "--from", "systemd", "units", "--stdout"]);
    assert_eq!((ran.text().as_str(), formation(&ran)), ("web: bin/web\n", "web=3"), "{ran:?}");
}
