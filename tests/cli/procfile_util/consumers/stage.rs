//! A hostile app, its export, and what its processes say of themselves once a supervisor has started them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use procfile::{EnvFile, Procfile};

use super::app;
pub(crate) use super::cage::{is_root, quoted};
use super::seen::{Seen, Variables, shown};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_procfile-util");
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const OPEN_FILES: &str = "99";
const PLAIN_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What shells set by themselves, each in its own way.
const OF_SHELLS: [&str; 4] = ["PWD", "OLDPWD", "SHLVL", "_"];

/// How a format names things, and what it may add.
pub(crate) struct Habits {
    pub(crate) format: &'static str,
    /// The shell that runs a command; its words before the command.
    pub(crate) shell: &'static [&'static str],
    /// The variables that the format refuses, sorted.
    pub(crate) refuses: &'static [&'static str],
    /// The process types whose commands the format refuses, sorted.
    pub(crate) refuses_types: &'static [&'static str],
    /// Variables that the supervisor adds: a name, or its beginning with `*` behind it.
    pub(crate) adds: &'static [&'static str],
    /// Between type and number in `PS`; nothing where instances are replicas.
    pub(crate) ps: Option<char>,
    pub(crate) work: &'static str,
    /// A nice value, where the format has a place for one and for a limit.
    pub(crate) nice: Option<&'static str>,
    /// Whether it is the format that says who runs the app.
    pub(crate) has_user: bool,
}

pub(crate) struct Stage {
    root: tempfile::TempDir,
    pub(crate) habits: &'static Habits,
    pub(crate) types: BTreeMap<&'static str, String>,
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) variables: BTreeMap<&'static str, String>,
}

impl Stage {
    /// The app, in a folder of its own. What the format refuses is left out, after a look at how it refuses it.
    pub(crate) fn new(habits: &'static Habits, types: BTreeMap<&'static str, String>) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        open(root.path(), 0o755);
        let canary = format!("{}/out/canary", root.path().display());
        let types =
            types.into_iter().map(|(name, command)| (name, command.replace("CANARY", &canary))).collect();
        let variables = app::variables(&root.path().display().to_string());
        let variables =
            variables.into_iter().map(|(name, value)| (name, value.replace("CANARY", &canary))).collect();
        let mut stage = Self { root, habits, types, variables, counts: BTreeMap::new() };
        for (folder, mode) in
            [("work", 0o755), ("out", 0o777), ("log", 0o755), ("ld", 0o777), ("traps", 0o755)]
        {
            fs::create_dir(stage.path(folder)).expect("a folder");
            open(&stage.path(folder), mode);
        }
        fs::create_dir_all(stage.work()).expect("a folder to work in");
        stage.set_traps();
        stage.put_probe(&stage.path("out").display().to_string());
        stage.leave_out_what_is_refused();
        stage.count();
        stage.write_sources();
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work").join(self.habits.work)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The probe writes down its arguments, its environment as the kernel has it, and where it is, and then stays.
    pub(crate) fn put_probe(&self, out: &str) {
        let out = quoted(out);
        let probe = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\nout={out}\nnew=$(mktemp -d \"$out/new.XXXXXX\")\nprintf '%s\\0' \"$@\" >\"$new/argv\"\ncat /proc/$$/environ >\"$new/environ\"\n{{ id -u; id -g; pwd -P; ulimit -n; nice; }} >\"$new/place\"\nchmod -R a+rwX \"$new\"\nmv \"$new\" \"$out/done.${{new##*.}}\"\n[ -e \"$out/brief\" ] || exec sleep 600\n"
        );
        put(&self.work().join("probe"), probe.as_bytes(), 0o755);
        put(&self.work().join("a file of *"), b"", 0o644);
    }

    /// Programs that a supervisor's own script could call where the app's `PATH` reached it.
    fn set_traps(&self) {
        let canary = quoted(&self.text("out/canary"));
        for name in app::TRAPS {
            let trap = format!("#!/bin/sh\necho {name} >>{canary}\nexit 111\n");
            put(&self.path("traps").join(name), trap.as_bytes(), 0o755);
        }
    }

    /// How many of each type: mostly one.
    fn count(&mut self) {
        let names = self.types.keys().enumerate();
        self.counts =
            names.map(|(at, name)| (*name, if at == 2 { 3 } else { 1 + usize::from(at % 7 == 0) })).collect();
    }

