//! The negative control: writes as Dokku writes its property files, which is truncate, write, and ignore whether the write
//! succeeded. A test that finds no fault with this program would find none with ours either.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ps_cli::exit::{self, Outcome};

fn main() -> ExitCode {
    exit::run("in-place-writer", run)
}

fn run() -> Result<Outcome> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["formation", app, ref lines @ ..] => write(app, "scale", lines, "\n"),
        ["property", app, key, value] => write(app, key, &[value], ""),
        ["procfile", app, ref lines @ ..] => {
            let root = std::env::var_os("DOKKU_ROOT").context("DOKKU_ROOT is not set")?;
            write_to(&PathBuf::from(root).join(app).join("Procfile"), lines, "\n")
        }
        ["add", app, line] => add(app, line),
        ["flip", app, key, times] => flip(app, key, times.parse()?),
        _ => bail!("{words:?} is no verb"),
    }
}

/// Adds a line to a formation as Dokku adds one: read, change, write, with nothing held.
fn add(app: &str, line: &str) -> Result<Outcome> {
    let before = fs::read_to_string(directory(app)?.join("scale"))?;
    let lines: Vec<&str> = before.lines().chain([line]).collect();
    write(app, "scale", &lines, "\n")
}

/// Writes two values in turn, for readers to catch in between.
fn flip(app: &str, key: &str, times: usize) -> Result<Outcome> {
    for turn in 0..times {
        write(app, key, &[if turn % 2 == 0 { "always" } else { "on-failure:20" }], "")?;
    }
    Ok(Outcome::Done)
}

fn write(app: &str, name: &str, lines: &[&str], end: &str) -> Result<Outcome> {
    let dir = directory(app)?;
    fs::create_dir_all(&dir)?;
    write_to(&dir.join(name), lines, end)
}

fn write_to(path: &Path, lines: &[&str], end: &str) -> Result<Outcome> {
    let mut file = File::create(path)?;
    for line in lines {
        let _ = file.write_all(format!("{line}{end}").as_bytes());
    }
    Ok(Outcome::Done)
}

fn directory(app: &str) -> Result<PathBuf> {
    let lib = std::env::var_os("DOKKU_LIB_ROOT").context("DOKKU_LIB_ROOT is not set")?;
    Ok(PathBuf::from(lib).join("config/ps").join(app))
}
