//! Hostile commands and variables through the programs that read what is exported: dash for every format that is a
//! shell's, systemd for units. What a service's command would be is not run: a stub prints the words that it was given,
//! and a canary would appear if any part of a hostile text were run on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use procfile::is_simple_command;
use procfile_exchange::export::{Format, Output};

use crate::fuzz::case::Case;

/// Parts that mean something to some reader.
const PARTS: [&str; 40] = [
    "'",
    "\"",
    "`touch CANARY`",
    "$(touch CANARY)",
    "; touch CANARY",
    "\\",
    "$",
    "%",
    "%n",
    "%%",
    "$$",
    "${A}",
    " # ",
    "#",
    ";",
    "&& touch CANARY",
    "| touch CANARY",
    "& touch CANARY",
    "\n",
    "\r",
    "\t",
    "é",
    "\u{2028}",
    "\u{a0}",
    "!",
    "*",
    "~",
    "{a,b}",
    "<",
    ">CANARY",
    "(touch CANARY)",
    "exec",
    "=",
    "[Service]",
    "end script",
    "'; touch CANARY; '",
    "\"; touch CANARY; \"",
    "-c",
    " ",
    "web",
];
const DEADLINE: Duration = Duration::from_secs(60);

/// Numbers that look random and are the same in every run: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("it is below a usize")
    }

    fn text(&mut self, canary: &str) -> String {
        let count = 1 + self.below(8);
        (0..count).map(|_| PARTS[self.below(PARTS.len())].replace("CANARY", canary)).collect()
    }

    fn case(&mut self, world: &World) -> Case {
        let canary = world.path("canary").display().to_string();
        let command = format!("{}{}", ["run ", "x", ""][self.below(3)], self.text(&canary));
        Case {
            command: command.replace(['\n', '\r'], " "),
            prestart: None,
            description: (self.below(2) == 0).then(|| self.text(&canary)),
            directory: world.path("home").display().to_string()[1..].to_owned(),
            logs: world.path("log").display().to_string()[1..].to_owned(),
            image: "image".to_owned(),
            values: vec![self.text(&canary)],
            count: 1,
        }
    }
}

/// A folder with stubs, which are all that is on the path.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a temporary folder"));
        for folder in ["bin", "home", "log", "units"] {
            fs::create_dir(world.path(folder)).expect("a folder");
        }
        let out = world.path("out").display().to_string();
        let report = format!("#!/bin/sh\nprintf '%s\\0' \"$@\" >'{out}.new'\n/bin/mv '{out}.new' '{out}'\n");
        for stub in ["chpst", "sh"] {
            world.stub(stub, &report);
        }
        world.stub("setsid", &report.replace("\"$@\"", "A \"$FOR_APP_A\" \"$@\""));
        let with_environment = report.replace("\"$@\"", "A \"$A\" \"$@\"");
        world.stub("s6-setuidgid", &with_environment.replacen('\n', "\neval \"$(/bin/cat <&3)\"\n", 1));
        world.stub("id", "#!/bin/sh\necho user\n");
        world.stub("getent", "#!/bin/sh\necho group:x:1:\n");
        world.stub("cut", "#!/bin/sh\nexec /usr/bin/cut \"$@\"\n");
        world.stub("nice", "#!/bin/sh\nshift 2\nexec \"$@\"\n");
        for quiet in ["mkdir", "rm", "head", "sleep"] {
            world.stub(quiet, "#!/bin/sh\nexit 0\n");
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn stub(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, script).expect("a stub");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a stub that can be run");
    }

    /// The words that reached the stub.
    fn dash(&self, script: &str, arguments: &[&str]) -> Option<Vec<String>> {
        let _ = fs::remove_file(self.path("out"));
        let file = self.path("script");
        fs::write(&file, script).expect("a script");
        let mut dash = Command::new(program("dash").expect("dash was found before"));
        dash.arg(&file)
            .args(arguments)
            .current_dir(self.path("home"))
            .env_clear()
            .env("PATH", self.path("bin"));
        let done = dash.stdin(Stdio::null()).output().expect("dash can be run");
        let deadline = Instant::now() + DEADLINE;
        // A System V script starts its command in the background.
        while !arguments.is_empty() && !self.path("out").exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(said, "", "of {script}");
        let words = fs::read_to_string(self.path("out")).ok()?;
        Some(words.split_terminator('\0').map(str::to_owned).collect())
    }
}

/// Where a program is; where it is nowhere, the test is skipped.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|place| place.is_file());
    if found.is_none() {
        skipped::skip(format_args!("no {name}"));
    }
    found
}

/// The count of an expensive test: a small one, or with `FORMATION_TEST_LONG=1` the one that is promised.
fn count(small: usize) -> usize {
    if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { 2000 } else { small }
}

/// The files of a hostile case; nothing where it is refused.
fn export(format: Format, case: &mut Case) -> Option<Vec<Output>> {
    let (file, env) = case.read_back()?;
    case.job(&file, &env).and_then(|job| format.render(&job)).ok()
}

fn text(outputs: &[Output], end: &str) -> String {
    let output = outputs.iter().find(|output| output.path.ends_with(end)).expect("an exported file");
    String::from_utf8(output.contents.clone().expect("a file has contents"))
        .expect("an exporter writes UTF-8")
}

