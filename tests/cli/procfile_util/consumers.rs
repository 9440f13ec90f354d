//! What is exported, started by those whose formats these are: each supervisor runs a hostile app, whose processes write
//! down what they were given, and that is held against what a shell makes of the same command in the same environment.
//! A supervisor that is not installed is skipped, and stderr says so.

#[path = "consumers/app.rs"]
mod app;
#[path = "../support/cage.rs"]
mod cage;
#[path = "consumers/containers.rs"]
mod containers;
#[path = "consumers/seen.rs"]
mod seen;
#[path = "consumers/stage.rs"]
mod stage;

use std::process::Command;

use cage::Cage;
use stage::{Habits, Stage, quoted};

const NASTY_WORK: &str = "it's \"so\" $HOME %n `x` &amp; é";

const RUNIT: Habits = Habits {
    format: "runit",
    shell: &["/bin/sh", "-c"],
    refuses: &["SPACES", "TAB"],
    refuses_types: &[],
    adds: &[],
    ps: Some('-'),
    work: NASTY_WORK,
    nice: Some("-1"),
    has_user: true,
};

#[test]
fn runit_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("runsvdir") {
        return;
    }
    let stage = Stage::new(&RUNIT, app::types());
    stage.export(&[]);
    let expected = stage.expected();
    let script = format!(
        "rm -f /etc/service; mkdir -p /etc/sv /etc/service; cp -r {}/service/. /etc/sv/; ln -s /etc/sv/app-* /etc/service/
exec runsvdir /etc/service",
        quoted(&stage.text("o"))
    );
    let _cage = Cage::run(&stage.path("."), &script);
    stage.compare("runit", &expected, stage.collect(expected.len()));
}

const S6: Habits = Habits { format: "s6", ps: Some('.'), refuses: &[], ..RUNIT };

#[test]
fn s6_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("s6-svscan") {
        return;
    }
    let stage = Stage::new(&S6, app::types());
    stage.export(&[]);
    let expected = stage.expected();
    let script = format!(
        "mkdir -p /run/service; s6-svscan /run/service & while ! [ -p /run/service/.s6-svscan/control ]; do sleep 0.1; done
cp -r {}/. /; ln -s /etc/s6/app-* /run/service/; s6-svscanctl -a /run/service; wait",
        quoted(&stage.text("o"))
    );
    let _cage = Cage::run(&stage.path("."), &script);
    stage.compare("s6", &expected, stage.collect(expected.len()));
}

const SUPERVISORD: Habits = Habits {
    format: "supervisord",
    refuses: &[
        "COLON",
        "CR",
        "CRLF",
        "HASH",
        "JSON",
        "LONG",
        "NEWLINE",
        "QUOTED",
        "QUOTES",
        "QUOTE_DOUBLE",
        "QUOTE_SINGLE",
    ],
    refuses_types: &["cr"],
    adds: &["SUPERVISOR_*", "LC_CTYPE"],
    nice: None,
    ps: Some('.'),
    ..RUNIT
};

#[test]
fn supervisord_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("supervisord") {
        return;
    }
    let stage = Stage::new(&SUPERVISORD, app::types());
    stage.export(&["--prestart", "true '; # %(x)s'"]);
    let expected = stage.expected();
    // The configuration is that of the package.
    let script = format!(
        "mkdir -p /var/log/supervisor; supervisord -n -c /etc/supervisor/supervisord.conf &
while ! [ -S /run/supervisor.sock ]; do sleep 0.1; done; cp -r {}/. /; supervisorctl update; wait",
        quoted(&stage.text("o"))
    );
    let _cage = Cage::run(&stage.path("."), &script);
    stage.compare("supervisord", &expected, stage.collect(expected.len()));
}

const SYSV: Habits = Habits {
    format: "sysv",
    refuses: &[],
    adds: &["LANG", "LANGUAGE", "LC_*", "TERM"],
    ps: Some('.'),
    ..RUNIT
};

#[test]
fn system_v_scripts_start_what_was_meant() {
    if !cage::can_be_built() {
        return;
    }
    let ways = [
        ("dash", "dash /etc/init.d/$name start"),
        ("bash", "bash /etc/init.d/$name start"),
        ("service", "service $name start"),
    ];
    for (program, start) in ways.into_iter().filter(|(program, _)| cage::has(program)) {
        let mut stage = Stage::new(&SYSV, app::types());
        stage.export(&["--prestart", "test \"$A\" = 'of the administrator'"]);
        let variables = stage.administer();
        let expected = stage.expected();
        let script = format!(
            "{variables}cp -r {}/. /; cd /etc/init.d; for name in app-*; do {start} || exit 1; done; sleep 600",
            quoted(&stage.text("o"))
        );
        let _cage = Cage::run(&stage.path("."), &script);
        stage.compare(&format!("sysv, {program}"), &expected, stage.collect(expected.len()));
    }
}

