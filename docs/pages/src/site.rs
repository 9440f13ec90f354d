//! The documentation as a site of plain files, for any web server or none. It begins with README.md, and has whatever that leads to, page by
//! page: Markdown as HTML, other files as they are, a directory as its README.md or as a list. A link that leads nowhere is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Command;

use crate::markdown::{self, Rendered};

const FRONT: &str = "README.md";
/// Where the pages lie that `--help` prints.
const HELP: &str = "help";
const STYLE: &str = "body{max-width:60rem;margin:auto;padding:1rem;font:1rem/1.5 sans-serif}pre,code{background:#f4f4f4;font-size:.9rem}\
pre{padding:.5rem;overflow:auto}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top}\
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}a{color:#8bf}pre,code{background:#282828}}";

/// What is read, and what was found so far. Paths are those of the checkout, without `.` and `..`.
struct Site<'a> {
    checkout: &'a Path,
    /// What is yet to be read.
    wanted: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    pages: BTreeMap<PathBuf, Rendered>,
    /// Which page leads to which heading of which other one.
    headings: Vec<(PathBuf, PathBuf, String)>,
}

/// Writes the site.
///
/// # Errors
/// A link leads nowhere, or a file cannot be read or written.
pub(crate) fn write(out: &Path, checkout: &Path, commands: &[Command]) -> Result<()> {
    let mut site = Site {
        checkout,
        wanted: vec![PathBuf::from(FRONT)],
        seen: BTreeSet::from([PathBuf::from(FRONT)]),
        pages: BTreeMap::new(),
        headings: Vec::new(),
    };
    while let Some(path) = site.wanted.pop() {
        if checkout.join(&path).is_dir() {
            let listing = site.listing(&path)?;
            site.pages.insert(path, listing);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let page = site.page(&path)?;
            site.pages.insert(path, page);
        } else {
            put(out, &path, &fs::read(checkout.join(&path)).with_context(|| path.display().to_string())?)?;
        }
    }
    site.lead_to_headings()?;
    for (path, page) in &site.pages {
        put(out, &place(checkout, path), framed(checkout, path, page).as_bytes())?;
    }
    write_help(out, checkout, commands)
}

impl Site<'_> {
    fn page(&mut self, path: &Path) -> Result<Rendered> {
        let text = fs::read_to_string(self.checkout.join(path));
        let text = text.with_context(|| path.display().to_string())?;
        markdown::render(&text, |link| self.lead(path, link))
    }

    /// The files of a directory; what lies below another one is not in it.
    fn listing(&mut self, path: &Path) -> Result<Rendered> {
        let mut text = format!("# {}\n\n", path.display());
        let entries = fs::read_dir(self.checkout.join(path)).with_context(|| path.display().to_string())?;
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        let names: BTreeSet<_> =
            files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        for name in names {
            writeln!(text, "- [{name}]({name})")?;
        }
        markdown::render(&text, |link| self.lead(&path.join(FRONT), link))
    }

    /// Where a link of a page leads in the site; its target is wanted from now on.
    fn lead(&mut self, from: &Path, link: &str) -> Result<String> {
        if link.contains(':') {
            return Ok(link.to_owned());
        }
        let (file, heading) = link.split_once('#').map_or((link, None), |(file, it)| (file, Some(it)));
        let target = if file.is_empty() { from.to_owned() } else { target(from, file) };
        let index = target.join(FRONT);
        let target = if self.checkout.join(&index).is_file() { index } else { target };
        ensure!(self.checkout.join(&target).exists(), "{}: leads nowhere: {link}", from.display());
        if let Some(heading) = heading {
            self.headings.push((from.to_owned(), target.clone(), heading.to_owned()));
        }
        if self.seen.insert(target.clone()) {
            self.wanted.push(target.clone());
        }
        let place = relative(from, &place(self.checkout, &target));
        Ok(heading.map_or(place.clone(), |heading| format!("{place}#{heading}")))
    }

    fn lead_to_headings(&self) -> Result<()> {
        for (from, target, heading) in &self.headings {
            let is_there = self.pages.get(target).is_none_or(|page| page.anchors.contains(heading));
            ensure!(
                is_there,
                "{}: leads to a heading that is not there: {}#{heading}",
                from.display(),
                target.display()
            );
        }
        Ok(())
    }
}

/// The path that a link of a page means.
fn target(from: &Path, file: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(file).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => (),
        }
    }
    path
}

/// Where a path of the checkout lies in the site. A directory and its README.md are its index.
fn place(checkout: &Path, path: &Path) -> PathBuf {
    if checkout.join(path).is_dir() {
        return path.join("index.html");
    }
    if path.ends_with(FRONT) {
        return path.with_file_name("index.html");
    }
    if path.extension().is_some_and(|extension| extension == "md") {
        path.with_extension("html")
    } else {
        path.to_owned()
    }
}

/// A place of the site as a link from a page.
fn relative(from: &Path, place: &Path) -> String {
    let depth = from.components().count().saturating_sub(1);
    format!("{}{}", "../".repeat(depth), place.display())
}

fn framed(checkout: &Path, path: &Path, page: &Rendered) -> String {
    let from = if checkout.join(path).is_dir() { path.join(FRONT) } else { path.to_owned() };
    frame(&from, &page.title, &page.body)
}

/// A whole document: the same way to the front page, the start pages and the manual in each.
fn frame(from: &Path, title: &str, body: &str) -> String {
    let link =
        |place: &str, name: &str| format!("<a href=\"{}\">{name}</a>", relative(from, Path::new(place)));
    let ways = [
        link("index.html", "Formation"),
        link("docs/start/index.html", "Start"),
        link("docs/programs/index.html", "Programs"),
        link("help/index.html", "Manual"),
        link("CHANGELOG.html", "Changes"),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title><style>{STYLE}</style>\n<nav>{}</nav>\n<main>\n{body}</main></html>\n",
        escaped(title),
        ways.join(" · ")
    )
}

/// What each program prints for `--help`, a page each.
fn write_help(out: &Path, checkout: &Path, commands: &[Command]) -> Result<()> {
    let mut list = String::from("# Manual\n\n");
    for command in commands {
        let mut command = command.clone();
        let name = command.get_name().to_owned();
        let help =
            format!("<h1>{name}</h1><pre>{}</pre>\n", escaped(&command.render_long_help().to_string()));
        let path = Path::new(HELP).join(&name).with_extension("html");
        put(out, &path, frame(&path, &name, &help).as_bytes())?;
        writeln!(list, "- [{name}]({name}.html)")?;
    }
    let index = Path::new(HELP).join(FRONT);
    let rendered = markdown::render(&list, |link| Ok(link.to_owned()))?;
    put(out, &place(checkout, &index), framed(checkout, &index, &rendered).as_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn put(out: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let path = out.join(path);
    let Some(directory) = path.parent() else { bail!("{}: is no file", path.display()) };
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
}