/// Feeds dash the promised number of hostile exports. `script` makes of an export what a stub can report on: the script,
/// its arguments, and which of the reported words must be the variable `A`.
fn through_dash(format: Format, small: usize, script: impl Fn(&[Output]) -> (String, Vec<&'static str>)) {
    if program("dash").is_none() {
        return;
    }
    let world = World::new();
    let (mut dice, mut done) = (Dice(0x5eed_0000_0001), 0);
    while done < count(small) {
        let mut case = dice.case(&world);
        let Some(outputs) = export(format, &mut case) else { continue };
        if let Some(output) = outputs.iter().find(|output| output.path.ends_with("/environment")) {
            let contents = output.contents.as_deref().expect("a file has contents");
            fs::write(world.path("home/environment"), contents).expect("the variables of s6");
        }
        let (script, arguments) = script(&outputs);
        let words =
            world.dash(&script, &arguments).unwrap_or_else(|| panic!("nothing reached the stub: {script}"));
        let wanted = if is_simple_command(&case.command) {
            format!("exec {}", case.command)
        } else {
            case.command.clone()
        };
        assert!(words.contains(&wanted), "{words:?} lacks {wanted:?}");
        assert_eq!(words.last(), Some(&wanted), "{words:?}");
        if words[0] == "A" {
            assert_eq!(words[1], case.values[0], "{words:?}");
        }
        assert!(!world.path("canary").exists(), "a part of {case:?} was run");
        done += 1;
    }
    assert_eq!(done, count(small));
}

#[test]
fn dash_reads_sysv_scripts_as_they_are_meant() {
    through_dash(Format::Sysv, 40, |outputs| (text(outputs, "/app-web-1"), vec!["start"]));
}

#[test]
fn dash_reads_runit_scripts_as_they_are_meant() {
    through_dash(Format::Runit, 40, |outputs| (text(outputs, "-1/run"), Vec::new()));
}

#[test]
fn dash_reads_s6_scripts_as_they_are_meant() {
    through_dash(Format::S6, 40, |outputs| (text(outputs, "-1/run"), Vec::new()));
}

/// OpenRC's own shell evaluates the arguments; here it is dash.
#[test]
fn dash_reads_openrc_scripts_as_they_are_meant() {
    let ending = "\neval \"set -- $command_args\"\nsh A \"$FOR_APP_A\" \"$@\"\n";
    through_dash(Format::OpenRc, 40, |outputs| (text(outputs, "/app-web-1") + ending, Vec::new()));
}

/// Upstart hands a script block to a shell. Where the exporter's own line runs one, the stub is run in its place.
#[test]
fn dash_reads_upstart_scripts_as_they_are_meant() {
    through_dash(Format::Upstart, 40, |outputs| {
        let conf = text(outputs, "/app-web-1.conf");
        let block = conf.split_once("\nscript\n").and_then(|(_, rest)| rest.split_once("\nend script\n"));
        let (block, _) = block.expect("a script block");
        let lines: Vec<String> = block.lines().map(of_stub).collect();
        (lines.join("\n"), Vec::new())
    });
}

fn of_stub(line: &str) -> String {
    match line.strip_prefix("  exec ") {
        None => line.to_owned(),
        Some(shell) if shell.starts_with("/bin/sh -c ") => line.replacen("/bin/sh -c ", "sh A \"$A\" -c ", 1),
        // A bare command: its words are the shell's to expand, so that it is bare is what is looked at.
        Some(bare) => {
            let bare = bare.trim_end_matches('\\').trim_end();
            assert!(!bare.contains(['\'', '"', '\\', '#', ';', '&', '|', '`', '(', '<', '>']), "{bare:?}");
            format!("  exec sh A \"$A\" -c 'exec {bare}' \\")
        }
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_hostile_units() {
    if program("systemd-analyze").is_none() {
        return;
    }
    let world = World::new();
    let (mut dice, mut done) = (Dice(0x5eed_0000_0002), 0);
    let (all, batch) = (count(50), 50);
    while done < all {
        let units: Vec<PathBuf> = std::iter::from_fn(|| Some(unit(&world, &mut dice)))
            .flatten()
            .take(batch)
            .enumerate()
            .map(|(number, text)| put_unit(&world, number, &text))
            .collect();
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["--man=no", "verify"]).args(&units).arg(world.path("units/app.target"));
        let said = analyze.stdin(Stdio::null()).output().expect("systemd-analyze can be run");
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && stderr.is_empty(), "{stderr}");
        done += units.len();
    }
    assert!(!world.path("canary").exists());
}

fn unit(world: &World, dice: &mut Dice) -> Option<String> {
    let outputs = export(Format::Systemd, &mut dice.case(world))?;
    let target = text(&outputs, "app.target");
    fs::write(world.path("units/app.target"), target.replace("Wants=app-web.1.service", ""))
        .expect("a target");
    Some(text(&outputs, "app-web.1.service"))
}

fn put_unit(world: &World, number: usize, text: &str) -> PathBuf {
    let path: &Path = &world.path(&format!("units/app-web{number}.1.service"));
    fs::write(path, text).expect("a unit");
    path.to_owned()
}
