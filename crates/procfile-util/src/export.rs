//! `export`: writes units of other process managers. All files are rendered before the first one is staged, and all
//! are staged before the first one is renamed.

use std::io::Write as _;

use anyhow::{Result, anyhow, bail};
use formation::RELEASE;
use procfile::{EnvFile, Procfile};
use procfile_exchange::export::{AbsolutePath, Format, Job, Limit, Name, Output, Resource, Settings, Text};
use ps_cli::exit::Outcome;

use crate::counts::Counts;
use crate::files::{self, EnvFileFailure};
use crate::flags::Given;
use crate::talk::{self, Failure};
use crate::{exported_files, output};

/// The values of `--format`.
pub(crate) const FORMATS: &str = "systemd, systemd-user, sysv, upstart, runit, launchd, supervisord, s6, openrc, compose, quadlet, kubernetes";

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let format_name = given.word("format");
    let location = given.text("location");
    let dry = given.on("dry-run") || given.on("stdout");
    if format_name.is_empty() {
        return Err(Failure::bare("no format specified"));
    }
    if location.is_empty() && !dry {
        return Err(Failure::bare_with_way_out(
            "no output location specified",
            "--location names the directory; --stdout prints the units, --dry-run lists them",
        ));
    }
    let format = Format::of(&format_name)
        .ok_or_else(|| Failure::with_way_out(format!("Invalid format type: {format_name}"), FORMATS))?;
    let counts = Counts::parse(&given.word("formation")).map_err(|why| {
        Failure::with_way_out(why.to_string(), "write it as web=2,worker=1; all=1 is for the rest")
    })?;
    let env = env_file(given)?;
    counts.refuse_unknown(&procfile)?;
    let job = job(given, format, &procfile, &env, &counts)?;
    warn(given, format, &env, &job);
    warn_of_release(&procfile, &counts);
    let outputs = format.render(&job)?;
    format.renamed(&job).iter().for_each(|note| talk::say(&format!("note: {note}")));
    if given.on("stdout") {
        return print(&outputs);
    }
    let root = location.to_string_lossy();
    if given.on("dry-run") {
        return announce(&outputs, |output| {
            format!("would write: {}", exported_files::place(&root, &output.path))
        });
    }
    exported_files::write(location, &outputs)?;
    announce(&outputs, |output| {
        format!("{}{}", output.announcement, exported_files::place(&root, &output.path))
    })?;
    hint(format);
    Ok(Outcome::Done)
}

fn env_file(given: &Given) -> Result<EnvFile> {
    match files::env_file(given) {
        Ok(env) => Ok(env.unwrap_or_default()),
        Err(EnvFileFailure::Read(why)) => Err(Failure::bare(format!("error reading env file: {why}"))),
        Err(EnvFileFailure::Parse(why)) => Err(Failure::bare(format!("error parsing env file: {why}"))),
    }
}

fn job(given: &Given, format: Format, procfile: &Procfile, env: &EnvFile, counts: &Counts) -> Result<Job> {
    let mut settings = settings(given)?;
    if format == Format::SystemdUser && !given.has("log-path") {
        // A user without privileges may not create files in the system's log directory.
        settings.log_path = settings.home.clone();
    }
    Ok(Job::new(settings, procfile, env, given.integer("default-port"), |name| counts.of(name))?)
}

fn settings(given: &Given) -> Result<Settings> {
    let app = Name::new("app", &given.word("app"))?;
    let or_app = |what, flag| match &*given.word(flag) {
        "" => Ok(app.clone()),
        name => Name::new(what, name),
    };
    Ok(Settings {
        user: or_app("user", "user")?,
        group: or_app("group", "group")?,
        description: optional(given, "description")?,
        image: match &*given.word("image") {
            "" => Text::new("--app", app.as_str().as_bytes())?,
            image => image_name(image)?,
        },
        home: path(given, "home", &home()?)?,
        log_path: path(given, "log-path", "/var/log")?,
        run_path: path(given, "run", &format!("/var/run/{app}"))?,
        working_directory: path(given, "working-directory-path", "/")?,
        limits: limits(given)?,
        nice: nice(&given.word("nice"))?,
        prestart: optional(given, "prestart")?,
        timeout: u32::try_from(given.integer("timeout"))
            .map_err(|_| anyhow!("invalid timeout: {}", given.integer("timeout")))?,
        app,
    })
}