const SYSTEMD: Habits = Habits {
    format: "systemd",
    shell: &["/bin/bash", "-c"],
    refuses: &[],
    adds: &["LANG", "USER", "LOGNAME", "SHELL", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"],
    ps: Some('.'),
    ..RUNIT
};

#[test]
fn systemd_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("systemctl") {
        return;
    }
    let mut stage = Stage::new(&SYSTEMD, app::types());
    stage.export(&["--prestart", "test \"$A\" = 'of the administrator' && test '$%n' != x"]);
    let variables = stage.administer();
    let expected = stage.expected();
    let script = format!("{variables}cp -r {}/. /; systemctl enable app.target", quoted(&stage.text("o")));
    let _cage = Cage::boot(&stage.path("."), &script);
    stage.compare("systemd", &expected, stage.collect(expected.len()));
}

const SYSTEMD_USER: Habits = Habits {
    format: "systemd-user",
    shell: &["/bin/sh", "-c"],
    adds: &[
        "LANG",
        "USER",
        "LOGNAME",
        "SHELL",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "MANAGERPID",
        "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
    ],
    nice: Some("1"),
    ..SYSTEMD
};

/// systemd, for one user: a manager of its own, which the system's systemd starts as it would at a log-in.
#[test]
fn the_systemd_of_a_user_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("systemctl") {
        return;
    }
    let stage = Stage::new(&SYSTEMD_USER, app::types());
    let home = stage.text("home of");
    stage.export(&["--home", &home]);
    let expected = stage.expected();
    let (user, group) = (stage::user(), stage::group());
    let manager = format!(
        "[Service]\nUser={user}\nGroup={group}\nEnvironment=\"HOME={home}\" XDG_RUNTIME_DIR=/run/manager\nRuntimeDirectory=manager\nDelegate=yes\nExecStart=/lib/systemd/systemd --user --log-target=console\nStandardError=append:/proc/1/fd/2\n[Install]\nWantedBy=multi-user.target\n"
    );
    stage::put(&stage.path("manager.service"), manager.as_bytes(), 0o644);
    let script = format!(
        "cp -r {}/. /; cp {} /etc/systemd/system; systemctl enable manager.service; chown {user} {}; HOME={} systemctl --user enable {}/.config/systemd/user/*.service",
        quoted(&stage.text("o")),
        quoted(&stage.text("manager.service")),
        quoted(&home),
        quoted(&home),
        quoted(&home)
    );
    let _cage = Cage::boot(&stage.path("."), &script);
    stage.compare("systemd --user", &expected, stage.collect(expected.len()));
}

const OPENRC: Habits = Habits {
    format: "openrc",
    refuses: &[],
    adds: &["RC_*", "EINFO_*", "SVCNAME", "USER"],
    ps: Some('.'),
    ..RUNIT
};

/// What a machine that boots with OpenRC has: a runlevel, and a service that brings up the net.
const RUNLEVEL: &str = "rm -rf /etc/init.d/* /etc/runlevels; for level in sysinit boot default shutdown; do mkdir -p /etc/runlevels/$level; done
printf '#!/sbin/openrc-run\\ndepend() { provide net; }\\nstart() { :; }\\n' >/etc/init.d/net; chmod 755 /etc/init.d/net
";

#[test]
fn openrc_starts_what_was_meant() {
    if !cage::can_be_built() || !cage::has("openrc-run") {
        return;
    }
    let stage = Stage::new(&OPENRC, app::types());
    stage.export(&["--prestart", "test \"$A\" = b"]);
    let expected = stage.expected();
    let script = format!(
        "{RUNLEVEL}cp -r {}/. /; for service in /etc/init.d/app-*; do rc-update add \"${{service##*/}}\" default; done; exec openrc-init",
        quoted(&stage.text("o"))
    );
    let _cage = Cage::run(&stage.path("."), &script);
    stage.compare("openrc", &expected, stage.collect(expected.len()));
}

const UPSTART: Habits = Habits {
    format: "upstart",
    refuses: &["COLON", "CR", "CRLF", "NEWLINE"],
    refuses_types: &["cr"],
    work: "it is so $HOME %n; `x` &amp; é",
    ps: Some('.'),
    ..RUNIT
};