    /// Each refusal is tried by itself, all that is left at once: what is refused by itself would be refused there, too.
    fn leave_out_what_is_refused(&mut self) {
        let (all, types) = (self.variables.clone(), self.types.clone());
        self.types = BTreeMap::from([("web", "./probe".to_owned())]);
        for name in self.habits.refuses {
            self.variables = BTreeMap::from([(*name, all[name].clone())]);
            let why = self.refusal().unwrap_or_else(|| panic!("{} takes {name}", self.habits.format));
            assert!(why.contains(&format!("variable {name} ")), "{name}: {why}");
        }
        self.variables = BTreeMap::new();
        for name in self.habits.refuses_types {
            self.types = BTreeMap::from([(*name, types[name].clone())]);
            let why = self.refusal().unwrap_or_else(|| panic!("{} takes {name}", self.habits.format));
            assert!(why.contains(*name), "{name}: {why}");
        }
        self.variables = all.into_iter().filter(|(name, _)| !self.habits.refuses.contains(name)).collect();
        self.types =
            types.into_iter().filter(|(name, _)| !self.habits.refuses_types.contains(name)).collect();
        assert_eq!(self.refusal(), None, "what {} was to take", self.habits.format);
    }

    /// A script that puts the administrator's variables where root alone reads them; every process is to have them.
    pub(crate) fn administer(&mut self) -> &'static str {
        self.variables.extend([("A", "of the administrator".to_owned()), ("SECRET", "it is $o".to_owned())]);
        "umask 077; mkdir -p /etc/default; printf \"A='of the administrator'\\nSECRET='it is \\$o'\\n\" >/etc/default/app; umask 022\n"
    }

    /// Leaves out what is long, for a reader that takes its time.
    pub(crate) fn shorten(&mut self) {
        self.types.retain(|_, command| command.len() < 10_000);
        self.variables.retain(|_, value| value.len() < 10_000);
        self.count();
        self.write_sources();
    }

    fn refusal(&self) -> Option<String> {
        self.write_sources();
        let done = self.export_command(&["--dry-run"]).output().expect("procfile-util runs");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (!done.status.success()).then_some(said)
    }

    fn write_sources(&self) {
        // A Procfile's reader cuts one comment of a command, quotes or not: this one.
        let line = |(name, command): (&&str, &String)| format!("{name}: {command} # cut\n");
        let lines: Vec<String> = self.types.iter().map(line).collect();
        let file = lines.concat();
        let read = Procfile::parse(file.as_bytes()).expect("a legal Procfile");
        for (name, command) in &self.types {
            let entry = read.get(name).expect("the type is there");
            assert_eq!(String::from_utf8_lossy(entry.command), command.as_str(), "{name}");
        }
        put(&self.path("Procfile"), file.as_bytes(), 0o644);
        let lines: Vec<String> =
            self.variables.iter().map(|(name, value)| app::dotenv(name, value)).collect();
        let file = lines.concat();
        let read = EnvFile::parse(file.as_bytes()).expect("a legal env file");
        for (name, value) in &self.variables {
            assert_eq!(read.get(name), Some(value.as_str()), "{name}");
        }
        put(&self.path("app.env"), file.as_bytes(), 0o600);
    }

    fn export_command(&self, more: &[&str]) -> Command {
        let formation: Vec<String> =
            self.counts.iter().map(|(name, count)| format!("{name}={count}")).collect();
        let formation = if formation.is_empty() { "all=1".to_owned() } else { formation.join(",") };
        let mut command = Command::new(PROGRAM);
        command.args(["export", "--format", self.habits.format, "--location", "o", "-e", "app.env"]);
        command.args(["--formation", &formation, "--image", "formation-test/busybox:latest"]);
        command.args(["--timeout", "2"]);
        if self.habits.has_user {
            command.args(["--user", user(), "--group", &group()]);
            command.arg("--run").arg(self.path("run"));
        }
        if self.habits.has_user && self.habits.format != "systemd-user" {
            command.arg("--log-path").arg(self.path("log"));
        }
        command.arg("--working-directory-path").arg(self.work());
        if let Some(nice) = self.habits.nice {
            command.args(["--limit-open-files", OPEN_FILES, "--nice", nice]);
        }
        command.args(more).current_dir(self.root.path()).env_clear().env("PATH", PLAIN_PATH);
        command
    }

    /// Writes the units below `o`, and gives what was said on stdout.
    pub(crate) fn export(&self, more: &[&str]) -> String {
        let done = self.export_command(more).output().expect("procfile-util runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("an exporter writes UTF-8")
    }

    /// The files below `o`, sorted, each with its permissions.
    pub(crate) fn exported(&self) -> BTreeMap<String, u32> {
        let (root, mut files) = (self.path("o"), BTreeMap::new());
        let mut ahead = vec![root.clone()];
        while let Some(at) = ahead.pop() {
            for entry in fs::read_dir(&at).expect("what was exported") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    files.insert(path.strip_prefix(&root).expect("below").display().to_string(), mode(&path));
                }
            }
        }
        files
    }

    /// What each instance must be given: its `PS`, and what a shell makes of its command in exactly its environment.
    pub(crate) fn expected(&self) -> Vec<(String, Seen)> {
        let mut expected = Vec::new();
        for (index, (name, command)) in self.types.iter().enumerate() {
            for number in 1..=self.counts[name] {
                let (ps, port) = match self.habits.ps {
                    Some(mark) => (format!("app-{name}{mark}{number}"), 5000 + 100 * index + number - 1),
                    None => (format!("app-{name}"), 5000 + 100 * index),
                };
                let mut shell = Command::new(self.habits.shell[0]);
                shell
                    .args(&self.habits.shell[1..])
                    .arg(command)
                    .current_dir(self.work())
                    .stdin(Stdio::null());
                shell.env_clear().env("PATH", PLAIN_PATH).env("PS", &ps).env("PORT", port.to_string());
                shell.envs(self.variables.iter().filter(|(name, _)| !name.starts_with("LD_")));
                self.start_briefly(&mut shell);
                let mut seen = self.reports();
                assert_eq!(seen.len(), 1, "{command}");
                let mut seen = seen.remove(0);
                let held = self.variables.iter().filter(|(name, _)| name.starts_with("LD_"));
                seen.environ
                    .extend(held.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
                expected.push((ps, seen));
            }
        }
        expected
    }

    /// Takes the reports that have been written.
    fn reports(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for entry in fs::read_dir(self.path("out")).expect("the folder of reports") {
            let path = entry.expect("an entry").path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("done.")) {
                seen.push(Seen::read(&path));
                fs::remove_dir_all(&path).expect("a report that has been read");
            }
        }
        seen
    }

    /// Waits for as many reports as there are instances.
    pub(crate) fn collect(&self, wanted: usize) -> Vec<Seen> {
        self.eventually(wanted, || self.reports())
    }

    /// Looks until there is as much as is wanted.
    pub(crate) fn eventually<T>(&self, wanted: usize, mut look: impl FnMut() -> Vec<T>) -> Vec<T> {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while seen.len() < wanted {
            seen.extend(look());
            assert!(Instant::now() < deadline, "{} of {wanted} reports\n{}", seen.len(), self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
        seen
    }

    /// Starts a process that ends once it has reported.
    pub(crate) fn start_briefly(&self, command: &mut Command) {
        put(&self.path("out/brief"), b"", 0o644);
        let done = command.output().expect("a shell runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::remove_file(self.path("out/brief")).expect("it was put there");
    }

    /// The ends of what was logged.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut ahead = vec![self.path("log")];
        while let Some(at) = ahead.pop() {
            for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    let log = fs::read(&path).unwrap_or_default();
                    let log = String::from_utf8_lossy(&log).chars().take(400).collect::<String>();
                    if !log.is_empty() {
                        text = format!("{text}{}: {log}\n", path.display());
                    }
                }
            }
        }
        text
    }

    /// Compares what was meant with what arrived, and says how much that was.
    pub(crate) fn compare(&self, consumer: &str, expected: &[(String, Seen)], mut seen: Vec<Seen>) {
        let mut compared = 0;
        let mut wrong = Vec::new();
        for (ps, wanted) in expected {
            let at = seen.iter().position(|seen| seen.ps() == *ps);
            let Some(at) = at else {
                let names: Vec<String> = seen.iter().map(Seen::ps).collect();
                panic!("{ps} did not report, but {names:?}");
            };
            let seen = seen.remove(at);
            compared += wanted.argv.len() + self.variables.len() + 2 + self.place().len();
            if seen.argv != wanted.argv {
                wrong.push(format!("{ps}: argv {} instead of {}", shown(&seen.argv), shown(&wanted.argv)));
            }
            wrong.extend(self.differences(ps, &wanted.environ, &seen.environ));
            let place = self.place();
            if !seen.place.starts_with(&place) {
                wrong.push(format!("{ps}: at {:?} instead of {place:?}", seen.place));
            }
        }
        assert!(seen.is_empty(), "more reports than instances: {seen:?}");
        let first = wrong.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(wrong.is_empty(), "{} of {compared} differ:\n{first}", wrong.len());
        let canary = fs::read_to_string(self.path("out/canary"));
        assert!(canary.is_err(), "a part of the app was run on the way: {canary:?}");
        self.loader_obeyed_for_the_user_alone();
        say(&format!("{consumer}: {compared} values of {} processes compared", expected.len()));
    }

    fn differences(&self, ps: &str, wanted: &Variables, seen: &Variables) -> Vec<String> {
        let own = |name: &[u8]| {
            let name = String::from_utf8_lossy(name).into_owned();
            name == "PS" || name == "PORT" || self.variables.contains_key(name.as_str())
        };
        let tolerated = |name: &[u8]| {
            let name = String::from_utf8_lossy(name);
            OF_SHELLS.contains(&&*name)
                || name == "PATH"
                || self.habits.adds.iter().any(|added| match added.strip_suffix('*') {
                    Some(beginning) => name.starts_with(beginning),
                    None => name == *added,
                })
        };
        let mut names: Vec<&Vec<u8>> = wanted.keys().chain(seen.keys()).collect();
        names.sort();
        names.dedup();
        let differs =
            |name: &&Vec<u8>| (own(name) || !tolerated(name)) && wanted.get(*name) != seen.get(*name);
        let show = |value: Option<&Vec<u8>>| {
            value.map_or("nothing".to_owned(), |value| shown(std::slice::from_ref(value)))
        };
        let line = |name: &Vec<u8>| {
            format!(
                "{ps}: {} is {} instead of {}",
                String::from_utf8_lossy(name),
                show(seen.get(name)),
                show(wanted.get(name))
            )
        };
        names.into_iter().filter(differs).map(line).collect()
    }

    fn place(&self) -> Vec<String> {
        let who = if self.habits.has_user { user() } else { "" };
        let id = |flag| text_of(Command::new("id").arg(flag).args(Some(who).filter(|who| !who.is_empty())));
        let work = fs::canonicalize(self.work()).expect("it is there").display().to_string();
        let mut place = vec![id("-u"), id("-g"), work];
        if let Some(nice) = self.habits.nice {
            place.extend([OPEN_FILES, nice].map(str::to_owned));
        }
        place
    }

    /// The app's environment has the dynamic loader write down who obeys it. Where the tests are root, no other than the
    /// app's user may have done so.
    fn loader_obeyed_for_the_user_alone(&self) {
        use std::os::unix::fs::MetadataExt as _;
        if !is_root() || !self.habits.has_user {
            return;
        }
        let owner: u32 = text_of(Command::new("id").args(["-u", user()])).parse().expect("a number");
        for entry in fs::read_dir(self.path("ld")).expect("the loader's notes") {
            let entry = entry.expect("an entry");
            let note = entry.metadata().expect("a note");
            let text = fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).chars().take(600).collect::<String>();
            assert_eq!(note.uid(), owner, "a program of root obeyed the app's environment: {text}");
        }
    }
}

pub(crate) fn put(path: &Path, bytes: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
    open(path, mode);
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Who runs the app: nobody, where the tests are root.
pub(crate) fn user() -> &'static str {
    static USER: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        if is_root() { "nobody".to_owned() } else { text_of(Command::new("id").arg("-un")) }
    });
    &USER
}

pub(crate) fn group() -> String {
    text_of(Command::new("id").args(["-gn", user()]))
}

pub(crate) fn text_of(command: &mut Command) -> String {
    let done = command.output().expect("a small program runs");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

pub(crate) fn say(line: &str) {
    // A test's talk; where nobody listens, nothing is lost.
    let _ = writeln!(std::io::stderr(), "{line}");
}