fn optional(given: &Given, flag: &str) -> Result<Option<Text>> {
    let value = given.text(flag).as_encoded_bytes();
    if value.is_empty() {
        return Ok(None);
    }
    Ok(Some(Text::new(&format!("--{flag}"), value)?))
}

fn path(given: &Given, flag: &str, default: &str) -> Result<AbsolutePath> {
    let value = given.text(flag).as_encoded_bytes();
    let value = if value.is_empty() { default.as_bytes() } else { value };
    Ok(AbsolutePath::new(&format!("--{flag}"), value)?)
}

/// The home directory of the user, found in the same way as the original does.
fn home() -> Result<String> {
    let own = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(own)).then(|| name.to_owned())
    });
    let caller = || ps_apps::variable("USER").map(|name| name.to_string_lossy().into_owned());
    let name = name.or_else(caller).unwrap_or_else(|| own.to_string());
    Ok(format!("/home/{}", Name::new("user", &name)?))
}

/// The name of an image, which is plain text in every format.
fn image_name(image: &str) -> Result<Text> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte);
    if !image.bytes().all(plain) || image.starts_with('-') {
        bail!("invalid image: {image:?}");
    }
    Ok(Text::new("--image", image.as_bytes())?)
}

fn limits(given: &Given) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    for resource in Resource::ALL {
        let word = given.word(&format!("limit-{}", resource.flag())).into_owned();
        if !word.is_empty() {
            limits.push(Limit::parse(resource, &word)?);
        }
    }
    Ok(limits)
}

fn nice(word: &str) -> Result<Option<i8>> {
    match (word, word.parse::<i8>()) {
        ("", _) => Ok(None),
        (_, Ok(nice @ -20..=19)) => Ok(Some(nice)),
        _ => bail!("invalid nice value: {word:?}: use a whole number from -20 to 19"),
    }
}

/// Warns about flags that have no effect in the format, and about a `PORT` in the env file, which all instances would
/// share.
fn warn(given: &Given, format: Format, env: &EnvFile, job: &Job) {
    let colored = talk::colored();
    for flag in format.ignores().iter().filter(|flag| given.has(flag)) {
        let message = format!("warning: --{flag} means nothing to {}", given.word("format"));
        talk::say(&talk::prefixed(&message, colored));
    }
    if !job.settings.limits.is_empty() && !format.limits() {
        let message = format!("warning: --limit-… means nothing to {}", given.word("format"));
        talk::say(&talk::prefixed(&message, colored));
    }
    if env.get("PORT").is_some() && job.instances.len() > 1 {
        let message = "warning: the env file sets PORT, so all instances get the same port";
        talk::say(&talk::prefixed(message, colored));
    }
}

/// Warns about the process type `release`. It is meant to run once, but a process manager would start it again and
/// again. The warning says either that it is exported because it was named, or that it is left out.
fn warn_of_release(procfile: &Procfile, counts: &Counts) {
    let is_wanted = counts.named("all").is_some_and(|count| count > 0);
    let message = match counts.named(RELEASE) {
        _ if procfile.get(RELEASE).is_none() => return,
        Some(0) => return,
        Some(_) => {
            "warning: release is exported as a service: it runs at each boot, and again whenever it ends"
        }
        None if is_wanted => {
            "warning: release is left out, because a service would run it again whenever it ends: run it before each start, or name it as in --formation all=1,release=1"
        }
        None => return,
    };
    talk::say(&talk::prefixed(message, talk::colored()));
}

fn announce(outputs: &[Output], line: impl Fn(&Output) -> String) -> Result<Outcome> {
    let lines: Vec<String> = outputs.iter().map(|output| line(output) + "\n").collect();
    output::print(lines.concat().as_bytes())
}

/// Prints all files on stdout, each below a line with its path. A single file stands alone, so that a program can read it from a pipe.
fn print(outputs: &[Output]) -> Result<Outcome> {
    let mut out = output::stdout();
    let files: Vec<_> =
        outputs.iter().filter_map(|output| Some((output, output.contents.as_ref()?))).collect();
    for (output, contents) in &files {
        if files.len() > 1 {
            writeln!(out, "==> {} <==", output.path)?;
        }
        out.write_all(contents)?;
        if !contents.ends_with(b"\n") {
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn hint(format: Format) {
    if format == Format::SystemdUser {
        talk::say(
            "You will want to run 'systemctl --user daemon-reload' to activate the service on the target host",
        );
    }
}