/// There is no Upstart any more; what it would hand to a shell, a shell is handed.
#[test]
fn the_scripts_of_upstart_start_what_was_meant() {
    if !cage::can_be_built() {
        return;
    }
    let stage = Stage::new(&UPSTART, app::types());
    stage.export(&[]);
    let expected = stage.expected();
    for (path, _) in stage.exported() {
        let conf = std::fs::read_to_string(stage.path("o").join(&path)).expect("a job");
        let block = conf.split_once("\nscript\n").and_then(|(_, rest)| rest.split_once("\nend script\n"));
        if let Some((block, _)) = block {
            let name = path.rsplit('/').next().expect("a name");
            stage::put(&stage.path("blocks").join(name), block.as_bytes(), 0o644);
        }
    }
    let as_user =
        format!("nice -n -1 setpriv --reuid={} --regid={} --clear-groups", stage::user(), stage::group());
    let blocks = quoted(&stage.text("blocks"));
    // As the manual says: the job's user may not make files in the folder of logs, so they are made before.
    let log = format!("{}/$(basename \"$block\" .conf)", quoted(&stage.text("log")));
    let prepare =
        format!("for end in stdout stderr; do install -o {} /dev/null {log}-$end.log; done", stage::user());
    let script = format!(
        "ulimit -n 99; for block in {blocks}/*; do {prepare}; {as_user} /bin/sh -e \"$block\" & done; wait"
    );
    let _cage = Cage::run(&stage.path("."), &script);
    stage.compare("upstart's scripts", &expected, stage.collect(expected.len()));
}

/// All files that are no more than a shell's script pass shellcheck, whatever the app says.
#[test]
fn every_script_passes_shellcheck() {
    let Some(shellcheck) = cage::program("shellcheck") else { return };
    for habits in [&RUNIT, &S6, &SYSV, &OPENRC] {
        let mut stage = Stage::new(habits, app::types());
        stage.shorten();
        stage.export(&["--prestart", "test \"$A\" = b"]);
        let scripts = stage.exported().into_iter().filter(|(_, mode)| mode & 0o100 != 0);
        let scripts: Vec<_> = scripts.map(|(path, _)| stage.path("o").join(path)).collect();
        let done = Command::new(&shellcheck)
            .args(["--format", "gcc"])
            .args(&scripts)
            .output()
            .expect("shellcheck runs");
        let said: String = String::from_utf8_lossy(&done.stdout).chars().take(2000).collect();
        assert!(done.status.success(), "{said}");
        stage::say(&format!("shellcheck: {} scripts of {}", scripts.len(), habits.format));
    }
}

/// `--dry-run` names what is written, `--stdout` prints it, and all has the mode that it should have.
#[test]
fn what_is_said_printed_and_written_is_the_same() {
    let all = [
        (&SYSTEMD, 0o644),
        (&SYSTEMD_USER, 0o644),
        (&SYSV, 0o755),
        (&UPSTART, 0o644),
        (&RUNIT, 0o755),
        (&containers::LAUNCHD, 0o644),
        (&SUPERVISORD, 0o600),
        (&S6, 0o755),
        (&OPENRC, 0o700),
        (&containers::COMPOSE, 0o600),
        (&containers::QUADLET, 0o600),
        (&containers::KUBERNETES, 0o600),
    ];
    for (habits, usual) in all {
        let stage = Stage::new(habits, app::types());
        let said = stage.export(&["--dry-run"]);
        let printed = stage.export(&["--stdout"]);
        assert!(!stage.path("o").exists(), "{} wrote what it was only to show", habits.format);
        stage.export(&[]);
        let mut files = stage.exported();
        for line in said.lines() {
            let path = line.strip_prefix("would write: o/").expect("a path");
            let at = stage.path("o").join(path);
            let Some(mode) = files.remove(path) else {
                assert_eq!(stage::mode(&at), if path.ends_with("/env") { 0o700 } else { 0o755 }, "{path}");
                continue;
            };
            let wanted = match path.rsplit('/').next() {
                _ if path.contains("/env/") => 0o600,
                Some("environment") => 0o600,
                Some("timeout-kill") => 0o644,
                _ => usual,
            };
            assert_eq!(mode, wanted, "{path}");
            let text = std::fs::read_to_string(&at).expect("a file");
            let titled = format!("==> {path} <==\n{text}");
            assert!(printed == text || printed.contains(&titled), "{path} was not printed as it is");
        }
        assert_eq!(files.len(), 0, "{files:?} were not announced");
    }
}
